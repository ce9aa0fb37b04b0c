"""The star picker in JupyterLab: clicks become picks and offsets, and both survive."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table
from lab import Canvas, eventually, next_frame
from sky import OFFSETS, STARS, images

from muse_nb.products.offset_list import OffsetList
from muse_nb.widgets.stars.picker import StarPicker

CELL = """from pathlib import Path
from muse_nb import StarPicker
picker = StarPicker(sorted(Path('{folder}').glob('IMAGE_FOV*.fits')), height=460)
picker"""
MEASURED = "[[row['ra_offset_arcsec'], row['dec_offset_arcsec']] for row in picker.rows]"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stars")
    images(folder)
    return folder


@pytest.fixture(scope="module")
def opened(open_notebook: Callable, folder: Path):
    with open_notebook("stars.ipynb", CELL.format(folder=folder)) as book:
        book.run()
        canvas = Canvas(book, "stars")
        canvas.settled("sharp", "3")
        book.until("len(picker.rows)")
        yield book, canvas


@pytest.fixture
def picker(opened):
    """The picker without any picks."""
    book, canvas = opened
    book.python("from muse_nb.steps.offsets.picks import empty_picks; picker._set(empty_picks())")
    book.python("picker._before, picker._after, picker.exposure, picker.aligned = [], [], 0, True")
    book.until("not picker.stars and picker.method.startswith('all')")
    canvas.press("Escape")
    yield book, canvas
    assert book.value("picker.error") == ""
    assert [line for line in book.console if "favicon" not in line] == []


def pick(book, canvas: Canvas, number: int) -> None:
    canvas.click(STARS[number, 0], STARS[number, 1])
    fitted(book, canvas, number + 1)


def fitted(book, canvas: Canvas, many: int) -> None:
    """Wait for the fit of so many picked stars, not for its first estimate, and until the browser has it."""
    book.until(f"picker.method == '{many} picked star{'s' * (many > 1)}'")
    canvas.counted("measured", book.value("picker.measured"))


def places(book) -> np.ndarray:
    """Pixels (stars, exposures, 2) of the picked stars."""
    return np.array(book.value("list(memoryview(picker.places).cast('f'))")).reshape(-1, 3, 2)


def test_a_click_adds_the_star_everywhere_and_the_offsets_follow(picker, folder: Path) -> None:
    book, canvas = picker
    pick(book, canvas, 0)
    print(f"offsets {int(canvas.data('answered'))} ms after the click")  # 0.3 s at a desk, see benchmarks/picker.py
    expected = STARS[0, :2] + OFFSETS / 0.2 * [-1, 1]
    assert places(book)[0] == pytest.approx(expected, abs=0.1)
    for number in range(1, 5):
        pick(book, canvas, number)
    assert np.array(book.value(MEASURED)) == pytest.approx(OFFSETS, abs=0.005)
    assert len(Table.read(folder / "picks.ecsv")) == 5
    canvas.page.screenshot(path=os.fspath(folder / "stars.png"))


def test_a_second_click_drops_the_star_and_undo_brings_it_back(picker, folder: Path) -> None:
    book, canvas = picker
    pick(book, canvas, 0)
    pick(book, canvas, 1)
    canvas.click(STARS[1, 0], STARS[1, 1])
    book.until("picker.method == '1 picked star' and picker.stars[1]['dropped']")
    assert list(Table.read(folder / "picks.ecsv")["dropped"]) == [False, True]
    canvas.press("Control+z")
    book.until("picker.method == '2 picked stars'")
    canvas.press("Control+z")
    book.until("len(picker.stars) == 1")
    canvas.press("Control+y")
    book.until("len(picker.stars) == 2")


def test_a_drag_corrects_a_star_in_one_exposure_only(picker) -> None:
    book, canvas = picker
    pick(book, canvas, 0)
    canvas.press("ArrowRight")
    book.until("picker.exposure == 1")
    fitted(book, canvas, 1)
    before = places(book)[0]
    other = STARS[4, :2] + OFFSETS[1] / 0.2 * [-1, 1]
    canvas.drag(tuple(before[1]), tuple(other))
    book.until("picker.stars[0]['by_hand']")
    after = places(book)[0]
    assert after[1] == pytest.approx(other, abs=0.5)
    assert after[0] == pytest.approx(before[0], abs=0.05)
    assert book.value("picker.stars[0]['by_hand']") == [1]


def test_the_fit_of_the_selected_star_is_shown_in_every_exposure(picker) -> None:
    book, canvas = picker
    pick(book, canvas, 0)
    pick(book, canvas, 1)
    assert book.value("[picker.stamps['star'], picker.stamps['exposures']]") == [2, [0, 1, 2]]
    canvas.press(",")
    book.until("picker.stamps['star'] == 1")
    side = book.value("picker.stamps['side']")
    stamps = np.array(book.value("list(picker.stamps['pixels'])")).reshape(3, 3, side, side)
    assert np.abs(stamps[2][stamps[2] < 255] / 127.0 - 1).mean() < 0.5  # the model fits: less than 2.5 sigma left
    assert np.abs(stamps[0].astype(int) - stamps[1])[stamps[0] < 255].mean() < 10
    shown = "() => document.querySelector('.mnb-strip canvas').width"
    assert canvas.page.evaluate(shown) > 3 * 40
    canvas.press("x")
    book.until("picker.stars[0]['dropped'] and not picker.stamps")


def test_a_star_is_corrected_with_the_keyboard_alone(picker) -> None:
    book, canvas = picker
    pick(book, canvas, 0)
    canvas.press("Shift+ArrowRight", "Shift+ArrowUp", "p")
    book.until("picker.stars[0]['by_hand'] == [0]")
    assert book.value("picker.selected") == 1


def test_the_20_best_and_the_keyboard(picker) -> None:
    book, canvas = picker
    canvas.press("t")
    book.until("picker.method == '5 picked stars'")
    assert np.array(book.value(MEASURED)) == pytest.approx(OFFSETS, abs=0.005)
    canvas.press(".", "x")
    book.until("any(star['dropped'] for star in picker.stars)")
    canvas.press("a", "r", "z", "b")
    book.until("not picker.aligned")
    book.until("picker.exposure != 0")  # it blinks
    canvas.press("b", "z", "r")


def test_the_button_writes_the_offset_list_and_never_over_one_unasked(picker, folder: Path) -> None:
    book, canvas = picker
    canvas.press("t")
    book.until("picker.method == '5 picked stars'")
    canvas.page.get_by_text("Write OFFSET_LIST").click()
    book.until("picker.status.startswith('wrote')")
    written = OffsetList.read(folder / "OFFSET_LIST.fits")
    measured = np.c_[written.ra_offset, written.dec_offset] * 3600 * [np.cos(np.radians(-53.674)), 1]
    assert measured == pytest.approx(OFFSETS, abs=0.005)
    size = (folder / "OFFSET_LIST.fits").stat().st_mtime_ns
    canvas.page.get_by_text("Write OFFSET_LIST").click()
    canvas.page.get_by_text("Replace OFFSET_LIST.fits?").wait_for()
    assert (folder / "OFFSET_LIST.fits").stat().st_mtime_ns == size


def test_picks_survive_and_a_run_without_a_browser_gives_the_same_offsets(picker, folder: Path) -> None:
    book, canvas = picker
    for number in range(3):
        pick(book, canvas, number)
    measured = np.array(book.value(MEASURED))
    again = StarPicker(sorted(folder.glob("IMAGE_FOV*.fits")))
    headless = np.array([[row["ra_offset_arcsec"], row["dec_offset_arcsec"]] for row in again.offsets.rows()])
    assert headless == pytest.approx(measured, abs=1e-5)  # arcsec; the fit stops at steps of 2e-6
    book.page.reload()
    book.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
    book.run()
    Canvas(book, "stars").settled("sharp", "3")
    assert len(book.until("picker.stars")) == 3
    book.until(f"len({MEASURED}) == 3")
    assert np.array(book.value(MEASURED)) == pytest.approx(measured, abs=1e-5)
    book.save()
    assert book.file.stat().st_size < 2_000_000


def test_a_finger_picks_and_pans_and_two_fingers_zoom_on_a_fine_screen(open_notebook: Callable, folder: Path) -> None:
    (folder / "picks.ecsv").unlink(missing_ok=True)
    telephone = {"viewport": {"width": 820, "height": 1180}, "device_scale_factor": 2, "has_touch": True}
    with open_notebook("touch.ipynb", CELL.format(folder=folder), **telephone) as book:
        book.run()
        canvas = Canvas(book, "stars")
        canvas.settled("sharp", "3")
        book.until("len(picker.rows)")
        overlay = canvas.page.locator(".mnb-stars .mnb-overlay")
        overlay.scroll_into_view_if_needed()
        box = overlay.bounding_box()
        pixels = overlay.evaluate("(one) => [one.width, one.height]")
        assert pixels == pytest.approx([2 * box["width"], 2 * box["height"]], abs=2)
        canvas.page.touchscreen.tap(*canvas.place(*STARS[0, :2]))
        book.until("picker.method == '1 picked star'")
        assert places(book)[0, 0] == pytest.approx(STARS[0, :2], abs=0.1)
        touch = canvas.page.context.new_cdp_session(canvas.page)
        x, y = canvas.place(*STARS[2, :2])
        before = canvas.place(*STARS[3, :2])

        def fingers(kind: str, *points: tuple[float, float]) -> None:
            at = [{"x": px, "y": py, "id": k} for k, (px, py) in enumerate(points)]
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})
            next_frame(canvas.page)

        fingers("touchStart", (x, y))
        fingers("touchMove", (x + 15, y))
        fingers("touchMove", (x + 40, y))
        fingers("touchEnd")
        eventually(lambda: canvas.place(*STARS[3, :2])[0] - before[0], pytest.approx(40, abs=2))
        left, right = canvas.place(*STARS[3, :2]), canvas.place(*STARS[0, :2])
        fingers("touchStart", (x, y))
        fingers("touchStart", (x, y), (x + 60, y))
        for reach in (70, 90, 120):
            fingers("touchMove", (x, y), (x + reach, y))
        fingers("touchEnd")
        twice = pytest.approx(2 * (left[0] - right[0]), rel=0.05)
        eventually(lambda: canvas.place(*STARS[3, :2])[0] - canvas.place(*STARS[0, :2])[0], twice)
        assert len(book.value("picker.stars")) == 1  # no finger picked on its way
        assert book.value("picker.error") == ""
