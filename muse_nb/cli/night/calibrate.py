"""``muse-nb calibrate``: the plan of a night's calibration, and the masters by it."""

from __future__ import annotations

import argparse
import json

from muse_nb.cli.common import add_force, add_json, memory_size, print_error, print_json, save_figure, without_warnings
from muse_nb.core.progress import on_terminal

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "source", metavar="DIR_OR_CSV", help="folder with raw frames; with --plan also a CSV file that lists them"
    )
    parser.add_argument("--plan", action="store_true", help="say what makes what and what serves what, and run nothing")
    parser.add_argument("-o", "--output", metavar="CALIB", help="folder for the masters")
    parser.add_argument(
        "--static", metavar="DIR", help="folder with static calibrations (default: 'static' in DIR or beside it)"
    )
    dark = parser.add_mutually_exclusive_group()
    dark.add_argument("--dark", action="store_true", help="make and use MASTER_DARKs")
    dark.add_argument("--no-dark", action="store_true", help="with --plan: use no MASTER_DARK, which is optional")
    parser.add_argument("--ifu", type=int, nargs="+", metavar="N", help="these IFUs only")
    parser.add_argument(
        "--set",
        nargs="+",
        default=[],
        metavar="RECIPE.NAME=VALUE",
        help="parameters of recipes, as muse_lsf.line_quality=3",
    )
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="recipes side by side (default: 2)")
    parser.add_argument("--memory", type=memory_size, metavar="SIZE", help="of all recipes together, as 8GB")
    parser.add_argument("--timeout", type=float, metavar="S", help="time limit of each recipe [s]")
    parser.add_argument("--backend", choices=["python-cpl", "esorex"], help="default: what is installed")
    cluster = parser.add_mutually_exclusive_group()
    cluster.add_argument("--scheduler", metavar="ADDRESS", help="have the workers of this dask scheduler do it")
    cluster.add_argument("--workers", type=int, default=0, metavar="N", help="a dask cluster of N processes here")
    parser.add_argument("--plot", metavar="PNG", help="draw the plan as a graph")
    add_json(parser)
    add_force(parser, "make all anew")
    parser.epilog = (
        "examples: muse-nb calibrate night/raw --plan --plot plan.png\n"
        "          muse-nb calibrate night/raw -o night/calib --jobs 4 --memory 16GB\n"
        "          muse-nb reduce night/raw/SCIENCE.fits --calib night/calib -o night/reduced\n\n"
        "A second run makes only what is stale, and says why. Exit status 1 where a master could not be made."
    )
    parser.set_defaults(usage_error=parser.error)


def run(args: argparse.Namespace) -> int:
    """Plan, or make the masters."""
    return plan(args) if args.plan else make(args)


def plan(args: argparse.Namespace) -> int:
    """Plan, and say it."""
    from muse_nb.steps.calibrate.plan import plan_calibrations

    with on_terminal("file") as progress:
        found = plan_calibrations(args.source, dark=not args.no_dark, static=args.static, progress=progress)
    if args.plot:
        save_figure(found.plot, args.plot, force=args.force)
    if args.json:
        print_json(found.summary())
    else:
        print(found)
    return 0


def make(args: argparse.Namespace) -> int:
    """Make the masters; exit status 1 where one could not be made."""
    if not args.output:
        args.usage_error("say where to: -o CALIB, or --plan to plan only")
    from muse_nb.steps.calibrate.calibrate import calibrate

    parameters = _parameters(args)
    with without_warnings(), on_terminal("recipe", log=True) as bars:
        found = calibrate(
            args.source,
            args.output,
            force=args.force,
            progress=bars,
            static=args.static,
            dark=args.dark,
            ifus=args.ifu,
            parameters=parameters,
            jobs=args.jobs,
            memory=args.memory,
            timeout=args.timeout,
            backend=args.backend,
            scheduler=args.scheduler,
            workers=args.workers,
        )
    if args.plot:
        save_figure(found.plan.plot, args.plot, force=args.force)
    if args.json:
        print_json(found.summary())
    else:
        print(found)
    if not found.whole:
        name, why = next(iter({**found.failed, **found.missing}.items()))
        number = f"{len(found.failed)} runs failed, {len(found.missing)} tasks could not be done"
        print_error("calibrate", f"{number}; {name}: {why}")
    return 0 if found.whole else 1


def _parameters(args: argparse.Namespace) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = {}
    for word in args.set:
        recipe, dot, rest = word.partition(".")
        name, equals, value = rest.partition("=")
        if not (recipe and dot and name and equals):
            args.usage_error(f"--set {word}: write RECIPE.NAME=VALUE, as muse_lsf.line_quality=3")
        try:
            found.setdefault(recipe, {})[name] = json.loads(value)
        except ValueError:
            found.setdefault(recipe, {})[name] = value
    return found
