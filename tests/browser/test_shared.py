"""Shared pages with the network off: no request, no error, views alive; with scripts off their pictures are there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import muse_nb
from muse_nb.core.errors import MuseError

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from muse_nb.simulator.night import Night


FORGED = """<p id="widget-modules">{"0": "document.title = 'run'; export default { render() {} }"}</p>"""
HOSTILE = "<img src=x onerror=\"document.title='run'\"><script>document.title = 'run'</script></script>'\".fits"


@dataclass
class Opened:
    """A page in a browser without a network, with what it asked for and complained about."""

    page: Any
    asked: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, night: Night) -> Path:
    """A page with three viewers, linked controls, and text that would like to run."""
    import ipywidgets
    from books import shown, with_widgets

    from muse_nb.sharing.clean import Places
    from muse_nb.sharing.page import notebook_page

    folder = tmp_path_factory.mktemp("shared")
    survey = muse_nb.survey(night.folder)
    one = survey.exposure(0)
    picker = muse_nb.StarPicker(survey.files_of("IMAGE_FOV"), picks=folder / "picks.ecsv")
    picker._measure()
    cube = muse_nb.cube(one.files("PIXTABLE_REDUCED"), output=folder / "cube.fits").path
    first, second = ipywidgets.IntSlider(3, description="first"), ipywidgets.IntSlider(3, description="second")
    link = ipywidgets.jslink((first, "value"), (second, "value"))
    text = shown({"text/plain": HOSTILE, "text/html": f"{FORGED}<p>{HOSTILE}</p>"})
    notebook = with_widgets(
        muse_nb.ObjectRedViewer(one.files("OBJECT_RED")),
        muse_nb.NanViewer(cube),
        picker,
        ipywidgets.VBox([first, second, ipywidgets.HTML(HOSTILE), ipywidgets.Label(HOSTILE)]),
        before=("# Shared\n\n$$\\sum_i x_i^2$$", text),
    )
    states = notebook.metadata["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]
    more = with_widgets(link).metadata["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]
    states |= {link.model_id: more[link.model_id]}
    path = folder / "shared.html"
    path.write_text(notebook_page(notebook, about={"parameters": {"name": HOSTILE}}, places=Places(folder)))
    return path


@pytest.fixture(scope="module")
def open_page(browser: Browser) -> Callable[..., Opened]:
    def start(path: Path, **options: Any) -> Opened:
        context = browser.new_context(offline=True, accept_downloads=True, **options)
        opened = Opened(context.new_page())
        opened.page.on("request", lambda request: opened.asked.append(request.url))
        opened.page.on("console", lambda m: opened.said.append(m.text) if m.type == "error" else None)
        opened.page.on("pageerror", lambda error: opened.said.append(str(error)))
        opened.page.goto(path.as_uri())
        return opened

    return start


@pytest.fixture(scope="module")
def alive(open_page: Callable[..., Opened], shared: Path) -> Opened:
    opened = open_page(shared, viewport={"width": 1280, "height": 900})
    opened.page.wait_for_selector("html[data-widgets=ready]", state="attached", timeout=60_000)
    return opened


def test_nothing_is_asked_for_and_nothing_is_wrong(alive: Opened, shared: Path) -> None:
    alive.page.wait_for_load_state("networkidle")
    assert [url for url in alive.asked if not url.startswith(("data:", "blob:"))] == [shared.as_uri()]
    assert alive.said == []
    assert alive.page.locator(".view.alive").count() == 4
    assert alive.page.locator(".view .still:visible").count() == 0
    assert alive.page.locator("math").count() == 1


def test_text_that_would_like_to_run_is_text(alive: Opened) -> None:
    assert alive.page.title() == "Shared"
    assert HOSTILE in alive.page.locator("body").inner_text()


def test_the_viewers_pan_and_toggle(alive: Opened) -> None:
    page, view = alive.page, alive.page.locator(".view").nth(0)
    image = "(root) => root.querySelector('.mnb-viewer').parentElement.museImage"
    before = view.evaluate(f"(root) => ({image})(root).where()")
    box = view.locator(".mnb-overlay").bounding_box()
    view.locator(".mnb-overlay").scroll_into_view_if_needed()
    box = view.locator(".mnb-overlay").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.wheel(0, -400)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 + 60, box["y"] + box["height"] / 2 + 10, steps=4)
    page.mouse.up()
    after = view.evaluate(f"(root) => ({image})(root).where()")
    assert after[2] > before[2], "the wheel zooms"
    assert after[:2] != before[:2], "a drag pans"
    button = view.get_by_role("button", name="STAT")
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    assert alive.said == []


def test_a_binned_frame_says_so(alive: Opened) -> None:
    view = alive.page.locator(".view").nth(0)
    info = view.evaluate("(root) => root.querySelector('.mnb-viewer').parentElement.museImage.frame.bin")
    assert info > 1, "else there is nothing to say"
    assert f"binned {info} × {info}" in view.locator(".mnb-binned").inner_text()
    view.locator(".mnb-overlay").scroll_into_view_if_needed()
    box = view.locator(".mnb-overlay").bounding_box()
    alive.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    pixels = view.locator(".mnb-status span").nth(1)
    first, last = map(int, pixels.inner_text().split(",")[0].split("–"))
    assert (first - 1) % info == 0
    assert last == first + info - 1
    assert view.locator(".mnb-status").get_by_text("mean").count() == 1


def test_linked_controls_follow_each_other(alive: Opened) -> None:
    first, second = alive.page.get_by_label("first"), alive.page.get_by_label("second")
    first.fill("42")
    assert second.input_value() == "42"


def test_a_reader_marks_stars_and_the_notebook_takes_them(
    alive: Opened, shared: Path, night: Night, tmp_path: Path
) -> None:
    from muse_nb.steps.offsets.measurement import Measurement
    from muse_nb.steps.offsets.picked import candidates
    from muse_nb.steps.offsets.picks import read_picks

    measurement = Measurement(muse_nb.survey(night.folder).files_of("IMAGE_FOV"))
    star = candidates(measurement, 1)[0]
    at = [float(v) for v in measurement.pixel(0, star["ra"], star["dec"])]
    view = alive.page.locator(".view").nth(2)
    view.locator(".mnb-overlay").scroll_into_view_if_needed()
    box = view.locator(".mnb-overlay").bounding_box()
    place = view.evaluate(
        """(root, [x, y]) => { const image = root.querySelector(".mnb-viewer").parentElement.museImage;
        const [a, b, c, d, e, f] = image.frame.affine, k = a * d - b * c;
        return image.toScreen((d * (x - e) - c * (y - f)) / k, (a * (y - f) - b * (x - e)) / k); }""",
        at,
    )
    alive.page.mouse.click(box["x"] + place[0], box["y"] + place[1])
    with alive.page.expect_download() as download:
        view.get_by_role("button", name="Download picks.ecsv").click()
    download.value.save_as(tmp_path / "picks.ecsv")
    picks = read_picks(tmp_path / "picks.ecsv")
    assert len(picks) == 1
    x, y = measurement.pixel(0, picks["ra"][0], picks["dec"][0])
    assert abs(x - at[0]) < 0.6
    assert abs(y - at[1]) < 0.6
    assert len(muse_nb.measure_offsets(measurement, picks=picks).table) == len(measurement.images)


def test_a_reader_marks_holes_and_the_nan_viewer_shows_them(alive: Opened, shared: Path, tmp_path: Path) -> None:
    view = alive.page.locator(".view").nth(1)
    overlay = view.locator(".mnb-overlay")
    overlay.scroll_into_view_if_needed()
    box = overlay.bounding_box()
    holes = """(root) => { const image = root.querySelector(".mnb-viewer").parentElement.museImage, { frame } = image;
      const row = (k) => Math.floor(k / frame.width);
      const there = [...frame.planes.DQ.keys()].filter((k) => frame.planes.DQ[k]);
      const first = there.find((k) => there.some((other) => other > k && row(other) === row(k)));
      const second = there.findLast((k) => row(k) === row(first));
      return [first, second].map((k) => image.toScreen((k % frame.width) * frame.bin, row(k) * frame.bin)); }"""
    for x, y in view.evaluate(holes):
        alive.page.mouse.click(box["x"] + x, box["y"] + y)
        view.get_by_role("button", name="Mark the selected voxel").click()
    assert view.locator(".mnb-marked .mnb-chip").count() == 2
    with alive.page.expect_download() as download:
        view.get_by_text("Download holes.ecsv").click()
    download.value.save_as(tmp_path / "holes.ecsv")
    viewer = muse_nb.NanViewer(shared.parent / "cube.fits", holes=tmp_path / "holes.ecsv")
    (x0, y0, plane), (x1, y1, _) = viewer.holes
    assert plane == viewer.plane, "the plane that the page showed"
    assert x1 > x0
    assert y1 == y0
    with pytest.raises(MuseError, match="there is no voxel 9999"):
        muse_nb.NanViewer(shared.parent / "cube.fits", holes=[(9999, 0, 0)])
    assert view.locator(".mnb-marked .mnb-chip").first.inner_text().startswith(f"{x0 + 1}, {y0 + 1}")
    assert alive.said == []


def test_on_paper_the_pictures_stand_for_the_views(alive: Opened) -> None:
    alive.page.emulate_media(media="print")
    assert alive.page.locator(".view .still img:visible").count() == 3
    assert alive.page.locator(".mnb-viewer:visible").count() == 0
    alive.page.emulate_media(media="screen")


@pytest.mark.parametrize("width", [1280, 390])
def test_with_scripts_off_the_pictures_are_there(open_page: Callable[..., Opened], shared: Path, width: int) -> None:
    opened = open_page(shared, viewport={"width": width, "height": 900}, java_script_enabled=False)
    pictures = opened.page.locator(".view .still img")
    assert pictures.count() == 3
    for i in range(3):
        assert pictures.nth(i).bounding_box()["width"] > 0.4 * min(width, 600)
    assert opened.said == []
    opened.page.context.close()


def test_nothing_sticks_out_on_a_telephone(open_page: Callable[..., Opened], shared: Path) -> None:
    opened = open_page(shared, viewport={"width": 390, "height": 844})
    opened.page.wait_for_selector("html[data-widgets=ready]", state="attached", timeout=60_000)
    assert opened.page.evaluate("() => document.documentElement.scrollWidth") <= 390
    opened.page.context.close()


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from muse_nb.sharing.index import Row, index_page

    rows = [
        Row(
            f"2014-07-27T03{n:02d}00", f"{n}.html", findings=["IFU 7 is dim, by a lot"] * (n % 3), more={"angle [°]": n}
        )
        for n in range(9)
    ]
    failed = Row("2014-07-27T040000", "", error="KeyError: no such star")
    path = tmp_path_factory.mktemp("index") / "index.html"
    path.write_text(index_page("Night", [("The exposures", [*rows, failed])]))
    return path


def test_the_index_is_filtered_and_sorted(open_page: Callable[..., Opened], index: Path) -> None:
    opened = open_page(index)
    rows = opened.page.locator("tbody tr:visible")
    box = opened.page.get_by_role("searchbox")
    box.fill("DIM 7")
    assert rows.count() == 6, "all words, in any order and case"
    box.fill("no such star")
    assert "KeyError" in rows.first.inner_text()
    box.fill("")
    assert rows.count() == 10
    heading = opened.page.get_by_role("button", name="findings")
    heading.click()
    heading.click()
    assert "and" not in rows.first.inner_text()
    assert rows.first.locator("div.note").count() == 2, "most findings first"
    assert opened.said == []
    opened.page.context.close()


def test_the_index_on_a_telephone_is_a_card_for_each_page(open_page: Callable[..., Opened], index: Path) -> None:
    opened = open_page(index, viewport={"width": 390, "height": 844})
    assert opened.page.evaluate("() => document.documentElement.scrollWidth") <= 390
    first = opened.page.locator("tbody tr").first
    angle = first.locator("td[data-name='angle [°]']")
    assert angle.bounding_box()["y"] > first.locator("td").first.bounding_box()["y"], "one below the other"
    assert angle.evaluate("(cell) => getComputedStyle(cell, '::before').content") == '"angle [°]: "'
    opened.page.context.close()
