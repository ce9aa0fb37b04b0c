"""``muse-nb calibrate``: the plan of a night's calibration, and the masters by it."""

from __future__ import annotations

import argparse

from muse_nb.cli.common import add_force, add_json, print_json, save_figure
from muse_nb.core.progress import on_terminal

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "source", metavar="DIR_OR_CSV", help="folder with raw frames; with --plan also a CSV file that lists them"
    )
    parser.add_argument("--plan", action="store_true", help="say what makes what and what serves what, and run nothing")
    parser.add_argument("--no-dark", action="store_true", help="use no MASTER_DARK, which is optional")
    parser.add_argument("--plot", metavar="PNG", help="draw the plan as a graph")
    add_json(parser)
    add_force(parser)
    parser.epilog = "example: muse-nb calibrate raw --plan --plot plan.png"
    parser.set_defaults(usage_error=parser.error)


def run(args: argparse.Namespace) -> int:
    """Plan, or make the masters."""
    return plan(args) if args.plan else make(args)


def plan(args: argparse.Namespace) -> int:
    """Plan, and say it."""
    from muse_nb.steps.calibrate.plan import plan_calibrations

    with on_terminal("file") as progress:
        found = plan_calibrations(args.source, dark=not args.no_dark, progress=progress)
    if args.plot:
        save_figure(found.plot, args.plot, force=args.force)
    if args.json:
        print_json(found.summary())
    else:
        print(found)
    return 0


def make(args: argparse.Namespace) -> int:
    """Make the masters."""
    args.usage_error("say --plan: muse-nb calibrate DIR_OR_CSV --plan")
    return 2
