"""``muse-nb demo``: everything, on a simulated night."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from muse_nb.cli.common import add_force

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.epilog = "example: muse-nb demo -o demo"
    parser.add_argument("-o", "--output", default="demo", metavar="DIR", help="folder (default %(default)s)")
    parser.add_argument("--exposures", type=int, default=19, metavar="N", help="default %(default)s")
    parser.add_argument("--layout", default="micro", help="micro, mini, fov or full (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="default %(default)s")
    parser.add_argument("--engine", choices=["auto", "eso", "own"], default="auto", help="default: what is installed")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="processes side by side (default %(default)s)")
    add_force(parser, "remove what an earlier demo made in DIR, and start anew")


def run(args: argparse.Namespace) -> int:
    """Make the demo."""
    from muse_nb.core.progress import on_terminal, say
    from muse_nb.demo.demo import demo

    if args.force:
        for name in ("night", "products", "html"):
            shutil.rmtree(Path(args.output) / name, ignore_errors=True)
    with on_terminal() as bars:

        def show(what: str, done: int, total: int) -> None:
            if total:
                bars(what, done, total)
            else:
                say(what)

        demo(
            args.output,
            exposures=args.exposures,
            layout=args.layout,
            seed=args.seed,
            engine=args.engine,
            jobs=args.jobs,
            progress=show,
        )
    return 0
