"""The streaming engine: values that can be worked out by hand, and the same bytes however it is run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from numpy.testing import assert_allclose

from benchmarks.tables import write_tables
from muse_nb.core.errors import MuseError
from muse_nb.products.pixtable import PixelTable, write_pixtable
from muse_nb.resample.grid import lay_out
from muse_nb.resample.inputs import Inputs
from muse_nb.resample.stream import Settings, planes

DIGEST = """
import json, sys, zlib
from muse_nb.products.pixtable import PixelTable, write_pixtable
from muse_nb.resample.grid import lay_out
from muse_nb.resample.inputs import Inputs
from muse_nb.resample.stream import Settings, planes
files, threads, cuts, memory, crtype = json.loads(sys.argv[1])
tables = [PixelTable.open(file) for file in files]
with Inputs(tables, None, [1.0] * len(tables), 4000, 10000, threads) as inputs:
    grid = lay_out(inputs.exposures)
    check = 0
    for first, last in zip([0, *cuts], [*cuts, grid.shape[0]]):
        for plane in planes(inputs, grid, Settings(threads=threads, memory=memory, crtype=crtype), first, last):
            check = zlib.crc32(plane.stat, zlib.crc32(plane.data, check))
            check = zlib.crc32(json.dumps([plane.number, plane.rows, plane.flagged]).encode(), check)
print(check)
"""


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Four exposures at four rotator angles."""
    return write_tables(tmp_path_factory.mktemp("tables"), 4, 60_000, ifus=2)


def digest(
    files: list[Path],
    threads: int = 1,
    cuts: tuple[int, ...] = (),
    memory: float | None = None,
    crtype: str = "median",
    **env: str,
) -> str:
    arguments = json.dumps([[str(file) for file in files], threads, cuts, memory, crtype])
    command = [sys.executable, "-c", DIGEST, arguments]
    return subprocess.run(command, env=os.environ | env, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize(
    "how",
    [
        {"MUSE_NB_SCALAR": "1"},
        {"MUSE_NB_VECTORS": "256"},
        {"threads": 2},
        {"threads": 5, "MUSE_NB_SCALAR": "1"},
        {"cuts": (1, 2, 5)},
        {"memory": 90e6},
    ],
    ids=["scalar", "narrow vectors", "two threads", "scalar, five threads", "in pieces", "in little memory"],
)
def test_the_same_bytes_however_it_is_run(tables: list[Path], how: dict) -> None:
    assert digest(tables, **how) == digest(tables)


def one_row(path: Path, value: float, number: int = 3) -> Path:
    """Cut a table down to rows of one value on one spot, wavelengths half a step apart."""
    [full] = write_tables(path, 1, 1, ifus=1)
    table = PixelTable.open(full)
    with full.open("r+b") as file:
        for name, content in {"data": value, "stat": 4.0, "dq": 0, "xpos": 1.0, "ypos": -1e-6}.items():
            column = table.columns[name]
            file.seek(column.offset)
            file.write(np.full(table.nrow, content, column.dtype).tobytes())
        file.seek(table.columns["lambda"].offset)
        file.write((6000 + 0.625 * (np.arange(table.nrow) % number)).astype(">f4").tobytes())
    return full


@pytest.mark.parametrize(("rows", "beyond"), [(1500, 0), (20_000, 0), (20_000, 0.8)])
def test_threads_that_find_no_row_do_not_widen_the_limits(tmp_path: Path, rows: int, beyond: float) -> None:
    """A small table has fewer pieces than threads, and a piece may lie outside of the wavelengths."""
    (path,) = write_tables(tmp_path, 1, rows, ifus=1)
    table = PixelTable.open(path)
    order = np.argsort(table.read("lambda"))
    columns = {name: table.read(name)[order] for name in table.columns}
    units = {name: column.unit for name, column in table.columns.items()}
    write_pixtable(path, fits.getheader(path), columns, units, force=True)
    limits, low = [], np.quantile(columns["lambda"], beyond)
    for threads in (1, 2, 7):
        with Inputs([PixelTable.open(path)], None, [1.0], low, 10000, threads) as inputs:
            limits.append(list(inputs.exposures[0].kernel.limit))
    assert np.isfinite(limits).all()
    assert limits[1] == limits[2] == limits[0]


def test_equal_rows_give_their_value_and_the_variance_of_their_mean(tmp_path: Path) -> None:
    table = PixelTable.open(one_row(tmp_path, 42.0))
    with Inputs([table], None, [1.0], 4000, 10000, 1) as inputs:
        grid = lay_out(inputs.exposures)
        made = list(planes(inputs, grid, Settings(pixfrac=(0.6, 0.6), crsigma=0)))
    assert grid.shape == (2, 1, 1)
    assert sum(plane.rows for plane in made) == table.nrow
    for plane in made:
        assert_allclose(plane.data, 42.0, rtol=1e-6)
    # a plane has a third of the rows in its centre (overlap 0.6 of 0.6) and a third at its edge (0.3 of 0.6)
    third = table.nrow / 3
    assert_allclose(made[0].stat, 4 * (third + third / 4) / (third + third / 2) ** 2, rtol=1e-5)


def test_a_cosmic_ray_is_rejected_and_only_that(tmp_path: Path) -> None:
    path = one_row(tmp_path, 10.0)
    table = PixelTable.open(path)
    noisy = (10 + np.arange(table.nrow) % 7).astype(">f4")
    noisy[100] = 1e5
    with path.open("r+b") as file:
        file.seek(table.columns["data"].offset)
        file.write(noisy.tobytes())
    for crsigma, flagged in ((10, 1), (0, 0), (1e6, 0)):
        with Inputs([table], None, [1.0], 4000, 10000, 1) as inputs:
            made = list(planes(inputs, lay_out(inputs.exposures), Settings(crsigma=crsigma)))
        assert sum(plane.flagged for plane in made) == flagged
        assert (max(plane.data.max() for plane in made) > 17) == (flagged == 0)


def test_rows_that_are_not_finite_are_left_out_and_counted(tmp_path: Path) -> None:
    path = one_row(tmp_path, 10.0)
    table = PixelTable.open(path)
    for name, row, value in (("data", 5, np.nan), ("data", 6, np.inf), ("stat", 7, np.nan)):
        with path.open("r+b") as file:
            file.seek(table.columns[name].offset + 4 * row)
            file.write(np.array(value, ">f4").tobytes())
    with Inputs([table], None, [1.0], 4000, 10000, 1) as inputs:
        made = list(planes(inputs, lay_out(inputs.exposures), Settings()))
    assert sum(plane.not_finite[0] for plane in made) == 3
    assert all(np.isfinite(plane.data).all() and np.isfinite(plane.stat).all() for plane in made)


def test_nearest_takes_the_row_that_lies_closest_to_the_centre(tables: list[Path]) -> None:
    """Against all rows of an exposure, put on the tangent plane and searched in numpy."""
    table = PixelTable.open(tables[1])
    with Inputs([table], None, [1.0], 4000, 10000, 1) as inputs:
        grid = lay_out(inputs.exposures)
        made = {p.number: p for p in planes(inputs, grid, Settings(crsigma=0, resample="nearest"), 3, 5)}
    assert sorted(made) == [3, 4]
    phi, radius = table.read("xpos").astype(float), -table.read("ypos").astype(float)
    east, north = np.degrees(np.tan(radius)) * np.array([np.sin(phi), -np.cos(phi)])
    x, y = grid.crpix[0] - 1 - east / grid.step, grid.crpix[1] - 1 + north / grid.step
    z = (table.read("lambda") - grid.crval[2]) / grid.lambda_step
    good = table.read("dq") == 0
    compared = 0
    for number, resampled in made.items():
        inside = np.flatnonzero(good & (np.floor(z + 0.5) == number))
        far = (x - np.rint(x)) ** 2 + (y - np.rint(y)) ** 2 + (z - number) ** 2
        cell = np.rint(y[inside]).astype(int) * grid.shape[2] + np.rint(x[inside]).astype(int)
        order = inside[np.lexsort((far[inside], cell))]
        cells = np.rint(y[order]).astype(int) * grid.shape[2] + np.rint(x[order]).astype(int)
        first = np.r_[True, np.diff(cells) > 0]
        expected = table.read("data")[order[first]]
        ours = resampled.data.reshape(-1)[cells[first]]
        compared += len(expected)
        assert (ours == expected).mean() > 0.999  # float32 positions put a few rows on the other side of an edge
    assert compared > 1000


@pytest.mark.parametrize(("which", "value"), [(3, 2.0), (2, -2.0), (0, float("nan")), (5, float("inf"))])
def test_limits_that_lie_beyond_the_sky_are_one_sentence(tables: list[Path], which: int, value: float) -> None:
    """A damaged table has rows whose declination has a sine of 2, or no wavelength."""
    with Inputs([PixelTable.open(tables[0])], None, [1.0], 4000, 10000, 1) as inputs:
        inputs.exposures[0].kernel.limit[which] = value
        with pytest.raises(MuseError, match=f"{tables[0].name} has rows beyond the sky or at no wavelength"):
            lay_out(inputs.exposures)
