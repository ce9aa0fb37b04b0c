"""``muse-nb new``: the notebooks for a night of one's own."""

from __future__ import annotations

import argparse
from pathlib import Path

from muse_nb.cli.common import add_force, add_json, print_json

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.epilog = "example: muse-nb new mynight --night /data/2024-05-01 --products /data/products"
    parser.add_argument("folder", metavar="DIR", help="folder for the notebooks")
    parser.add_argument("--night", metavar="FOLDER", help="folder with the night's files (default DIR/night)")
    parser.add_argument("--products", metavar="FOLDER", help="folder for what is made (default DIR/products)")
    add_force(parser, "replace notebooks that are there")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Write the notebooks."""
    from muse_nb.core.errors import MuseError
    from muse_nb.core.notebooks import new_notebooks

    folder = Path(args.folder)
    night, products = Path(args.night or folder / "night"), Path(args.products or folder / "products")
    if args.night and not night.is_dir():
        raise MuseError(f"{night} is not a folder: give the one that holds the night's files")
    made = new_notebooks(folder, night, products, force=args.force)
    if args.json:
        print_json({"notebooks": made, "night": night.absolute(), "products": products.absolute()})
        return 0
    print(f"{len(made)} notebooks in {folder}: open {made[0]} in JupyterLab")
    if not night.is_dir():
        print(f"put the night's files into {night}, in any subfolders")
    return 0
