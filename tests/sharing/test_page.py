"""A page is whole, small enough, and nothing that came from a file can run in it, be fetched by it, or name anyone."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import ipywidgets
import numpy as np
import pytest
from books import book, shown, with_widgets
from nbformat.v4 import new_code_cell, new_output

from muse_nb.sharing.clean import Places, island, safe_html
from muse_nb.sharing.index import Row, index_page
from muse_nb.sharing.page import notebook_page

HOSTILE = (
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    "<img src=x onerror=alert(3)>",
    '"><svg onload=alert(4)>',
    "<!-- <script> -->",
    "&lt;b&gt; 'quotes\".fits",
)


class Elements(HTMLParser):
    """Every element of a page with its attributes, as a browser would see them, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def page_of(notebook: object, folder: Path, **options: object) -> str:
    return notebook_page(notebook, about={"parameters": {}}, places=Places(folder), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", HOSTILE)
def test_text_from_files_is_shown_as_text(text: str, tmp_path: Path) -> None:
    cells = [
        new_code_cell(f"name = {text!r}", outputs=[new_output("stream", text=text)]),
        shown({"text/plain": text}),
        new_code_cell("bad", outputs=[new_output("error", ename="MuseError", evalue=text, traceback=[text])]),
    ]
    page = notebook_page(
        book("# Page", *cells), about={"inputs": [], "parameters": {"n": text}}, places=Places(tmp_path)
    )
    elements = Elements(page)
    assert elements.text.count(text) >= 3
    scripts = [attributes for tag, attributes in elements.found if tag == "script"]
    assert scripts == [{"type": "application/json", "id": "provenance"}]
    assert not any(name.startswith("on") for _, attributes in elements.found for name in attributes)


@pytest.mark.parametrize("text", HOSTILE)
def test_markup_that_came_from_files_cannot_run(text: str, tmp_path: Path) -> None:
    html = f"<table><tr><td style='color: red'>kept{text}</td></tr></table>"
    elements = Elements(page_of(book(f"# Page\n\n{text}", shown({"text/html": html})), tmp_path))
    assert "kept" in elements.text
    assert [tag for tag, _ in elements.found].count("script") == 1
    assert not any(tag in ("svg", "iframe", "object") for tag, _ in elements.found)
    assert not any(name.startswith("on") for _, attributes in elements.found for name in attributes)


def test_text_in_a_widget_cannot_close_its_island(tmp_path: Path) -> None:
    page = page_of(with_widgets(ipywidgets.Label("".join(HOSTILE))), tmp_path)
    states = re.search(r'<script type="application/json" id="widget-states">(.*?)</script>', page, re.S)
    assert states is not None
    values = [entry["state"].get("value") for entry in json.loads(states[1]).values()]
    assert "".join(HOSTILE) in values
    assert json.loads(island(HOSTILE)) == list(HOSTILE)


def test_no_page_refers_to_anything_outside_itself(tmp_path: Path) -> None:
    text = "# Page\n\n![far](https://example.org/a.png) ![lost](no/such.png) $x^2$ [link](https://example.org/)"
    remote = "<img src='//example.org/b.png'><link rel=stylesheet href='https://example.org/c.css'>"
    notebook = with_widgets(ipywidgets.IntSlider(3), before=(text, shown({"text/html": remote})))
    for page in (page_of(notebook, tmp_path), index_page("Set", [("a", [Row("t", "t.html", error="<b>")])])):
        for tag, attributes in Elements(page).found:
            for name in ("src", "srcset", "data", "poster"):
                assert str(attributes.get(name) or "data:").startswith("data:"), (tag, attributes)
            if tag != "a":
                assert str(attributes.get("href") or "data:").startswith("data:"), (tag, attributes)


def test_a_picture_beside_the_notebook_comes_along(tmp_path: Path) -> None:
    (tmp_path / "a b.png").write_bytes(b"\x89PNG")
    page = page_of(book("# Page\n\n![seen](a%20b.png)"), tmp_path)
    assert 'src="data:image/png;base64,iVBORw=="' in page


def test_formulas_are_drawn_by_the_browser_itself_and_prices_are_no_formulas(tmp_path: Path) -> None:
    page = page_of(book("# Page\n\n$\\sigma^2$ and $$\\sum_i x_i$$ cost 5$ or 6$; `$code$`"), tmp_path)
    assert page.count("<math") == 2
    assert "5$ or 6$" in page
    assert "<code>$code$</code>" in page


def test_views_come_alive_until_the_page_is_full(tmp_path: Path) -> None:
    small, large = ipywidgets.HTML("small"), ipywidgets.HTML("x" * 300_000)
    notebook = with_widgets(large, small)
    whole, part = page_of(notebook, tmp_path), page_of(notebook, tmp_path, max_size=150_000)
    assert whole.count('data-widget="') == 2
    assert f'data-widget="{small.model_id}"' in part
    assert large.model_id not in part
    assert "too large" in part
    assert len(part) < 150_000
    assert "widget-states" not in page_of(notebook, tmp_path, max_size=0)


def test_widgets_that_are_not_shown_stay_behind_and_links_come_along(tmp_path: Path) -> None:
    one, two, hidden = ipywidgets.IntSlider(), ipywidgets.IntSlider(), ipywidgets.HTML("hidden")
    link = ipywidgets.jslink((one, "value"), (two, "value"))
    notebook = with_widgets(ipywidgets.HBox([one, two]))
    notebook.metadata["widgets"] |= with_widgets(hidden, link, ipywidgets.HBox([one, two])).metadata["widgets"]
    page = page_of(notebook, tmp_path)
    assert one.model_id in page
    assert link.model_id in page
    assert hidden.model_id not in page


def test_paths_are_relative_and_people_are_not_named(tmp_path: Path) -> None:
    home = Path.home()
    text = f"{tmp_path}/night/a.fits {home}/b /home/jane/c /Users/joe/d {tmp_path}"
    plain = Places(tmp_path).hide(text)
    assert plain.startswith("night/a.fits ")
    assert "jane" not in plain
    assert "joe" not in plain
    assert str(tmp_path) not in plain
    elsewhere = Places.of(tmp_path / "html", {"night": str(tmp_path / "night"), "n": 3})
    assert elsewhere.hide(f"{tmp_path}/night/a.fits") == "night/a.fits"
    notebook = book("# Page", shown({"text/html": f"<p>{text}</p>"}), new_code_cell(f"night = '{tmp_path}/night'"))
    assert str(tmp_path) not in page_of(notebook, tmp_path)


def test_what_shows_something_is_kept() -> None:
    html = '<details open><summary>s</summary><table class="t"><tr><td colspan="2">a &lt; b</td></tr></table></details>'
    kept = safe_html(html)
    assert Elements(kept).found == [
        *(("details", {"open": ""}), ("summary", {}), ("table", {"class": "t"}), ("tbody", {}), ("tr", {})),
        ("td", {"colspan": "2"}),
    ]
    assert "a &lt; b" in kept


@pytest.mark.parametrize(
    ("style", "kept"),
    [
        ("display:inline-block;transform:rotate(-120deg)", "display:inline-block;transform:rotate(-120deg)"),
        ("transform: rotate(3.5deg) ; color: rgb(1, 2, 3)", "transform:rotate(3.5deg);color:rgb(1, 2, 3)"),
        ("transform:translate(-900px) rotate(9deg)", None),
        ("transform:scale(90)", None),
        ("position:fixed;top:0;margin:-9px", None),
        ("color:red;background-color:url(https://example.org/a)", "color:red"),
        ("font: 1px/2 'a\\62 '; width: expression(alert(1))", None),
    ],
)
def test_an_arrow_may_be_turned_and_nothing_may_be_moved_or_fetched(style: str, kept: str | None) -> None:
    (element,) = Elements(safe_html(f'<span style="{style}">↑</span>')).found
    assert element == ("span", {} if kept is None else {"style": kept})


def test_a_formula_cannot_hold_markup(tmp_path: Path) -> None:
    page = page_of(book(r"# Page", shown({"text/latex": r"$a < b \text{<img src=x onerror=alert(1)>}$"})), tmp_path)
    elements = Elements(page)
    assert [tag for tag, _ in elements.found].count("math") == 1
    assert not any(tag == "img" for tag, _ in elements.found)
    assert "onerror=alert(1)" in elements.text


def test_the_index_says_which_failed_and_why() -> None:
    page = index_page("Set", [("Pages", [Row("good", "good.html"), Row("bad", "", error="KeyError: <no> 'x'")])])
    elements = Elements(page)
    assert [a.get("href") for tag, a in elements.found if tag == "a"] == ["good.html"]
    assert "KeyError: <no> 'x'" in elements.text


def test_tracebacks_name_code_without_the_folder_where_it_is_installed(tmp_path: Path) -> None:
    import json as standard

    import muse_nb

    code = f"File {muse_nb.__file__}:80 called {np.__file__} and {standard.__file__}"
    assert Places(tmp_path).hide(code) == "File muse_nb/__init__.py:80 called numpy/__init__.py and json/__init__.py"
