"""A pixel table cut at any byte, as by an interrupted copy: the right cube, or one sentence and nothing else."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from inputs import bintable

from benchmarks.tables import write_tables
from muse_nb import combine, cube
from muse_nb.core.errors import MuseError
from muse_nb.products.fits.blocks import hdus
from muse_nb.products.pixtable import PixelTable
from muse_nb.resample.grid import lay_out
from muse_nb.resample.inputs import Inputs
from muse_nb.resample.stream import Settings, planes

pytestmark = pytest.mark.filterwarnings("ignore::muse_nb.core.errors.MuseWarning")
EXAMPLES = 60  # of each form, 0.1 s each


@dataclass(frozen=True)
class Whole:
    """A table as it should be, the byte behind its last value, and DATA and STAT of its cube."""

    content: bytes
    end: int
    voxels: bytes


def image(folder: Path) -> Path:
    """A column an extension, and one more that nobody needs, as the recipes add."""
    (path,) = write_tables(folder, 1, 7200, ifus=1)
    spare = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.ones(500, np.float32), name="PIXTABLE_FLAT_FIELD")]).writeto(
        spare
    )
    with path.open("ab") as file:
        file.write(spare.getvalue()[2880:])
    return path


def voxels(path: Path) -> bytes:
    with fits.open(path, memmap=False) as made:
        return made["DATA"].data.tobytes() + made["STAT"].data.tobytes()


@pytest.fixture(scope="module", params=[image, bintable], ids=lambda form: form.__name__)
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    make: Callable[[Path], Path] = request.param
    folder = tmp_path_factory.mktemp("whole")
    path = make(folder)
    units = hdus(path)
    last = next((unit for unit in units if unit.name == "origin"), units[1])
    made = cube(path, output=folder / "C.fits", threads=1, checks=False)
    return Whole(path.read_bytes(), last.offset + last.size, voxels(made.path))


def check(whole: Whole, size: int, folder: Path) -> bool:
    """Cut, try, and try again with the whole table; True where the cut did no harm."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "in").mkdir(parents=True)
    (folder / "out").mkdir()
    path, output = folder / "in" / "P.fits", folder / "out" / "C.fits"
    path.write_bytes(whole.content[:size])
    try:
        made = cube(path, output=output, threads=1, checks=False)
    except MuseError as error:
        said = str(error)
    else:
        assert voxels(made.path) == whole.voxels
        return True
    assert "\n" not in said
    assert "P.fits" in said
    assert list(output.parent.iterdir()) == []
    assert path.read_bytes() == whole.content[:size]
    path.write_bytes(whole.content)
    cube(path, output=output, threads=1, checks=False)
    assert voxels(output) == whole.voxels
    return False


def test_cut_at_any_byte(whole: Whole, tmp_path: Path) -> None:
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(size=st.integers(0, len(whole.content)))
    def cut(size: int) -> None:
        harmless = check(whole, size, tmp_path)
        assert not harmless or size >= whole.end, "no value may be missing from a cube"

    cut()


def test_cut_at_the_edges_of_headers_and_columns(whole: Whole, tmp_path: Path) -> None:
    (tmp_path / "P.fits").write_bytes(whole.content)
    units = hdus(tmp_path / "P.fits")
    edges = {edge for unit in units for edge in (unit.start, unit.offset, unit.offset + unit.size)}
    for edge in sorted(edges | {len(whole.content)}):
        for size in (edge - 1, edge, edge + 1):
            if 0 <= size <= len(whole.content):
                harmless = check(whole, size, tmp_path / "cut")
                assert not harmless or size >= whole.end
    assert check(whole, whole.end, tmp_path / "cut"), "what only fills the block up is not needed"


def test_one_of_several_is_named(whole: Whole, tmp_path: Path) -> None:
    files = write_tables(tmp_path, 3, 7200, ifus=1)
    files[1].write_bytes(files[1].read_bytes()[: whole.end // 2])
    with pytest.raises(MuseError, match=files[1].name):
        combine(files, output=tmp_path / "out" / "C.fits")
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_a_table_that_is_cut_while_it_is_read(tmp_path: Path) -> None:
    files = write_tables(tmp_path, 2, 72_000, ifus=1)
    opened = [PixelTable.open(path) for path in files]
    with Inputs(opened, None, [1.0, 1.0], 4000, 10000, 1) as inputs:
        grid = lay_out(inputs.exposures)
        with files[1].open("r+b") as file:
            file.truncate(opened[1].columns["stat"].offset + 1000)
        with pytest.raises(MuseError, match=f"{files[1].name} became shorter while it was read"):
            list(planes(inputs, grid, Settings()))
