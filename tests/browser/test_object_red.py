"""The OBJECT_RED viewer in JupyterLab: what is seen, clicked and pressed is what Python and the files have."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from lab import Canvas, eventually
from sky import object_reds

CELLS = (
    "from pathlib import Path\nfrom muse_nb import ObjectRedViewer",
    "viewer = ObjectRedViewer(sorted(Path('{folder}').glob('OBJECT_RED*.fits')), ifu=10, height=420)\nviewer",
)
HOT = [213, 94, 0]


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return object_reds(tmp_path_factory.mktemp("object_red"))


@pytest.fixture(scope="module")
def opened(open_notebook: Callable, frames: list[Path]):
    with open_notebook("object_red.ipynb", *(cell.format(folder=frames[0].parent) for cell in CELLS)) as book:
        book.run()
        canvas = Canvas(book, "object-red")
        canvas.settled("sharp")
        yield book, canvas


@pytest.fixture
def viewer(opened):
    book, canvas = opened
    book.python("viewer.set_trait('view', []); viewer.layer, viewer.hidden, viewer.limits = 'DATA', [], '99.5'")
    book.python("viewer.show(ifu=10, exposure=0); viewer.pixel = []")
    canvas.settled("frame", "2014-07-27T031200 IFU 10")
    canvas.settled("sharp")
    yield book, canvas
    assert book.value("viewer.error") == ""
    assert [line for line in book.console if "favicon" not in line] == []


def test_a_clicked_pixel_reads_as_the_file_has_it(viewer, frames: list[Path]) -> None:
    book, canvas = viewer
    canvas.click(30, 40)
    assert book.until("viewer.pixel") == [30, 40]
    read = book.until("viewer.readout")
    with fits.open(frames[0]) as file:
        assert read["value"] == file["DATA"].data[40, 30] == np.float32(4321.5)
        assert read["sigma"] == pytest.approx(float(file["STAT"].data[40, 30]) ** 0.5)
    assert read["dq_names"] == ["HOTPIXEL"]
    assert "HOTPIXEL" in canvas.page.locator(".mnb-object-red .mnb-status").inner_text()


def test_the_wheel_zooms_under_the_pointer_and_a_drag_pans(viewer) -> None:
    _, canvas = viewer
    x, y = map(round, canvas.place(350, 60))  # wheel events come in whole pixels
    canvas.page.mouse.move(x, y)
    under, scale = canvas.pixel(x, y), canvas.view()[2]
    for _ in range(6):
        canvas.page.mouse.wheel(0, -240)
    eventually(lambda: canvas.view()[2], pytest.approx(scale * np.exp(6 * 240 * 0.0018), rel=1e-6))
    assert canvas.pixel(x, y) == pytest.approx(under, abs=0.01)
    before = canvas.rested()
    canvas.drag((350, 60), (340, 66))
    after = canvas.rested()
    assert after[2] == before[2] > 3
    assert np.subtract(after, before)[:2] == pytest.approx([10, -6], abs=2 / before[2])


def test_a_view_set_in_python_is_what_is_seen(viewer) -> None:
    _, canvas = viewer
    canvas.look([30, 40, 20])
    box = canvas.page.locator(".mnb-object-red .mnb-overlay").bounding_box()
    assert canvas.place(30, 40) == pytest.approx((box["x"] + box["width"] / 2, box["y"] + box["height"] / 2), abs=0.01)


def test_a_dq_bit_is_drawn_in_its_colour_until_it_is_switched_off(viewer) -> None:
    book, canvas = viewer
    canvas.look([30, 40, 12])
    on = canvas.colour(30, 40)
    canvas.page.locator('.mnb-object-red [data-bit="HOTPIXEL"]').click()
    assert book.until("viewer.hidden") == ["HOTPIXEL"]
    far = 2 * np.abs(np.subtract(on, HOT)).max()
    eventually(lambda: np.abs(np.subtract(canvas.colour(30, 40), HOT)).max() > far, True)
    canvas.press("2")  # COSMICRAY is 1, HOTPIXEL 2: as they are listed
    book.until("viewer.hidden == []")
    eventually(lambda: canvas.colour(30, 40), on)


def test_stretch_limits_and_colours_change_the_picture_without_the_kernel(viewer) -> None:
    book, canvas = viewer
    book.python("viewer.marks = False")
    marks = "(root) => document.querySelector(root).parentElement.museImage.frame.anyMark"
    eventually(lambda: canvas.page.evaluate(marks, canvas.root), False)
    seen = [canvas.colour(200, 200)]
    for key, trait, values in (("s", "stretch", "log"), ("m", "cmap", "viridis"), ("l", "limits", "99.9")):
        canvas.press(key)
        book.until(f"viewer.{trait} == {values!r}")
        seen.append(canvas.colour(200, 200))
    assert len({tuple(colour) for colour in seen}) > 2
    book.python("viewer.stretch, viewer.cmap, viewer.marks = 'asinh', 'cividis', True")


def test_ifus_and_exposures_are_stepped_through_by_keyboard(viewer, frames: list[Path]) -> None:
    book, canvas = viewer
    canvas.click(200, 150)
    canvas.press("ArrowRight", "ArrowDown")
    canvas.settled("frame", "2014-07-27T031600 IFU 11")
    assert book.value("[viewer.exposure, viewer.ifu]") == [1, 11]
    canvas.settled("sharp")
    read = book.until("viewer.readout")
    assert read["value"] == fits.getdata(frames[4], "DATA")[150, 200]
    canvas.press("ArrowRight", "ArrowRight", "ArrowRight")
    canvas.settled("frame", "2014-07-27T031600 IFU 12")


def test_layers_are_shown_and_the_help_lists_the_keys(viewer) -> None:
    book, canvas = viewer
    for key, layer in (("q", "DQ"), ("v", "STAT"), ("n", "S/N"), ("d", "DATA")):
        canvas.press(key)
        book.until(f"viewer.layer == '{layer}'")
    canvas.press("?")
    assert canvas.page.locator(".mnb-object-red .mnb-help").is_visible()
    canvas.press("Escape")
    assert not canvas.page.locator(".mnb-object-red .mnb-help").is_visible()


def test_an_error_reaches_the_user_as_text(viewer) -> None:
    book, canvas = viewer
    book.python("viewer._received(None, {'type': 'nonsense'}, [])")
    canvas.page.locator(".mnb-object-red .mnb-error").wait_for(state="visible")
    canvas.page.locator(".mnb-object-red .mnb-error").click()
    book.until("viewer.error == ''")


def test_the_saved_notebook_is_small_and_shows_a_picture(viewer) -> None:
    book, canvas = viewer
    book.save()
    text = book.file.read_text()
    assert book.file.stat().st_size < 2_000_000
    assert '"image/png"' in text
    canvas.page.screenshot(path=os.fspath(book.file.with_name("object_red.png")))


def test_without_webgl_the_viewer_draws_and_reads_all_the_same(open_notebook: Callable, frames: list[Path]) -> None:
    script = """() => { const get = HTMLCanvasElement.prototype.getContext;
      HTMLCanvasElement.prototype.getContext = function (kind, ...more) {
        return kind === "webgl2" ? null : get.call(this, kind, ...more); }; }"""
    with open_notebook("no_webgl.ipynb", *(cell.format(folder=frames[0].parent) for cell in CELLS)) as book:
        book.page.evaluate(script)
        book.run()
        Canvas(book, "object-red")
        assert book.page.locator(".mnb-fallback").count() == 0
        lit = """(canvas) => { const context = canvas.getContext("2d");
          return context && new Set(context.getImageData(0, 0, canvas.width, canvas.height).data).size > 8; }"""
        eventually(lambda: any(one.evaluate(lit) for one in book.page.locator(".mnb-viewer canvas").all()), True)
        book.python("viewer.pixel = [30, 40]")
        assert book.value("viewer.readout['value']") == 4321.5
