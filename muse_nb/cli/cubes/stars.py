"""``muse-nb stars``: spectra of all stars of a cube at once."""

from __future__ import annotations

import argparse

from muse_nb.cli.common import add_force, add_json, print_json, save_figure
from muse_nb.core.progress import on_terminal

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("cube", metavar="CUBE", help="DATACUBE_FINAL or any cube with a sky and wavelengths")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--picks", metavar="ECSV", help="stars that were picked, as StarPicker saves them")
    where.add_argument(
        "--catalogue",
        metavar="FILE",
        help="table of stars with ra and dec [deg]; pmra, pmdec and ref_epoch are used (default: stars that are seen)",
    )
    parser.add_argument(
        "--background", type=float, default=12.0, metavar="ARCSEC",
        help="mesh of the background; 0: a constant in each plane (default: 12)",
    )  # fmt: skip
    parser.add_argument("--filter-list", metavar="FILE", help="FILTER_LIST with curves of filters")
    parser.add_argument(
        "--filter", action="append", metavar="NAME", help="filter for magnitudes; once for each (default: white V R I)"
    )
    parser.add_argument("-o", "--output", metavar="STARS", help="write table and spectra, one FITS file")
    parser.add_argument("--each", metavar="DIR", help="write the spectrum of each star to a file in this folder")
    parser.add_argument("--plot", metavar="PNG", help="draw the S/N of all stars")
    add_json(parser, "print the table of stars as JSON, NaN as null")
    add_force(parser)
    parser.epilog = "example: muse-nb stars DATACUBE_FINAL.fits --catalogue gaia.ecsv -o STARS.fits"


def run(args: argparse.Namespace) -> int:
    """Extract the stars, write them, print the table."""
    from muse_nb.core.atomic import refuse_existing
    from muse_nb.products.filters import NAMES
    from muse_nb.steps.stars.extract import extract_stars

    for path in (args.output, args.plot):
        if path:
            refuse_existing(path, force=args.force, inputs=[args.cube])
    with on_terminal("plane") as progress:
        found = extract_stars(
            args.cube,
            args.picks or args.catalogue,
            background=args.background,
            filter_list=args.filter_list,
            filters=tuple(args.filter or NAMES),
            progress=progress,
        )
    if args.output:
        found.write(args.output, force=args.force)
    if args.each:
        found.write_each(args.each, force=args.force)
    if args.plot:
        save_figure(found.plot, args.plot, force=args.force)
    if args.json:
        print_json(found.summary(), allow_nan=False)
    else:
        print(found)
    return 0
