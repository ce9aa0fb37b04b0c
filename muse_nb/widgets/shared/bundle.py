"""The browser's half of a widget: one ES module and one style sheet, put together from the files beside its Python.

anywidget takes a module as one text. The files are real ES modules that import from each other; here a viewer's parts
are put before it, each once and after its own, and their ``import`` and ``export`` lines fall away, so that nothing has
to be built.
"""

from __future__ import annotations

import posixpath
import re
from functools import cache
from importlib.resources import files

__all__ = ["module", "style"]

_IMPORT = re.compile(r'^import [^;]*? from "(\.\.?/[\w/]+\.js)";\n', re.M)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const)\b)", re.M)


def _text(path: str) -> str:
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
