"""Combine: the recipes' own cube, checks before the work, and nothing half-written after an accident."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from benchmarks.tables import write_tables
from muse_nb import combine, cube
from muse_nb.core.errors import MuseError, MuseWarning
from muse_nb.products.offset_list import OffsetList
from muse_nb.products.pixtable import PixelTable
from muse_nb.recipes.joining import exp_combine
from muse_nb.recipes.run import run_recipe
from muse_nb.steps.combine.before import check_offsets, check_tables

pytestmark = pytest.mark.filterwarnings("ignore::muse_nb.core.errors.MuseWarning")


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Four exposures at four rotator angles."""
    return write_tables(tmp_path_factory.mktemp("tables"), 4, 100_000, ifus=2)


@pytest.fixture(scope="module")
def offsets(tables: list[Path]) -> OffsetList:
    dates = tuple(str(PixelTable.open(path).header["DATE-OBS"]) for path in tables)
    ra, dec = (0.0, 3e-5, -2e-5, 1.2e-4), (0.0, 4e-5, 7e-5, -1e-5)
    return OffsetList(dates, (0.0,) * 4, ra, dec, (np.nan, 1.02, np.nan, 0.98))


def disagreement(ours: Path, theirs: Path) -> float:
    """Voxels in a million that differ in NaN or by more than 0.02 sigma."""
    with fits.open(ours) as a, fits.open(theirs) as b:
        assert a["DATA"].data.shape == b["DATA"].data.shape
        sigma = np.sqrt(b["STAT"].data)
        bad = np.isnan(a["DATA"].data) != np.isnan(b["DATA"].data)
        bad |= np.abs(a["DATA"].data - b["DATA"].data) > 0.02 * sigma
        bad |= np.abs(a["STAT"].data / b["STAT"].data - 1) > 1e-3
        for key in ("CRPIX1", "CRPIX2", "CRVAL1", "CRVAL2", "CRVAL3", "CD1_1", "CD3_3"):
            assert a["DATA"].header[key] == pytest.approx(b["DATA"].header[key], rel=1e-12)
        return 1e6 * bad.mean()


@pytest.mark.eso
def test_stream_makes_the_cube_of_muse_exp_combine(tables: list[Path], offsets: OffsetList, tmp_path: Path) -> None:
    offsets.write(tmp_path / "OFFSET_LIST.fits")
    made = exp_combine(tables, tmp_path / "OFFSET_LIST.fits", tmp_path / "eso")
    ours = combine(tables, offsets, output=tmp_path / "C.fits")
    assert disagreement(ours.path, made.products["DATACUBE_FINAL"][0]) <= 5
    with fits.open(ours.images["white"]) as a, fits.open(made.products["IMAGE_FOV"][0]) as b:
        np.testing.assert_allclose(a["DATA"].data, b["DATA"].data, rtol=1e-4)


@pytest.mark.eso
def test_cube_makes_the_cube_of_muse_scipost_make_cube(tables: list[Path], tmp_path: Path) -> None:
    made = run_recipe("muse_scipost_make_cube", [(tables[1], "PIXTABLE_OBJECT")], output=tmp_path / "eso")
    ours = cube(tables[1], output=tmp_path / "C.fits")
    assert disagreement(ours.path, made.products["DATACUBE_FINAL"][0]) <= 5


def test_the_header_says_what_went_in(tables: list[Path], offsets: OffsetList, tmp_path: Path) -> None:
    made = combine(tables, offsets, output=tmp_path / "C.fits", filters=("white", "R"))
    header = fits.getheader(made.path)
    assert header["EXPTIME"] == 4 * 60
    assert header["ESO DRS MUSE OFFSET4 DRA"] == offsets.ra_offset[3]
    assert header["ESO DRS MUSE EXP2 POSANG"] == 90
    assert header["ESO DRS MUSE EXP2 FLUX SCALE"] == pytest.approx(1.02)
    assert header["ESO PRO CATG"] == "DATACUBE_FINAL"
    assert [path.exists() for path in made.images.values()] == [True, True]
    assert 0 < made.used <= made.rows  # type: ignore[operator]
    assert "C.fits" in made._repr_html_()


def test_mpdaf_opens_the_cube(tables: list[Path], offsets: OffsetList, tmp_path: Path) -> None:
    mpdaf_obj = pytest.importorskip("mpdaf.obj")
    made = combine(tables, offsets, output=tmp_path / "C.fits")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        opened = mpdaf_obj.Cube(str(made.path))
    assert opened.shape == made.shape
    assert opened.wave.get_step() == 1.25


def test_an_exposure_that_the_offset_list_lacks_is_named(tables: list[Path], offsets: OffsetList) -> None:
    opened = [PixelTable.open(path) for path in tables]
    short = OffsetList(*(column[:3] for column in vars(offsets).values()))
    with pytest.raises(MuseError, match=offsets.date_obs[3]):
        check_offsets(opened, short)
    assert any(offsets.date_obs[3] in note for note in check_offsets(opened, short, allow_missing=True))


def test_offsets_in_arcsec_are_refused(tables: list[Path], offsets: OffsetList) -> None:
    opened = [PixelTable.open(path) for path in tables]
    dec = tuple(3600 * value for value in offsets.dec_offset)
    with pytest.raises(MuseError, match="degrees"):
        check_offsets(opened, OffsetList(offsets.date_obs, offsets.mjd_obs, offsets.ra_offset, dec, offsets.flux_scale))


@pytest.mark.parametrize("keyword", ["RA", "DEC", "EXPTIME", "DATE-OBS", "CD1_1"])
def test_a_missing_keyword_is_refused(tables: list[Path], tmp_path: Path, keyword: str) -> None:
    path = tmp_path / "P.fits"
    content = tables[0].read_bytes()
    path.write_bytes(content.replace(keyword.ljust(8).encode() + b"=", b"COMMENT  ", 1))
    with pytest.raises(MuseError, match=f"P.fits lacks {keyword}"):
        check_tables([PixelTable.open(path)])


def test_one_exposure_twice_is_refused(tables: list[Path]) -> None:
    with pytest.raises(MuseError, match="leave one out"):
        check_tables([PixelTable.open(path) for path in (tables[0], tables[1], tables[0])])


def command(tables: list[Path], output: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "muse_nb", "combine", *map(str, tables), "-o", str(output), "--json", *more]


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_killed_run_leaves_nothing_under_the_name_and_a_rerun_continues(tables: list[Path], tmp_path: Path) -> None:
    whole = tmp_path / "whole" / "C.fits"
    assert subprocess.run(command(tables, whole), capture_output=True).returncode == 0
    output = tmp_path / "killed" / "C.fits"
    slow = "import sys, time\nimport muse_nb.resample.cube_writer as w\nwrite = w.CubeWriter.write\n"
    slow += "w.CubeWriter.write = lambda self, plane: (write(self, plane), time.sleep(0.2))\n"
    slow += "from muse_nb.cli import main\nsys.exit(main(sys.argv[1:]))"
    process = subprocess.Popen([sys.executable, "-c", slow, *command(tables, output)[3:]], stdout=subprocess.DEVNULL)
    journal = output.with_name(".part-C.fits.journal")
    for _ in range(200):
        if journal.exists() and len(journal.read_text().splitlines()) > 4:
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not output.exists()
    run = subprocess.run(command(tables, output), capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert any("kept from an interrupted run" in note for note in json.loads(run.stdout)["findings"])
    assert left_in(output.parent) == left_in(whole.parent)
    with fits.open(output) as a, fits.open(whole) as b:
        for name in ("DATA", "STAT"):
            assert a[name].data.tobytes() == b[name].data.tobytes()


@pytest.mark.parametrize("share", [0.001, 0.3, 0.999])
def test_a_truncated_table_is_one_sentence(tables: list[Path], tmp_path: Path, share: float) -> None:
    path = tmp_path / "in" / "P.fits"
    path.parent.mkdir()
    content = tables[0].read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    output = tmp_path / "out" / "C.fits"
    run = subprocess.run(command([path, tables[1]], output), capture_output=True, text=True)
    assert run.returncode == 1
    assert "P.fits" in run.stderr
    assert len(run.stderr.splitlines()) == 1
    assert not output.parent.exists() or not left_in(output.parent)


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tables: list[Path], tmp_path: Path) -> None:
    output = tmp_path / "C.fits"
    limit = 2_000_000  # bytes that a file of this process may have

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    run = subprocess.run(command(tables, output), capture_output=True, text=True, preexec_fn=small_files)
    assert run.returncode == 1
    assert "C.fits cannot be written" in run.stderr
    assert len(run.stderr.splitlines()) == 1
    assert not left_in(tmp_path)
    assert subprocess.run(command(tables, output), capture_output=True).returncode == 0
    assert left_in(tmp_path) == ["C.fits", "C_IMAGE_FOV_white.fits"]


def test_a_cube_that_is_there_is_not_replaced_without_force(tables: list[Path], tmp_path: Path) -> None:
    output = tmp_path / "C.fits"
    output.write_text("precious")
    with pytest.raises(MuseError, match="already there"):
        cube(tables[0], output=output)
    assert output.read_text() == "precious"
    assert cube(tables[0], output=output, force=True).path.stat().st_size > 1000


def test_the_process_stays_within_the_memory_that_is_allowed(tables: list[Path], tmp_path: Path) -> None:
    run = subprocess.run(command(tables, tmp_path / "C.fits", "--memory", "100MB"), capture_output=True, check=True)
    result = json.loads(run.stdout)
    assert result["peak_memory"] < 100e6
    assert all(check["text"] for check in result["checks"])
    assert {check["name"] for check in result["checks"]} >= {"widths", "noise", "slabs"}


def test_findings_are_warned_of(tables: list[Path], tmp_path: Path) -> None:
    with pytest.warns(MuseWarning, match="no offsets"):
        combine(tables, output=tmp_path / "C.fits", threads=os.cpu_count())
