"""Text and HTML that came from elsewhere, made fit for a page: nothing that runs or is fetched, no names of people."""

from __future__ import annotations

import json
import os
import re
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

import nh3

__all__ = ["Places", "island", "safe_html"]

_TEXT = """a abbr b blockquote br caption code col colgroup dd del details div dl dt em figcaption figure
    h1 h2 h3 h4 h5 h6 hr i img ins kbd label li mark ol p pre q s samp small span strong sub summary sup
    table tbody td tfoot th thead time tr u ul var"""
_KEPT = "align alt class colspan dir height id lang open rowspan scope start style title width"
_WITH_CONTENT = "script style noscript iframe object template"  # they go with all that is in them
_SCHEMES = "http https mailto data"
_CSS = """background-color border-bottom-color border-collapse border-color border-left-color border-right-color
    border-top-color clear color direction display float font font-family font-size font-style font-variant font-weight
    height letter-spacing line-height overflow text-align text-decoration text-indent unicode-bidi vertical-align
    white-space width"""
_PLAIN = re.compile(r"[\w\s#%.,+!/'\"-]*|(?:rgb|hsl)a?\([\w\s%.,/+-]*\)")  # a value that fetches nothing
_TURN = re.compile(r"rotate\(-?\d{1,3}(?:\.\d+)?deg\)")  # an arrow along the rotator's angle stays in its place
_HOMES = re.compile(r"(?:/home|/Users|[A-Z]:\\Users)[/\\][^/\\\s\"'<>&]+")


@cache
def _code() -> tuple[str, ...]:
    """Folders of Python code, as tracebacks name them: where packages lie, the standard library, this package."""
    known = [*map(sysconfig.get_path, ("purelib", "platlib", "stdlib")), str(Path(__file__).parents[2])]
    return tuple(sorted({f"{place}{os.sep}" for place in known if len(place) > 1}, key=len, reverse=True))


@cache
def _cleaner() -> nh3.Cleaner:
    return nh3.Cleaner(
        tags=set(_TEXT.split()),
        clean_content_tags=set(_WITH_CONTENT.split()),
        attributes={"*": set(_KEPT.split()), "a": {"href", "name"}, "img": {"src"}},
        attribute_filter=_attribute,
        url_schemes=set(_SCHEMES.split()),
        link_rel=None,
    )


def _attribute(tag: str, name: str, value: str) -> str | None:
    """Give an attribute's value as it may stay; None takes the attribute out."""
    if tag == "img" and name == "src" and not value.startswith("data:image/"):
        return None
    return _style(value) if name == "style" else value


def _style(text: str) -> str | None:
    """Keep the declarations that change how a text looks, not where it is."""
    kept, known = [], set(_CSS.split())
    for declaration in text.split(";"):
        name, _, value = (part.strip() for part in declaration.partition(":"))
        if (name.lower() in known and _PLAIN.fullmatch(value)) or (name == "transform" and _TURN.fullmatch(value)):
            kept.append(f"{name}:{value}")
    return ";".join(kept) or None


def safe_html(html: str) -> str:
    """Keep the HTML that shows something; drop what would run, or be fetched from somewhere."""
    return _cleaner().clean(html)


@dataclass(frozen=True)
class Places:
    """Folders whose paths are nobody's business.

    Attributes
    ----------
    folder : pathlib.Path
        Paths below it are given relative to it.
    others : tuple of pathlib.Path
        Paths below these start with the last part of the folder's name.
    """

    folder: Path
    others: tuple[Path, ...] = ()

    @classmethod
    def of(cls, folder: Path, parameters: Mapping[str, Any]) -> Places:
        """Places of a notebook: where it is run, and the folders among its parameters."""
        named = [Path(value) for value in parameters.values() if isinstance(value, str) and len(value) > 1]
        return cls(folder.absolute(), tuple(path for path in named if path.is_absolute() and path.name))

    def hide(self, text: str) -> str:
        """Make paths relative, those of installed code too, and leave the names of home folders out."""
        for place in sorted([self.folder, *self.others], key=lambda path: -len(str(path))):
            for written in dict.fromkeys((str(place), escape(str(place)))):
                if place in self.others:
                    text = text.replace(written, place.name)
                elif len(written) > 1:
                    text = text.replace(written + os.sep, "").replace(written, ".")
        for code in _code():
            text = text.replace(code, "")
        home = str(Path.home())
        if len(home) > 1:
            text = re.sub(re.escape(home) + r"(?=[/\\\s\"'<>&,;:)]|$)", "~", text)
        return _HOMES.sub("~", text)

    def hide_all(self, value: Any) -> Any:
        """Do the same to every string in a structure, but long ones, which are data or code."""
        if isinstance(value, str):
            return self.hide(value) if len(value) < 20_000 else value
        if isinstance(value, dict):
            return {key: self.hide_all(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.hide_all(item) for item in value]
        return value


def island(value: object) -> str:
    """JSON for a script element of a page that no string in it can close."""
    return json.dumps(value, default=str).replace("<", "\\u003c").replace("\u2028", "\\u2028")
