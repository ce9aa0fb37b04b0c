"""A notebook with the viewer on a full frame and the mosaic, executed and saved with the widgets' state, is small."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import numpy as np
from astropy.io import fits
from nbclient import NotebookClient

from muse_nb.products.object_red import write_object_red

STATE = "application/vnd.jupyter.widget-state+json"
CELLS = (
    "from muse_nb import ObjectRedViewer\nviewer = ObjectRedViewer('full.fits')\nviewer",
    "viewer.mosaic()",
)


def test_a_saved_notebook_with_a_full_frame_is_well_under_two_megabytes(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    header = fits.Header({"EXTNAME": "CHAN12", "DATE-OBS": "2014-07-27T03:12:00.000"})
    header["HIERARCH ESO PRO CATG"] = "OBJECT_RED"
    data = random.normal(30, 6, (4112, 4096)).astype(np.float32)
    dq = np.where(data > 55, 32, 0).astype(np.int32)
    write_object_red(tmp_path / "full.fits", header, data, dq, np.full(data.shape, 36, np.float32))
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    NotebookClient(book, timeout=120, kernel_name="python3", resources={"metadata": {"path": tmp_path}}).execute()
    nbformat.write(book, tmp_path / "saved.ipynb")
    assert (tmp_path / "saved.ipynb").stat().st_size < 1_500_000
    saved = json.loads((tmp_path / "saved.ipynb").read_text())
    states = saved["metadata"]["widgets"][STATE]["state"].values()
    buffers = {buffer["path"][0] for state in states for buffer in state.get("buffers", [])}
    assert {"thumb_data", "thumb_stat", "thumb_dq", "pictures"} <= buffers  # what a page without a kernel shows
    assert all("image/png" in cell["outputs"][0]["data"] for cell in saved["cells"])
