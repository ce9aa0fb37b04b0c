"""A shared page keeps its word: what is live does something, what needs a kernel is grey, pictures need no WebGL2."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from lab import eventually
from viewers import SHOWN, drawn, page_of_viewers

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

NO_WEBGL = """const get = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...more) {
  return kind === "webgl2" ? null : get.call(this, kind, ...more); };"""
COLOURS = f"""([n, places]) => {{ const image = ({SHOWN})(n); image.paint();
  const copy = document.createElement("canvas"), gl = image.glCanvas;
  [copy.width, copy.height] = [gl.width, gl.height];
  const context = copy.getContext("2d", {{ willReadFrequently: true }}); context.drawImage(gl, 0, 0);
  return places.map(([x, y]) => [...context.getImageData(x * gl.width, y * gl.height, 1, 1).data].slice(0, 3)); }}"""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory, night: Any) -> Path:
    return page_of_viewers(night, tmp_path_factory.mktemp("viewers"))


def start(browser: Browser, path: Path, script: str = "") -> Page:
    context = browser.new_context(offline=True, viewport={"width": 1280, "height": 1000})
    page = context.new_page()
    page.said = []  # type: ignore[attr-defined]
    page.on("pageerror", lambda error: page.said.append(str(error)))  # type: ignore[attr-defined]
    page.on("console", lambda m: page.said.append(m.text) if m.type == "error" else None)  # type: ignore[attr-defined]
    if script:
        page.add_init_script(script)
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-widgets=ready]", state="attached", timeout=60_000)
    return page


@pytest.fixture(scope="module")
def page(browser: Browser, path: Path) -> Iterator[Page]:
    opened = start(browser, path)
    yield opened
    assert opened.said == []  # type: ignore[attr-defined]
    opened.context.close()


@pytest.fixture(scope="module")
def plain(browser: Browser, path: Path) -> Iterator[Page]:
    opened = start(browser, path, NO_WEBGL)
    yield opened
    assert opened.said == []  # type: ignore[attr-defined]
    opened.context.close()


def test_the_choosers_say_what_is_shown(page: Page) -> None:
    viewer = page.locator(".mnb-object-red")
    ifus = viewer.get_by_label("IFU (← →)")
    names = ifus.locator("option").all_inner_texts()
    assert len(names) > 1, "frames of all IFUs are in the page"
    before = page.evaluate(COLOURS, [0, [[0.3, 0.4], [0.5, 0.5], [0.61, 0.3]]])
    for name in names:
        ifus.select_option(label=name)
        assert viewer.get_attribute("data-frame").endswith(name)
        assert ifus.evaluate("(select) => select.selectedOptions[0].text") == name
    assert page.evaluate(COLOURS, [0, [[0.3, 0.4], [0.5, 0.5], [0.61, 0.3]]]) != before
    assert viewer.get_by_label("Exposure (↑ ↓)").locator("option").count() == 1


def test_nothing_says_that_it_was_saved(page: Page) -> None:
    stars = page.locator(".mnb-stars")
    assert "saved" not in stars.inner_text()
    assert "open the notebook" in stars.locator(".mnb-note").inner_text()
    for name in ("Add the 20 best", "Write OFFSET_LIST"):
        one = stars.locator("button", has_text=name)
        assert one.is_disabled()
        assert "kernel" in one.get_attribute("title")


def look(viewer: Locator) -> bytes:
    """What the viewer shows besides its bar, and the words on the bar."""
    texts = viewer.evaluate(
        "(v) => [v.innerText, ...[...v.querySelectorAll('.mnb-bar [aria-pressed]')].map((b) => b.ariaPressed)].join()"
    )
    return viewer.screenshot() + texts.encode()


@pytest.mark.parametrize("kind", ["object-red", "nans", "stars"])
def test_every_live_control_has_an_effect(browser: Browser, path: Path, kind: str) -> None:
    opened = start(browser, path)
    viewer = opened.locator(f".mnb-{kind}")
    viewer.scroll_into_view_if_needed()
    viewer.focus()
    for key in ("+", "+"):
        opened.keyboard.press(key)
    dead = []
    for control in viewer.locator(".mnb-bar :is(button, select):not(:disabled)").all():
        before, name = look(viewer), control.get_attribute("title")
        if control.evaluate("(c) => c.tagName") == "SELECT":
            options = control.locator("option").all_inner_texts()
            chosen = control.evaluate("(c) => c.selectedIndex")
            if len(options) == 1:
                continue  # says what is shown; there is no other
            control.select_option(index=(chosen + 1) % len(options))
            own = control.evaluate("(c) => c.selectedIndex") == chosen
        else:
            control.click()
            own = False
        try:
            eventually(lambda before=before: look(viewer) != before, True, 3)
        except AssertionError:
            own = True
        if own:
            dead.append(name)
        if name and name.startswith("All keys"):
            opened.keyboard.press("Escape")
    assert dead == []
    opened.context.close()


def test_without_webgl_the_same_picture_is_drawn(page: Page, plain: Page) -> None:
    fresh = start(page.context.browser, Path(page.url.removeprefix("file://")))  # others have changed theirs
    places = [[x, y] for x in np.linspace(0.1, 0.9, 9) for y in np.linspace(0.1, 0.9, 7)]
    for n in range(3):
        assert plain.evaluate(f"(n) => Boolean(({SHOWN})(n).plain)", n)
        assert plain.evaluate(f"({drawn})", n) > 30
        with_gl, without = (np.array(one.evaluate(COLOURS, [n, places]), int) for one in (fresh, plain))
        apart = np.abs(with_gl - without).max(axis=1)
        assert np.mean(apart <= 12) > 0.9, "edges of pixels may fall to the next one"
    fresh.context.close()


def test_without_webgl_gestures_are_alive(plain: Page) -> None:
    where = f"() => ({SHOWN})(0).where()"
    overlay = plain.locator(".mnb-overlay").nth(0)
    overlay.scroll_into_view_if_needed()
    box, before = overlay.bounding_box(), plain.evaluate(where)
    plain.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    plain.mouse.wheel(0, -400)
    eventually(lambda: plain.evaluate(where)[2] > before[2], True)
    zoomed = plain.evaluate(where)
    plain.mouse.down()
    plain.mouse.move(box["x"] + box["width"] / 2 + 60, box["y"] + box["height"] / 2, steps=4)
    plain.mouse.up()
    assert plain.evaluate(where)[0] < zoomed[0]
    stars = plain.locator(".mnb-stars .mnb-overlay")
    stars.scroll_into_view_if_needed()
    stars.click(position={"x": 200, "y": 150})
    plain.locator(".mnb-stars .mnb-note", has_text="1 of them on this page").wait_for()
