"""The mosaic in JupyterLab: a tile lies where MUSE has the IFU, a click or a key opens its frame in the viewer."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sky import object_reds

CELLS = (
    "from pathlib import Path\nfrom muse_nb import ObjectRedViewer",
    "viewer = ObjectRedViewer(sorted(Path('{folder}').glob('OBJECT_RED*.fits')), height=300)\n"
    "mosaic = viewer.mosaic()\nmosaic",
    "viewer",
)
PLACE = "([exposure, ifu]) => document.querySelector('.mnb-mosaic-viewer').parentElement.museTile(exposure, ifu)"


@pytest.fixture(scope="module")
def opened(open_notebook: Callable, tmp_path_factory: pytest.TempPathFactory):
    folder = object_reds(tmp_path_factory.mktemp("mosaic"))[0].parent
    with open_notebook("mosaic.ipynb", *(cell.format(folder=folder) for cell in CELLS)) as book:
        book.run()
        book.page.wait_for_selector(".mnb-mosaic canvas", timeout=60_000)
        yield book
        assert book.value("mosaic.error") == ""
        assert [line for line in book.console if "favicon" not in line] == []


def place(book, exposure: int, ifu: int) -> tuple[float, float]:
    canvas = book.page.locator(".mnb-mosaic canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    x, y = book.page.evaluate(PLACE, [exposure, ifu])
    return box["x"] + x, box["y"] + y


def test_a_click_on_a_tile_opens_its_frame(opened) -> None:
    ifus = opened.value("mosaic.ifus")
    assert ifus == sorted(ifus)
    assert place(opened, 0, ifus[0])[1] < place(opened, 0, ifus[-1])[1]  # IFU 1 is on top of the field
    opened.page.mouse.click(*place(opened, 1, ifus[-1]))
    assert opened.until("mosaic.chosen") == [opened.value("viewer.exposures[1]"), ifus[-1]]
    opened.until(f"[viewer.exposure, viewer.ifu] == [1, {ifus[-1]}]")
    opened.page.wait_for_selector(f".mnb-object-red[data-frame$='IFU {ifus[-1]:02d}']", timeout=30_000)


def test_keys_walk_over_the_tiles_and_the_note_tells_their_numbers(opened) -> None:
    ifus = opened.value("mosaic.ifus")
    opened.page.mouse.click(*place(opened, 0, ifus[0]))
    opened.until(f"mosaic.chosen and mosaic.chosen[1] == {ifus[0]} and viewer.exposure == 0")
    opened.page.locator(".mnb-mosaic-viewer").focus()
    opened.page.keyboard.press("ArrowDown")
    opened.page.keyboard.press("ArrowRight")
    opened.until(f"[viewer.exposure, viewer.ifu] == [1, {ifus[1]}]")
    opened.page.keyboard.press("s")
    assert opened.until("mosaic.statistic != 'noise' and mosaic.statistic") == "background"
    assert "cosmic rays" in opened.page.locator(".mnb-mosaic-viewer .mnb-note").inner_text()
