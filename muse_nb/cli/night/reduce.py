"""``muse-nb reduce``: raw frames to pixel tables, cubes and images."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from muse_nb.cli.common import add_force, add_json, print_json, without_warnings
from muse_nb.core.text import printable

if TYPE_CHECKING:
    from muse_nb.recipes.result import Reduction

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.epilog = "example: muse-nb reduce night/raw/*.fits --calib night/calib -o night/reduced"
    parser.add_argument("raw", nargs="+", metavar="RAW", help="raw science frames")
    parser.add_argument("--calib", required=True, metavar="DIR", help="folder with the calibrations")
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="folder; each exposure gets a subfolder")
    table = parser.add_mutually_exclusive_group()
    table.add_argument("--no-badpix", action="store_true", help="without a bad-pixel table")
    table.add_argument("--badpix", metavar="FILE", help="with this bad-pixel table")
    parser.add_argument("--ifu", type=int, nargs="+", metavar="N", help="these IFUs only")
    parser.add_argument("--lambdamin", type=float, metavar="A", help="shortest wavelength of the products [Angstrom]")
    parser.add_argument("--lambdamax", type=float, metavar="A", help="longest wavelength of the products [Angstrom]")
    parser.add_argument("--filter", nargs="+", default=["white"], metavar="NAME", help="filters of the images")
    parser.add_argument(
        "--sky", default="simple", metavar="METHOD", help="skymethod of muse_scipost (default: simple; quicker: none)"
    )
    parser.add_argument("--keep", action="store_true", help="keep the PIXTABLE_OBJECTs, too")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="recipes side by side (default: 2)")
    parser.add_argument("--backend", choices=["python-cpl", "esorex"], help="default: what is installed")
    parser.add_argument("--timeout", type=float, metavar="S", help="time limit of each recipe [s]")
    add_force(parser, "make all anew")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Reduce every exposure; print where its products are."""
    from muse_nb.core.progress import on_terminal, say
    from muse_nb.recipes.reduce import reduce_all

    with without_warnings(), on_terminal("exposure", log=True) as progress:

        def tell(result: Reduction) -> None:
            if not args.json:
                say(_lines(result))

        done = reduce_all(
            args.raw,
            args.calib,
            args.output,
            jobs=args.jobs,
            done=tell,
            badpix=args.badpix or not args.no_badpix,
            ifus=args.ifu,
            lambdamin=args.lambdamin,
            lambdamax=args.lambdamax,
            filters=args.filter,
            sky=args.sky,
            keep=args.keep,
            backend=args.backend,
            timeout=args.timeout,
            force=args.force,
            progress=progress,
        )
    if args.json:
        print_json([asdict(result) for result in done])
    return 0


def _lines(result: Reduction) -> str:
    what = f"{result.seconds:.1f} s, {result.peak_memory / 1e6:.0f} MB" if result.seconds else "was there"
    findings = [f"finding: {printable(text)}" for text in result.findings]
    return "\n".join([f"{result.label}: {result.folder} ({what})", *findings])
