"""A cube knows what it was made from: other offsets, other exposures or tables made again since make it stale."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from benchmarks.tables import write_tables
from muse_nb import check_cube, combine, stale_cube
from muse_nb.core.errors import MuseError
from muse_nb.products.cube_file import CubeFile
from muse_nb.products.offset_list import OffsetList
from muse_nb.products.pixtable import PixelTable

pytestmark = pytest.mark.filterwarnings("ignore::muse_nb.core.errors.MuseWarning")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], OffsetList, Path]:
    """Tables, offsets, and the cube of both."""
    folder = tmp_path_factory.mktemp("made")
    tables = write_tables(folder, 3, 20_000, ifus=2)
    dates = tuple(str(PixelTable.open(path).header["DATE-OBS"]) for path in tables)
    offsets = OffsetList(dates, (0.0,) * 3, (0.0, 3e-5, -2e-5), (0.0, 4e-5, 7e-5), (np.nan,) * 3)
    combine(tables, offsets, output=folder / "cube.fits", filters=())
    return tables, offsets, folder / "cube.fits"


def test_a_cube_of_these_files_is_not_stale(made: tuple[list[Path], OffsetList, Path]) -> None:
    tables, offsets, cube = made
    assert stale_cube(cube, tables, offsets) == ""
    assert stale_cube(cube.with_name("absent.fits"), tables, offsets) == ""


def test_other_offsets_make_it_stale_and_are_told_in_mas(
    made: tuple[list[Path], OffsetList, Path], tmp_path: Path
) -> None:
    tables, offsets, cube = made
    moved = OffsetList(offsets.date_obs, offsets.mjd_obs, offsets.ra_offset, (0.0, 4e-5, 8e-5), offsets.flux_scale)
    moved.write(tmp_path / "OFFSET_LIST.fits")
    assert stale_cube(cube, tables, tmp_path / "OFFSET_LIST.fits") == (
        "cube.fits is stale: made from other offsets, up to 36.0 mas from these"
    )
    assert "other offsets" in stale_cube(cube, tables)


def test_other_exposures_make_it_stale(made: tuple[list[Path], OffsetList, Path]) -> None:
    tables, offsets, cube = made
    assert "1 exposure more than the 2 of now" in stale_cube(cube, tables[:2], offsets)


def test_a_table_that_was_made_again_makes_it_stale(made: tuple[list[Path], OffsetList, Path], tmp_path: Path) -> None:
    tables, offsets, cube = made
    again = tmp_path / "again.fits"
    shutil.copyfile(tables[1], again)
    fits.setval(again, "DATAMD5", value="0123")
    told = stale_cube(cube, [tables[0], again, tables[2]], offsets)
    assert "were made again since" in told
    assert tables[1].name not in told, "exposures are named"


def test_the_checks_can_be_made_again(made: tuple[list[Path], OffsetList, Path]) -> None:
    tables, offsets, cube = made
    before = cube.read_bytes()
    found = check_cube(cube, tables, offsets, filters=())
    assert {"noise", "fields"} <= {check.name for check in found.checks}
    assert "slabs" not in {check.name for check in found.checks}, "not known any more"
    assert cube.read_bytes() == before
    middle = float(CubeFile.open(cube).wavelength(CubeFile.open(cube).shape[0] // 2))
    with pytest.raises(MuseError, match="combine them again"):
        check_cube(cube, tables, offsets, lambdamax=middle)
