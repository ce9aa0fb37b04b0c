"""Whether somebody looks on while a cell runs: what runs a notebook without a browser is given pictures to show."""

from __future__ import annotations

import os
from typing import Any

from muse_nb.core.html import FINDINGS_MIME
from muse_nb.core.saved import HEADLESS, MARK, STILL, STILL_OF, VIEW

__all__ = ["MimeBundle", "fit_to_front_end", "for_a_page", "split_view_and_still"]

NO_ERROR_WITHOUT_KERNEL = """<style class="mnb-hush">
.jp-OutputArea-output.jupyter-widgets:not(:has(*)), .jp-OutputArea-child:has(.mnb-hush) { display: none; }
</style>"""
"""What JupyterLab writes where a saved notebook's view was, "model not found", is hidden: its picture is below it."""

MimeBundle = dict[str, Any]
"""What Jupyter shows of something: type of media -> content that JSON can carry."""


def for_a_page() -> bool:
    """Whether a shared page is made: it will have what a widget keeps, and no kernel to ask for more."""
    return HEADLESS in os.environ


def fit_to_front_end(data: MimeBundle) -> MimeBundle:
    """Make a widget's mimebundle fit for the present cell.

    nbconvert and nbviewer prefer a widget's view to its picture wherever the notebook holds the widget's state, and
    draw nothing without a network. A notebook that is run without a browser holds it (nbclient stores it), one that
    JupyterLab saves does not. So the view goes by a name of ours where no browser has asked for the cell.
    """
    if VIEW in data and _runs_alone():
        data[STILL] = data.pop(VIEW)
    return data


def split_view_and_still(data: MimeBundle, stands_in: str) -> list[tuple[MimeBundle, MimeBundle]]:
    """Split what JupyterLab is shown into the view and, in an output of its own, the picture that stands in for it.

    JupyterLab may save the widgets' states (Settings, Save Widget State Automatically), and then whatever renders the
    notebook takes the view and never the picture beside it. A picture in the next output is shown there in any case;
    where the view is alive its style sheet hides it.

    Parameters
    ----------
    data
        A widget's mimebundle.
    stands_in
        Type of what can be shown without the widget, as ``image/png``.

    Returns
    -------
    list of tuple
        Data and metadata of each output, the last a style sheet only; empty where one output serves better.
    """
    if VIEW not in data or stands_in not in data or not _in_jupyterlab():
        return []
    live = {VIEW: data[VIEW], "text/html": "<div></div>", "text/plain": data.get("text/plain", "")}
    # the marks by which the style sheet knows the picture, and a shared page whose it is
    marks = {"image/png": {"unconfined": True}, MARK: {STILL_OF: data[VIEW]["model_id"]}}
    still = {stands_in: data[stands_in], "text/plain": "the picture of the view above"}
    if stands_in == "text/html":
        still[stands_in] = f'<div class="mnb-still">{data[stands_in]}</div>'
    if FINDINGS_MIME in data:
        still[FINDINGS_MIME] = data[FINDINGS_MIME]
    return [(live, {}), (still, marks), ({"text/html": NO_ERROR_WITHOUT_KERNEL}, {})]


def _request() -> dict[str, Any]:
    """What this process works on for a front end; empty where it is no kernel."""
    from IPython.core.getipython import get_ipython

    kernel = getattr(get_ipython(), "kernel", None)
    request = {} if kernel is None else kernel.get_parent()
    return request if request.get("header", {}).get("msg_type") == "execute_request" else {}


def _runs_alone() -> bool:
    """JupyterLab, Notebook and VS Code name the cell that they run; nbclient, which knows no browser, does not."""
    request = _request()
    return bool(request) and "cellId" not in request.get("metadata", {})


def _in_jupyterlab() -> bool:
    """Whether JupyterLab or Notebook runs the cell; VS Code names its cells by address, and draws outputs otherwise."""
    cell = _request().get("metadata", {}).get("cellId")
    return isinstance(cell, str) and not cell.startswith("vscode")
