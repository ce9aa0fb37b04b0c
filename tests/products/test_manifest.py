"""The manifest comes back as it was, whatever files are called, and no spreadsheet runs a cell of it."""

from __future__ import annotations

import csv
import tempfile
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muse_nb.core.errors import MuseError
from muse_nb.products.manifest import Entry, read_manifest, write_manifest

ROW = Entry("raw/a.fits", "RAW OBJECT", "2014-07-27T03:12:00", "1 2", "1", "-90", "WFM", "60", 5, "ab", "x", "a b", ".")
TEXT = st.text(st.characters(exclude_characters="\0"), max_size=12)
NAMES = st.one_of(
    TEXT,
    st.sampled_from(
        ["=1+1", "+a", "-b", "@c", "'=d", "''", 'say "no"', "two\nlines", "\r\n", "\r", "a,b", "\udcff.fits", "\t"]
    ),
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.tuples(NAMES, NAMES, NAMES), max_size=4))
def test_every_name_comes_back(cells: list[tuple[str, str, str]]) -> None:
    entries = [Entry(a, b, c, *[""] * 5, 7, "", "", "", ".") for a, b, c in cells]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.csv"
        write_manifest(path, entries)
        assert read_manifest(path) == entries
        with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            for row in list(csv.reader(file))[1:]:
                assert not [cell for cell in row if cell.startswith(("=", "+", "@", "\t", "\r"))]


def test_a_negative_angle_stays_a_number_and_a_formula_does_not_stay_one(tmp_path: Path) -> None:
    write_manifest(tmp_path / "m.csv", [ROW])
    assert ",-90," in (tmp_path / "m.csv").read_text()
    write_manifest(tmp_path / "n.csv", [Entry(*["-1+cmd|' /C calc'!A0"] * 8, 1, "", "", "", ".")])
    assert "\n\"'-1" in (tmp_path / "n.csv").read_text() or "\n'-1" in (tmp_path / "n.csv").read_text()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a,b\n1,2\n",
        "{head}\nonly,three,cells\n",
        "{head}\n" + ",".join(["x"] * 13) + "\n",
        '{head}\n"open',
        "\xff\xfe\x00",
    ],
)
def test_what_is_no_manifest_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "m.csv"
    path.write_text(text.format(head=",".join(f.name for f in fields(Entry))))
    with pytest.raises(MuseError, match=r"m\.csv is (no manifest|damaged)"):
        read_manifest(path)
