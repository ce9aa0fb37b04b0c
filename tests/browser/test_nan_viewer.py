"""The NaN viewer in JupyterLab: planes, causes in colour, and the story of a clicked hole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from lab import Canvas, eventually
from sky import cube

import muse_nb
from muse_nb.steps.nans.causes import Cause
from muse_nb.widgets.nans.viewer import CAUSE_COLOURS
from muse_nb.widgets.shared.picture import rgb

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from muse_nb.simulator.night import Night


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
        canvas.page.mouse.move(box["x"] + 100 + (box["width"] - 101) * step / 19, box["y"] + 50)
    canvas.page.mouse.up()
    last = book.value("viewer.audit.shape[0] - 1")
    canvas.settled("plane", str(last))
    assert book.until(f"viewer.plane == {last}")
    book.python("viewer.plane = 12")
    canvas.settled("plane", "12")


def test_a_cause_can_be_switched_off_and_the_map_shown(opened) -> None:
    book, canvas = opened
    on = canvas.colour(20, 30)
    canvas.page.locator('.mnb-nans [data-cause="unknown"]').click()
    assert book.until("viewer.hidden") == ["unknown"]
    eventually(lambda: canvas.colour(20, 30) != on, True)
    canvas.press("v")
    book.until("viewer.shown == 'fraction'")
    eventually(lambda: np.sum(canvas.colour(20, 30)) > np.sum(canvas.colour(30, 30)), True)
    canvas.press("d")
    book.python("viewer.hidden = []")


WITH_FRAMES = """import numpy as np
from muse_nb import NanViewer, ObjectRedViewer
from muse_nb.steps.nans.causes import CODES, Cause
frames = ObjectRedViewer([{frames}], height=300)
viewer = NanViewer('{cube}', pixtables='{table}', viewer=frames, height=380, background=True)
viewer"""


@pytest.fixture(scope="module")
def with_frames(open_notebook: Callable, night: Night, tmp_path_factory: pytest.TempPathFactory):
    """A viewer with the pixel table and the frames behind it; the audit runs while the viewer is shown."""
    folder = sorted((night.folder / "reduced").glob("2*"))[0]
    table = folder / "PIXTABLE_REDUCED_0001.fits"
    made = muse_nb.cube(table, output=tmp_path_factory.mktemp("made") / "DATACUBE_FINAL.fits").path
    frames = ", ".join(f"'{path}'" for path in sorted(folder.glob("OBJECT_RED*.fits")))
    with open_notebook("frames.ipynb", WITH_FRAMES.format(frames=frames, cube=made, table=table), "frames") as book:
        book.run()
        canvas = Canvas(book, "nans")
        yield book, canvas
        assert book.value("viewer.error") == ""
        assert [line for line in book.console if "favicon" not in line] == []


def test_a_story_leads_to_the_frame(with_frames) -> None:
    book, canvas = with_frames
    x, y, k = book.value(
        "(lambda i, s: [int(i % s[2]), int(i // s[2] % s[1]), int(i // s[2] // s[1])])"
        "(viewer.wait().holes.index[viewer.audit.holes.cause == CODES[Cause.FLAGGED]][0], viewer.audit.shape)"
    )
    book.python(f"viewer.plane = {k}")
    canvas.settled("plane", str(k))
    canvas.click(x, y)
    pixels = book.until("viewer.voxel == " + str([x, y, k]) + " and viewer.pixels")
    assert pixels[0]["dq"] != 0
    button = canvas.page.locator(".mnb-story button", has_text="Open the frame there")
    button.wait_for()
    button.click()
    assert book.until("frames.pixel") == [pixels[0]["x"] - 1, pixels[0]["y"] - 1]
    assert book.value("frames.ifu") == pixels[0]["ifu"]
    assert book.value("frames.readout")["dq"] != 0
    gaps = book.value("list(viewer.spectrum_causes)")
    assert gaps[k] == book.value("CODES[Cause.FLAGGED]")


def test_an_audit_in_the_background_can_be_cancelled(with_frames) -> None:
    book, canvas = with_frames
    book.python(
        "import threading; from muse_nb.widgets.nans import viewer as nans\n"
        "held = threading.Event(); audit = nans.audit_nans\n"
        "def slow(*a, progress, cancel, **k):\n"
        "    progress('planes read', 1, 4); held.wait(20); return audit(*a, progress=progress, cancel=cancel, **k)\n"
        "nans.audit_nans = slow\n"
        "stopped = NanViewer(viewer.audit.cube.path, background=True)\n"
        "frames.close(); frames = stopped"
    )
    canvas.page.evaluate(
        "async () => { const { commands } = window.jupyterapp; await commands.execute('notebook:move-cursor-down');"
        "await commands.execute('notebook:run-cell'); }"
    )
    cancel = canvas.page.locator(".mnb-waiting button")
    cancel.wait_for()
    assert "planes read 25 %" in canvas.page.locator(".mnb-waiting").inner_text()
    cancel.click()
    book.until("stopped._cancel.is_set()")
    book.python("held.set(); nans.audit_nans = audit")
    assert "was cancelled" in book.until("stopped.error")
    canvas.page.locator(".mnb-waiting .mnb-error", has_text="was cancelled").wait_for()


@pytest.fixture
def page_without_kernel(browser: Browser, tmp_path: Path) -> Iterator[tuple[Page, muse_nb.NanViewer]]:
    """A shared page of a viewer, opened without a network."""
    from books import with_widgets

    from muse_nb.sharing.clean import Places
    from muse_nb.sharing.page import notebook_page

    viewer = muse_nb.NanViewer(cube(tmp_path / "DATACUBE_FINAL.fits"), plane=12, stored=7)
    path = tmp_path / "page.html"
    path.write_text(notebook_page(with_widgets(viewer), about={}, places=Places(tmp_path)))
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.goto(f"file://{path}")
    page.wait_for_selector(".mnb-nans .mnb-overlay")
    yield page, viewer
    context.close()


def test_a_page_without_kernel_has_a_slider_over_planes(page_without_kernel) -> None:
    page, viewer = page_without_kernel
    stored = [layer["plane"] for layer in viewer.stored]
    assert stored == [0, 10, 20, 30, 39, 49, 59]
    assert len(viewer.stored_data) == 2 * len(viewer.stored_causes) == 7 * 50 * 40 * 2
    root = page.locator(".mnb-nans")
    root.focus()
    for key, plane in (("ArrowRight", 20), ("ArrowLeft", 12), ("ArrowLeft", 10), ("End", 59)):
        page.keyboard.press(key)
        page.locator(f".mnb-nans[data-plane='{plane}']").wait_for()
    page.locator(".mnb-nans input[type=range]").fill("9")
    page.locator(".mnb-nans[data-plane='10']").wait_for()
    box = page.locator(".mnb-nans .mnb-overlay").bounding_box()
    place = page.evaluate("document.querySelector('.mnb-nans').parentElement.museImage.toScreen(20, 30)")
    page.mouse.click(box["x"] + place[0], box["y"] + place[1])
    page.locator(".mnb-story", has_text="Plane 11: NaN: unknown").wait_for()
