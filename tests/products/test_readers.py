"""What the writers write, the readers read; and the recipes' other forms of the same products."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from product_files import DATE, ROWS, SHAPE, frame, primary, table_columns

from muse_nb.core.errors import MuseError
from muse_nb.products import dq
from muse_nb.products.cube_file import CubeFile
from muse_nb.products.detector import TraceTable, WavecalTable
from muse_nb.products.filters import read_filter_list, throughput
from muse_nb.products.header import exposure, label, need, read
from muse_nb.products.image_fov import ImageFov, write_image_fov
from muse_nb.products.object_red import open_object_red, write_object_red
from muse_nb.products.offset_list import OffsetList
from muse_nb.products.pixtable import COLUMNS, PixelTable, decode_origin, encode_origin


@pytest.mark.parametrize("kind", ["object_red", "compressed"])
def test_object_red_comes_back_as_it_was_written(products: dict[str, Path], kind: str) -> None:
    (red,) = open_object_red(products[kind])
    data, flags, stat = frame()
    assert (red.ifu, red.shape) == (12, SHAPE)
    np.testing.assert_array_equal(red.data, data)
    np.testing.assert_array_equal(red.stat, stat)
    assert red.dq.dtype == np.int32
    np.testing.assert_array_equal(red.dq.astype(np.int64) & 0xFFFFFFFF, flags)
    assert dq.count(red.dq) == {"COSMICRAY": 1, "HOTPIXEL": 1, "OUTSDRANGE": 1}
    assert exposure(red.header, red.path).posang == 90


def test_merged_frames_come_by_ifu_with_their_own_keywords(tmp_path: Path) -> None:
    units = [fits.PrimaryHDU(header=primary("OBJECT_RED"))]
    for ifu in (13, 2):
        for kind in ("STAT", "DATA", "DQ"):  # in any order
            unit = fits.ImageHDU(np.full(SHAPE, ifu, "i4" if kind == "DQ" else "f4"), name=f"CHAN{ifu:02d}.{kind}")
            unit.header["HIERARCH ESO DET CHIP NAME"] = f"chip {ifu}"
            units.append(unit)
    path = tmp_path / "OBJECT_RED_0001.fits"
    fits.HDUList(units).writeto(path)
    frames = open_object_red(path)
    assert [red.ifu for red in frames] == [2, 13]
    assert [red.data[0, 0] for red in frames] == [2, 13]
    assert [red.header["ESO DET CHIP NAME"] for red in frames] == ["chip 2", "chip 13"]


@pytest.mark.parametrize("dtype", ["u1", "i2", "i8"])
def test_dq_of_another_width_is_made_32_bits_or_refused(tmp_path: Path, dtype: str) -> None:
    flags = np.zeros(SHAPE, dtype)
    flags[0, 0] = 96
    path = tmp_path / "a.fits"
    units = [fits.PrimaryHDU(), fits.ImageHDU(np.zeros(SHAPE, "f4"), name="DATA"), fits.ImageHDU(flags, name="DQ")]
    fits.HDUList(units).writeto(path)
    (red,) = open_object_red(path)
    assert red.dq.dtype.itemsize == 4
    assert dq.count(red.dq) == {"COSMICRAY": 1, "LOWQEPIXEL": 1}
    units[2] = fits.ImageHDU(np.full(SHAPE, 2.5), name="DQ")
    fits.HDUList(units).writeto(path, overwrite=True)
    with pytest.raises(MuseError, match="DQ holds float64"):
        _ = open_object_red(path)[0].dq


@pytest.mark.parametrize("kind", ["pixtable", "bintable"])
def test_both_forms_of_a_pixel_table_give_the_same_rows(products: dict[str, Path], kind: str) -> None:
    table = PixelTable.open(products[kind])
    assert (table.nrow, table.kind, table.xoffset(12, 7)) == (ROWS, "rad", 433)
    assert table.form == ("image" if kind == "pixtable" else "bintable")
    raw = products[kind].read_bytes()
    for name, values in table_columns().items():
        np.testing.assert_array_equal(table.read(name), values)
        np.testing.assert_array_equal(table.read(name, 7, 11), values[7:11])
        assert table.read(name, 40, 4000).size == 10
        assert table.read(name, 60).size == 0
        column = table.columns[name]  # the kernels read here
        at = [raw[column.offset + k * column.stride :][: column.dtype.itemsize] for k in (0, ROWS - 1)]
        np.testing.assert_array_equal(np.frombuffer(b"".join(at), column.dtype), values[[0, -1]])
    with pytest.raises(MuseError, match=r"EXP0 IFU01 SLICE01 XOFFSET.*detector column"):
        table.xoffset(1, 1)


def test_origins_keep_ifu_slice_row_and_column() -> None:
    ifu, number, y, x = (np.array(v) for v in ([1, 24, 12], [48, 1, 7], [1, 4112, 8191], [0, 127, 90]))
    packed = encode_origin(ifu, number, y, x)
    assert packed.dtype == np.int32
    for want, got in zip((ifu, number, y, x), decode_origin(packed), strict=True):
        np.testing.assert_array_equal(want, got)


def test_images_and_cubes_know_their_sky_and_wavelengths(products: dict[str, Path]) -> None:
    image = ImageFov.open(products["image"])
    np.testing.assert_array_equal(image.data, frame()[0])
    assert image.data.dtype == np.float32
    assert image.wcs.pixel_to_world_values(3, 2) == pytest.approx((265.175, -53.674))
    assert (image.date_obs, image.posang, image.exptime) == (DATE, 90, 60)
    cube = CubeFile.open(products["cube"])
    assert cube.shape == (3, *SHAPE)
    assert cube.has("STAT")
    assert not cube.has("DQ")
    np.testing.assert_array_equal(cube.plane(2), frame()[0])
    assert list(cube.wavelength(np.arange(3))) == [4750, 4751.25, 4752.5]
    with pytest.raises(MuseError, match="no EXPOSURES"):
        cube.plane(0, "EXPOSURES")
    with pytest.raises(ZeroDivisionError), cube.reader() as plane:
        1 / (plane(0).size - plane(0).size)  # an error of the caller is not called a damaged file


def test_an_image_without_bunit_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(MuseError, match=r"BUNIT.*muse_exp_align refuses"):
        write_image_fov(tmp_path / "a.fits", fits.Header(), fits.Header(), frame()[0])
    assert not list(tmp_path.iterdir())


def test_an_offset_list_has_the_recipes_form(products: dict[str, Path]) -> None:
    header = fits.getheader(products["offsets"], 1)
    columns = [(header[f"TTYPE{n}"], header[f"TFORM{n}"].lstrip("1"), header.get(f"TUNIT{n}")) for n in range(1, 7)]
    assert columns == [
        ("DATE_OBS", "23A", None),
        ("MJD_OBS", "D", "s"),
        ("RA_OFFSET", "D", "deg"),
        ("DEC_OFFSET", "D", "deg"),
        ("FLUX_SCALE", "D", None),
        ("ROTANGLE", "D", "deg"),
    ]
    assert header["NAXIS1"] == 63
    offsets = OffsetList.read(products["offsets"])
    assert offsets.of(DATE + "999")[:2] == (0, 0)
    assert math.isnan(offsets.of(DATE)[2])
    assert offsets.of("2014-07-27T03:14:30.417") == (-1e-4, 2e-5, 1.1)
    assert offsets.missing([DATE, "2014-07-28T00:00:00.000"]) == ["2014-07-28T00:00:00.000"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.rename_column("RA_OFFSET", "DRA"), "lacks RA_OFFSET: muse_exp_combine would ignore it"),
        (lambda t: setattr(t["DEC_OFFSET"], "unit", "arcsec"), "DEC_OFFSET is in arcsec"),
        (lambda t: t["RA_OFFSET"].__setitem__(1, np.inf), "not finite"),
        (lambda t: t["DATE_OBS"].__setitem__(1, t["DATE_OBS"][0]), "twice"),
    ],
)
def test_an_offset_list_that_the_recipe_would_ignore_is_refused(
    products: dict[str, Path], tmp_path: Path, change, said: str
) -> None:
    from astropy.table import Table

    table = Table.read(products["offsets"], hdu=1)
    change(table)
    table.write(tmp_path / "a.fits")
    with pytest.raises(MuseError, match=said):
        OffsetList.read(tmp_path / "a.fits")


def test_filters_of_our_own_and_of_a_list(tmp_path: Path) -> None:
    for name, middle in (("V", 5500), ("R", 6600), ("I", 8000), ("Johnson_V", 5500)):
        assert throughput(name, [middle, 3000, 20000]) == pytest.approx([1, 0, 0], abs=0.2)
    assert list(throughput("white", [1.0, 1e4])) == [1, 1]
    columns = [
        fits.Column("lambda", "D", array=[6000.0, 5000, 5500]),
        fits.Column("throughput", "D", array=[0, 0, 0.5]),
    ]
    table = fits.BinTableHDU.from_columns(columns, name="Mine")
    table.header["EXTNAME"] = "Mine_g"
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(tmp_path / "f.fits")
    found = read_filter_list(tmp_path / "f.fits")
    assert list(throughput("Mine_g", [5250, 5500, 7000], found)) == [0.25, 0.5, 0]
    with pytest.raises(MuseError, match=r"no filter 'u'.*Mine_g"):
        throughput("u", 4000, found)


def test_slices_and_wavelengths_of_simulated_calibrations(night) -> None:
    trace = TraceTable.open(night.calibrations["TRACE_TABLE"][0])
    left, right = trace.edges(100.0)
    assert (left < right).all()
    assert (right[:-1] < left[1:]).all()
    middle = (left + right) / 2
    assert [trace.slice_at(x, 100.0) for x in middle] == list(range(1, 49))
    wave = WavecalTable.open(night.calibrations["WAVECAL_TABLE"][0]).wavelength(5, middle[4], np.array([1.0, 100.0]))
    assert 4400 < wave[0] < wave[1] < 9500
    with pytest.raises(MuseError, match="no TRACE_TABLE"):
        TraceTable.open(night.calibrations["WAVECAL_TABLE"][0])


def test_a_missing_keyword_is_named_with_the_remedy(products: dict[str, Path]) -> None:
    header = read(products["image"])
    with pytest.raises(MuseError, match=r"image.fits lacks ESO TEL ALT: take it from the raw file"):
        need(header, "ESO TEL ALT", products["image"], "take it from the raw file")
    assert label(DATE) == "2014-07-27T031200"
    assert label("../../etc") == "etc"


def test_nothing_is_written_over_or_left_behind(products: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "there.fits"
    path.write_text("mine")
    with pytest.raises(MuseError, match="already there"):
        write_object_red(path, fits.Header(), *frame())
    assert path.read_text() == "mine"
    write_object_red(path, fits.Header(), *frame(), force=True)
    with pytest.raises(ValueError, match="could not convert"):
        write_object_red(path, fits.Header(), np.array([["no number"]]), None, None, force=True)
    assert open_object_red(path)[0].shape == SHAPE
    assert [p.name for p in tmp_path.iterdir()] == ["there.fits"]
    assert set(COLUMNS) <= set(PixelTable.open(products["pixtable"]).columns)


def test_an_offset_list_as_an_ascii_table_is_read(tmp_path: Path) -> None:
    columns = [
        fits.Column("DATE_OBS", "A23", array=["2014-07-27T03:12:00.417", "2014-07-27T03:14:30.417"]),
        fits.Column("MJD_OBS", "D25.16", array=[56865.125, 56865.25]),
        fits.Column("RA_OFFSET", "E15.7", unit="deg", array=[0.0, -1.5e-4]),
        fits.Column("DEC_OFFSET", "E15.7", unit="deg", array=[0.0, 2e-5]),
    ]
    fits.HDUList([fits.PrimaryHDU(), fits.TableHDU.from_columns(columns)]).writeto(tmp_path / "L.fits")
    read = OffsetList.read(tmp_path / "L.fits")
    assert read.date_obs == ("2014-07-27T03:12:00.417", "2014-07-27T03:14:30.417")
    assert read.mjd_obs == (56865.125, 56865.25)
    assert read.ra_offset == pytest.approx((0.0, -1.5e-4))
    assert read.dec_offset == pytest.approx((0.0, 2e-5))
    damaged = (tmp_path / "L.fits").read_bytes().replace(b"D25.16", b"Q25.16")
    (tmp_path / "D.fits").write_bytes(damaged)
    with pytest.raises(MuseError, match="TFORM2"):
        OffsetList.read(tmp_path / "D.fits")
