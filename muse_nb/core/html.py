"""How results show themselves in a notebook: HTML with all text escaped, and what was found wrong as data beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Protocol, cast

__all__ = ["FINDINGS_MIME", "Html", "Shown", "findings_html", "table_html"]

FINDINGS_MIME = "application/vnd.muse_nb.findings+json"
"""Of an output's part that holds ``{"findings": [sentence, ...]}``, for whoever renders a notebook."""


class Html(str):
    """HTML that a step wrote, its text escaped already: `table_html` takes it as it is."""

    __slots__ = ()


def findings_html(findings: Iterable[str]) -> str:
    """Write what a step found wrong as a list; nothing where there is none."""
    items = "".join(f"<li>{escape(text)}</li>" for text in findings)
    return f'<ul class="findings">{items}</ul>' if items else ""


def table_html(
    head: Sequence[object], rows: Iterable[Sequence[object]], *, kind: str = "", style: str = "", cell_style: str = ""
) -> str:
    """Write a table; every cell is escaped, but for those that are `Html`.

    Parameters
    ----------
    head
        Of the columns.
    rows
        A cell a column.
    kind
        CSS class.
    style, cell_style
        CSS of the table, and of each of its cells.
    """
    of_cell = _attribute("style", cell_style)
    heads = "".join(f"<th{of_cell}>{_escaped(cell)}</th>" for cell in head)
    opening = f"<td{of_cell}>"
    lines = "".join(f"<tr>{''.join(f'{opening}{_escaped(cell)}</td>' for cell in row)}</tr>" for row in rows)
    attributes = _attribute("class", kind) + _attribute("style", style)
    return f"<table{attributes}><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table>"


def _escaped(cell: object) -> str:
    return cell if isinstance(cell, Html) else escape(str(cell))


def _attribute(name: str, value: str) -> str:
    return f' {name}="{escape(value)}"' if value else ""


class _Showable(Protocol):
    @property
    def findings(self) -> Sequence[str]: ...

    def _repr_html_(self) -> str: ...


class Shown:
    """A result that shows itself: a class with ``findings``, ``__str__`` and ``_repr_html_`` inherits the rest.

    Attributes
    ----------
    findings : sequence of str
        What was found wrong, a sentence each.
    """

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, object]:
        shown = cast(_Showable, self)
        return {
            "text/plain": str(self),
            "text/html": shown._repr_html_(),
            FINDINGS_MIME: {"findings": [str(text) for text in shown.findings]},
        }
