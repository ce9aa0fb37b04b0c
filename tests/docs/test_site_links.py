"""Links of the built site that lead nowhere, and what a page would ask the network for, are found."""

from __future__ import annotations

from pathlib import Path

import pytest
import site_links

GOOD = '<h1 id="top">One</h1><a href="two.html#here">two</a><a href="https://www.eso.org/muse">ESO</a><img src="a.png">'


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "one.html").write_text(GOOD)
    (tmp_path / "two.html").write_text('<h2 id="here">Two</h2><a href="#here">up</a><a href="one.html">one</a>')
    (tmp_path / "a.png").write_bytes(b"")
    return tmp_path


def test_a_site_whose_links_are_right(site: Path) -> None:
    assert site_links.wrong_links(site) == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('<a href="three.html">three</a>', "one.html: three.html is not there"),
        ('<a href="two.html#there">two</a>', "one.html: two.html#there has no such anchor"),
        ('<a href="http://www.eso.org">ESO</a>', "one.html: http://www.eso.org is no address"),
        ('<script src="https://cdn.example.org/x.js"></script>', "loads https://cdn.example.org/x.js from the network"),
        (
            '<link rel="stylesheet" href="//fonts.example.org/x.css">',
            "loads //fonts.example.org/x.css from the network",
        ),
        ('<img src="b.png">', "one.html: b.png is not there"),
    ],
)
def test_what_is_wrong_is_named_with_its_page(site: Path, line: str, said: str) -> None:
    (site / "one.html").write_text(GOOD + line)
    assert [found for found in site_links.wrong_links(site) if said in found]
