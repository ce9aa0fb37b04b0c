"""``muse-nb nans``: where the NaN of a cube come from."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from muse_nb.core.progress import Progress
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
    parser.add_argument(
        "--json", action="store_true", help="print everything as JSON; fractions of causes are of all NaN"
    )
    parser.add_argument("--force", action="store_true", help="replace outputs that are there")
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

        found = heal_nans(args.heal, args.offsets, args.badpix, progress=_progress())
    elif args.cube:
        from muse_nb.steps.nans.audit import audit_nans

        found = audit = audit_nans(args.cube, args.pixtable or None, args.badpix, progress=_progress())
        if args.holes:
            return _tell(audit, args)
    else:
        args.usage_error("give a CUBE, or --heal with pixel tables, or --repair with --pixtable and -o")
    _show(found, args)
    return 0


def _show(found: NanAudit | Healing, args: argparse.Namespace) -> None:
    """Write what is asked for and print the rest."""
    from muse_nb.core.atomic import atomic_write

    if args.output:
        found.write(args.output, force=args.force)
    if args.plot:
        import matplotlib as mpl

        mpl.use("Agg")
        with atomic_write(args.plot, force=args.force) as part:
            found.plot()[0].figure.savefig(part, dpi=150, format="png")  # type: ignore[union-attr]
    if args.json:
        print(json.dumps(found.summary(), indent=1))
    else:
        print(found)
        print("\n".join(found.table.pformat(max_lines=40, max_width=-1)))


def _tell(audit: NanAudit, args: argparse.Namespace) -> int:
    """Say what the marked holes are."""
    from muse_nb.steps.nans.marked import tell_holes

    found = tell_holes(audit, args.holes)
    if args.output:
        found.write(args.output, force=args.force)
    print(json.dumps(found.summary(), indent=1) if args.json else found)
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
        print(json.dumps({"table": str(written), "findings": result.findings, "removed": changes}, default=_plain))
    else:
        print(result)
        print(f"{written} written, every row that went is in {written.with_suffix('.csv')}")
    return 0


def _plain(value: object) -> object:
    """Numbers of numpy as Python's."""
    return value.item() if hasattr(value, "item") else str(value)


def _progress() -> Progress | None:
    if not sys.stderr.isatty():
        return None
    from tqdm import tqdm

    bars: dict[str, tqdm] = {}

    def step(what: str, done: int, total: int) -> None:
        bar = bars.setdefault(what, tqdm(total=total, desc=what, file=sys.stderr, unit_scale=True, leave=False))
        bar.update(done - bar.n)
        if done == total:
            bar.close()

    return step
