"""``muse-nb masters``: is every master calibration good, and what moved since another night?"""

from __future__ import annotations

import argparse

from muse_nb.cli.common import add_force, add_json, print_json
from muse_nb.core.progress import on_terminal

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "masters", nargs="+", metavar="DIR", help="folder with master calibrations, looked through, or single files"
    )
    parser.add_argument("--compare", metavar="DIR2", help="masters of another night, to say what moved")
    parser.add_argument("--limits", metavar="CSV", help="limits of your own: columns name, low and high")
    parser.add_argument("-o", "--output", metavar="CSV", help="write the numbers as a table")
    add_json(parser, "print numbers, findings and what moved as JSON; null where something could not be known")
    add_force(parser)
    parser.epilog = (
        "exit status 1 where something was found\nexample: muse-nb masters calib --compare ../night-before/calib"
    )


def run(args: argparse.Namespace) -> int:
    """Judge, write the numbers, print what was found; exit status 1 where something was."""
    from muse_nb.core.atomic import refuse_existing
    from muse_nb.steps.masters.masters import judge_masters

    if args.output:
        refuse_existing(args.output, force=args.force)
    with on_terminal("master") as progress:
        found = judge_masters(args.masters, other=args.compare, limits_table=args.limits, progress=progress)
    if args.output:
        found.write(args.output, force=args.force)
    if args.json:
        print_json(found.summary(), allow_nan=False)
    else:
        print(found)
    return 0 if found.good else 1
