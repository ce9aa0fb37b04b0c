"""A set of pages for a whole night: a row for each exposure with its offset and findings, links that lead to pages."""

from __future__ import annotations

import json
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest
from books import book
from nbformat.v4 import new_code_cell

import muse_nb
from muse_nb.cli import main

if TYPE_CHECKING:
    from muse_nb.simulator.night import Night

SAY = """from muse_nb.core.html import Shown

class Result(Shown):
    findings = [f"{exposure} is <odd>"]

    def _repr_html_(self):
        return "<ul class='findings'><li>a list of something else</li></ul>"

Result()"""


@pytest.fixture
def notebooks(tmp_path: Path) -> list[Path]:
    """A landing page, and a notebook that asks for an exposure."""
    asks = new_code_cell('night = "?"\nproducts = "."\nexposure = 0', metadata={"tags": ["parameters"]})
    start = book("# Start\n\n[one](one.ipynb), [another](other.ipynb), [far](https://example.org/one.ipynb)")
    one = book("# One", asks, new_code_cell(SAY))
    paths = [tmp_path / "start.ipynb", tmp_path / "one.ipynb"]
    for path, notebook in zip(paths, (start, one), strict=True):
        nbformat.write(notebook, path)
    return paths


def test_each_exposure_has_its_page_and_its_row(
    notebooks: list[Path], night: Night, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exposures = muse_nb.survey(night.folder).exposures
    dates = tuple(one.date_obs for one in exposures)
    n = len(dates)
    offsets = muse_nb.OffsetList(dates, (56865.1,) * n, (0.0,) * n, (-1e-4,) * n, (1.0,) * n)
    offsets.write(tmp_path / "OFFSET_LIST.fits")
    arguments = ["share", *map(str, notebooks), "--exposures", "-p", "night", str(night.folder), "--json"]
    assert main([*arguments, "-o", str(tmp_path / "html")]) == 0
    made = [Path(page["page"]).name for page in json.loads(capsys.readouterr().out)["pages"]]
    assert made == ["start.html", *(f"one-{one.label}.html" for one in exposures)]
    index = unescape((tmp_path / "html" / "index.html").read_text())
    for one in exposures:
        row = index.split(f">{one.label}</a>", 1)[1].split("</tr>", 1)[0]
        assert f"{one.label} is <odd>" in unescape(row)
        assert 'data-name="findings" data-value="1"' in row
        assert 'data-name="north [″]" data-value="-0.36"' in row
        assert f'data-name="angle [°]" data-value="{one.posang:g}"' in row


def test_links_lead_to_the_pages_of_the_set(notebooks: list[Path], tmp_path: Path) -> None:
    muse_nb.share(notebooks, tmp_path / "html", run=False)
    page = (tmp_path / "html" / "start.html").read_text()
    assert 'href="one.html"' in page
    assert 'href="other.ipynb"' in page, "not in the set: as it was"
    assert 'href="https://example.org/one.ipynb"' in page


def test_a_night_that_is_not_there_is_a_sentence(notebooks: list[Path], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for night, said in ((str(tmp_path / "empty"), "no exposures"), (3, "does not say which night")):
        with pytest.raises(muse_nb.MuseError, match=said):
            muse_nb.share(notebooks[1], tmp_path / "o", parameters={"night": night}, exposures=True)
    assert not (tmp_path / "o").exists()
