"""A notebook as JupyterLab saves it shows its widgets' pictures where nothing runs, as nbconvert and nbviewer do."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import pytest
from books import VIEW, with_widgets

import muse_nb

if TYPE_CHECKING:
    from muse_nb.simulator.night import Night


@pytest.mark.parametrize("template", ["basic", "classic", "lab"])
def test_the_picture_stands_for_the_widget(night: Night, template: str) -> None:
    from nbconvert import HTMLExporter

    notebook = with_widgets(muse_nb.ObjectRedViewer(muse_nb.survey(night.folder).exposure(0).files("OBJECT_RED")))
    del notebook.metadata["widgets"]  # JupyterLab keeps the states to itself unless it is told to save them
    picture = notebook.cells[0].outputs[0].data["image/png"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nbconvert's, that there are no states
        html, _ = HTMLExporter(template_name=template).from_notebook_node(notebook)
    assert picture.strip()[:2000] in html.replace("\n", "")
    assert VIEW not in html.split("<body", 1)[-1]
