"""``muse-nb velocities``: radial velocities of the stars of a cube."""

from __future__ import annotations

import argparse

from muse_nb.cli.common import add_force, add_json, print_json, save_figure
from muse_nb.core.progress import on_terminal

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("spectra", metavar="STARS", help="spectra of stars as muse_nb writes them (StarSpectra)")
    parser.add_argument("--lsf", type=float, default=2.6, metavar="ANGSTROM", help="FWHM (default: 2.6)")
    parser.add_argument("--reach", type=float, default=400.0, metavar="KM_S", help="that are tried (default: 400)")
    parser.add_argument("--zero", type=_zero, metavar="SKY_OR_KM_S", help="take the sky lines' velocity off, or this")
    parser.add_argument("--ifus", action="store_true", help="hold the IFUs of a cube with SLICES against each other")
    parser.add_argument("-o", "--output", metavar="TABLE", help="write the table (CSV, ECSV, FITS)")
    parser.add_argument("--plot", metavar="PNG", help="draw the stars in velocity")
    add_force(parser)
    add_json(parser)
    parser.epilog = "example: muse-nb velocities STARS.fits --zero sky -o velocities.csv --plot velocities.png"


def _zero(text: str) -> float | str:
    if text == "sky":
        return text
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither sky nor a velocity in km/s") from None


def run(args: argparse.Namespace) -> int:
    """Measure the velocities, write them, say what was found."""
    from muse_nb.steps.velocities.velocities import velocities

    with on_terminal("star") as progress:
        found = velocities(
            args.spectra,
            lsf=args.lsf,
            reach=args.reach,
            zero=args.zero,
            ifus="cube" if args.ifus else None,
            progress=progress,
        )
    if args.output:
        found.write(args.output, force=args.force)
    if args.plot:
        save_figure(lambda: found.plot()[0], args.plot, force=args.force)
    if args.json:
        print_json(found.summary(), allow_nan=False)
    else:
        print(found)
    return 0
