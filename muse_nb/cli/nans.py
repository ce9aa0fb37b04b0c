"""``muse-nb nans``: where the NaN of a cube come from."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable

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
        "-o", "--output", metavar="OUTPUT", help="the table of causes (CSV), or the repaired table (FITS)"
    )
    parser.add_argument("--plot", metavar="PNG", help="write the map and the profile")
    parser.add_argument(
        "--json", action="store_true", help="print everything as JSON; fractions of causes are of all NaN"
    )
    parser.add_argument("--force", action="store_true", help="replace outputs that are there")
    parser.epilog = (
        "examples:\n"
        "  muse-nb nans DATACUBE_FINAL.fits --pixtable PIXTABLE_REDUCED_0001.fits --badpix BADPIX_TABLE.fits\n"
        "  muse-nb nans --repair BADPIX_TABLE.fits --pixtable PIXTABLE_REDUCED_0001.fits -o BADPIX_TABLE_repaired.fits"
    )
    parser.set_defaults(usage_error=parser.error)


def run(args: argparse.Namespace) -> int:
    """Audit the cube, print what was found."""
    if args.repair:
        return _repair(args)
    if args.cube is None:
        args.usage_error("give a CUBE, or --repair with --pixtable and -o")
    from muse_nb.products.whole import whole
    from muse_nb.steps.nans import audit_nans

    audit = audit_nans(args.cube, args.pixtable or None, args.badpix, progress=_progress())
    if args.output:
        audit.write(args.output, force=args.force)
    if args.plot:
        import matplotlib as mpl

        mpl.use("Agg")
        with whole(args.plot, force=args.force) as part:
            audit.plot()[0].figure.savefig(part, dpi=150, format="png")
    if args.json:
        print(json.dumps(audit.summary(), indent=1))
    else:
        print(audit)
        print("\n".join(audit.table.pformat(max_lines=40, max_width=-1)))
    return 0


def _repair(args: argparse.Namespace) -> int:
    """Write a bad-pixel table without its good pixels, list every change."""
    from muse_nb.steps.badpix_repair import repair

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


def _progress() -> Callable[[str, int, int], None] | None:
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
