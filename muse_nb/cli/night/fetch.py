"""``muse-nb fetch``: a night and its calibrations from ESO's archive."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from muse_nb.cli.common import add_json, print_error, print_json
from muse_nb.core.progress import on_terminal

if TYPE_CHECKING:
    from muse_nb.archive.result import Fetched

__all__ = ["add_arguments", "run"]

MANIFEST = "data_manifest.csv"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--target", default="", metavar="NAME", help="name of the target, as the observer wrote it")
    parser.add_argument(
        "--position", nargs=3, type=float, metavar=("RA", "DEC", "DEG"), help="centre and radius of a cone [deg]"
    )
    parser.add_argument("--programme", default="", metavar="ID", help="as 60.A-9100(C), or without the run")
    parser.add_argument("--night", default="", metavar="DATE", help="date of the evening: noon to noon in Chile")
    parser.add_argument("--mode", default="", metavar="MODE", help="INS MODE, as WFM-NOAO-N")
    parser.add_argument(
        "--calibrations",
        choices=("raw", "master", "none"),
        default="none",
        help="those that the archive associates, raw or as masters (default: none)",
    )
    parser.add_argument("--list", action="store_true", help="say what there is, and fetch nothing")
    parser.add_argument("--limit", type=int, default=1000, metavar="N", help="exposures at most (default: 1000)")
    parser.add_argument("--no-logs", action="store_true", help="leave out the night logs")
    parser.add_argument("--workers", type=int, default=4, metavar="N", help="files at a time (default: 4)")
    parser.add_argument("--archive", metavar="URL", help="another base for all of the archive's addresses")
    parser.add_argument("-o", "--output", metavar="DIR", help="folder to fetch to; its manifest is written, too")
    parser.add_argument("--no-manifest", action="store_true", help=f"write no {MANIFEST} into the folder")
    add_json(parser)
    parser.epilog = (
        "examples: muse-nb fetch --target 'NGC 6397' --night 2014-07-27 --calibrations raw --list\n"
        "          muse-nb fetch --target 'NGC 6397' --night 2014-07-27 --calibrations raw -o raw\n\n"
        "Proprietary files need an account: ESO_USERNAME and ESO_PASSWORD, or machine www.eso.org in ~/.netrc,\n"
        "or the keyring. It is sent to the archive alone, never written, never printed."
    )
    parser.set_defaults(usage_error=parser.error)


def run(args: argparse.Namespace) -> int:
    """List or fetch; exit status 1 where a file could not be had."""
    if not (args.target or args.position or args.programme or args.night):
        args.usage_error("say what to look for: --target, --position, --programme or --night")
    if not args.list and not args.output:
        args.usage_error("say where to: -o DIR, or --list to look only")
    if args.limit < 1 or args.workers < 1:
        args.usage_error("--limit and --workers are 1 or more")
    from muse_nb.archive.fetch import fetch, list_archive

    with on_terminal("B", scale=True) as progress:
        listing = list_archive(
            target=args.target,
            position=None if args.position is None else tuple(args.position),
            programme=args.programme,
            night=args.night,
            mode=args.mode,
            calibrations=args.calibrations,
            limit=args.limit,
            archive=args.archive,
            progress=progress,
        )
        if args.list:
            _print(listing, args.json)
            return 0
        progress(listing.headline, 0, 0)
        found = fetch(
            args.output,
            listing,
            logs=not args.no_logs,
            archive=args.archive,
            workers=args.workers,
            progress=progress,
        )
    if not args.no_manifest:
        _keep_manifest(found)
    _print(found, args.json)
    if found.failed:
        number, first = len(found.failed), next(iter(found.failed.values()))
        print_error("fetch", f"{number} of {len(found.listing.files)} files could not be had: {first}")
    return 1 if found.failed else 0


def _print(found: Any, as_json: bool) -> None:
    if as_json:
        print_json(found.summary())
    else:
        print(found)


def _keep_manifest(found: Fetched) -> None:
    """Write the folder's manifest where a file is not in it yet; a file of another kind stays as it is."""
    from muse_nb.core.errors import MuseError
    from muse_nb.products.manifest import read_manifest
    from muse_nb.steps.survey.result import write_surveys
    from muse_nb.steps.survey.survey import survey

    path = found.folder / MANIFEST
    there = {file.name for file in (*found.files, *found.kept) if file.suffix != ".txt"}
    try:
        listed = {entry.file for entry in read_manifest(path)} if path.exists() else set()
    except MuseError as error:
        print_error("fetch", f"{error}; it is left as it is")
        return
    if not there <= listed:
        write_surveys(path, [survey(found.folder)], force=True)
