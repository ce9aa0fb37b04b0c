"""``muse-nb inspect``: OBJECT_RED frames, good or bad."""

from __future__ import annotations

import argparse

from muse_nb.cli.common import add_force, add_json, print_json, save_figure
from muse_nb.steps.inspect.tiles import STATISTICS

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="OBJECT_RED (one IFU or merged, .fits or .fits.fz), image or cube"
    )
    parser.add_argument("-o", "--output", metavar="CSV", help="write the table of all frames")
    parser.add_argument("--plot", metavar="PNG", help="write the mosaic of all exposures as MUSE tiles the field")
    parser.add_argument(
        "--statistic", choices=sorted(STATISTICS), default="noise", help="what colours the mosaic (default: noise)"
    )
    parser.add_argument(
        "--trace", metavar="FITS", nargs="+", help="TRACE_TABLEs: are the slices where they were when they were traced?"
    )
    parser.add_argument(
        "--limits", metavar="CSV", help="own limits: columns name and limit, as in muse_nb/steps/inspect/limits.csv"
    )
    add_json(parser, "print one object per IFU")
    add_force(parser)
    parser.epilog = "example: muse-nb inspect night/reduced/*/OBJECT_RED_*.fits -o frames.csv"


def run(args: argparse.Namespace) -> int:
    """Inspect the frames, print the findings."""
    from muse_nb.core.progress import on_terminal
    from muse_nb.steps.inspect.inspect import inspect

    with on_terminal("file") as progress:
        result = inspect(args.files, limits_table=args.limits, trace=args.trace, progress=progress)
    if args.output:
        result.write(args.output, force=args.force)
    if args.plot:
        save_figure(lambda: result.plot_mosaic(args.statistic), args.plot, force=args.force)
    if args.json:
        print_json(result.records())
    else:
        print(result)
    return 0
