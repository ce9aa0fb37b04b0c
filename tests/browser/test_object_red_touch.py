"""The viewer under two fingers and on a screen of two pixels per CSS pixel."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from lab import Canvas, always, eventually, next_frame
from sky import object_reds

CELLS = (
    "from pathlib import Path\nfrom muse_nb import ObjectRedViewer",
    "viewer = ObjectRedViewer(sorted(Path('{folder}').glob('OBJECT_RED*.fits')), ifu=10, height=420)\nviewer",
)


@pytest.fixture(scope="module")
def opened(open_notebook: Callable, tmp_path_factory: pytest.TempPathFactory):
    folder = object_reds(tmp_path_factory.mktemp("touch"))[0].parent
    cells = [cell.format(folder=folder) for cell in CELLS]
    with open_notebook("touch.ipynb", *cells, device_scale_factor=2, has_touch=True) as book:
        book.run()
        canvas = Canvas(book, "object-red")
        canvas.settled("sharp")
        yield book, canvas, book.page.context.new_cdp_session(book.page)
        assert book.value("viewer.error") == ""


def fingers(session, kind: str, *places: tuple[float, float]) -> None:
    points = [{"x": x, "y": y, "id": n} for n, (x, y) in enumerate(places)]
    session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})


def test_two_fingers_zoom_about_what_is_between_them(opened) -> None:
    _, canvas, session = opened
    canvas.look([])
    x, y = canvas.place(200, 150)
    under, before = canvas.pixel(x, y), canvas.pixel(x + 1, y)[0] - canvas.pixel(x, y)[0]
    fingers(session, "touchStart", (x - 40, y))
    fingers(session, "touchStart", (x - 40, y), (x + 40, y))
    for spread in (60, 80, 120):
        fingers(session, "touchMove", (x - spread, y), (x + spread, y))
    fingers(session, "touchEnd")
    eventually(lambda: before / (canvas.pixel(x + 1, y)[0] - canvas.pixel(x, y)[0]), pytest.approx(3, rel=0.02))
    assert canvas.pixel(x, y) == pytest.approx(under, abs=0.5)


def test_one_finger_pans_and_a_tap_reads_a_pixel(opened) -> None:
    book, canvas, session = opened
    canvas.look([100, 100, 8])
    x, y = canvas.place(100, 100)
    fingers(session, "touchStart", (x, y))
    for step in (10, 30, 80):
        fingers(session, "touchMove", (x + step, y))
    fingers(session, "touchEnd")
    eventually(lambda: canvas.pixel(x, y), pytest.approx((90, 100), abs=0.2))
    book.python("viewer.pixel = []")
    canvas.look([30, 40, 8])
    canvas.page.touchscreen.tap(*canvas.place(30, 40))
    assert book.until("viewer.pixel") == [30, 40]
    assert book.until("viewer.readout")["value"] == np.float32(4321.5)


def test_what_a_slow_kernel_repeats_does_not_pull_the_picture_back(opened) -> None:
    book, canvas, session = opened
    canvas.look([100, 100, 8])
    x, y = canvas.place(100, 100)
    book.begin("import time; time.sleep(1)")
    fingers(session, "touchStart", (x, y))
    with book.telling("view"):  # the hand rests: this view goes to the kernel, which answers later
        fingers(session, "touchMove", (x + 10, y))
    for step in range(20, 81):  # about as long as the kernel is busy, and longer
        fingers(session, "touchMove", (x + step, y))
        next_frame(canvas.page)
    fingers(session, "touchEnd")
    assert canvas.pixel(x, y) == pytest.approx((90, 100), abs=0.2)
    assert canvas.rested() == pytest.approx([90, 100, 8], abs=0.2)
    always(lambda: canvas.pixel(x, y), pytest.approx((90, 100), abs=0.2))


PAN_UNTIL = """([root, y]) => new Promise((done) => {
  const image = document.querySelector(root).parentElement.museImage;
  let steps = 0;
  const hand = setInterval(() => {
    if (image.where()[1] === y || ++steps > 500) { clearInterval(hand); done(); } else image.pan(1, 0);
  }, 16);
})"""


def test_a_view_set_in_python_holds_though_the_hand_has_just_moved(opened) -> None:
    book, canvas, _ = opened
    canvas.look([100, 100, 8])
    x, y = canvas.place(100, 100)
    book.begin("import time; time.sleep(0.3); viewer.view = [50, 60, 8]")
    canvas.page.evaluate(PAN_UNTIL, [canvas.root, 60])
    always(lambda: canvas.pixel(x, y), pytest.approx((50, 60), abs=0.2))
    assert book.value("viewer.view") == [50, 60, 8]


def test_a_fine_screen_gets_its_pixels_and_clicks_stay_exact(opened) -> None:
    book, canvas, _ = opened
    size = canvas.page.evaluate(
        """() => { const image = document.querySelector(".mnb-object-red").parentElement.museImage;
        return [image.ratio, image.overlay.width / image.width, image.glCanvas.height / image.height]; }"""
    )
    assert size == pytest.approx([2, 2, 2], rel=0.01)
    book.python("viewer.pixel = []")
    canvas.look([200, 150, 3])
    canvas.click(211, 143)
    assert book.until("viewer.pixel") == [211, 143]
