"""The NaN viewer in JupyterLab: planes, causes in colour, and the story of a clicked hole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from lab import Canvas
from sky import cube

from muse_nb.steps.nan_causes import Cause
from muse_nb.widgets.nans import CAUSE_COLOURS
from muse_nb.widgets.picture import rgb

CELL = """from muse_nb import NanViewer
viewer = NanViewer('{path}', plane=12, height=380)
viewer"""


@pytest.fixture(scope="module")
def opened(open_notebook: Callable, tmp_path_factory: pytest.TempPathFactory):
    path: Path = cube(tmp_path_factory.mktemp("cube") / "DATACUBE_FINAL.fits")
    with open_notebook("nans.ipynb", CELL.format(path=path)) as book:
        book.run()
        canvas = Canvas(book, "nans")
        canvas.settled("plane", "12")
        yield book, canvas
        assert book.value("viewer.error") == ""
        assert [line for line in book.console if "favicon" not in line] == []


def test_a_hole_has_the_colour_of_its_cause_and_tells_its_story(opened) -> None:
    book, canvas = opened
    assert canvas.colour(20, 30) == pytest.approx(rgb(CAUSE_COLOURS[Cause.UNKNOWN]), abs=2)
    assert canvas.colour(1, 30) == pytest.approx(rgb(CAUSE_COLOURS[Cause.OUTSIDE_FIELD]), abs=2)
    canvas.click(20, 30)
    assert book.until("viewer.voxel") == [20, 30, 12]
    story = " ".join(book.until("viewer.story"))
    assert "10 planes" in story
    assert "4762.5" in story
    assert "10 planes" in canvas.page.locator(".mnb-story").inner_text()
    gaps = book.value("list(viewer.spectrum_causes)")
    assert [k for k, code in enumerate(gaps) if code] == list(range(10, 20))


def test_planes_come_by_keyboard_slider_and_profile(opened) -> None:
    book, canvas = opened
    canvas.press("ArrowRight")
    book.until("viewer.plane == 13")
    canvas.press("Home")
    canvas.settled("plane", "0")
    assert canvas.colour(10, 15) == pytest.approx(rgb(CAUSE_COLOURS[Cause.OUTSIDE_RANGE]), abs=2)
    box = canvas.page.locator(".mnb-nans .mnb-profile").bounding_box()
    canvas.page.mouse.move(box["x"] + 100, box["y"] + 50)
    canvas.page.mouse.down()
    for step in range(1, 20):
        canvas.page.mouse.move(box["x"] + 100 + 20 * step, box["y"] + 50)
    canvas.page.mouse.up()
    canvas.page.wait_for_timeout(300)
    plane = book.until("viewer.plane > 10 and viewer.plane")
    canvas.settled("plane", str(plane))
    book.python("viewer.plane = 12")
    canvas.settled("plane", "12")


def test_a_cause_can_be_switched_off_and_the_map_shown(opened) -> None:
    book, canvas = opened
    on = canvas.colour(20, 30)
    canvas.page.locator('.mnb-nans [data-cause="unknown"]').click()
    assert book.until("viewer.hidden") == ["unknown"]
    canvas.page.wait_for_timeout(100)
    assert canvas.colour(20, 30) != on
    canvas.press("v")
    book.until("viewer.shown == 'fraction'")
    canvas.page.wait_for_timeout(100)
    assert np.sum(canvas.colour(20, 30)) > np.sum(canvas.colour(30, 30))
    canvas.press("d")
    book.python("viewer.hidden = []")
