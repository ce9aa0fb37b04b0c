"""A notebook that was run, as one HTML page that needs nothing from anywhere."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache, partial
from importlib.resources import files
from typing import TYPE_CHECKING

from markupsafe import Markup

from muse_nb.sharing.cells import Cells, title_of
from muse_nb.sharing.clean import Places, island
from muse_nb.sharing.colours import code_style
from muse_nb.sharing.fill import fill_template
from muse_nb.sharing.states import Kept, keep

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from muse_nb.sharing.links import Link
    from muse_nb.sharing.provenance import About

__all__ = ["document", "notebook_page", "static"]


_OFFLINE = ("models", "marks", "controls", "views")


@cache
def static(name: str) -> str:
    """Text of one of our own files."""
    return (files("muse_nb.sharing") / "static" / name).read_text(encoding="utf-8")


def document(title: str, body: str, *, code: Sequence[str] = (), data: Mapping[str, object] | None = None) -> str:
    """Wrap a body into a page with our style.

    Its policy forbids the network, and every script but those given here: whatever a header or a cell may have slipped
    in does not run.

    Parameters
    ----------
    title
        Plain text.
    body
        HTML.
    code
        Our own scripts, run at the end.
    data
        For the scripts: ids and what becomes JSON.
    """
    hashes = "".join(f" 'sha256-{_digest(text)}'" for text in code)
    policy = (
        "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; font-src data:;"
        f" script-src blob:{hashes}; base-uri 'none'; form-action 'none'"
    )
    page = fill_template(
        "document.html",
        policy=policy,
        title=title,
        style=Markup(static("page.css") + code_style()),
        body=Markup(body),
        islands={name: Markup(island(value)) for name, value in (data or {}).items()},
        code=[Markup(text) for text in code],
    )
    return str(page)


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def notebook_page(
    notebook: NotebookNode,
    *,
    about: About,
    places: Places,
    max_size: float = 15e6,
    pages: Mapping[str, str] | None = None,
    links: Sequence[Link] = (),
) -> str:
    """Render a notebook.

    Parameters
    ----------
    notebook
        A notebook node (nbformat 4), run.
    about
        Its provenance, for the fold at the end and as JSON inside the page.
    places
        Paths are given relative to these.
    max_size
        Bytes; views come alive until the page would exceed it, the others are pictures. 0 for pictures only.
    pages
        Notebooks by file name that are pages beside this one: links to them lead there.
    links
        To the page before, the next, and the index.
    """
    page = partial(_page, notebook, about=about, places=places, pages=pages or {}, links=links)
    room = max_size - len(page(keep(notebook, 0)))
    return page(keep(notebook, max(room, 0)), note=max_size > 0)


def _page(
    notebook: NotebookNode,
    kept: Kept,
    *,
    about: About,
    places: Places,
    pages: Mapping[str, str],
    links: Sequence[Link] = (),
    note: bool = False,
) -> str:
    cells = Cells(places, kept.models, kept.dropped if note else (), pages)
    data: dict[str, object] = {"provenance": about}
    code = []
    if kept.models:
        data |= {"widget-states": places.hide_all(kept.models), "widget-modules": kept.modules}
        code = ["(async () => {\n" + "".join(static(f"{name}.js") for name in _OFFLINE) + "})();"]
    body = fill_template(
        "notebook.html",
        error=about.get("error", ""),
        cells=cells.html(notebook),
        about=_how_it_was_made(about),
        links=links,
    )
    return document(title_of(notebook), body, code=code, data=data)


def _how_it_was_made(about: About) -> Markup:
    """A page's provenance, to be unfolded at its end: parameters, recipes, inputs, versions, time."""
    picks = [line for line in about.get("picks", "").splitlines() if line and not line.startswith("#")]
    offsets = about.get("offsets", [])
    return fill_template(
        "about.html",
        about=about,
        picks=f"{max(len(picks) - 1, 0)} rows" if about.get("picks") else "",
        offsets=f"of {len(offsets)} exposures" if offsets else "",
    )
