"""The page that lists a set of rendered notebooks: a row each, sortable, failures with their reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any
from urllib.parse import quote

from muse_nb.sharing.page import document, static

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
    more: Mapping[str, Any] = field(default_factory=dict)


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
    tables = "".join(f"<h2>{escape(name)}</h2>{_table(rows)}" for name, rows in groups if rows)
    return document(title, f"<h1>{escape(title)}</h1>{lead}{_FILTER}{tables}", code=[static("index.js")])


_FILTER = (
    '<p class="filter" hidden><label>Show rows with <input type="search" placeholder="words, in any order"></label>'
    ' <span class="note" role="status"></span></p>'
)


def _table(rows: Sequence[Row]) -> str:
    more = list(dict.fromkeys(name for row in rows for name in row.more))
    pictures = any(row.picture for row in rows)
    names = ["page", *(["view"] if pictures else []), *more, "findings", "time [s]", "size [MB]"]
    head = "".join(
        "<th></th>" if name == "view" else f"<th><button type='button' title='sort'>{escape(name)}</button></th>"
        for name in names
    )
    body = "".join(_row(row, more, pictures=pictures) for row in rows)
    return f"<div class='scroll'><table class='index'><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def _row(row: Row, more: Sequence[str], *, pictures: bool) -> str:
    link = f'<a href="{escape(quote(row.href))}">{escape(row.title)}</a>' if row.href else escape(row.title)
    if row.error:
        link += f"<div class='bad'>{escape(row.error)}</div>"
    cells = [f"<td class='text'>{link}</td>"]
    if pictures:
        image = f'<img class="thumb" alt="" src="{escape(row.picture)}">' if row.picture else ""
        cells.append(f"<td class='view'>{image}</td>")
    for name in more:
        value = row.more.get(name, "")
        text = f"{value:.3f}" if isinstance(value, float) else str(value)
        cells.append(_cell(name, str(value), escape(text)))
    said = "".join(f"<div class='note'>{escape(text)}</div>" for text in row.findings[:_SAID])
    said += f"<div class='note'>and {len(row.findings) - _SAID} more</div>" if len(row.findings) > _SAID else ""
    number = len(row.findings)
    cells.append(_cell("findings", "" if row.error else str(number), "" if row.error else f"{number}{said}"))
    cells.append(_cell("time [s]", str(row.seconds), f"{row.seconds:.1f}"))
    cells.append(_cell("size [MB]", str(row.size), f"{row.size / 1e6:.2f}"))
    return f"<tr>{''.join(cells)}</tr>"


def _cell(name: str, value: str, html: str) -> str:
    """Lay out a cell that knows its column's name, for windows too narrow for columns."""
    return f'<td data-name="{escape(name)}" data-value="{escape(value)}">{html}</td>'


def thumbnail_of(notebook: Any, height: int = 168) -> str:
    """Make a data URL of a notebook's cell tagged ``thumbnail``, or of its first picture; empty where it shows none."""
    import base64
    import io

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
