"""The browser's half of a widget: one ES module and one style sheet, put together from the files beside its Python.

anywidget takes a module as one text. The files are ES modules that import from each other; here a viewer's parts are
put before it, each once and after its own, and their ``import`` and ``export`` lines fall away, so that nothing has to
be built. What both halves must agree on is written in Python; ``shared/constants.js`` is made of it here.
"""

from __future__ import annotations

import json
import posixpath
import re
from functools import cache
from importlib.resources import files

from muse_nb.core import saved
from muse_nb.widgets.shared.limits import ASINH, LIMITS, LOG, STRETCHES

__all__ = ["module", "style"]

_IMPORT = re.compile(r'^import [^;]*? from "(\.\.?/[\w/]+\.js)";\n', re.M)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const)\b)", re.M)
_CONSTANTS = {
    "NO_DATA": saved.NO_DATA,
    "NO_DATA_BITS": saved.NO_DATA_BITS,
    "THUMBS": saved.THUMBS,
    "LIMITS": list(LIMITS.items()),  # pairs: the keys of an object that look like numbers would come first
    "STRETCHES": STRETCHES,
    "ASINH": ASINH,
    "LOG": LOG,
}


def _text(path: str) -> str:
    if path == "shared/constants.js":
        return "".join(f"export const {name} = {json.dumps(value)};\n" for name, value in _CONSTANTS.items())
    return files("muse_nb.widgets").joinpath(*path.split("/")).read_text(encoding="utf-8")


def _parts(path: str, found: dict[str, str]) -> dict[str, str]:
    """Collect the modules that one imports, whatever they import first, in `found`: path below widgets/ -> text."""
    text = _text(path)
    for other in _IMPORT.findall(text):
        part = posixpath.normpath(posixpath.join(posixpath.dirname(path), other))
        if part not in found:
            _parts(part, found)
    found[path] = _IMPORT.sub("", text)
    return found


@cache
def module(name: str) -> str:
    """ES module of a viewer, its parts included; `name` is its file's below ``widgets/``, as in ``nans/viewer``."""
    *parts, own = _parts(f"{name}.js", {}).values()
    return "\n".join([*(_EXPORT.sub("", part) for part in parts), own])


@cache
def style(*names: str) -> str:
    """Style sheet of all viewers, and the ones of `names`; colours follow JupyterLab's theme where there is one."""
    return "".join(_text(f"{name}.css") for name in ("shared/viewer", *names))
