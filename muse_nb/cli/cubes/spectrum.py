"""``muse-nb spectrum``: the spectrum of a region of a cube."""

from __future__ import annotations

import argparse
import json

from muse_nb.core.progress import on_terminal

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("cube", metavar="CUBE", help="DATACUBE_FINAL or any cube with wavelengths")
    region = parser.add_mutually_exclusive_group(required=True)
    region.add_argument(
        "--circle", nargs=3, type=float, metavar=("RA", "DEC", "ARCSEC"), help="centre [deg] and radius [arcsec]"
    )
    region.add_argument("--spaxel", nargs=2, type=int, metavar=("X", "Y"), help="one spaxel, counted from 1")
    region.add_argument("--region", metavar="FILE", help="a file with one region, as ds9 saves it")
    parser.add_argument(
        "--background",
        nargs=2,
        type=float,
        metavar=("RIN", "ROUT"),
        help="take off the clipped median of a ring about the centre [arcsec]",
    )
    parser.add_argument(
        "--how",
        choices=("sum", "mean", "median", "psf"),
        default="sum",
        help="what is made of the spaxels; psf: the star at the centre, weighted by its own profile (default: sum)",
    )
    parser.add_argument("-o", "--output", metavar="SPECTRUM", help="write it, as FITS or .ecsv")
    parser.add_argument("--json", action="store_true", help="print it as JSON, NaN as null")
    parser.add_argument("--force", action="store_true", help="replace an output that is there")
    parser.epilog = "example: muse-nb spectrum DATACUBE_FINAL.fits --circle 265.1748 -53.6739 1.0 -o SPECTRUM.fits"


def run(args: argparse.Namespace) -> int:
    """Take the spectrum, write it, print it."""
    from muse_nb.steps.look.aperture import circle, spaxel
    from muse_nb.steps.look.spectrum import extract

    region = args.region
    if args.circle or args.spaxel:
        region = circle(*args.circle) if args.circle else spaxel(*args.spaxel)
    with on_terminal("plane") as progress:
        found = extract(args.cube, region, background=args.background, how=args.how, progress=progress)
    if args.output:
        found.write(args.output, force=args.force)
    print(json.dumps(found.summary()) if args.json else found)
    return 0
