"""Cubes on a grid that is given, and muse_exp_combine in ranges of wavelength."""

from __future__ import annotations

import math
import subprocess
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from benchmarks.tables import write_tables
from muse_nb import combine, doctor, forecast
from muse_nb.core.errors import MuseError, MuseWarning
from muse_nb.resample.given_grid import cut_planes, read_grid, write_output_wcs
from muse_nb.steps.combine.compare import compare_cubes

pytestmark = pytest.mark.filterwarnings("ignore::muse_nb.core.errors.MuseWarning")


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Four exposures at four rotator angles."""
    return write_tables(tmp_path_factory.mktemp("tables"), 4, 110_000, ifus=1)


@pytest.fixture(scope="module")
def whole_cube(tables: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return combine(tables, output=tmp_path_factory.mktemp("whole") / "C.fits", checks=False).path


def planes(path: Path, name: str = "DATA") -> np.ndarray:
    with fits.open(path, memmap=False) as cube:
        return cube[name].data


def test_a_cube_on_its_own_grid_is_itself(tables: list[Path], whole_cube: Path, tmp_path: Path) -> None:
    again = combine(tables, output=tmp_path / "C.fits", grid=whole_cube, checks=False)
    assert planes(again.path).tobytes() == planes(whole_cube).tobytes()


def test_a_part_of_the_grid_gives_that_part_of_the_cube(tables: list[Path], whole_cube: Path, tmp_path: Path) -> None:
    full = read_grid(whole_cube)
    part = cut_planes(full, range(6, 20))
    crpix = (full.crpix[0] - 40, full.crpix[1] - 50, 1.0)
    part = replace(part, shape=(14, full.shape[1] - 100, full.shape[2] - 80), crpix=crpix)
    write_output_wcs(tmp_path / "WCS.fits", part)
    made = combine(tables, output=tmp_path / "C.fits", grid=tmp_path / "WCS.fits", checks=False)
    inner = np.s_[2:-2, 3:-3, 3:-3]  # the outermost cells take what lies beyond them
    expected = planes(whole_cube)[6:20, 50:-50, 40:-40]
    np.testing.assert_allclose(planes(made.path)[inner], expected[inner], rtol=1e-5, atol=1e-3)


def test_another_reference_point_moves_no_star(tables: list[Path], whole_cube: Path, tmp_path: Path) -> None:
    full = read_grid(whole_cube)
    ra = full.crval[0] + 5 * full.step / math.cos(math.radians(full.crval[1]))
    crpix = (full.crpix[0] - 5, full.crpix[1] + 7, 1.0)
    moved = replace(full, crval=(ra, full.crval[1] + 7 * full.step, full.crval[2]), crpix=crpix)
    write_output_wcs(tmp_path / "WCS.fits", moved)
    made = combine(tables, output=tmp_path / "C.fits", grid=tmp_path / "WCS.fits", checks=False)
    inner = np.s_[3:-3, 20:-20, 20:-20]
    ours, theirs = planes(made.path)[inner], planes(whole_cube)[inner]
    sigma = np.sqrt(planes(whole_cube, "STAT")[inner])
    assert np.nanmedian(np.abs(ours - theirs) / sigma) < 0.02


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"CTYPE1": "RA---SIN"}, "CTYPE1"),
        ({"CTYPE3": "AWAV-LOG"}, "CTYPE3"),
        ({"CD1_2": 1e-5}, "north up"),
        ({"CRVAL3": "blue"}, "CRVAL3"),
        ({"CUNIT3": "Hz"}, "CUNIT3"),
    ],
)
def test_a_grid_that_the_engine_cannot_make_is_refused(
    whole_cube: Path, tmp_path: Path, change: dict, reason: str
) -> None:
    with fits.open(whole_cube) as cube:
        cube["DATA"].header.update(change)
        fits.HDUList([fits.PrimaryHDU(), cube["DATA"]]).writeto(tmp_path / "G.fits")
    with pytest.raises(MuseError, match=reason):
        read_grid(tmp_path / "G.fits")


def test_a_grid_finer_than_the_drops_is_refused(tables: list[Path], whole_cube: Path, tmp_path: Path) -> None:
    fine = replace(read_grid(whole_cube), step=0.05 / 3600)
    write_output_wcs(tmp_path / "WCS.fits", fine)
    with pytest.raises(MuseError, match="coarser grid"):
        combine(tables, output=tmp_path / "C.fits", grid=tmp_path / "WCS.fits")


@pytest.mark.eso
def test_ranges_of_muse_exp_combine_join_without_a_seam(tables: list[Path], tmp_path: Path) -> None:
    piece = combine(tables, output=tmp_path / "one.fits", engine="eso", checks=False)
    joined = combine(tables, output=tmp_path / "joined.fits", engine="eso", split=2)
    difference = compare_cubes(piece.path, joined.path)
    assert difference.differ_per_million <= 5, str(difference)
    assert {check.name: check.good for check in joined.checks}["slabs"] is True
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


@pytest.mark.eso
def test_both_engines_agree_on_a_given_grid(tables: list[Path], whole_cube: Path, tmp_path: Path) -> None:
    grid = cut_planes(read_grid(whole_cube), range(5, 25))
    write_output_wcs(tmp_path / "WCS.fits", grid)
    ours = combine(tables, output=tmp_path / "ours.fits", grid=tmp_path / "WCS.fits", checks=False)
    eso = combine(tables, output=tmp_path / "eso.fits", grid=tmp_path / "WCS.fits", engine="eso", checks=False)
    a, b, stat = planes(ours.path)[2:-2], planes(eso.path)[2:-2], planes(eso.path, "STAT")[2:-2]
    bad = (np.isnan(a) != np.isnan(b)) | (np.abs(a - b) > 0.02 * np.sqrt(stat))
    assert 1e6 * bad.mean() <= 5


def test_eso_is_refused_with_the_numbers_where_it_cannot_fit(
    tables: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("muse_nb.steps.combine.forecast.free_memory", lambda: 1e7)
    with pytest.raises(MuseError, match=r"would need 0\.0 GB of memory, 0\.0 GB are free.*--split"):
        combine(tables, output=tmp_path / "C.fits", engine="eso")
    monkeypatch.setattr("muse_nb.steps.combine.forecast.free_memory", lambda: 1e12)
    monkeypatch.setattr("muse_nb.steps.combine.forecast.free_disk", lambda output: 1e6)
    with pytest.raises(MuseError, match=r"its disk has 0\.00 GB free"):
        combine(tables, output=tmp_path / "C.fits", engine="eso")
    assert not list(tmp_path.iterdir())


@pytest.mark.eso
def test_eso_runs_all_the_same_where_it_is_forced(
    tables: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("muse_nb.steps.combine.forecast.free_memory", lambda: 1e7)
    made = combine(tables, output=tmp_path / "C.fits", engine="eso", force=True, checks=False)
    assert made.engine == "eso"
    assert made.path.exists()


def test_the_forecast_of_the_cube_is_near_what_is_made(tables: list[Path], whole_cube: Path) -> None:
    ahead = forecast(tables, whole_cube)
    assert ahead.rows == 446_400
    assert ahead.disk_free > 0
    assert 0.5 < ahead.shape[0] * 1.25 / 4600 < 1.5  # these headers have no limits: the whole range is taken
    assert whole_cube.stat().st_size < ahead.disk


@pytest.mark.eso
def test_a_killed_eso_run_leaves_nothing_after_the_next_one(tables: list[Path], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "muse_nb", "combine", *map(str, tables), "--engine", "eso", "--no-checks"]
    output = ["-o", str(tmp_path / "C.fits")]
    process = subprocess.Popen([*command, *output], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(600):
        if any(path.name.startswith(".") for path in tmp_path.iterdir()):
            break
        time.sleep(0.05)
    time.sleep(0.5)
    process.kill()
    process.wait()
    assert not (tmp_path / "C.fits").exists()
    assert subprocess.run([*command, *output], capture_output=True).returncode == 0
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["C.fits", "C.log", "C_IMAGE_FOV_white.fits"]


@pytest.mark.eso
@pytest.mark.parametrize("split", [0, 2])
def test_the_recipes_cube_says_the_time_of_all_exposures(tables: list[Path], tmp_path: Path, split: int) -> None:
    """The recipe keeps the first exposure's; and no note names a file that is gone."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", MuseWarning)
        made = combine(tables, output=tmp_path / "eso.fits", engine="eso", checks=False, split=split)
    total = sum(fits.getheader(path)["EXPTIME"] for path in tables)
    for path in (made.path, *made.images.values()):
        assert fits.getheader(path)["EXPTIME"] == total
    said = [*made.findings, *(str(warning.message) for warning in caught)]
    assert not [text for text in said if "EXPTIME" in text or ".muse_nb" in text]
    with fits.open(made.path, checksum=True) as opened:  # a wrong sum is a warning, which is an error here
        assert opened[0].header["EXPTIME"] == total
    assert not [text for text in doctor(tmp_path).findings if "EXPTIME" in text]
