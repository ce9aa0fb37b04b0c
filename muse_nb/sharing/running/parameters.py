"""The parameters of a notebook: what its cell tagged ``parameters`` says, and other values put in their place."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import nbformat

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["defaults", "with_parameters"]

TAG, INJECTED = "parameters", "injected-parameters"  # papermill's, so that either can run what the other wrote


def defaults(notebook: NotebookNode) -> dict[str, Any]:
    """Read the values in the notebook's cell tagged ``parameters``."""
    found: dict[str, Any] = {}
    for cell in notebook.cells:
        if TAG not in cell.metadata.get("tags", []):
            continue
        try:
            tree = ast.parse(cell.source)
        except SyntaxError:
            continue
        for node in tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                try:
                    found[node.targets[0].id] = ast.literal_eval(node.value)
                except ValueError:
                    continue
    return found


def with_parameters(notebook: NotebookNode, parameters: Mapping[str, object]) -> NotebookNode:
    """Give a notebook a cell with values, after its cell tagged ``parameters``, first where it has none.

    A cell with values that was put in before is replaced.
    """
    made = nbformat.v4.upgrade(notebook)  # to cells with ids, like the new one
    lines = ["# Parameters", *(f"{name} = {_literal(value)}" for name, value in parameters.items()), ""]
    new = nbformat.v4.new_code_cell("\n".join(lines), metadata={"tags": [INJECTED]})
    tags = [set(cell.metadata.get("tags", [])) for cell in made.cells]
    old = next((k for k, here in enumerate(tags) if INJECTED in here), None)
    after = next((k + 1 for k, here in enumerate(tags) if TAG in here), 0)
    start, stop = (after, after) if old is None else (old, old + 1)
    made.cells = [*made.cells[:start], new, *made.cells[stop:]]
    return made


def _literal(value: object) -> str:
    """Python for a value of JSON; anything else is text."""
    if isinstance(value, float) and not math.isfinite(value):
        return f"float('{value}')"
    if value is None or isinstance(value, (bool, int, float)):
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_literal(str(name))}: {_literal(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_literal, value)) + "]"
    return '"' + str(value).encode("unicode_escape").decode("ascii").replace('"', r"\"") + '"'
