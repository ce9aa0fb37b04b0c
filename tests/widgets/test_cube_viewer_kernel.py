"""The cube viewer's half in the kernel: the same numbers as the functions, files, odd cubes."""

from __future__ import annotations

import gzip
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from crowd import star_cube
from looks import NOISE, SHAPE, STAR, Z, look_cube

import muse_nb
from muse_nb.core.errors import MuseError
from muse_nb.products.cube_file import CubeFile
from muse_nb.products.voxels import Voxels
from muse_nb.steps.look import direct
from muse_nb.steps.look.aperture import Aperture
from muse_nb.steps.look.band import image_of
from muse_nb.steps.look.line_map import line_fit, line_map
from muse_nb.steps.look.measure import radial_profile, statistics
from muse_nb.steps.look.spectrum import extract
from muse_nb.steps.look.sums import clipped_median, collect
from muse_nb.widgets.cube import taken
from muse_nb.widgets.cube.described import readable
from muse_nb.widgets.cube.shapes import pixel_region

SHAPES: list[dict[str, Any]] = [
    {"kind": "circle", "x": 20.3, "y": 29.6, "a": 4.2, "b": 4.2},
    {"kind": "ellipse", "x": 14.0, "y": 24.0, "a": 6.0, "b": 3.0, "angle": 35.0},
    {"kind": "rectangle", "x": 12.5, "y": 20.0, "a": 3.5, "b": 2.0, "angle": -20.0},
    {"kind": "annulus", "x": 33.0, "y": 12.0, "a": 3.0, "b": 6.0},
    {"kind": "polygon", "points": [[5, 5], [15.5, 8], [9, 19]]},
]
FULL = {"angle": 0.0, "points": [], "how": "sum", "ring": []}


def shape(number: int = 0, **more: Any) -> dict[str, Any]:
    return {
        **FULL,
        "x": 0.0,
        "y": 0.0,
        "a": 1.0,
        "b": 1.0,
        **SHAPES[number],
        "id": 1,
        "name": "one",
        "colour": "#e69f00",
        **more,
    }


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return look_cube(tmp_path_factory.mktemp("looks") / "CUBE.fits")


@pytest.mark.parametrize("number", range(len(SHAPES)))
@pytest.mark.parametrize("how", ["sum", "mean", "median"])
def test_kernels_give_what_numpy_gives(path: Path, number: int, how: str) -> None:
    cube = CubeFile.open(path)
    data, stat = Voxels(cube), Voxels(cube, "STAT")
    aperture = Aperture.of(pixel_region(shape(number)), cube)
    around = Aperture.of(pixel_region(shape(3, a=8.0, b=12.0)), cube)
    assert direct.possible(data, stat)
    for ring in (None, around):
        value, error = direct.collect(how, data, stat, aperture, ring)
        box = (slice(0, SHAPE[0]), aperture.rows, aperture.columns)
        level = None
        if ring is not None:
            level = clipped_median(data[slice(0, SHAPE[0]), ring.rows, ring.columns].astype(float), ring.fraction)
        true, true_error = collect(
            how, data[box].astype(float), stat[box].astype(float), aperture.fraction, aperture.area, level
        )
        np.testing.assert_allclose(value, true, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(error, true_error, rtol=1e-6)


def test_a_band_is_what_numpy_gives_with_holes_and_on_threads(path: Path) -> None:
    with fits.open(path) as opened:
        data = opened["DATA"].data[40:70].astype(float)
    found = image_of(path, (6550, 6550 + 29 * 1.25))
    number = np.isfinite(data).sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        np.testing.assert_allclose(found.data, np.where(number, np.nansum(data, 0) / number, np.nan), rtol=1e-12)
        np.testing.assert_allclose(found.error, np.where(number, NOISE / np.sqrt(number), np.nan), rtol=1e-6)
    assert image_of(path, (6550, 6580), errors=False).error is None


def test_other_formats_give_the_same(path: Path, tmp_path: Path) -> None:
    """Of float64 and of packed files, which the kernels do not read."""
    with fits.open(path) as opened:
        for hdu in opened[1:]:
            hdu.data = hdu.data.astype(">f8")
        opened.writeto(tmp_path / "DOUBLE.fits")
    with path.open("rb") as plain, gzip.open(tmp_path / "CUBE.fits.gz", "wb", compresslevel=1) as packed:
        shutil.copyfileobj(plain, packed)
    wanted = extract(path, pixel_region(shape())).flux
    for name in ("DOUBLE.fits", "CUBE.fits.gz"):
        viewer = muse_nb.CubeViewer(tmp_path / name, regions=None)
        viewer.wait()
        viewer.regions = [shape()]
        viewer.spaxel = [33, 12]
        assert viewer.error == ""
        np.testing.assert_allclose(viewer.spectrum(1).flux, wanted, rtol=1e-6)
        assert viewer.kept[0]["label"] == "white light"
        assert viewer.small["nz"] == SHAPE[0]
        viewer.close()


def test_regions_are_kept_and_read_again_to_the_same_numbers(path: Path, tmp_path: Path) -> None:
    kept = tmp_path / "regions.reg"
    viewer = muse_nb.CubeViewer(path, regions=kept)
    shapes = [
        shape(n, id=n + 1, name=f"no {n}; {{x}}#", how=how, ring=ring)
        for n, (how, ring) in enumerate([("sum", [1.5, 3.0]), ("mean", []), ("median", []), ("sum", []), ("sum", [])])
    ]
    viewer.regions = shapes
    assert viewer.error == ""
    alone = muse_nb.spectra(path, kept)
    assert len(alone) == len(shapes)
    again = muse_nb.CubeViewer(path, regions=kept)
    for number, (one, made) in enumerate(zip(again.regions, alone.values(), strict=True), 1):
        assert one["kind"] == shapes[number - 1]["kind"]
        assert one["how"] == made.how == shapes[number - 1]["how"]
        for other in (viewer.spectrum(number), again.spectrum(number)):
            np.testing.assert_allclose(other.flux, made.flux, rtol=1e-7, atol=1e-7)
    for one in (viewer, again):
        one.close()


def test_regions_of_another_field_stay_in_the_file(path: Path, tmp_path: Path) -> None:
    kept = tmp_path / "regions.reg"
    kept.write_text('# Region file format: DS9\nicrs\ncircle(10.0,20.0,1.5") # text={far}\ncircle(150.0,-30.0,1")\n')
    viewer = muse_nb.CubeViewer(path, regions=kept)
    assert len(viewer.regions) == 1
    viewer.regions = []
    assert [one.name for one in muse_nb.steps.look.region_file.read_regions(kept)] == ["far"]
    kept.write_text("circle(what")
    broken = muse_nb.CubeViewer(path, regions=kept)
    assert broken.regions == []
    for one in (viewer, broken):
        one.close()


def test_statistics_and_star_are_those_of_the_image(path: Path) -> None:
    white = image_of(path, (6500, 6700)).data
    cube = CubeFile.open(path)
    box = statistics(white, Aperture.of(pixel_region(shape(2, x=20.0, y=20.0, a=2.5, b=1.5, angle=0.0)), cube))
    inside = white[19:22, 18:23]
    assert box["spaxels"] == pytest.approx(15)
    assert box["sum"] == pytest.approx(inside.sum())
    assert box["median"] == pytest.approx(np.median(inside))
    star = radial_profile(white, STAR[0] + 1.4, STAR[1] - 1.2)
    assert (star.x, star.y) == pytest.approx(STAR, abs=0.05)
    assert star.fwhm == pytest.approx(2 * np.sqrt(6 * (2**0.4 - 1)), rel=0.03)
    assert np.isnan(radial_profile(np.random.default_rng(1).normal(0, 1, (40, 40)), 20, 20).fwhm)


def test_a_fit_is_the_one_of_the_map(path: Path) -> None:
    maps = line_map(path, "Halpha", Z)
    fit = line_fit(path, "Halpha", Z, 14, 24)
    for name, value in fit.told.items():
        assert value == pytest.approx(float(maps[name][24, 14]), rel=1e-5), name
    assert np.nanmax(fit.curve) == pytest.approx(63, rel=0.15)
    with pytest.raises(MuseError, match="no spaxel"):
        line_fit(path, "Halpha", Z, 99, 0)


def test_what_is_saved_opens_again(path: Path, tmp_path: Path) -> None:
    viewer = muse_nb.CubeViewer(path, regions=None, folder=tmp_path)
    viewer.wait()
    viewer.regions, viewer.chosen = [shape()], 1
    viewer.map_line("Halpha", Z)
    made = {what: viewer.save(what) for what in ("image", "maps", "spectrum", "table", "regions")}
    assert viewer.save("spectrum").name.endswith("_2.fits")  # never over a file that is there
    assert fits.getdata(made["image"], "DATA").shape == SHAPE[1:]
    np.testing.assert_allclose(fits.getdata(made["spectrum"], "DATA"), viewer.spectrum(1).flux)
    assert fits.getdata(made["maps"], "VELOCITY").shape == SHAPE[1:]
    assert viewer.picture().startswith(b"\x89PNG")
    with pytest.raises(MuseError, match="cannot be saved"):
        viewer.save("everything")
    viewer.close()


@pytest.mark.parametrize("odd", ["no STAT", "one plane", "one spaxel", "all NaN", "vacuum, logarithmic", "backwards"])
def test_odd_cubes_are_shown_or_told_in_a_sentence(odd: str, tmp_path: Path) -> None:
    path = look_cube(tmp_path / "ODD.fits", stat=odd != "no STAT")
    with fits.open(path, mode="update") as opened:
        for hdu in opened[1:]:
            if odd == "one plane":
                hdu.data = hdu.data[:1]
            elif odd == "one spaxel":
                hdu.data = hdu.data[:, :1, :1]
            elif odd == "all NaN":
                hdu.data[:] = np.nan
            elif odd == "vacuum, logarithmic":
                hdu.header["CTYPE3"] = "WAVE-LOG"
            elif odd == "backwards":
                hdu.header["CRVAL3"], hdu.header["CD3_3"] = 6700.0, -1.25
    viewer = muse_nb.CubeViewer(path, regions=None)
    viewer.wait()
    viewer.spaxel = [0, 0]
    for shown in ("plane", "band", "rgb", "white"):
        viewer.band, viewer.rgb = [6500.0, 6501.0], [[6500.0, 6510.0]] * 3
        viewer.shown = shown
        told = viewer.error
        assert told == "" or ("no plane" in told and odd in ("one plane", "vacuum, logarithmic", "backwards")), told
    for layer in viewer.cube["layers"]:
        viewer.layer = layer
        assert viewer.error == "", layer
    assert ("STAT" in viewer.cube["layers"]) == (odd != "no STAT")
    assert viewer.cube["medium"] == ("vacuum" if odd.startswith("vacuum") else "air")
    assert viewer.picture().startswith(b"\x89PNG")
    viewer.close()


def test_bad_wishes_are_told_in_the_viewer(path: Path) -> None:
    viewer = muse_nb.CubeViewer(path, regions=None)
    viewer.wait()
    viewer.band, viewer.shown = [1.0, 2.0], "band"
    assert "no plane of" in viewer.error
    viewer.shown = "white"
    assert viewer.error == ""
    viewer.regions = [{"kind": "star", "id": 4}]
    assert "no region that is known" in viewer.spectra[0]["notes"][0]
    viewer._received(viewer, {"type": "hover", "x": 999, "y": 0, "n": 1}, [])
    assert "no spaxel" in viewer.error
    with pytest.raises(TypeError, match="no option"):
        muse_nb.CubeViewer(path, colour="red")
    viewer.close()


@pytest.mark.parametrize(
    ("unit", "read"),
    [
        ("10**(-20)*erg/s/cm**2/Angstrom", "10⁻²⁰ erg s⁻¹ cm⁻² Å⁻¹"),
        ("1e-20 erg/s/cm2/Angstrom", "10⁻²⁰ erg s⁻¹ cm⁻² Å⁻¹"),
        ("1e-20 erg/s/cm**2/Angstrom", "10⁻²⁰ erg s⁻¹ cm⁻² Å⁻¹"),
        ("10**(-20)*erg/s/cm**2", "10⁻²⁰ erg s⁻¹ cm⁻²"),
        ("electron", "electron"),
        ("", ""),
        ("<b>", "<b>"),
    ],
)
def test_units_are_written_as_people_read_them(unit: str, read: str) -> None:
    assert readable(unit) == read


def test_mpdaf_takes_what_is_shown(mpdaf_data: Path) -> None:
    """On a real cube, mpdaf's aperture and white light are the viewer's."""
    from mpdaf.obj import Cube

    path = next(mpdaf_data.rglob("minicube.fits"))
    viewer = muse_nb.CubeViewer(path, regions=None)
    viewer.wait()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its unit
        theirs = Cube(str(path)).mean(axis=0)
    ours = viewer.image().data
    good = np.isfinite(ours) & ~np.ma.getmaskarray(theirs.data)
    np.testing.assert_allclose(ours[good], theirs.data.data[good], rtol=1e-6)
    assert viewer.cube["sky"]["cd"]
    viewer.close()


def test_a_click_on_a_star_shows_its_own_light(tmp_path: Path) -> None:
    places = [(12.2, 14.1, 20000.0), (16.4, 14.6, 12000.0), (27.3, 30.2, 9000.0), (30.6, 10.1, 15000.0)]
    path, known, spectra = star_cube(tmp_path / "CUBE.fits", places, shape=(24, 40, 40))
    stars = muse_nb.extract_stars(path, known)
    viewer = muse_nb.CubeViewer(path, stars=stars, regions=None)
    viewer.spaxel = [12, 14]
    assert [info["id"] for info in viewer.spectra] == [0, taken.STAR, taken.SUM, taken.RESIDUAL]
    parts = np.frombuffer(viewer.spectra_data, "<f4").reshape(-1, 24)  # of the spaxel and the star with their errors
    np.testing.assert_array_equal(parts[2], stars.flux[0])
    np.testing.assert_array_equal(parts[3], stars.error[0])
    assert parts[4].mean() > 1.1 * spectra[0].mean(), "an aperture holds the neighbour's light too"
    assert np.median(parts[5] / stars.error[0]) == pytest.approx(1, abs=0.3)
    viewer.spaxel = [20, 36]
    assert [info["id"] for info in viewer.spectra] == [0], "no star lies there"
    viewer.close()
