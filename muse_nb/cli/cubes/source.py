"""``muse-nb source``: a galaxy from a cube to GalPaK3D."""

from __future__ import annotations

import argparse

from muse_nb.cli.common import add_force, add_json, print_json, save_figure
from muse_nb.core.progress import on_terminal

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("cube", metavar="CUBE", help="DATACUBE_FINAL or any cube with wavelengths")
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--position", type=float, nargs=2, metavar=("RA", "DEC"), help="of the source [deg]")
    place.add_argument("--at", type=_pair, metavar="RA,DEC", help="the same in one word [deg]")
    parser.add_argument(
        "--line", required=True, metavar="NAME_OR_ANGSTROM", help="as Halpha or [OII], or its wavelength at rest in air"
    )
    parser.add_argument("--redshift", type=float, required=True, metavar="Z", help="of the source")
    parser.add_argument("--size", type=float, default=6.0, metavar="ARCSEC", help="side of the box (default: 6)")
    parser.add_argument(
        "--velocities",
        type=float,
        default=500.0,
        metavar="KM_S",
        help="of the line to either side (default: 500)",
    )
    parser.add_argument(
        "--psf",
        type=float,
        nargs=2,
        metavar=("FWHM", "BETA"),
        help="of a Moffat [arcsec] (default: of the stars)",
    )
    parser.add_argument(
        "--lsf", type=_width, metavar="ANGSTROM_OR_FILE", help="FWHM, or LSF_PROFILE (default: of sky lines nearby)"
    )
    parser.add_argument("--run", choices=("galpak",), help="fit it, where the package galpak is installed")
    parser.add_argument("--iterations", type=int, default=1500, metavar="N", help="of the fit (default: 1500)")
    parser.add_argument("--python", metavar="FILE", help="the Python that galpak is installed for (default: this one)")
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="folder for the subcube and the script")
    parser.add_argument("--plot", metavar="PNG", help="draw it")
    add_force(parser)
    add_json(parser)
    parser.epilog = (
        "example: muse-nb source CUBE.fits --position 265.1751 -53.6741 --line [OII] --redshift 0.7 -o galaxy"
    )


def _pair(text: str) -> list[float]:
    ra, _, dec = text.partition(",")
    try:
        return [float(ra), float(dec)]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no place: write RA,DEC in degrees") from None


def _width(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def run(args: argparse.Namespace) -> int:
    """Hand the source over, fit it if asked for, say what was found."""
    from muse_nb.steps.handover.fit import run_galpak
    from muse_nb.steps.handover.handover import hand_over

    ra, dec = args.position or args.at
    with on_terminal("step") as progress:
        made = hand_over(
            args.cube,
            (ra, dec),
            args.line,
            args.redshift,
            args.output,
            size=args.size,
            velocities=args.velocities,
            psf=args.psf and tuple(args.psf),
            lsf=args.lsf,
            force=args.force,
            progress=progress,
        )
        fitted = None
        if args.run:
            fitted = run_galpak(
                made, iterations=args.iterations, python=args.python, force=args.force, progress=progress
            )
    if args.plot:
        shown = fitted or made
        save_figure(lambda: shown.plot()[0], args.plot, force=args.force)
    if args.json:
        print_json(made.summary() | ({"galaxy": fitted.summary()} if fitted else {}), allow_nan=False)
    else:
        print(made, *([fitted] if fitted else []), sep="\n")
    return 0
