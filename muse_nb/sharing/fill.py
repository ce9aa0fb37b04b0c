"""HTML from the files in ``templates/``: whatever is put into one is escaped, but for `Markup`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

__all__ = ["fill_template"]


def fill_template(name: str, **values: object) -> Markup:
    """Fill a template; a value that it needs and does not get is an error."""
    return Markup(_environment().get_template(name).render(values))


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FunctionLoader(_source),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["pairs"] = _pairs
    return made


def _source(name: str) -> str:
    return (files("muse_nb.sharing") / "templates" / name).read_text(encoding="utf-8")


def _pairs(values: Mapping[str, object]) -> str:
    """Name values in a line: ``night demo, exposure 3``."""
    return ", ".join(f"{name} {value}" for name, value in values.items())
