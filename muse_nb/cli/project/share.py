"""``muse-nb share``: notebooks to HTML files that open anywhere."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from muse_nb.cli.common import add_force, add_json, memory_size, print_json

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.epilog = (
        "examples: muse-nb share notebooks/03-offsets.ipynb -p night demo/night -o html\n"
        "          muse-nb share notebooks/0*.ipynb --exposures -p night demo/night -p products demo/products -o html\n"
        "          muse-nb share --extract html/03-offsets.html -o again"
    )
    parser.add_argument("notebooks", nargs="*", metavar="NOTEBOOK", help="notebooks to render")
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="folder for the pages")
    text = "set a variable of the cells tagged parameters; once for each"
    parser.add_argument(
        "-p", dest="parameters", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), help=text
    )
    parser.add_argument(
        "--exposures", action="store_true", help="run a notebook that asks for an exposure once for each of the night"
    )
    parser.add_argument("--no-run", action="store_true", help="show the outputs that the notebooks hold")
    parser.add_argument("--static", action="store_true", help="pictures instead of live views")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="notebooks side by side (default 2)")
    parser.add_argument("--max-size", type=memory_size, default=15e6, metavar="15MB", help="largest live page")
    parser.add_argument("--pdf", action="store_true", help="print the pages to PDF too, where Chromium is installed")
    parser.add_argument("--extract", metavar="HTML", help="get picks, offsets and parameters back out of a page")
    add_force(parser, "replace pages that are there")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Render, or extract; exit status 1 where a notebook failed."""
    from muse_nb.core.errors import MuseError

    if args.extract:
        from muse_nb.sharing.extract import extract

        written = extract(args.extract, args.output, force=args.force)
        if args.json:
            print_json(written, indent=None)
        else:
            print("\n".join(map(str, written)))
        return 0
    if not args.notebooks:
        raise MuseError("say which notebooks to share: muse-nb share NOTEBOOK... -o DIR")
    return _share(args)


def _share(args: argparse.Namespace) -> int:
    from muse_nb.core.progress import on_terminal
    from muse_nb.sharing.share import share

    with on_terminal("page") as progress:
        result = share(
            args.notebooks,
            args.output,
            parameters={name: _value(text) for name, text in args.parameters},
            exposures=args.exposures,
            run=not args.no_run,
            static=args.static,
            jobs=args.jobs,
            max_size=args.max_size,
            force=args.force,
            progress=progress,
        )
    printed = [_print(page.path) for page in result.pages if page.size] if args.pdf else []
    if args.json:
        pages = [{"page": p.path, "size": p.size, "live": p.live, "error": p.error} for p in result.pages]
        print_json({"index": result.index, "pages": pages, "pdf": printed})
    else:
        for page in result.pages:
            state = page.error or ("live" if page.live else "pictures")
            print(f"{page.path}: {page.size / 1e6:.2f} MB, {state}")
        print("\n".join([*printed, str(result.index)]))
    return 1 if result.failed else 0


def _print(page: Path) -> str:
    from muse_nb.sharing.pdf import print_page

    return str(print_page(page, page.with_suffix(".pdf"), force=True))


def _value(text: str) -> Any:
    """Numbers, lists and the like as JSON; anything else is text."""
    try:
        return json.loads(text)
    except ValueError:
        return text
