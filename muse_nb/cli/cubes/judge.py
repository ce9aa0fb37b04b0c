"""``muse-nb judge``: is this cube good?"""

from __future__ import annotations

import argparse

from muse_nb.cli.common import add_force, add_json, print_json
from muse_nb.core.progress import on_terminal

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("cube", metavar="CUBE", help="DATACUBE_FINAL or any cube with wavelengths")
    parser.add_argument(
        "--pixtable", action="append", default=[], metavar="P", help="pixel table the cube was made from; once for each"
    )
    parser.add_argument("--reference", metavar="IMAGE", help="image of the field, for fluxes and positions")
    parser.add_argument("--catalogue", metavar="FILE", help="table of stars with ra and dec [deg], as Gaia's")
    parser.add_argument("-o", "--output", metavar="REPORT", help="write the report, one HTML page")
    add_json(parser, "print the checks as JSON; null where something could not be known")
    add_force(parser)
    parser.epilog = (
        "exit status 1 where a check found something wrong\n"
        "example: muse-nb judge DATACUBE_FINAL.fits --pixtable PIXTABLE_REDUCED_0001.fits -o REPORT.html"
    )


def run(args: argparse.Namespace) -> int:
    """Judge the cube, write the report, print what was found."""
    from muse_nb.core.atomic import refuse_existing
    from muse_nb.steps.judge.judge import judge_cube

    if args.output:
        refuse_existing(args.output, force=args.force)
    with on_terminal("plane") as progress:
        found = judge_cube(
            args.cube, args.pixtable, reference=args.reference, catalogue=args.catalogue, progress=progress
        )
    if args.output:
        found.write(args.output, force=args.force)
    if args.json:
        print_json(found.summary())
    else:
        print(found)
    return 0 if found.good else 1
