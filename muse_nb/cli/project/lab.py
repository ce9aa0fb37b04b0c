"""``muse-nb lab``: JupyterLab on the notebooks."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from muse_nb.core.notebooks import copy_notebooks, in_clone, notebooks_folder

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.epilog = "example: muse-nb lab --port 8890"
    parser.add_argument(
        "--port", type=int, default=8888, metavar="N", help="the next free one from here (default 8888)"
    )
    parser.add_argument("--no-browser", action="store_true", help="print the address only")


def run(args: argparse.Namespace) -> int:
    """Become JupyterLab: with its token, on the loopback address only."""
    root = notebooks_folder().parent if in_clone() else Path.cwd()
    if made := [] if in_clone() else copy_notebooks(root / "notebooks"):
        print(f"{len(made)} notebooks copied to {root / 'notebooks'}", flush=True)
    command = [
        *(sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={root}", "--ServerApp.ip=127.0.0.1"),
        *(f"--ServerApp.port={args.port}", "--LabApp.default_url=/lab/tree/notebooks/start.ipynb"),
        *(["--no-browser"] if args.no_browser or (hasattr(os, "geteuid") and os.geteuid() == 0) else []),
        *(["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
    ]
    os.chdir(root)
    os.execv(sys.executable, command)
