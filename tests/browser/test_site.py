"""The documentation opens from disk, light and dark, on small screens too; its search works; nothing is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SITE = Path(__file__).parents[2] / "build" / "docs"
PAGES = ("index", "start", "howto", "formats", "measured", "generated/notebooks", "generated/reference/index")
pytestmark = pytest.mark.skipif(not (SITE / "index.html").is_file(), reason="the site is not built: make docs")


@pytest.fixture(params=[(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")], ids=lambda p: f"{p[0]}-{p[1]}")
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page that fails the test where it asks the network for anything or complains."""
    width, scheme = request.param
    context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
    page, wrong = context.new_page(), []
    page.on("request", lambda asked: wrong.append(asked.url) if asked.url.startswith("http") else None)
    page.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    yield page
    context.close()
    assert not wrong


def test_pages_fit_the_screen_and_follow_its_colours(page: Page) -> None:
    dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    for name in PAGES:
        page.goto((SITE / f"{name}.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, name
        assert page.evaluate("document.documentElement.dataset.theme") == ("dark" if dark else "light")
        assert page.evaluate("[...document.images].every((one) => one.complete && one.naturalWidth > 0)"), name


def test_the_search_finds_a_function_from_disk(page: Page) -> None:
    page.goto(f"{(SITE / 'search.html').as_uri()}?q=measure_offsets")
    found = page.locator("ul.search a").first
    found.wait_for()
    links = page.locator("ul.search a").evaluate_all("all => all.map((one) => one.getAttribute('href'))")
    assert any("reference/measure_offsets.html" in link for link in links)
