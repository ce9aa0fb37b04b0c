"""``muse-nb combine``: pixel tables of several exposures to one cube."""

from __future__ import annotations

import argparse
import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Unpack

from muse_nb.cli.common import add_force, add_json, memory_size, print_json, without_warnings

if TYPE_CHECKING:
    from muse_nb.steps.combine.result import Combination
    from muse_nb.steps.combine.settings import CombineOptions

__all__ = ["add_arguments", "add_cube_arguments", "make", "run"]

WEIGHTS = "of exposures: by their time (the default), over the seeing, with ESO DRS MUSE WEIGHT, or all alike"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.epilog = (
        "example: muse-nb combine night/reduced/*/PIXTABLE_REDUCED_0001.fits --offsets OFFSET_LIST.fits -o C.fits"
    )
    parser.add_argument("pixtables", nargs="+", metavar="PIXTABLE", help="PIXTABLE_REDUCED of each exposure")
    parser.add_argument("--offsets", metavar="FILE", help="OFFSET_LIST")
    parser.add_argument("--allow-missing", action="store_true", help="combine exposures that OFFSET_LIST lacks")
    parser.add_argument("--engine", choices=["stream", "eso"], default="stream", help="ours, or muse_exp_combine")
    parser.add_argument("--weight", choices=["exptime", "fwhm", "header", "none"], default="exptime", help=WEIGHTS)
    parser.add_argument(
        "--split",
        type=int,
        nargs="?",
        const=-1,
        default=0,
        metavar="N",
        help="run muse_exp_combine on N ranges of wavelength and join them (default: as the memory asks for)",
    )
    parser.add_argument("--forecast", action="store_true", help="say what it will take, and do nothing")
    add_cube_arguments(parser, pixfrac=0.6, crsigma=10.0)


def add_cube_arguments(parser: argparse.ArgumentParser, pixfrac: float, crsigma: float) -> None:
    """Declare what ``combine`` and ``cube`` have in common."""
    parser.add_argument("-o", "--output", metavar="CUBE", help="the cube to make")
    parser.add_argument("--resample", choices=["drizzle", "nearest"], default="drizzle", help="default %(default)s")
    parser.add_argument("--pixfrac", type=float, default=pixfrac, metavar="F", help="drop size (default %(default)s)")
    parser.add_argument("--crsigma", type=float, default=crsigma, metavar="S", help="cosmic rays; 0: off (%(default)s)")
    parser.add_argument(
        "--crtype", choices=["median", "others"], default="median", help="search them as the recipe, or in the others"
    )
    parser.add_argument("--lambdamin", type=float, default=4000.0, metavar="A", help="[Angstrom]")
    parser.add_argument("--lambdamax", type=float, default=10000.0, metavar="A", help="[Angstrom]")
    parser.add_argument("--filter", nargs="+", default=["white"], metavar="NAME", help="images: white V R I ...")
    parser.add_argument("--filter-list", metavar="FILE", help="FILTER_LIST with further filters")
    parser.add_argument(
        "--extensions", nargs="+", default=[], choices=["DQ", "EXPMAP"], help="why voxels are NaN; exposures in each"
    )
    parser.add_argument("--memory", type=memory_size, metavar="4GB", help="memory to stay within")
    parser.add_argument("--threads", type=int, metavar="N", help="default: the processors at hand")
    parser.add_argument("--grid", metavar="FILE", help="grid of the cube: an OUTPUT_WCS or another cube")
    parser.add_argument("--scheduler", metavar="ADDRESS", help="dask scheduler whose workers make the slabs")
    parser.add_argument("--workers", type=int, default=0, metavar="N", help="the same with N processes on this machine")
    parser.add_argument("--no-checks", action="store_true", help="do not hold the cube against its exposures")
    add_force(parser, "replace the cube")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Combine, and print what was made."""
    if args.forecast:
        from muse_nb.steps.combine.forecast import forecast

        ahead = forecast(
            args.pixtables,
            args.output or ".",
            lambdamin=args.lambdamin,
            lambdamax=args.lambdamax,
            memory=args.memory,
            extensions=args.extensions,
        )
        if args.json:
            print_json(asdict(ahead))
        else:
            print(ahead)
        return 0
    return make(
        args,
        offsets=args.offsets,
        engine=args.engine,
        weight=args.weight,
        split=args.split,
        allow_missing=args.allow_missing,
    )


def make(args: argparse.Namespace, offsets: str | None = None, **settings: Unpack[CombineOptions]) -> int:
    """Run the engine with what ``combine`` and ``cube`` have in common."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: its threads would only wait
    from muse_nb.core.errors import MuseError
    from muse_nb.core.progress import on_terminal
    from muse_nb.steps.combine.combine import combine

    if not args.output:
        raise MuseError("say where the cube goes: -o CUBE.fits")
    common: CombineOptions = {
        "resample": args.resample,
        "pixfrac": args.pixfrac,
        "crsigma": args.crsigma,
        "crtype": args.crtype,
        "lambdamin": args.lambdamin,
        "lambdamax": args.lambdamax,
        "filters": args.filter,
        "filter_list": args.filter_list,
        "extensions": args.extensions,
        "memory": args.memory,
        "threads": args.threads,
        "grid": args.grid,
        "scheduler": args.scheduler,
        "workers": args.workers,
        "checks": not args.no_checks,
        "force": args.force,
    }
    with without_warnings(), on_terminal("plane") as progress:
        result = combine(args.pixtables, offsets, output=args.output, progress=progress, **(common | settings))
    _print(result, as_json=args.json)
    return 0


def _print(result: Combination, *, as_json: bool) -> None:
    if as_json:
        print_json(asdict(result))
        return
    print(result)
    for note in result.findings:
        print(f"note: {note}")
    for check in result.checks:
        print(f"{'CHECK' if check.good is False else 'check'}: {check.text}")
