"""A shared page with the three viewers that draw pictures, and what tests ask of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from books import with_widgets

import muse_nb
from muse_nb.core.saved import HEADLESS
from muse_nb.sharing.clean import Places
from muse_nb.sharing.page import notebook_page

SHOWN = "(n) => document.querySelectorAll('.mnb-stage')[n].closest('.mnb-viewer').parentElement.museImage"
drawn = f"""(n) => {{ const image = ({SHOWN})(n); image.paint();
  const copy = document.createElement("canvas"), [width, height] = [copy.width, copy.height] = [120, 90];
  copy.getContext("2d").drawImage(image.glCanvas, 0, 0, width, height);
  return new Set(new Uint32Array(copy.getContext("2d").getImageData(0, 0, width, height).data.buffer)).size; }}"""
"""How many colours the picture of the n-th viewer has."""


def page_of_viewers(night: Any, folder: Path) -> Path:
    """Frames of one exposure, its holes, and the stars of all, as `muse_nb.share` has them: made for a page."""
    import os

    survey = muse_nb.survey(night.folder)
    one = survey.exposure(0)
    made = muse_nb.cube(one.files("PIXTABLE_REDUCED"), output=folder / "cube.fits", filters=(), checks=False).path
    before = os.environ.get(HEADLESS)
    os.environ[HEADLESS] = "1"
    try:
        picker = muse_nb.StarPicker(survey.files_of("IMAGE_FOV"), picks=folder / "picks.ecsv", height=380)
        trace = survey.calibrations("TRACE_TABLE")
        frames = muse_nb.ObjectRedViewer(one.files("OBJECT_RED"), trace=trace, height=380)
        frames._repr_mimebundle_()  # as its cell shows it, before the states are saved
        notebook = with_widgets(frames, muse_nb.NanViewer(made, height=380), picker)
    finally:
        if before is None:
            del os.environ[HEADLESS]
        else:
            os.environ[HEADLESS] = before
    path = folder / "viewers.html"
    path.write_text(notebook_page(notebook, about={}, places=Places(folder)))
    return path
