"""Run one recipe by python-cpl: the other end of `muse_nb.recipes.run`, a process of its own.

A recipe can crash, python-cpl forks (which hangs after another library's threads), and memory is given back for certain
only by a process that ends.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

from muse_nb.recipes.process import die_with_parent

__all__ = ["main"]


def main() -> int:
    """Read the request (a JSON file named on the command line), run the recipe, write the answer beside it."""
    os.register_at_fork(after_in_child=die_with_parent)
    request = json.loads(Path(sys.argv[1]).read_text())
    answer = _describe(request) if request["what"] == "describe" else _run(request)
    Path(sys.argv[1]).with_suffix(".answer").write_text(json.dumps(answer))
    return 0


def _recipe(request: dict[str, Any]) -> Any:
    import cpl

    cpl.Recipe.path = request["plugins"]
    return cpl.Recipe(request["recipe"])


def _describe(request: dict[str, Any]) -> dict[str, Any]:
    recipe = _recipe(request)
    parameters = {
        p.name: {"default": p.default, "choices": list(p.sequence) if p.sequence else None} for p in recipe.param
    }
    return {"parameters": parameters, "version": recipe.version[1]}


def _run(request: dict[str, Any]) -> dict[str, Any]:
    import cpl

    cpl.esorex.init = None  # never a user's configuration
    recipe = _recipe(request)
    recipe.output_dir = request["output"]  # text: a Path makes python-cpl hang
    recipe.temp_dir = request["temporary"]
    recipe.memory_mode = 0
    names = {re.sub(r"\W", "_", p.name): p.name for p in recipe.param}
    for key, value in request["parameters"].items():
        recipe.param[names.get(key, key)] = value
    raw, calibrations = _sort(recipe, request["frames"])
    try:
        result = recipe(raw, calib=calibrations)
    except Exception as error:
        log = getattr(error, "log", None)
        return {"error": str(error), "log": _log(log)}
    return {"log": _log(getattr(result, "log", None)), "error": ""}


def _sort(recipe: Any, frames: list[list[str]]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Tell raw from calibration frames: those the recipe calls its input, or else those with the first frame's tag."""
    main_tags = {str(tag) for tag in recipe.tags} & {tag for _, tag in frames} or {frames[0][1]}
    raw: dict[str, list[str]] = {}
    calibrations: dict[str, list[str]] = {}
    for path, tag in frames:
        (raw if tag in main_tags else calibrations).setdefault(tag, []).append(path)
    return raw, calibrations


def _log(log: Any) -> str:
    if log is None:
        return ""
    return "\n".join(f"[ {r.levelname} ] {r.name}: {r.getMessage()}" for r in log)


if __name__ == "__main__":
    sys.exit(main())
