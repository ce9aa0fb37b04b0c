"""The page that lists a set of rendered notebooks: a row each, sortable, failures with their reason."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from markupsafe import Markup

from muse_nb.sharing.fill import fill_template
from muse_nb.sharing.page import document, static

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["Row", "index_page", "thumbnail_of"]

_SAID = 3  # findings of a page that are shown in words


@dataclass(frozen=True)
class Row:
    """One page of a set.

    Attributes
    ----------
    title : str
    href : str
        File name relative to the index; empty where there is no page.
    picture : str
        A data URL, or empty.
    seconds : float
        How long it ran [s].
    size : int
        [byte].
    error : str
        Why it failed, or empty.
    findings : list of str
        What its steps found wrong.
    more : dict
        Further columns: name to a number or text.
    """

    title: str
    href: str
    picture: str = ""
    seconds: float = 0.0
    size: int = 0
    error: str = ""
    findings: Sequence[str] = ()
    more: Mapping[str, float | str] = field(default_factory=dict)


def index_page(title: str, groups: Sequence[tuple[str, Sequence[Row]]], *, lead: str = "") -> str:
    """Lay out the index.

    Parameters
    ----------
    title
        Heading, plain text.
    groups
        Heading and rows of each table.
    lead
        HTML between the heading and the tables.
    """
    tables = [
        {
            "name": name,
            "rows": rows,
            "pictures": any(row.picture for row in rows),
            "more": list(dict.fromkeys(column for row in rows for column in row.more)),
        }
        for name, rows in groups
        if rows
    ]
    body = fill_template("index.html", title=title, lead=Markup(lead), tables=tables, said=_SAID)
    return document(title, body, code=[static("index.js")])


def thumbnail_of(notebook: NotebookNode, height: int = 168) -> str:
    """Make a data URL of a notebook's cell tagged ``thumbnail``, or of its first picture; empty where it shows none."""
    from PIL import Image

    marked = [c for c in notebook.cells if "thumbnail" in c.metadata.get("tags", [])]
    for cell in [*marked, *notebook.cells]:
        for output in cell.get("outputs", []):
            text = output.get("data", {}).get("image/png")
            if not text:
                continue
            with Image.open(io.BytesIO(base64.b64decode(text))) as picture:
                small = picture.convert("RGB")
                small.thumbnail((3 * height, height))
                out = io.BytesIO()
                small.save(out, "JPEG", quality=80)
            return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode()
    return ""
