"""holes.ecsv from a shared page: read as it was written, refused in a sentence where it is damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from muse_nb.products.errors import MuseError
from muse_nb.steps.marked_holes import read_holes

HEAD = "# %ECSV 1.0\n# ---\n# datatype:\n" + "".join(
    f"# - {{name: {name}, datatype: int64}}\n" for name in ("x", "y", "plane")
)


def test_holes_are_read_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "holes.ecsv"
    path.write_text(HEAD + "x y plane\n4 2 7\n1 1 0\n")
    assert read_holes(path) == [(4, 2, 7), (1, 1, 0)]
    path.write_text(HEAD + "x y plane\n")
    assert read_holes(path) == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (HEAD.replace("plane", "k") + "x y k\n1 2 3\n", "lacks the column plane"),
        (HEAD.replace("int64", "float64") + "x y plane\n1.5 2 nan\n", "whole numbers"),
        (HEAD + 'x y plane\n1 2 ""\n', "whole numbers"),
        (HEAD + "x y plane\none 2 3\n", "is no table of holes"),
        ("<html>", "is no table of holes"),
    ],
)
def test_what_is_no_list_of_holes_is_refused(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "holes.ecsv"
    path.write_text(text)
    with pytest.raises(MuseError, match=why) as refused:
        read_holes(path)
    assert str(path) in str(refused.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MuseError, match="cannot be read"):
        read_holes(tmp_path / "holes.ecsv")
