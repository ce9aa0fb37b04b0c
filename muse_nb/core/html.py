"""Findings as a list in HTML, marked so that whoever renders a notebook can tell them from its other lists."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

__all__ = ["findings_html"]


def findings_html(findings: Iterable[str]) -> str:
    """Write what a step found wrong as a list of the class ``findings``; nothing where there is none."""
    items = "".join(f"<li>{escape(text)}</li>" for text in findings)
    return f'<ul class="findings">{items}</ul>' if items else ""
