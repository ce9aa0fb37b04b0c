"""Shared pages in Firefox: viewers draw with WebGL2 or without, and take the same gestures."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from firefox import Session, firefox, session
from viewers import SHOWN, drawn, page_of_viewers

pytestmark = pytest.mark.usefixtures("night")
ABSENT = "Firefox is not installed (Debian: apt-get install firefox-esr)"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, night: Any) -> Iterator[Session]:
    if firefox() is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(ABSENT)  # CI must not pass over the browser
    folder: Path = tmp_path_factory.mktemp("firefox")
    path = page_of_viewers(night, folder)
    with session(folder) as opened:
        opened.open(path.as_uri())
        opened.until("document.documentElement.dataset.widgets === 'ready'")
        yield opened


def box(page: Session, n: int) -> dict[str, float]:
    """Place of a viewer's picture in the window, scrolled to."""
    find = f"document.querySelectorAll('.mnb-stage')[{n}]"
    page.value(f"{find}.scrollIntoView({{block: 'center'}})")
    return dict(page.value(f"{find}.querySelector('.mnb-overlay').getBoundingClientRect().toJSON()"))


def test_all_viewers_are_alive_and_draw(page: Session) -> None:
    assert page.value("document.querySelectorAll('.view.alive').length") == 3
    for n in range(3):
        assert page.value(f"({drawn})({n})") > 30, "as many colours as a picture has"
    assert page.said == []


def test_the_wheel_zooms_and_a_drag_pans(page: Session) -> None:
    where = f"({SHOWN})(0).where()"
    seen, before = box(page, 0), page.value(where)
    x, y = seen["left"] + seen["width"] / 2, seen["top"] + seen["height"] / 2
    page.wheel(x, y, -400)
    page.until(f"{where}[2] > {before[2]}")
    zoomed = page.value(where)
    page.drag((x, y), (x + 60, y + 10))
    page.until(f"{where}[0] < {zoomed[0]}")
    page.value("document.querySelector('.mnb-object-red').focus()")


def test_a_click_marks_a_star(page: Session) -> None:
    seen = box(page, 2)
    page.click(seen["left"] + seen["width"] / 2 + 11, seen["top"] + seen["height"] / 2 + 7)
    page.until("document.querySelector('.mnb-stars .mnb-note').textContent.includes('1 of them on this page')")
    assert page.said == []
