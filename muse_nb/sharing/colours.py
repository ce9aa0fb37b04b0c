"""Code in colours, on light paper and on dark."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from pygments.formatters import HtmlFormatter

__all__ = ["code_style", "coloured"]

_LIGHT, _DARK = "default", "github-dark"


@cache
def _formatter(style: str) -> HtmlFormatter:
    from pygments.formatters import HtmlFormatter

    return HtmlFormatter(style=style)


def coloured(source: str) -> Markup:
    """Give the words of Python code the classes that `code_style` colours."""
    from pygments import highlight
    from pygments.lexers import PythonLexer

    return Markup(highlight(source, PythonLexer(), _formatter(_LIGHT)))


@cache
def code_style() -> str:
    """CSS of code: colours for light paper, others where the reader has chosen dark."""
    light, dark = ("\n".join(_rules(style)) for style in (_LIGHT, _DARK))
    return f"{light}\n@media screen and (prefers-color-scheme: dark) {{\n{dark}\n}}\n"


def _rules(style: str) -> list[str]:
    """Colours of words only: the paper is the page's."""
    rules = _formatter(style).get_style_defs(".code").splitlines()
    return [rule for rule in rules if rule.startswith(".code .")]
