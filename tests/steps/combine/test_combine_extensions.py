"""The cube's own words for its voxels: how many exposures are in each, and why it is NaN."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from astropy.io import fits
from slabs import (
    every_fourth_slice,
    half_of_the_columns,
    inf_with_dq_0,
    keep,
    missing_ifu,
    missing_slices,
    nan_and_random_flags,
    negative_variance,
    one_quadrant,
    origin,
    random_flags,
    slab,
)

import muse_nb
from benchmarks.tables import write_tables
from muse_nb.cli import main
from muse_nb.core.errors import MuseError
from muse_nb.products import dq
from muse_nb.products.pixtable import PixelTable, decode_origin
from muse_nb.resample.grid import lay_out
from muse_nb.resample.inputs import Inputs
from muse_nb.resample.stream import Settings, planes, slab_for
from muse_nb.steps.nans.audit import audit_nans
from muse_nb.steps.nans.causes import CODES, Cause
from muse_nb.steps.nans.result import NanAudit

if TYPE_CHECKING:
    from muse_nb.simulator.night import Night

pytestmark = pytest.mark.filterwarnings("ignore::muse_nb.core.errors.MuseWarning")
BOTH = ("DQ", "EXPMAP")


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Four exposures at four rotator angles."""
    return write_tables(tmp_path_factory.mktemp("tables"), 4, 100_000, ifus=2)


def content(path: Path, name: str) -> np.ndarray:
    with fits.open(path, memmap=False) as cube:
        return cube[name].data


def other_cosmics(columns: dict[str, np.ndarray]) -> None:
    """Cosmic rays that the tables know of: not those that the combine rejects."""
    columns["dq"][np.random.default_rng(4).random(len(columns["dq"])) < 0.6] |= 32


def the_middle_is_missing(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Slices that lie side by side, and every pixel of some wavelengths."""
    ifu, slice_, y, _ = origin(columns)
    return keep(columns, ((ifu != 12) | (slice_ > 6)) & (y % 16 > 3))


def same_causes(told: NanAudit, known: NanAudit) -> None:
    """Plane by plane, and in all sums; the flags told are those of all rows, the ones known of the worst."""
    for k in range(known.shape[0]):
        np.testing.assert_array_equal(told.cause_plane(k), known.cause_plane(k))
    assert told.totals() == known.totals()
    np.testing.assert_array_equal(told.holes.index, known.holes.index)
    np.testing.assert_array_equal(told.empty.ifu, known.empty.ifu)
    np.testing.assert_array_equal(told.empty.slice, known.empty.slice)
    flagged = known.holes.cause == CODES[Cause.FLAGGED]
    assert not (known.holes.dq & ~told.holes.dq).any()
    assert (told.holes.dq[flagged] != 0).all()
    assert not told.holes.dq[~flagged].any()
    assert (told.first == known.first).all()
    assert (told.last == known.last).all()


PLANTS = [
    *(random_flags, half_of_the_columns, one_quadrant, every_fourth_slice, inf_with_dq_0, missing_ifu),
    *(missing_slices, nan_and_random_flags, negative_variance, other_cosmics, the_middle_is_missing),
]


@pytest.mark.parametrize("number", range(len(PLANTS)), ids=lambda number: PLANTS[number].__name__)
def test_dq_tells_what_the_audit_finds_in_the_tables(number: int, night: Night, tmp_path: Path) -> None:
    plant, exposures = PLANTS[number], 1 + number % 2
    whole = night.reduced["PIXTABLE_REDUCED"][:exposures]
    files = [slab(table, tmp_path / f"P{n}.fits", plant) for n, table in enumerate(whole)]
    crtype = "median" if exposures == 1 else "others"
    made = muse_nb.combine(
        files, output=tmp_path / "C.fits", extensions=("DQ",), checks=False, crsigma=4.0, crtype=crtype
    )
    told, known = audit_nans(made.path), audit_nans(made.path, files)
    assert told.exact
    assert known.totals().get(Cause.UNEXPLAINED, 0) == 0
    same_causes(told, known)


def test_the_rest_of_the_cube_is_what_it_would_be_without(tables: list[Path], tmp_path: Path) -> None:
    plain = muse_nb.combine(tables, output=tmp_path / "a" / "C.fits", checks=False)
    more = muse_nb.combine(tables, output=tmp_path / "b" / "C.fits", checks=False, extensions=BOTH)
    with fits.open(plain.path) as a, fits.open(more.path) as b:
        assert [hdu.name for hdu in a] == ["PRIMARY", "DATA", "STAT"]
        assert [hdu.name for hdu in b] == ["PRIMARY", "DATA", "STAT", "DQ", "EXPMAP", "SLICES"]
        a[0].header["DATE"] = b[0].header["DATE"]
        assert a[0].header == b[0].header
        for name in ("DATA", "STAT"):
            assert a[name].data.tobytes() == b[name].data.tobytes()
        assert b["DATA"].header["QUALDATA"] == "DQ"
        empty = np.isnan(b["DATA"].data)
        assert ((b["DQ"].data != 0) == empty).all()
        assert ((b["EXPMAP"].data == 0) == empty).all()
        assert (b["DQ"].data.dtype, b["EXPMAP"].data.dtype) == (np.dtype(">i4"), np.dtype(">i2"))
        assert (b["SLICES"].data["ROWS"] > 0).sum() == 4 * 2 * 48
    only = muse_nb.combine(tables, output=tmp_path / "n.fits", checks=False, extensions=["EXPMAP"])
    with fits.open(only.path) as cube:
        assert [hdu.name for hdu in cube] == ["PRIMARY", "DATA", "STAT", "EXPMAP"]


@pytest.mark.parametrize("resample", ["drizzle", "nearest"])
def test_expmap_counts_the_exposures_that_have_data_there(tmp_path: Path, resample: str) -> None:
    """35 exposures, more than a word of bits has room for: each resampled alone on the grid of all."""
    opened = [PixelTable.open(path) for path in write_tables(tmp_path, 35, 10_800, ifus=1)]
    with Inputs(opened, None, [1.0] * 35, 4000, 10000, 1) as inputs:
        grid = lay_out(inputs.exposures)
        settings = Settings(crsigma=0, resample=resample, extensions=("EXPMAP",))
        alone = [
            np.isfinite([plane.data for plane in planes(inputs.only(number), grid, settings)]) for number in range(35)
        ]
        made = np.array([plane.more["EXPMAP"] for plane in planes(inputs, grid, settings)])
    np.testing.assert_array_equal(made, np.sum(alone, axis=0))
    assert made.max() > 32


def test_a_row_of_each_fate_is_told(tables: list[Path], tmp_path: Path) -> None:
    """One exposure on its own: what is planted in the tables is what DQ says."""
    path = Path(shutil.copy(tables[0], tmp_path / "P.fits"))
    table = PixelTable.open(path)
    flags, data = table.read("dq"), table.read("data")
    ifu, slice_, _, _ = decode_origin(table.read("origin"))
    flags[(ifu == 1) & (slice_ == 5)] = 512 | 8192
    flags[(ifu == 1) & (slice_ == 9)] = 32
    data[(ifu == 1) & (slice_ == 20)] = np.nan
    flags[(ifu == 1) & (slice_ == 20)] = 0
    with path.open("r+b") as file:
        for name, values, form in (("dq", flags, ">i4"), ("data", data, ">f4")):
            file.seek(table.columns[name].offset)
            file.write(values.astype(form).tobytes())
    made = muse_nb.cube(path, output=tmp_path / "C.fits", extensions=["DQ"], pixfrac=0.3, checks=False)
    values, numbers = np.unique(content(made.path, "DQ"), return_counts=True)
    told = dict(zip(values.tolist(), numbers.tolist(), strict=True))
    assert min(told[value] for value in (512 | 8192, 32, -(1 << 31), int(dq.REJECTED), int(dq.NO_ROW))) > 10
    known = (0, 32, 256, 512 | 8192, 256 | 32, -(1 << 31), int(dq.REJECTED), int(dq.NO_ROW))
    assert sum(told.get(value, 0) for value in known) > 0.999 * sum(numbers)


DIGEST = """
import json, sys, zlib
from muse_nb.products.pixtable import PixelTable
from muse_nb.resample.grid import lay_out
from muse_nb.resample.inputs import Inputs
from muse_nb.resample.stream import Settings, planes
files, threads, cuts, memory, resample = json.loads(sys.argv[1])
tables = [PixelTable.open(file) for file in files]
with Inputs(tables, None, [1.0] * len(tables), 4000, 10000, threads) as inputs:
    grid, check = lay_out(inputs.exposures), 0
    settings = Settings(threads=threads, memory=memory, resample=resample, crsigma=4, extensions=("DQ", "EXPMAP"))
    for first, last in zip([0, *cuts], [*cuts, grid.shape[0]]):
        for plane in planes(inputs, grid, settings, first, last):
            for array in (plane.data, plane.stat, *plane.more.values()):
                check = zlib.crc32(array, check)
print(check)
"""


def digest(
    files: list[Path],
    threads: int = 1,
    cuts: tuple[int, ...] = (),
    memory: float | None = None,
    resample: str = "drizzle",
    **env: str,
) -> str:
    arguments = json.dumps([[str(file) for file in files], threads, cuts, memory, resample])
    command = [sys.executable, "-c", DIGEST, arguments]
    return subprocess.run(command, env=os.environ | env, check=True, capture_output=True, text=True).stdout


def test_the_same_bytes_however_it_is_run(tables: list[Path]) -> None:
    expected = digest(tables)
    for how in ({"MUSE_NB_SCALAR": "1"}, {"threads": 2}, {"threads": 5}, {"cuts": (1, 2, 5)}, {"memory": 85e6}):
        assert digest(tables, **how) == expected, how
    assert digest(tables, resample="nearest", memory=85e6, threads=2) == digest(tables, resample="nearest")


def test_an_interrupted_run_and_one_by_workers_make_the_same_file(tables: list[Path], tmp_path: Path) -> None:
    whole = muse_nb.combine(tables, output=tmp_path / "a" / "C.fits", checks=False, extensions=BOTH).path.read_bytes()

    def stop(what: str, done: int, planes: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    again = tmp_path / "b" / "C.fits"
    with pytest.raises(KeyboardInterrupt):
        muse_nb.combine(tables, output=again, extensions=BOTH, threads=1, progress=stop)
    made = muse_nb.combine(tables, output=again, extensions=BOTH, checks=False)
    assert any("5 of" in note and "kept from an interrupted run" in note for note in made.findings)
    assert without_date(again.read_bytes()) == without_date(whole)
    pytest.importorskip("distributed")
    away = muse_nb.combine(tables, output=tmp_path / "c" / "C.fits", extensions=BOTH, checks=False, workers=1)
    assert without_date(away.path.read_bytes()) == without_date(whole)


def without_date(file: bytes) -> bytes:
    start = file.index(b"DATE    =")
    return file[:start] + file[start + 80 :]


def test_planes_of_another_run_without_extensions_are_not_taken(tables: list[Path], tmp_path: Path) -> None:
    def stop(what: str, done: int, planes: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        muse_nb.combine(tables, output=tmp_path / "C.fits", progress=stop)
    made = muse_nb.combine(tables, output=tmp_path / "C.fits", extensions=["DQ"], checks=False)
    assert not any("kept" in note for note in made.findings)


def test_mpdaf_masks_what_dq_explains(tables: list[Path], tmp_path: Path) -> None:
    mpdaf_obj = pytest.importorskip("mpdaf.obj")
    made = muse_nb.combine(tables, output=tmp_path / "C.fits", extensions=BOTH, checks=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        opened = mpdaf_obj.Cube(str(made.path))
        counts = mpdaf_obj.Cube(str(made.path), ext="EXPMAP")
    data = content(made.path, "DATA")
    np.testing.assert_array_equal(np.ma.getmaskarray(opened.data), np.isnan(data))
    np.testing.assert_array_equal(opened.data.compressed(), data[np.isfinite(data)])
    assert opened.var is not None
    assert counts.data.max() == 4


def test_the_commands_make_it_and_read_it(
    tables: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(path) for path in tables[:2]]
    out = str(tmp_path / "C.fits")
    assert main(["combine", *files, "-o", out, "--no-checks", "--extensions", "EXPMAP", "DQ"]) == 0
    capsys.readouterr()
    assert main(["nans", out, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["exact"]
    assert {"flagged", "rejected as cosmic ray"} <= {cause["cause"] for cause in told["causes"]}
    assert not any("Without the pixel tables" in text for text in told["findings"])
    assert main(["combine", *files, "-o", str(tmp_path / "E.fits"), "--engine", "eso", "--extensions", "DQ"]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    with pytest.raises(MuseError, match="no extension 'NEXP'"):
        muse_nb.combine(tables, output=tmp_path / "N.fits", extensions=["NEXP"])


def test_the_forecast_and_the_memory_count_them(tables: list[Path]) -> None:
    plain, more = (muse_nb.forecast(tables, extensions=names) for names in ((), BOTH))
    voxels = np.prod(plain.shape)
    assert more.disk - plain.disk == 6 * voxels
    settings = Settings(memory=82e6)
    sparse, dense = (
        slab_for(30_000_000, (3000, 300, 300), replace(settings, extensions=names), 19) for names in ((), BOTH)
    )
    assert dense < sparse


def test_a_damaged_table_of_slices_is_a_sentence(tables: list[Path], tmp_path: Path) -> None:
    made = muse_nb.combine(tables[:1], output=tmp_path / "C.fits", extensions=["DQ"], checks=False)
    with fits.open(made.path, mode="update") as cube:
        cube["SLICES"].data["IFU"][3] = 77
    with pytest.raises(MuseError, match=r"C.fits: its SLICES names"):
        audit_nans(made.path)
