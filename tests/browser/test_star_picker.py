"""The star picker in JupyterLab: clicks become picks and offsets, and both survive."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table
from lab import Canvas
from sky import OFFSETS, STARS, images

from muse_nb.products.offset_list import OffsetList
from muse_nb.widgets.stars import StarPicker

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
    book.python("from muse_nb.steps.picks import empty_picks; picker._set(empty_picks())")
    book.python("picker._before, picker._after, picker.exposure, picker.aligned = [], [], 0, True")
    book.until("not picker.stars and picker.method.startswith('all')")
    canvas.press("Escape")
    yield book, canvas
    assert book.value("picker.error") == ""
    assert [line for line in book.console if "favicon" not in line] == []


def pick(book, canvas: Canvas, number: int) -> None:
    canvas.click(STARS[number, 0], STARS[number, 1])
    book.until(f"picker.method.startswith('{number + 1} picked')")


def test_a_click_adds_the_star_everywhere_and_the_offsets_follow(picker, folder: Path) -> None:
    book, canvas = picker
    pick(book, canvas, 0)
    assert float(canvas.data("answered")) < 1000  # 0.3 s at a desk; the test machine is shared
    star = book.value("picker.stars[0]")
    expected = STARS[0, :2] + OFFSETS / 0.2 * [-1, 1]
    assert np.array(star["at"]) == pytest.approx(expected, abs=0.1)
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
    canvas.page.wait_for_timeout(200)
    before = book.value("picker.stars[0]['at']")
    other = STARS[4, :2] + OFFSETS[1] / 0.2 * [-1, 1]
    canvas.drag(tuple(before[1]), tuple(other))
    after = book.until("picker.stars[0]['by_hand'] and picker.stars[0]['at']")
    assert after[1] == pytest.approx(other, abs=0.5)
    assert after[0] == pytest.approx(before[0], abs=0.05)
    assert book.value("picker.stars[0]['by_hand']") == [1]


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
    book.page.wait_for_timeout(500)
    assert book.file.stat().st_size < 2_000_000
