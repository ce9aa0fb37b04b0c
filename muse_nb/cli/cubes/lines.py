"""``muse-nb lines``: maps of a line in a cube."""

from __future__ import annotations

import argparse
import json

from muse_nb.core.progress import on_terminal

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("cube", metavar="CUBE", help="DATACUBE_FINAL or any cube with wavelengths")
    parser.add_argument(
        "--line", required=True, metavar="NAME_OR_ANGSTROM", help="as Halpha, or its wavelength at rest in air"
    )
    parser.add_argument("--redshift", type=float, default=0.0, metavar="Z", help="where velocities are 0 (default: 0)")
    parser.add_argument(
        "--method", choices=("gauss", "moments"), default="gauss", help="fits of Gaussians, or sums (default: gauss)"
    )
    parser.add_argument(
        "--velocities", type=float, default=600.0, metavar="KM_S", help="half width of its window (default: 600)"
    )
    parser.add_argument("--lsf", type=float, metavar="ANGSTROM", help="FWHM to take out of the dispersion")
    parser.add_argument("-o", "--output", metavar="MAPS", help="write them, an extension each (FITS)")
    parser.add_argument("--plot", metavar="PNG", help="draw them")
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")
    parser.add_argument("--force", action="store_true", help="replace outputs that are there")
    parser.epilog = "example: muse-nb lines CUBE.fits --line Halpha --redshift 0.0021 -o HALPHA_MAPS.fits"


def run(args: argparse.Namespace) -> int:
    """Measure the line, write the maps, say what was found."""
    from muse_nb.steps.look.line_map import line_map

    with on_terminal("row") as progress:
        found = line_map(
            args.cube,
            args.line,
            args.redshift,
            method=args.method,
            velocities=args.velocities,
            lsf=args.lsf,
            progress=progress,
        )
    if args.output:
        found.write(args.output, force=args.force)
    if args.plot:
        import matplotlib as mpl

        from muse_nb.core.atomic import atomic_write

        mpl.use("Agg")
        with atomic_write(args.plot, force=args.force) as part:
            found.plot().savefig(part, dpi=150, format="png")
    print(json.dumps(found.summary(), indent=1) if args.json else found)
    return 0
