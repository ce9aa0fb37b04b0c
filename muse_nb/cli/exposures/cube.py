"""``muse-nb cube``: the pixel table of one exposure to a cube."""

from __future__ import annotations

import argparse

from muse_nb.cli.exposures.combine import add_cube_arguments, make

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.epilog = "example: muse-nb cube night/reduced/2014-07-27T031200/PIXTABLE_REDUCED_0001.fits -o CUBE.fits"
    parser.add_argument("pixtables", nargs="+", metavar="PIXTABLE", help="PIXTABLE_REDUCED of the exposure")
    add_cube_arguments(parser, pixfrac=0.8, crsigma=15.0)


def run(args: argparse.Namespace) -> int:
    """Make the cube, and print what was made."""
    return make(args)
