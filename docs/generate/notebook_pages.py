"""The notebooks in the site: what each is about, and its rendered page where the demo has made one."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import nbformat

from muse_nb.core.notebooks import notebooks_folder

__all__ = ["copy", "demo_folder", "write"]

ROOT = Path(__file__).parents[2]
PLACE = "demo"  # folder of the site that gets the rendered pages


def demo_folder() -> Path | None:
    """Where `muse-nb demo` left rendered pages: the folder that MUSE_NB_DEMO names, else the project's."""
    for folder in (os.environ.get("MUSE_NB_DEMO", ""), ROOT / "demo", ROOT / "build" / "docs-demo"):
        if folder and (Path(folder) / "index.html").is_file():
            return Path(folder)
    return None


def write(path: Path) -> None:
    """Write the page of the notebooks: of each its title, what it says first, and the way to its rendered page."""
    lines = [HEAD, HOW_HERE if demo_folder() else HOW_TO]
    for notebook in sorted(notebooks_folder().glob("0*.ipynb")):
        title, first = _opening(notebook)
        lines.append(f"\n## {title}\n\n{first}\n\n{_links(notebook.stem)}\n")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(lines))


def copy(site: Path) -> None:
    """Put the rendered pages into the site, as they are: each asks for nothing, wherever it lies."""
    folder = demo_folder()
    shutil.rmtree(site / PLACE, ignore_errors=True)
    if folder is not None:
        shutil.copytree(folder / "html", site / PLACE / "html", ignore=shutil.ignore_patterns("*.json"))
        shutil.copy(folder / "index.html", site / PLACE / "index.html")


HEAD = """\
# The notebooks

Six notebooks, in the order of an observer's questions. Each can be opened alone: what one of them needs from another
lies in files, beside the data. `muse-nb lab` opens them in JupyterLab, `muse-nb new` writes them for your own night.
"""
HOW_HERE = """
They are here as they were run on a simulated night, a page each, with their viewers alive: move, click, step through.
What needs Python behind it is grey. <a href="../demo/index.html">All pages</a>.
"""
HOW_TO = """
Their rendered pages, with the viewers alive, are not in this copy of the site: `make docs` puts them here where
`make demo` has made them.
"""


def _opening(notebook: Path) -> tuple[str, str]:
    """Title and first paragraph."""
    text = str(nbformat.read(notebook, as_version=4).cells[0].source)
    title, _, rest = text.partition("\n")
    return title.lstrip("# "), re.split(r"\n\s*\n", rest.strip(), maxsplit=1)[0]


def _links(name: str) -> str:
    folder = demo_folder()
    pages = sorted((folder / "html").glob(f"{name}*.html")) if folder else []
    if not pages:
        return f"`notebooks/{name}.ipynb`"
    words = [page.stem.removeprefix(name).lstrip("-") or "Open the page" for page in pages]
    links = zip((f"../{PLACE}/html/{page.name}" for page in pages), words, strict=True)
    return "\n".join(f'<a class="notebook" href="{link}">{word}</a>' for link, word in links)
