"""What notebooks say and offer is so: stale lists, pixels, good voxels, rings at once, a night that is not there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from lab import Canvas, eventually
from sky import STARS, images

import muse_nb

if TYPE_CHECKING:
    from muse_nb.simulator.night import Night

PICKER = """from pathlib import Path
import muse_nb
folder = Path('{folder}')
picker = muse_nb.StarPicker(sorted(folder.glob('IMAGE_FOV*.fits')), height=460)
picker"""


@pytest.fixture(scope="module")
def stars(open_notebook: Callable, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("words")
    muse_nb.measure_offsets(images(folder)).write(folder / "OFFSET_LIST.fits")
    with open_notebook("words.ipynb", PICKER.format(folder=folder)) as book:
        book.run()
        canvas = Canvas(book, "stars")
        canvas.settled("sharp", "3")
        book.until("len(picker.rows)")
        yield book, canvas
        assert [line for line in book.console if "favicon" not in line] == []


def test_a_click_has_its_ring_at_once_while_the_kernel_is_busy(stars) -> None:
    book, canvas = stars
    book.begin("import time; time.sleep(3)")
    canvas.click(STARS[2, 0], STARS[2, 1])
    canvas.settled("ringed")
    assert canvas.page.evaluate("(root) => document.querySelector(root).dataset.measured ?? '0'", canvas.root) in "01"
    print(f"its ring {canvas.data('ringed')} ms after the click")
    book.until("picker.method == '1 picked star'", 60)


def test_picks_that_the_list_does_not_hold_make_it_stale_until_it_is_written_again(stars) -> None:
    book, canvas = stars
    book.python(f"picker.stars or picker.add({STARS[2, 0]}, {STARS[2, 1]})")
    book.until("'stale' in picker.list_state", 60)
    note = canvas.page.locator(".mnb-stars .mnb-note.mnb-stale")
    note.wait_for()
    assert "OFFSET_LIST.fits is stale: made from other stars" in note.inner_text()
    book.python(
        "target = folder / 'OFFSET_LIST.fits'; o = picker.offsets\n"
        "run = muse_nb.RecipeRunner(o.write, makes=target, stale=o.stale(target), title='write')"
    )
    book.python("shown = run._repr_mimebundle_(); shown = shown[0] if isinstance(shown, tuple) else shown")
    assert "stale" in book.value("shown['text/html']")
    assert book.value("run.make_missing()") is None, "it is there"
    write = canvas.page.get_by_role("button", name="Write the offsets")
    write.click()
    canvas.page.get_by_text("Replace OFFSET_LIST.fits?").click()
    book.until("picker.list_state == ''")
    assert book.value("picker.offsets.stale(target)") == ""
    canvas.page.locator(".mnb-stars .mnb-note:not(.mnb-stale)").wait_for()


def test_the_sky_is_read_out_under_the_pointer(stars) -> None:
    _, canvas = stars
    canvas.page.mouse.move(*canvas.place(63.0, 63.0))  # CRPIX, from 1: 64
    eventually(lambda: canvas.page.locator(".mnb-sky").inner_text()[:12], "RA 17:40:42.")
    assert "Dec −53:40:26" in canvas.page.locator(".mnb-sky").inner_text()


FRAMES = """import muse_nb
survey = muse_nb.survey('{night}')
one = survey.exposure(0)
trace, wavecal = (survey.calibrations(name) for name in ('TRACE_TABLE', 'WAVECAL_TABLE'))
frames = muse_nb.ObjectRedViewer(one.files('OBJECT_RED'), trace=trace, wavecal=wavecal, height=380)
audit = muse_nb.audit_nans('{cube}', one.files('PIXTABLE_REDUCED'))
viewer = muse_nb.NanViewer('{cube}', audit, viewer=frames)
display(viewer, frames)"""


@pytest.fixture(scope="module")
def holes(open_notebook: Callable, night: Night, tmp_path_factory: pytest.TempPathFactory):
    one = muse_nb.survey(night.folder).exposure(0)
    made = tmp_path_factory.mktemp("holes") / "DATACUBE_FINAL.fits"
    muse_nb.cube(one.files("PIXTABLE_REDUCED"), output=made, filters=(), checks=False)
    with open_notebook("holes.ipynb", FRAMES.format(night=night.folder, cube=made)) as book:
        book.run()
        canvas = Canvas(book, "nans")
        Canvas(book, "object-red").settled("sharp")
        yield book, canvas
        assert book.value("viewer.error + frames.error") == ""


def choose(book, canvas: Canvas, expression: str) -> list[int]:
    """Have the viewer select a voxel, given by an expression for its flat index."""
    book.python(
        "import numpy as np; from muse_nb.steps.nans.causes import CODES, Cause\n"
        f"nz, ny, nx = audit.shape; i = int({expression})\n"
        "viewer.plane = i // (ny * nx); viewer.voxel = [i % nx, i // nx % ny, i // (ny * nx)]"
    )
    voxel = list(book.until("viewer.story and viewer.voxel"))
    canvas.page.locator(".mnb-story", has_text=f"Spaxel {voxel[0] + 1}, {voxel[1] + 1}").wait_for()
    return voxel


def test_the_frame_that_opens_shows_the_pixel_of_the_story(holes) -> None:
    book, canvas = holes
    x, y, k = choose(book, canvas, "audit.holes.index[audit.holes.cause == CODES[Cause.FLAGGED]][0]")
    first = book.value("viewer.pixels[0]")
    said = canvas.page.locator(".mnb-story").inner_text()
    assert f"Voxel x {x + 1}, y {y + 1}, plane {k + 1}" in said
    assert f"detector pixel ({first['x']}, {first['y']})" in said
    canvas.page.locator(".mnb-story button", has_text="Open the frame there").click()
    status = canvas.page.locator(".mnb-object-red .mnb-status")
    status.get_by_text(f"{first['x']}, {first['y']}", exact=True).wait_for()
    eventually(lambda: first["flags"].split("+")[0] in status.inner_text(), True)
    assert f"slice\n{first['slice']}" in status.inner_text(), "the tables of the slices are used"
    assert "λ" in status.inner_text()
    box = canvas.page.locator(".mnb-object-red .mnb-stage").bounding_box()
    assert 0 <= box["y"] <= 1100 - box["height"], "it was scrolled to"


def test_a_good_voxel_has_a_story_and_is_no_hole(holes) -> None:
    book, canvas = holes
    choose(book, canvas, "np.flatnonzero(np.isfinite(audit.cube.plane(nz // 2)))[500] + (nz // 2) * ny * nx")
    side = canvas.page.locator(".mnb-nans .mnb-side")
    eventually(lambda: "Mark this hole" in side.inner_text(), False)
    assert "null" not in side.inner_text()
    choose(book, canvas, "audit.holes.index[0]")
    side.get_by_text("Mark this hole").wait_for()


def test_the_first_look_at_a_frame_fills_its_stage_and_dims_the_gaps(holes) -> None:
    book, _ = holes
    frames = Canvas(book, "object-red")
    frames.press("f", "Escape")
    stage = frames.page.locator(".mnb-object-red .mnb-stage").bounding_box()
    ny, nx = book.value("list(frames.data.shape)")
    assert stage["width"] / stage["height"] == pytest.approx(nx / ny, rel=0.1)
    names = frames.page.locator(".mnb-object-red .mnb-bar button").all_inner_texts()
    assert names.count("DQ") == 1
    for value in frames.page.locator(".mnb-object-red .mnb-number").all():
        assert len(value.input_value()) <= 8
    dimmed = """(root) => { const image = document.querySelector(root).parentElement.museImage; image.paint();
      const context = image.overlay.getContext("2d"), at = (x) => context.getImageData(
        Math.round(image.toScreen(x, 0)[0] * image.ratio), Math.round(image.height * 0.6 * image.ratio), 1, 1).data[3];
      return [at(0), Math.min(...Array.from({ length: 40 }, (_, k) => at(image.frame.nx / 2 + k)))]; }"""
    gap, middle = frames.page.evaluate(dimmed, frames.root)
    assert gap > 180
    assert middle < 60


NIGHT = """import shutil
import muse_nb
def demo(folder, pages, progress, cancel):
    progress('simulated', 1, 2)
    shutil.copytree('{night}/reduced', folder / 'night')
chooser = muse_nb.NightChooser('{place}/demo/night', '{place}/demo/products', demo, start='{night}')
chooser"""


def test_without_a_night_the_start_says_what_to_do_and_does_it(
    open_notebook: Callable, night: Night, tmp_path: Path
) -> None:
    with open_notebook(
        "start.ipynb", NIGHT.format(night=night.folder, place=tmp_path), "muse_nb.survey('nowhere')"
    ) as book:
        book.run()
        book.page.get_by_text("There is no night in").wait_for()
        output = book.page.locator(".jp-OutputArea-output:has-text('MuseError')")
        output.first.wait_for()
        assert output.first.inner_text().strip() == "MuseError: nowhere is not a folder: check its name"
        book.page.get_by_role("button", name="Use this folder").click()
        notebooks = book.until("[str(path) for path in chooser.notebooks]", 60)
        assert "night" in Path(book.file.parent, notebooks[1]).read_text()
        book.page.get_by_role("button", name="Run the demo").click()
        book.until("len(chooser.survey.exposures) == 4 and chooser.runner.state == 'done'", 60)
        assert (tmp_path / "demo" / "night").is_dir()
