"""``muse-nb simulate DIR``."""

from __future__ import annotations

import argparse
import sys

from muse_nb.cli.common import add_force, add_json, print_json

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.epilog = (
        "example: muse-nb simulate night --exposures 4 --mode WFM-AO-N --field galaxy --real --products\n"
        "         muse-nb simulate --cascade -o night"
    )
    parser.add_argument("folder", nargs="?", metavar="DIR", help="where to write raw, calib, truth and reduced")
    parser.add_argument("-o", "--output", metavar="DIR", help="the same")
    parser.add_argument("--exposures", type=int, default=19, metavar="N", help="how many (default: 19)")
    parser.add_argument(
        "--layout",
        help="micro, mini, fov or full (default: micro); with --cascade: cascade (default), cascade-two, cascade-half,"
        " cascade-short or cascade-micro",
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="same seed, same bytes (default: 1)")
    parser.add_argument(
        "--rotator",
        type=float,
        nargs="+",
        default=[],
        metavar="DEG",
        help="by how much the rotator is off, an exposure each",
    )
    parser.add_argument("--products", action="store_true", help="also what the recipes would make of the frames")
    parser.add_argument("--no-raw", action="store_true", help="no raw frames")
    parser.add_argument("--exptime", type=float, default=60.0, metavar="SECONDS", help="of an exposure (default: 60)")
    parser.add_argument("--mode", default="WFM-NOAO-N", help="WFM-NOAO-N, WFM-NOAO-E, WFM-AO-N, WFM-AO-E or NFM-AO-N")
    parser.add_argument(
        "--field",
        default="cluster",
        help="cluster (default), few, galaxy, distant, nebula, bare-nebula, deep, bright or moon",
    )
    parser.add_argument("--real", action="store_true", help="slices, noise, lines and wavelengths of a real instrument")
    parser.add_argument("--short", action="store_true", help="every third exposure has a sixth of the time")
    parser.add_argument("--angle", type=float, default=0.0, metavar="DEG", help="added to all rotator angles")
    _add_cascade(parser)
    parser.set_defaults(usage_error=parser.error)
    add_force(parser, "make every file again")
    add_json(parser)


def _add_cascade(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("raw calibrations, from which the recipes make every master")
    group.add_argument(
        "--cascade",
        action="store_true",
        help="one IFU's biases, flats, arcs, twilights, standard and exposure; of the options above --layout and"
        " --seed alone count",
    )
    group.add_argument("--dark", action="store_true", help="darks, too")
    group.add_argument("--no-science", action="store_true", help="no exposure and no astrometric field")
    group.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="NAME",
        help="what goes wrong, any number of times: lamp-off, saturated-arc, light-in-bias, shifted-detector or"
        " other-standard",
    )


def run(args: argparse.Namespace) -> int | None:
    """Simulate and say what was made."""
    if bool(args.folder) == bool(args.output):
        args.usage_error("name one folder to write to: DIR, or -o DIR")
    args.folder = args.folder or args.output
    return _cascade(args) if args.cascade else _night(args)


def _cascade(args: argparse.Namespace) -> int:
    from muse_nb.core.progress import on_terminal
    from muse_nb.simulator.cascade.cascade import simulate_cascade

    with on_terminal("frame") as progress:
        made = simulate_cascade(
            args.folder,
            layout=args.layout or "cascade",
            seed=args.seed,
            dark=args.dark,
            science=not args.no_science,
            faults=args.fault,
            force=args.force,
            progress=progress,
        )
    if args.json:
        print_json(made.summary(), indent=2)
    else:
        print(made)
    return 0


def _night(args: argparse.Namespace) -> int:
    from muse_nb.core.progress import on_terminal
    from muse_nb.simulator.night import disk_needed, simulate
    from muse_nb.simulator.world import World

    layout = args.layout or "micro"
    world = World(args.mode, args.field, args.real, args.short, args.angle)
    size = disk_needed(layout, args.exposures, raw=not args.no_raw, products=args.products)
    print(f"{args.folder}: about {size / 1e6:.0f} MB", file=sys.stderr)
    with on_terminal("file") as progress:
        night = simulate(
            args.folder,
            args.exposures,
            layout,
            args.seed,
            raw=not args.no_raw,
            products=args.products,
            rotator=args.rotator,
            exptime=args.exptime,
            world=world,
            force=args.force,
            progress=progress,
        )
    if args.json:
        result = {
            "folder": night.folder,
            "layout": night.layout.name,
            "seed": night.seed,
            "made": night.made,
            "exposures": night.labels,
            "raw": night.raw,
            "calibrations": night.calibrations,
            "reduced": night.reduced,
        }
        print_json(result, indent=2)
    else:
        print(f"{night.folder}: {len(night.labels)} exposures, {night.made} files made")
    return 0
