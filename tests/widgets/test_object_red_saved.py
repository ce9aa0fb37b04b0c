"""A notebook with the viewer on a full frame and the mosaic, executed and saved with the widgets' state: it is small,
and renderings without a kernel or a network show the pictures."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import numpy as np
import pytest
from astropy.io import fits
from nbclient import NotebookClient
from nbconvert import HTMLExporter

from muse_nb.products.object_red import write_object_red
from muse_nb.sharing.clean import Places
from muse_nb.sharing.page import notebook_page
from muse_nb.sharing.running.run import read_notebook

STATE = "application/vnd.jupyter.widget-state+json"
CELLS = (
    "from muse_nb import ObjectRedViewer\nviewer = ObjectRedViewer('full.fits')\nviewer",
    "viewer.mosaic()",
)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The notebook as nbclient saves it, which ``jupyter nbconvert --execute`` uses."""
    folder = tmp_path_factory.mktemp("saved")
    random = np.random.default_rng(0)
    header = fits.Header({"EXTNAME": "CHAN12", "DATE-OBS": "2014-07-27T03:12:00.000"})
    header["HIERARCH ESO PRO CATG"] = "OBJECT_RED"
    data = random.normal(30, 6, (4112, 4096)).astype(np.float32)
    dq = np.where(data > 55, 32, 0).astype(np.int32)
    write_object_red(folder / "full.fits", header, data, dq, np.full(data.shape, 36, np.float32))
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    NotebookClient(book, timeout=120, kernel_name="python3", resources={"metadata": {"path": folder}}).execute()
    nbformat.write(book, folder / "saved.ipynb")
    return folder / "saved.ipynb"


def test_a_saved_notebook_with_a_full_frame_is_well_under_two_megabytes(saved: Path) -> None:
    assert saved.stat().st_size < 1_500_000
    book = json.loads(saved.read_text())
    states = book["metadata"]["widgets"][STATE]["state"].values()
    buffers = {buffer["path"][0] for state in states for buffer in state.get("buffers", [])}
    assert {"thumb_data", "thumb_stat", "thumb_dq", "pictures"} <= buffers  # what a page without a kernel shows
    assert all("image/png" in cell["outputs"][0]["data"] for cell in book["cells"])


@pytest.mark.parametrize("template", ["basic", "classic", "lab"])
def test_nbconvert_and_nbviewer_show_the_pictures(saved: Path, template: str) -> None:
    html, _ = HTMLExporter(template_name=template).from_filename(str(saved))
    assert html.count('src="data:image/png;base64,') == len(CELLS)
    view = '<script type="application/vnd.jupyter.widget-view+json">'
    assert view not in html, "it would take the picture's place, and be blank"


def test_a_page_of_ours_brings_that_notebook_to_life(saved: Path) -> None:
    page = notebook_page(read_notebook(saved), about={}, places=Places(saved.parent))
    assert page.count('data-widget="') == len(CELLS)
