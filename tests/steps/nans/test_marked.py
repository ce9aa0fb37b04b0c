"""holes.ecsv from a shared page: read as it was written, each hole told, refused in a sentence where it is damaged."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

import muse_nb
from muse_nb.cli import main
from muse_nb.core.errors import MuseError
from muse_nb.simulator.night import Night
from muse_nb.steps.nans.causes import Cause
from muse_nb.steps.nans.marked import Voxel, read_holes, tell_holes

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


@pytest.fixture(scope="module")
def cube(night: Night, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The cube of an exposure, and its pixel table."""
    table = night.reduced["PIXTABLE_REDUCED"][0]
    return muse_nb.cube(table, output=tmp_path_factory.mktemp("cube") / "C.fits", filters=()).path, table


def written(path: Path, voxels: list[Voxel]) -> Path:
    path.write_text(HEAD + "x y plane\n" + "".join(f"{x} {y} {k}\n" for x, y, k in voxels))
    return path


def test_each_marked_hole_is_told_as_the_cube_and_the_audit_have_it(cube: tuple[Path, Path], tmp_path: Path) -> None:
    """A hole, a corner outside the field and a voxel with a value: read from the cube itself."""
    path, table = cube
    data = fits.getdata(path, "DATA")
    middle = data.shape[0] // 2
    y, x = (int(axis[0]) for axis in np.nonzero(np.isfinite(data[middle])))
    voxels = [(x, y, middle), *((int(i), int(j), int(k)) for k, j, i in np.argwhere(np.isnan(data))[[0, 5000, -1]])]
    audit = muse_nb.audit_nans(path, table)
    found = tell_holes(audit, written(tmp_path / "holes.ecsv", voxels))
    assert [tuple(row) for row in found.table["x", "y", "plane"]] == voxels
    for row, (i, j, k) in zip(found.table, voxels, strict=True):
        np.testing.assert_equal(row["value"], float(data[k, j, i]))
        assert row["wavelength"] == pytest.approx(audit.cube.wavelength(k))
        code = int(audit.cause_plane(k)[j, i])
        assert row["cause"] == (list(Cause)[code - 1].value if code else "")
        assert bool(row["cause"]) is bool(np.isnan(data[k, j, i]))
        assert row["cause"] in row["story"]
    assert str(found).splitlines()[0].endswith("4 marked, 3 of them NaN")
    viewer = muse_nb.NanViewer(path, audit, holes=voxels)
    viewer.voxel = list(voxels[1])
    assert viewer.story[0] == found.table["story"][1], "the widget's words"


def test_the_command_lists_what_each_hole_is(cube: tuple[Path, Path], tmp_path: Path, capsys) -> None:
    path, table = cube
    holes = written(tmp_path / "holes.ecsv", [(0, 0, 0), (3, 2, 1)])
    words = ["nans", str(path), "--pixtable", str(table), "--holes", str(holes)]
    assert main([*words, "-o", str(tmp_path / "h.csv")]) == 0
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 3
    assert said[2].startswith("- Voxel x 4, y 3, plane 2 (")
    told = tell_holes(muse_nb.audit_nans(path, table), holes)
    assert said == str(told).splitlines()
    assert list(Table.read(tmp_path / "h.csv")["story"]) == list(told.table["story"])
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(told.summary()))


@pytest.mark.parametrize(
    ("words", "status", "why"),
    [
        (["--holes", "none.ecsv"], 1, "none.ecsv cannot be read"),
        (["--holes", "far.ecsv"], 1, "there is no voxel 9999, 0, 0 in"),
        (["--holes", "far.ecsv", "--plot", "a.png"], 2, "--holes goes with a CUBE"),
    ],
)
def test_holes_that_are_not_the_cubes_are_one_sentence(
    words: list[str], status: int, why: str, cube: tuple[Path, Path], tmp_path: Path, capsys, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "far.ecsv", [(9999, 0, 0)])
    try:
        ended = main(["nans", str(cube[0]), *words])
    except SystemExit as stop:
        ended = int(stop.code or 0)
    assert ended == status
    assert why in capsys.readouterr().err.splitlines()[-1]
