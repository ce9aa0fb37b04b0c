"""``muse-nb demo``: everything, on a simulated night."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from muse_nb.cli.common import add_force

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.epilog = "examples: muse-nb demo -o demo\n          muse-nb demo --cascade -o demo-cascade"
    parser.add_argument("-o", "--output", metavar="DIR", help="folder (default: demo, with --cascade demo-cascade)")
    parser.add_argument(
        "--cascade",
        action="store_true",
        help="raw calibrations and an exposure of one IFU, to judged masters and a cube, held against the truth",
    )
    parser.add_argument("--exposures", type=int, default=19, metavar="N", help="default %(default)s")
    parser.add_argument("--layout", default="micro", help="micro, mini, fov or full (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="default %(default)s")
    parser.add_argument("--engine", choices=["auto", "eso", "own"], default="auto", help="default: what is installed")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="processes side by side (default %(default)s)")
    add_force(parser, "remove what an earlier demo made in DIR, and start anew")


def run(args: argparse.Namespace) -> int:
    """Make the demo."""
    from muse_nb.core.progress import on_terminal, say

    folder = Path(args.output or ("demo-cascade" if args.cascade else "demo"))
    if args.force:
        for name in ("night", "products", "html"):
            shutil.rmtree(folder / name, ignore_errors=True)
    with on_terminal() as bars:

        def show(what: str, done: int, total: int) -> None:
            if total:
                bars(what, done, total)
            else:
                say(what)

        if args.cascade:
            from muse_nb.demo.cascade import demo_cascade

            demo_cascade(folder, seed=args.seed, jobs=args.jobs, progress=show)
            return 0
        from muse_nb.demo.demo import demo

        demo(
            folder,
            exposures=args.exposures,
            layout=args.layout,
            seed=args.seed,
            engine=args.engine,
            jobs=args.jobs,
            progress=show,
        )
    return 0
