"""Whether somebody looks on while a cell runs: what runs a notebook without a browser is given pictures to show."""

from __future__ import annotations

import os
from typing import Any

__all__ = ["STILL", "VIEW", "for_a_page", "for_whoever_looks"]

VIEW = "application/vnd.jupyter.widget-view+json"
STILL = "application/vnd.muse-nb.view+json"  # the same, for our own shared pages only


def for_a_page() -> bool:
    """Whether a shared page is made: it will have what a widget keeps, and no kernel to ask for more."""
    return "MUSE_NB_HEADLESS" in os.environ


def for_whoever_looks(data: dict[str, Any]) -> dict[str, Any]:
    """Make a widget's mimebundle fit for the present cell.

    nbconvert and nbviewer prefer a widget's view to its picture wherever the notebook holds the widget's state, and
    draw nothing without a network. A notebook that is run without a browser holds it (nbclient stores it), one that
    JupyterLab saves does not. So the view goes by a name of ours where no browser has asked for the cell.
    """
    if VIEW in data and _runs_alone():
        data[STILL] = data.pop(VIEW)
    return data


def _runs_alone() -> bool:
    """JupyterLab, Notebook and VS Code name the cell that they run; nbclient, which knows no browser, does not."""
    from IPython.core.getipython import get_ipython

    kernel = getattr(get_ipython(), "kernel", None)
    request = {} if kernel is None else kernel.get_parent()
    is_cell = request.get("header", {}).get("msg_type") == "execute_request"
    return is_cell and "cellId" not in request.get("metadata", {})
