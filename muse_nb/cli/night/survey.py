"""``muse-nb survey``: what is in a folder; write or verify its manifest."""

from __future__ import annotations

import argparse
from collections import Counter
from typing import TYPE_CHECKING, Any

from muse_nb.cli.common import add_force, add_json, print_json
from muse_nb.core.text import printable

if TYPE_CHECKING:
    from muse_nb.steps.survey.exposures import Exposure
    from muse_nb.steps.survey.result import Survey

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.epilog = (
        "examples: muse-nb survey night -o data_manifest.csv\n          muse-nb survey --verify data_manifest.csv"
    )
    parser.add_argument(
        "folders",
        nargs="*",
        metavar="DIR",
        help="folder with MUSE files, or package:NAME/PATH; several are one manifest",
    )
    parser.add_argument("-o", "--output", metavar="CSV", help="manifest to write")
    parser.add_argument(
        "--verify", metavar="CSV", help="hold this manifest against the files, in DIR if they have moved there"
    )
    add_force(parser, "replace the manifest")
    add_json(parser)
    parser.set_defaults(usage_error=parser.error)


def run(args: argparse.Namespace) -> int:
    """Survey or verify; exit status 1 where files differ from the manifest."""
    if args.verify and (args.output or len(args.folders) > 1):
        args.usage_error("--verify takes no --output and at most one DIR")
    if args.verify:
        return _verify(args)
    if not args.folders:
        args.usage_error("say which folder: muse-nb survey DIR")
    return _survey(args)


def _verify(args: argparse.Namespace) -> int:
    from dataclasses import asdict

    from muse_nb.core.progress import on_terminal
    from muse_nb.steps.survey.verify import verify

    with on_terminal("B", scale=True) as progress:
        found = verify(args.verify, args.folders[0] if args.folders else None, progress=progress)
    if args.json:
        print_json(asdict(found))
    else:
        print("\n".join(found.sentences) or "all as it was")
    return 1 if found else 0


def _survey(args: argparse.Namespace) -> int:
    from muse_nb.core.errors import MuseError
    from muse_nb.core.progress import on_terminal
    from muse_nb.steps.survey.result import write_surveys
    from muse_nb.steps.survey.survey import survey

    surveys = []
    for folder in args.folders:
        with on_terminal("file") as progress:
            found = survey(folder, progress=progress)
        if not found.facts and not found.findings:
            raise MuseError(f"{folder} holds no FITS files: name the folder with your raw frames or products")
        surveys.append(found)
    if args.output:
        with on_terminal("B", scale=True) as progress:
            write_surveys(args.output, surveys, force=args.force, progress=progress)
    if args.json:
        summaries = [_summary(found) for found in surveys]
        print_json(summaries[0] if len(summaries) == 1 else summaries)
    else:
        print("\n".join(_text(found) for found in surveys))
    return 0


def _summary(found: Survey) -> dict[str, Any]:
    exposures = [
        {
            "date_obs": e.date_obs,
            "label": e.label,
            "object": e.object,
            "pointing": e.pointing,
            "ra": e.ra,
            "dec": e.dec,
            "posang": e.posang,
            "exptime": e.exptime,
            "ins_mode": e.ins_mode,
            "ifus": e.ifus,
            "seeing": e.seeing,
            "sky": e.sky,
            "files": e.categories,
        }
        for e in found.exposures
    ]
    files = [{"file": str(row["file"]), "category": str(row["category"])} for row in found.files]
    return {"folder": found.folder, "exposures": exposures, "files": files, "findings": found.findings}


def _text(found: Survey) -> str:
    lines = [f"{found.folder}: {len(found.exposures)} exposures, {len(found.facts)} files"]
    for e in found.exposures:
        angle = "?" if e.posang is None else f"{e.posang:g}"
        kinds = ", ".join(f"{number} {name}" for name, number in e.categories.items())
        lines.append(
            f"  {e.label}  pointing {e.pointing or '?'}  angle {angle}  {len(e.ifus)} IFUs  {kinds}{_logged(e)}"
        )
    others = Counter(fact.category for fact in found.facts if not fact.date_obs)
    if others:
        lines.append("  besides: " + ", ".join(f"{number} {name}" for name, number in sorted(others.items())))
    lines += [f"finding: {text}" for text in found.findings]
    return "\n".join(printable(line) for line in lines)


def _logged(exposure: Exposure) -> str:
    """What the night log says."""
    seeing = "" if exposure.seeing is None else f'  seeing {exposure.seeing:.2f}"'
    return f"{seeing}  {exposure.sky}" if exposure.sky else seeing
