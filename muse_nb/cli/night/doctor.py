"""``muse-nb doctor``: what would go wrong in a folder, or what is installed."""

from __future__ import annotations

import argparse

from muse_nb.cli.common import add_json, print_json

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.epilog = (
        "exit status: 0 nothing found, 1 findings\nexamples: muse-nb doctor night\n          muse-nb doctor --install"
    )
    parser.add_argument("folder", nargs="?", metavar="DIR", help="raw frames, calibrations, products, OFFSET_LISTs")
    parser.add_argument(
        "--install", action="store_true", help="what of muse_nb is installed, and how to get what is missing"
    )
    parser.set_defaults(usage_error=parser.error)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--data", action="store_true", default=None, help="look at the values, however large the files")
    which.add_argument("--headers", action="store_false", dest="data", help="look at headers only")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Look; exit status 1 where something would go wrong."""
    if args.install and args.folder is not None:
        args.usage_error(f"--install looks at the machine, not at {args.folder}: give one of the two")
    if args.install:
        return _install(args)
    if args.folder is None:
        args.usage_error("say which folder to look at: muse-nb doctor DIR, or muse-nb doctor --install")
    return _folder(args)


def _folder(args: argparse.Namespace) -> int:
    from muse_nb.core.progress import on_terminal
    from muse_nb.steps.doctor.doctor import doctor

    with on_terminal("check") as progress:
        found = doctor(args.folder, data=args.data, progress=progress)
    if args.json:
        told = {"folder": str(found.folder), "files": found.files, "data": found.data}
        told |= {"unchecked": [str(path) for path in found.unknown]}
        print_json(told | {"findings": found.rows(), "notes": found.rows(found.notes)})
    else:
        print(found)
    return 1 if found.findings else 0


def _install(args: argparse.Namespace) -> int:
    from dataclasses import asdict

    from muse_nb.sharing.pdf import chromium
    from muse_nb.steps.install.install import check_installation

    found = check_installation(browser=chromium())
    if args.json:
        print_json(asdict(found) | {"findings": found.findings})
    else:
        print(found)
    return 1 if found.findings else 0
