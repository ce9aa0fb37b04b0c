"""The browser's half of a widget: one ES module and one style sheet, put together from the files in ``static/``.

anywidget takes a module as one text. The files are real ES modules that import from each other; here the shared ones
are put before the viewer's own and their ``import`` and ``export`` lines fall away, so that nothing has to be built.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

__all__ = ["module", "style"]

SHARED = ("ui", "canvas", "plot")


def _text(name: str) -> str:
    return (files("muse_nb.widgets") / "static" / name).read_text(encoding="utf-8")


@cache
def module(name: str) -> str:
    """ES module of a viewer, the shared code included; `name` is that of its file in ``static/``."""
    local = re.compile(r'^import [^;]*? from "\./(\w+)\.js";\n', re.M | re.S)
    own = [part for part in local.findall(_text(f"{name}.js")) if part not in SHARED]
    parts = [_text(f"{part}.js") for part in (*SHARED, *own, name)]
    parts = [local.sub("", part) for part in parts]
    shared = [re.sub(r"^export (?=(?:async )?(?:function|class|const)\b)", "", part, flags=re.M) for part in parts[:-1]]
    return "\n".join([*shared, parts[-1]])


@cache
def style() -> str:
    """Style sheet of all viewers; colours follow JupyterLab's theme where there is one."""
    return _text("viewer.css")
