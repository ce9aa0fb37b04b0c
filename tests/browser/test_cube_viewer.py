"""The cube viewer in JupyterLab: each gesture, and what it comes to in the kernel."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from astropy.io import fits
from lab import Canvas, eventually, next_frame
from looks import STAR, Z, look_cube

import muse_nb
from muse_nb.steps.nans.causes import Cause
from muse_nb.widgets.nans.viewer import CAUSE_COLOURS
from muse_nb.widgets.shared.picture import rgb

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CELL = """from muse_nb import CubeViewer
viewer = CubeViewer('{path}', compare='{other}', height=380)
viewer"""
PLOT = "document.querySelector('.mnb-cube').parentElement.muse.plot"


class Look(Canvas):
    """A cube viewer's image and its plot."""

    def at(self, wave: float, height: float = 0.5) -> tuple[float, float]:
        """Where a wavelength is on the page, at a share of the plot's height from its top."""
        test = f"""([w, h]) => {{ const plot = {PLOT}, box = plot.canvas.getBoundingClientRect();
          return [box.left + plot.sx(w), box.top + plot.axes.top + h * (plot.axes.bottom - plot.axes.top)]; }}"""
        x, y = self.page.evaluate(test, [wave, height])
        return x, y

    def slide(self, start: tuple[float, float], end: tuple[float, float], key: str | None = None) -> None:
        """Drag on the page, in steps."""
        self.page.mouse.move(*start)
        if key:
            self.page.keyboard.down(key)
        self.page.mouse.down()
        for step in range(1, 5):
            self.page.mouse.move(*(a + (b - a) * step / 4 for a, b in zip(start, end, strict=True)))
        self.page.mouse.up()
        if key:
            self.page.keyboard.up(key)

    def drawn(self) -> None:
        """Wait until plot and image are drawn."""
        for _ in range(2):
            next_frame(self.page)

    def button(self, name: str) -> None:
        """Press a button."""
        self.page.locator(f".mnb-cube .mnb-bar button[aria-label^='{name}']").click()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("cube")
    look_cube(made / "CUBE.fits")
    look_cube(made / "OTHER.fits", level=2.0)
    return made


@pytest.fixture(scope="module")
def opened(open_notebook: Callable, folder: Path):
    cell = CELL.format(path=folder / "CUBE.fits", other=folder / "OTHER.fits")
    with open_notebook("cube.ipynb", cell, viewport={"width": 1400, "height": 1300}) as book:
        book.run()
        canvas = Look(book, "cube")
        canvas.settled("label", "white light")
        yield book, canvas
        assert book.value("viewer.error") == ""
        assert [line for line in book.console if "favicon" not in line] == []


@pytest.fixture
def look(opened):
    """A viewer as it was at first."""
    book, canvas = opened
    book.python(
        "viewer.set_trait('regions', []); viewer.chosen = 0; viewer.spaxel = []; viewer.shown = 'white'\n"
        "viewer.layer = 'DATA'; viewer.band = []; viewer.continuum = []; viewer.xrange = []; viewer.yrange = []\n"
        "viewer.view = []; viewer.cut = []; viewer.lines_shown = False; viewer.redshift = 0.0; viewer.blink = False"
    )
    canvas.settled("label", "white light")
    canvas.page.wait_for_function(f"() => {PLOT}.axes && {PLOT}.curves.length === 0 || true")
    canvas.drawn()
    return book, canvas


def test_the_spectrum_follows_the_pointer_and_a_click_keeps_it(look) -> None:
    book, canvas = look
    canvas.page.mouse.move(*canvas.place(10, 30))
    canvas.page.mouse.move(*canvas.place(33, 12))
    canvas.settled("spaxel", "33,12")
    text = canvas.page.locator(".mnb-readout").inner_text()
    assert "34, 13" in text
    assert "10:00:0" in text or "09:59:5" in text  # of RA 150 degrees
    assert "10⁻²⁰ erg s⁻¹ cm⁻² Å⁻¹" in text
    canvas.click(33, 12)
    assert book.until("viewer.spaxel") == [33, 12]
    canvas.settled("kept", "0")
    book.until("viewer.spectra[0]['error']")
    canvas.page.mouse.move(*canvas.at(6540))
    eventually(lambda: "±" in canvas.page.locator(".mnb-readout").inner_text(), True)
    canvas.press("L", "K")
    book.until("viewer.spaxel == [34, 13]")
    canvas.press("Escape")
    book.until("viewer.spaxel == []")


@pytest.mark.parametrize(("key", "kind"), [("c", "circle"), ("e", "ellipse"), ("r", "rectangle"), ("a", "annulus")])
def test_an_aperture_is_drawn_moved_and_reshaped(look, key: str, kind: str) -> None:
    book, canvas = look
    canvas.press(key)
    canvas.settled("tool", kind)
    canvas.drag((20, 20), (26, 24))
    shape = book.until("viewer.regions and viewer.regions[0]")
    assert shape["kind"] == kind
    assert (shape["x"], shape["y"]) == pytest.approx((20, 20), abs=0.1)
    reach = shape["b"] if kind == "annulus" else shape["a"]
    assert reach == pytest.approx(6 if kind in ("ellipse", "rectangle") else 7.2, abs=0.3)
    canvas.settled("kept", "1")
    inside = (20 + 0.8 * reach, 20) if kind == "annulus" else (20.2, 21)
    canvas.drag(inside, (inside[0] + 5, inside[1] - 3))
    book.until("abs(viewer.regions[0]['x'] - 25) < 0.2 and abs(viewer.regions[0]['y'] - 17) < 0.2")
    eventually(lambda: int(canvas.data("apertures") or 0) > 0, True)  # its spectrum came while it was dragged
    canvas.drag((25 + reach, 17), (25 + reach + 3, 17))
    role = "b" if kind == "annulus" else "a"
    book.until(f"abs(viewer.regions[0]['{role}'] - {reach + 3}) < 0.3")
    expected = book.value(
        "__import__('muse_nb').steps.look.spectrum.extract(viewer.looks.cube, __import__('muse_nb').widgets.cube.shapes"
        ".pixel_region(viewer.regions[0])).flux.tolist()"
    )
    assert book.value("viewer.spectrum().flux.tolist()") == expected
    canvas.press("Delete")
    book.until("viewer.regions == []")


def test_a_polygon_is_clicked_and_kept_in_the_file(look, folder: Path) -> None:
    book, canvas = look
    canvas.press("g")
    for corner in ((10, 10), (20, 12), (14, 22), (10, 10)):
        canvas.click(*corner)
    shape = book.until("viewer.regions and viewer.regions[0]")
    assert len(shape["points"]) == 3
    shown = book.value("viewer.spectrum().flux.tolist()")
    alone = muse_nb.spectra(folder / "CUBE.fits", folder / "regions.reg")  # a run without a browser
    assert list(alone) == ["1"]
    assert alone["1"].flux.tolist() == pytest.approx(shown, rel=1e-9)
    canvas.press("Ctrl+ArrowRight".replace("Ctrl", "Control"))
    book.until(f"abs(viewer.regions[0]['x'] - {shape['x'] + 1}) < 0.01")


def test_a_band_and_its_continuum_are_dragged(look) -> None:
    book, canvas = look
    canvas.slide(canvas.at(6560), canvas.at(6580), "Shift")
    low, high = book.until("viewer.shown == 'band' and viewer.band")
    assert (low, high) == pytest.approx((6560, 6580), abs=0.5)
    canvas.page.wait_for_function("() => document.querySelector('.mnb-cube').dataset.label.includes('planes, 65')")
    canvas.drawn()
    canvas.slide(canvas.at(6570), canvas.at(6590))  # its body
    book.until("abs(viewer.band[0] - 6580) < 1 and abs(viewer.band[1] - 6600) < 1")
    canvas.drawn()
    canvas.slide(canvas.at(6600), canvas.at(6606))  # its edge
    book.until("abs(viewer.band[0] - 6580) < 1 and abs(viewer.band[1] - 6606) < 1")
    canvas.button("Take off the mean")
    windows = book.until("len(viewer.continuum) == 2 and viewer.continuum")
    canvas.settled("label")
    eventually(lambda: "continuum" in canvas.data("label"), True)
    canvas.drawn()
    middle = sum(windows[0]) / 2
    canvas.slide(canvas.at(middle), canvas.at(middle - 8))
    book.until(f"abs(viewer.continuum[0][0] - {windows[0][0] - 8}) < 1")
    assert "continuum" in canvas.data("label")


def test_the_plot_is_zoomed_and_panned_in_both_axes(look) -> None:
    book, canvas = look
    canvas.click(33, 12)
    canvas.settled("kept", "0")
    canvas.drawn()
    canvas.page.mouse.move(*canvas.at(6560))
    canvas.page.mouse.wheel(0, -400)
    low, high = book.until("viewer.xrange")
    assert low < 6560 < high
    assert high - low < 100
    canvas.drawn()
    canvas.slide(canvas.at((low + high) / 2), canvas.at((low + high) / 2 - 10))
    book.until(f"abs(viewer.xrange[0] - {low + 10}) < 1.5")
    x, y = canvas.at(low + 10)
    canvas.page.mouse.move(x - 30, y)
    canvas.page.mouse.wheel(0, 300)
    wide = book.until("viewer.yrange")
    canvas.drawn()
    canvas.slide((x - 30, y), (x - 30, y + 40))
    book.until(f"viewer.yrange[0] > {wide[0]}")
    canvas.page.mouse.dblclick(*canvas.at(low + 20))
    book.until("viewer.xrange == [] and viewer.yrange == []")


def test_a_click_in_the_plot_gives_the_plane_and_the_layer_its_causes(look) -> None:
    book, canvas = look
    canvas.press("2")
    canvas.page.mouse.click(*canvas.at(6568.8))
    book.until("viewer.wavelength == 6568.75")
    eventually(lambda: canvas.data("label").startswith("6568.75 Å · plane 56 of 120"), True)
    canvas.press("ArrowRight")
    book.until("viewer.wavelength == 6570.0")
    book.python("viewer.layer = 'NaN'")
    eventually(lambda: canvas.colour(20, 30) == pytest.approx(rgb(CAUSE_COLOURS[Cause.UNKNOWN]), abs=2), True)
    canvas.page.mouse.move(*canvas.place(20, 30))
    eventually(lambda: "NaN: unknown" in canvas.page.locator(".mnb-readout").inner_text(), True)
    for layer in ("STAT", "S/N"):
        book.python(f"viewer.layer = '{layer}'")
        eventually(lambda: any(word in canvas.data("label") for word in ("variance", "signal to noise")), True)


def test_lines_are_dragged_to_a_redshift_and_mapped(look) -> None:
    book, canvas = look
    canvas.press("i")
    book.until("viewer.lines_shown")
    canvas.drawn()
    x, _ = canvas.at(6562.79)
    box = canvas.page.locator(".mnb-flux").bounding_box()
    canvas.slide((x, box["y"] + 7), (canvas.at(6562.79 * (1 + Z))[0], box["y"] + 7))
    book.until(f"abs(viewer.redshift - {Z}) < 2e-4")
    book.python(f"viewer.redshift = {Z}")
    canvas.page.locator(".mnb-lines button", has_text="Gauss maps").click()
    book.until("viewer.maps is not None and viewer.shown == 'map'", 30)
    canvas.page.locator(".mnb-lines button", has_text="velocity").click()
    eventually(lambda: canvas.data("label") == "Halpha velocity", True)
    left, right = (canvas.colour(x, 24) for x in (8, 21))
    assert left[2] > left[0]  # blue comes towards us
    assert right[0] > right[2]
    canvas.click(12, 24)
    fitted = book.until("viewer.fitted and viewer.fitted['told']")
    assert fitted["VELOCITY"] == pytest.approx(book.value("float(viewer.maps['VELOCITY'][24, 12])"), abs=1e-3)
    assert "velocity" in canvas.page.locator(".mnb-lines").inner_text()


def test_limits_are_dragged_in_the_colour_bar(look) -> None:
    book, canvas = look
    box = canvas.page.locator(".mnb-colours").bounding_box()
    test = """() => { const { bar } = document.querySelector(".mnb-cube").parentElement.muse;
      return bar.state().limits.map(bar.sx); }"""
    _, high = canvas.page.evaluate(test)
    before = canvas.colour(*STAR)
    canvas.slide((box["x"] + high, box["y"] + 20), (box["x"] + high - 60, box["y"] + 20))
    cut = book.until("viewer.cut")
    assert cut[1] < book.value("viewer.kept[0]['limits']['99.5'][1]")
    canvas.page.mouse.dblclick(box["x"] + 60, box["y"] + 20)
    book.until("viewer.cut == []")
    eventually(lambda: canvas.colour(*STAR), before)


def test_two_cubes_blink(look) -> None:
    book, canvas = look
    first = canvas.colour(14, 24)
    book.python("viewer.cut = [0, 40]; viewer.shown = 'white'")
    canvas.press("b")
    book.until("viewer.blink")
    canvas.settled("seen", "second")
    canvas.settled("seen", "first")
    canvas.press("b")
    book.until("not viewer.blink")
    book.python("viewer.cut = []")
    eventually(lambda: canvas.colour(14, 24), first)


def test_statistics_and_the_width_of_a_star(look) -> None:
    book, canvas = look
    canvas.press("c")
    canvas.drag(STAR, (STAR[0] + 4, STAR[1]))
    told = book.until("viewer.told.get('profile') and viewer.told")
    assert told["profile"]["x"] == pytest.approx(STAR[0], abs=0.1)
    true = 2 * (6 * (2 ** (1 / 2.5) - 1)) ** 0.5  # of the Moffat, spaxels
    assert told["profile"]["fwhm"] == pytest.approx(true, rel=0.05)
    canvas.page.locator(".mnb-numbers", has_text="FWHM").wait_for()
    canvas.page.locator(".mnb-region button", has_text="sky").click()
    assert len(book.until("viewer.regions[0]['ring']")) == 2
    canvas.page.locator(".mnb-region select").select_option("psf")
    book.until("viewer.regions[0]['how'] == 'psf' and viewer.spectra[0]['id'] == 1")


def test_pictures_and_files_are_saved(look, folder: Path, tmp_path: Path) -> None:
    book, canvas = look
    canvas.press("c")
    canvas.drag((20, 20), (24, 20))
    book.until("viewer.regions")
    for kind, begin in (("PNG", b"\x89PNG"), ("SVG", b"<svg")):
        with canvas.page.expect_download() as got:
            canvas.page.locator(".mnb-looks button", has_text=kind).click()
        got.value.save_as(tmp_path / kind)
        content = (tmp_path / kind).read_bytes()
        assert content.startswith(begin)
        assert len(content) > 10_000
    assert "wavelength in air" in (tmp_path / "SVG").read_text()
    for word, name in (
        ("spectrum", "CUBE_spectrum_1.fits"),
        ("table", "CUBE_spectrum_1.ecsv"),
        ("image", "CUBE_white.fits"),
    ):
        canvas.page.locator(".mnb-looks button", has_text=word).last.click()
        eventually((folder / name).exists, True)
    assert fits.getdata(folder / "CUBE_spectrum_1.fits", "DATA").shape == (120,)
    canvas.page.locator(".mnb-looks [role=status]", has_text="CUBE_white.fits").wait_for()


@pytest.fixture
def page_without_kernel(browser: Browser, tmp_path: Path) -> Iterator[tuple[Page, muse_nb.CubeViewer]]:
    """A shared page of a viewer, opened without a network, by fingers."""
    from books import with_widgets

    from muse_nb.sharing.clean import Places
    from muse_nb.sharing.page import notebook_page

    viewer = muse_nb.CubeViewer(look_cube(tmp_path / "CUBE.fits"), band=[6560.0, 6575.0])
    viewer.wait()
    path = tmp_path / "page.html"
    path.write_text(notebook_page(with_widgets(viewer), about={}, places=Places(tmp_path)))
    context = browser.new_context(offline=True, viewport={"width": 390, "height": 1400}, has_touch=True)
    page = context.new_page()
    page.goto(f"file://{path}")
    page.wait_for_selector(".mnb-cube .mnb-overlay")
    yield page, viewer
    context.close()


def test_a_page_without_kernel_has_spectra_and_bands(page_without_kernel) -> None:
    page, viewer = page_without_kernel
    page.wait_for_function("() => document.querySelector('.mnb-cube').dataset.label === 'white light'")
    box = page.locator(".mnb-cube .mnb-overlay").bounding_box()
    assert box["width"] < 391
    where = "([x, y]) => document.querySelector('.mnb-cube').parentElement.muse.image.toScreen(x, y)"
    x, y = page.evaluate(where, list(STAR))
    page.touchscreen.tap(box["x"] + x, box["y"] + y)
    spectrum = f"() => JSON.stringify([...({PLOT}.curves[0]?.flux ?? [])])"
    page.wait_for_function(f"() => ({spectrum})().length > 200")
    flux = json.loads(page.evaluate(spectrum))
    true = viewer.looks.spaxel(33, 12, error=False)[0]
    assert flux == pytest.approx(true.tolist(), rel=0.02, abs=2)
    page.locator(".mnb-cube button", has_text="band").first.click()
    page.wait_for_function("() => document.querySelector('.mnb-cube').dataset.label.startsWith('6560.0 to 6575.0')")
    page.locator(".mnb-cube").focus()
    page.keyboard.press("c")
    page.touchscreen.tap(box["x"] + x, box["y"] + y)
    page.wait_for_function("() => document.querySelector('.mnb-cube').dataset.kept.includes('1')")
