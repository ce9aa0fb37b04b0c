"""The one-page report: HTML that needs no network and no script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files

from muse_nb import __version__
from muse_nb.core.text import printable
from muse_nb.steps.judge.figures import svg

__all__ = ["page"]


def page(name: str, verdict: str, facts: Sequence[str], sections: Sequence[Mapping[str, object]]) -> str:
    """Write the report.

    Parameters
    ----------
    name
        Of the cube.
    verdict, facts
        Sentences for its head.
    sections
        Mappings with title, checks (name, value, limit, state, word, text) and panels.
    """
    from jinja2 import Environment

    template = (files("muse_nb.steps.judge") / "report.html").read_text(encoding="utf-8")
    shown = []
    for number, section in enumerate(sections):
        panels = section["panels"]
        assert isinstance(panels, tuple)
        pictures = [_own_names(svg(panel), f"p{number}-{k}-") for k, panel in enumerate(panels)]
        shown.append({**section, "pictures": pictures})
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(template).render(
        name=printable(name),
        verdict=printable(verdict),
        facts=[printable(fact) for fact in facts],
        sections=shown,
        version=__version__,
    )


def _own_names(text: str, prefix: str) -> str:
    """Give the parts of a picture names that no other picture of the page has."""
    for before in ('id="', 'href="#', "url(#"):
        text = text.replace(before, before + prefix)
    return text
