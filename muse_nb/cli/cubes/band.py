"""``muse-nb band``: the image of a range of wavelengths of a cube."""

from __future__ import annotations

import argparse
import json

from muse_nb.core.progress import on_terminal

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("cube", metavar="CUBE", help="DATACUBE_FINAL or any cube with wavelengths")
    parser.add_argument(
        "--range", nargs=2, type=float, required=True, metavar=("A", "B"), help="first and last wavelength [Angstrom]"
    )
    parser.add_argument(
        "--continuum",
        nargs="+",
        type=float,
        default=[],
        metavar="A B",
        help="one or more ranges [Angstrom] whose mean is taken off",
    )
    parser.add_argument("--how", choices=("mean", "sum", "median"), default="mean", help="(default: mean)")
    parser.add_argument("-o", "--output", metavar="IMAGE", help="write it as FITS")
    parser.add_argument("--json", action="store_true", help="print what it is as JSON")
    parser.add_argument("--force", action="store_true", help="replace an output that is there")
    parser.epilog = "example: muse-nb band CUBE.fits --range 6557 6569 --continuum 6530 6550 6576 6596 -o HALPHA.fits"
    parser.set_defaults(usage_error=parser.error)


def run(args: argparse.Namespace) -> int:
    """Make the image, write it, say what it is."""
    from muse_nb.steps.look.band import image_of

    if len(args.continuum) % 2:
        args.usage_error("--continuum takes pairs of wavelengths")
    windows = list(zip(args.continuum[::2], args.continuum[1::2], strict=True))
    with on_terminal("plane") as progress:
        found = image_of(args.cube, args.range, continuum=windows, how=args.how, progress=progress)
    if args.output:
        found.write(args.output, force=args.force)
    print(json.dumps(found.summary(), indent=1) if args.json else found)
    return 0
