"""Notebooks as they are after a run, made without a kernel."""

from __future__ import annotations

from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

STATE = "application/vnd.jupyter.widget-state+json"
VIEW = "application/vnd.jupyter.widget-view+json"


def shown(data: dict[str, Any]) -> Any:
    """A cell that shows something."""
    return new_code_cell("thing", outputs=[new_output("display_data", data=data)])


def book(*cells: Any) -> Any:
    """A notebook; text becomes a markdown cell."""
    made = [new_markdown_cell(cell) if isinstance(cell, str) else cell for cell in cells]
    notebook = new_notebook(cells=made)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return notebook


def with_widgets(*widgets: Any, before: tuple = ()) -> Any:
    """A notebook that shows widgets, as nbclient saves it."""
    from ipywidgets.embed import embed_data

    saved = embed_data(views=widgets, drop_defaults=False)
    cells = []
    for widget in widgets:
        data = (widget._repr_mimebundle_() or {}) if hasattr(widget, "_repr_mimebundle_") else {}
        data = data[0] if isinstance(data, tuple) else data
        cells.append(shown({**data, VIEW: {"model_id": widget.model_id, "version_major": 2, "version_minor": 0}}))
    notebook = book(*before, *cells)
    notebook.metadata["widgets"] = {STATE: saved["manager_state"]}
    return nbformat.from_dict(notebook)
