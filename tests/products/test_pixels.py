"""Pixels are the same however they lie in the file and however they are read; rows know their detector pixels."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from product_files import primary, table_columns

from muse_nb.core.errors import MuseError
from muse_nb.products.cube_file import CubeFile
from muse_nb.products.fits.blocks import hdus
from muse_nb.products.fits.planes import StoredPlanes, mapped
from muse_nb.products.object_red import open_object_red
from muse_nb.products.pixtable import PixelTable, detector_pixels, exposure_numbers, frame_size, write_pixtable

CUBE = np.arange(4 * 5 * 6, dtype=np.float32).reshape(4, 5, 6)
CUBE[1, 2, 3] = np.nan
FLAGS = (np.arange(CUBE.size, dtype=np.int32) << 24).reshape(CUBE.shape)


def plain(folder: Path) -> Path:
    path = folder / "cube.fits"
    units = [fits.ImageHDU(CUBE, name="DATA"), fits.ImageHDU(CUBE + 1, name="STAT"), fits.ImageHDU(FLAGS, name="DQ")]
    fits.HDUList([fits.PrimaryHDU(), *units]).writeto(path)
    return path


def zipped(folder: Path) -> Path:
    path = folder / "cube.fits.gz"
    path.write_bytes(gzip.compress(plain(folder).read_bytes(), mtime=0))
    return path


def packed(folder: Path) -> Path:
    path = folder / "cube.fits.fz"
    floats = {"quantize_level": 0, "compression_type": "GZIP_1"}
    units = [fits.CompImageHDU(CUBE, name="DATA", **floats), fits.CompImageHDU(CUBE + 1, name="STAT", **floats)]
    fits.HDUList([fits.PrimaryHDU(), *units, fits.CompImageHDU(FLAGS, name="DQ")]).writeto(path)
    return path


def scaled(folder: Path) -> Path:
    path = plain(folder)
    with fits.open(path, mode="update") as units:
        for name in ("DATA", "STAT"):
            units[name].header.update({"BSCALE": 1.0, "BZERO": 0.0})
    return path


def doubles(folder: Path) -> Path:
    path = folder / "cube.fits"
    units = [fits.ImageHDU(CUBE.astype(float), name="DATA"), fits.ImageHDU(CUBE.astype(float) + 1, name="STAT")]
    fits.HDUList([fits.PrimaryHDU(), *units, fits.ImageHDU(FLAGS, name="DQ")]).writeto(path)
    return path


def in_primary(folder: Path) -> Path:
    path = folder / "cube.fits"
    units = [fits.PrimaryHDU(CUBE), fits.ImageHDU(CUBE + 1, name="STAT"), fits.ImageHDU(FLAGS, name="DQ")]
    fits.HDUList(units).writeto(path)
    return path


@pytest.mark.parametrize("form", [plain, zipped, packed, scaled, doubles, in_primary], ids=lambda form: form.__name__)
def test_a_cube_is_the_same_however_it_lies_in_its_file(tmp_path: Path, form: Callable[[Path], Path]) -> None:
    cube = CubeFile.open(form(tmp_path))
    for name, values in (("DATA", CUBE), ("STAT", CUBE + 1), ("DQ", FLAGS)):
        np.testing.assert_array_equal(np.stack([plane.copy() for plane in cube.planes(name)]), values)
        np.testing.assert_array_equal(cube.plane(2, name), values[2])
        np.testing.assert_array_equal(cube.spectrum(3, 2, name), values[:, 2, 3])
        assert cube.plane(2, name).dtype == cube.spectrum(3, 2, name).dtype == values.dtype
        with cube.reader(name) as read:
            np.testing.assert_array_equal(np.stack([read(k) for k in range(4)]), values)


def test_planes_by_their_place_are_those_of_the_cube_that_was_made(tmp_path: Path) -> None:
    path = plain(tmp_path)
    stored = StoredPlanes.named(path, "STAT", CUBE.shape)
    assert len(stored) == 4
    np.testing.assert_array_equal(np.stack([stored[k] for k in range(4)]), CUBE + 1)
    for name, shape in (("EXPMAP", CUBE.shape), ("DATA", (4, 6, 5)), ("DQ", CUBE.shape)):
        with pytest.raises(MuseError, match="is not the cube that was made"):
            StoredPlanes.named(path, name, shape)


def test_a_cube_that_becomes_shorter_is_told(tmp_path: Path) -> None:
    cube = CubeFile.open(plain(tmp_path))
    offset = hdus(cube.path)[1].offset
    planes = cube.planes()
    next(planes)
    with cube.reader() as read:
        with cube.path.open("r+b") as file:
            file.truncate(offset + 150)
        with pytest.raises(MuseError, match="became shorter while it was read"):
            read(1)
    with pytest.raises(MuseError, match="became shorter while it was read"):
        next(planes)


def test_every_few_pixels_of_a_frame_are_those_of_the_whole(products: dict[str, Path]) -> None:
    for kind in ("object_red", "compressed"):
        (red,) = open_object_red(products[kind])
        for name, whole in zip(("DATA", "DQ", "STAT"), (red.data, red.dq, red.stat), strict=True):
            few = red.every(name, 3)
            np.testing.assert_array_equal(few, whole[::3, ::3])
            assert few.dtype == whole.dtype
    assert mapped(products["compressed"], hdus(products["compressed"])[1]) is None


def test_rows_know_their_pixel_on_the_detector(tmp_path: Path) -> None:
    header = primary("PIXTABLE_COMBINED")
    for number, (first, last) in enumerate(((0, 19), (20, 49)), 1):
        header[f"HIERARCH ESO DRS MUSE PIXTABLE EXP{number} FIRST"] = first
        header[f"HIERARCH ESO DRS MUSE PIXTABLE EXP{number} LAST"] = last
    header["HIERARCH ESO DRS MUSE PIXTABLE EXP2 IFU12 SLICE07 XOFFSET"] = 400
    write_pixtable(tmp_path / "T.fits", header, table_columns(), {"xpos": "pix", "ypos": "pix"})
    table, row = PixelTable.open(tmp_path / "T.fits"), np.array([0, 19, 20, 49])
    np.testing.assert_array_equal(exposure_numbers(table, row), [1, 1, 2, 2])
    ifu, number, x, y = detector_pixels(table, table.read("origin")[row], row)
    assert set(ifu.tolist()) == {12}
    assert set(number.tolist()) == {7}
    np.testing.assert_array_equal(x, [0, 19, 420, 449])  # exposure 1 has no offset
    np.testing.assert_array_equal(y, [1, 20, 21, 50])


def test_the_size_of_a_frame_is_the_chips(tmp_path: Path) -> None:
    sizes = []
    for keywords in ({}, {"CHIP NX": 4160, "CHIP NY": 4200}, {"CHIP NX": 1, "OUT1 NX": 100, "OUT1 NY": 30}):
        header = primary("PIXTABLE_OBJECT")
        for keyword, value in keywords.items():
            header[f"HIERARCH ESO DET {keyword}"] = value
        write_pixtable(tmp_path / "T.fits", header, table_columns(), {"xpos": "pix", "ypos": "pix"}, force=True)
        sizes.append(frame_size(PixelTable.open(tmp_path / "T.fits")))
    assert sizes == [(4096, 4112), (4160, 4200), (200, 60)]
