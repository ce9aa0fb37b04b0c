"""``muse-nb nans``: where the NaN of a cube come from."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from muse_nb.cli.common import add_force, add_json, print_json, save_figure

if TYPE_CHECKING:
    from muse_nb.steps.nans.heal import Healing
    from muse_nb.steps.nans.result import NanAudit

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("cube", metavar="CUBE", nargs="?", help="DATACUBE_FINAL or any cube with DATA")
    parser.add_argument(
        "--pixtable", action="append", default=[], metavar="P", help="pixel table the cube was made from; once for each"
    )
    parser.add_argument("--badpix", metavar="B", help="BADPIX_TABLE that went into the reduction")
    parser.add_argument(
        "--repair", metavar="B", help="write BADPIX_TABLE B to OUTPUT without the rows that are good pixels"
    )
    parser.add_argument(
        "--heal", nargs="+", metavar="P", help="which holes of these exposures (pixel tables) their combine would fill"
    )
    parser.add_argument("--offsets", metavar="O", help="OFFSET_LIST of the exposures, with --heal")
    parser.add_argument(
        "--holes", metavar="H", help="say what each voxel of holes.ecsv is, which a reader of a shared page marked"
    )
    parser.add_argument(
        "-o", "--output", metavar="OUTPUT", help="the table of causes or of holes (CSV), or the repaired table (FITS)"
    )
    parser.add_argument("--plot", metavar="PNG", help="write the map and the profile")
    add_json(parser, "print everything as JSON; fractions of causes are of all NaN")
    add_force(parser)
    parser.epilog = (
        "examples:\n"
        "  muse-nb nans DATACUBE_FINAL.fits --pixtable PIXTABLE_REDUCED_0001.fits --badpix BADPIX_TABLE.fits\n"
        "  muse-nb nans DATACUBE_FINAL.fits --pixtable PIXTABLE_REDUCED_0001.fits --holes holes.ecsv\n"
        "  muse-nb nans --heal */PIXTABLE_REDUCED_0001.fits --offsets OFFSET_LIST.fits\n"
        "  muse-nb nans --repair BADPIX_TABLE.fits --pixtable PIXTABLE_REDUCED_0001.fits -o BADPIX_TABLE_repaired.fits"
    )
    parser.set_defaults(usage_error=parser.error)


def run(args: argparse.Namespace) -> int:
    """Audit the cube, or say what a combine heals, and print what was found."""
    from muse_nb.core.progress import on_terminal

    if args.offsets and not args.heal:
        args.usage_error("--offsets goes with --heal")
    if args.holes and (not args.cube or args.heal or args.repair or args.plot):
        args.usage_error("--holes goes with a CUBE, and without --heal, --repair and --plot")
    if args.repair:
        return _repair(args)
    found: NanAudit | Healing
    if args.heal:
        if args.cube or args.pixtable:
            args.usage_error("--heal takes the pixel tables itself: no CUBE and no --pixtable")
        from muse_nb.steps.nans.heal import heal_nans

        with on_terminal(scale=True) as progress:
            found = heal_nans(args.heal, args.offsets, args.badpix, progress=progress)
    elif args.cube:
        from muse_nb.steps.nans.audit import audit_nans

        with on_terminal(scale=True) as progress:
            found = audit = audit_nans(args.cube, args.pixtable or None, args.badpix, progress=progress)
        if args.holes:
            return _tell(audit, args)
    else:
        args.usage_error("give a CUBE, or --heal with pixel tables, or --repair with --pixtable and -o")
    _show(found, args)
    return 0


def _show(found: NanAudit | Healing, args: argparse.Namespace) -> None:
    """Write what is asked for and print the rest."""
    if args.output:
        found.write(args.output, force=args.force)
    if args.plot:
        save_figure(lambda: found.plot()[0], args.plot, force=args.force)
    if args.json:
        print_json(found.summary())
    else:
        print(found)
        print("\n".join(found.table.pformat(max_lines=40, max_width=-1)))


def _tell(audit: NanAudit, args: argparse.Namespace) -> int:
    """Say what the marked holes are."""
    from muse_nb.steps.nans.marked import tell_holes

    found = tell_holes(audit, args.holes)
    if args.output:
        found.write(args.output, force=args.force)
    if args.json:
        print_json(found.summary())
    else:
        print(found)
    return 0


def _repair(args: argparse.Namespace) -> int:
    """Write a bad-pixel table without its good pixels, list every change."""
    from muse_nb.steps.badpix.repair import repair

    if args.cube or not args.pixtable or not args.output:
        args.usage_error("--repair needs --pixtable and -o, and no CUBE")
    result = repair(args.repair, args.pixtable)
    written = result.write(args.output, force=args.force)
    if args.json:
        changes = [dict(zip(result.table.colnames, row, strict=True)) for row in result.table.iterrows()]
        print_json({"table": written, "findings": result.findings, "removed": changes}, indent=None)
    else:
        print(result)
        print(f"{written} written, every row that went is in {written.with_suffix('.csv')}")
    return 0
