"""``muse-nb reduce``: raw frames to pixel tables, cubes and images."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

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
    parser.add_argument("--force", action="store_true", help="make all anew")
    parser.add_argument("--json", action="store_true", help="print the result for scripts")


def run(args: argparse.Namespace) -> int:
    """Reduce every exposure; print where its products are."""
    import warnings

    from tqdm import tqdm

    from muse_nb.core.errors import MuseWarning
    from muse_nb.core.text import printable
    from muse_nb.recipes.reduce import reduce_all

    with tqdm(total=len(args.raw), unit="exposure", disable=not sys.stderr.isatty()) as bar, warnings.catch_warnings():
        warnings.simplefilter("ignore", MuseWarning)  # printed with the result

        def tell(result: Reduction) -> None:
            bar.update()
            if not args.json:
                what = f"{result.seconds:.1f} s, {result.peak_memory / 1e6:.0f} MB" if result.seconds else "was there"
                bar.write(f"{result.label}: {result.folder} ({what})", file=sys.stdout)
                for text in result.findings:
                    bar.write(f"finding: {printable(text)}", file=sys.stdout)

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
            progress=lambda line, _, total: total or bar.set_postfix_str(line[-60:], refresh=False),
        )
    if args.json:
        print(json.dumps([asdict(result) for result in done], default=str, indent=1))
    return 0
