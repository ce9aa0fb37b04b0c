"""Protects the one reading of wavelengths and of the sky's axes: every spelling gives the same numbers."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from muse_nb.core.errors import MuseError
from muse_nb.products.axes.sky import SkyAxes
from muse_nb.products.axes.wcs import celestial_wcs
from muse_nb.products.cube_file import CubeFile
from muse_nb.products.image_fov import ImageFov
from muse_nb.products.spectral_axis import SpectralAxis
from muse_nb.resample.given_grid import read_grid

S = 0.2 / 3600
FIRST = {
    **{"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CUNIT1": "deg", "CUNIT2": "deg", "CTYPE3": "AWAV"},
    **{"CRVAL1": 265.17, "CRVAL2": -53.67, "CRPIX1": 4.5, "CRPIX2": 3.0, "CRVAL3": 6266.5, "CRPIX3": 1.0},
    **{"CUNIT3": "Angstrom"},
}
CD = {"CD1_1": -S, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": S}
COSINE, SINE = float(np.cos(np.radians(30))), float(np.sin(np.radians(30)))
TURNED = {"CD1_1": -S * COSINE, "CD1_2": -S * SINE, "CD2_1": -S * SINE, "CD2_2": S * COSINE}
SPELLINGS: dict[str, dict[str, Any]] = {
    "CD": {**CD, "CD3_3": 1.25},
    "CD of the sky alone": {**CD, "CDELT3": 1.25},
    "CDELT": {"CDELT1": -S, "CDELT2": S, "CDELT3": 1.25},
    "PC": {"PC1_1": -S, "PC2_2": S, "PC3_3": 1.25, "CDELT1": 1.0, "CDELT2": 1.0, "CDELT3": 1.0},
    "PC without CDELT": {"PC1_1": -S, "PC2_2": S, "PC3_3": 1.25},
    "PC of 1": {"PC1_1": 1.0, "PC2_2": 1.0, "CDELT1": -S, "CDELT2": S, "CDELT3": 1.25},
    "arcsec": {
        **{"CDELT1": -0.2, "CDELT2": 0.2, "CDELT3": 1.25, "CUNIT1": "arcsec", "CUNIT2": "arcsec"},
        **{"CRVAL1": 265.17 * 3600, "CRVAL2": -53.67 * 3600},
    },
    "no unit of the sky": {**CD, "CD3_3": 1.25, "CUNIT1": None, "CUNIT2": ""},
}
UNITS = {
    **dict.fromkeys(("Angstrom", "angstrom", "ANGSTROM", "Angstroms", "AA", "0.1 nm"), 1.0),
    **dict.fromkeys(("nm", "NM", "nanometer"), 1e-1),
    **dict.fromkeys(("um", "micron", "Micron", "microns", "MICRON"), 1e-4),
    **dict.fromkeys(("mm", "millimeter"), 1e-7),
    **dict.fromkeys(("m", "M", "meter"), 1e-10),
    "cm": 1e-8,
}


def header(**more: Any) -> fits.Header:
    cards = {key: value for key, value in (FIRST | more).items() if value is not None}
    return fits.Header(cards)


def written(folder: Path, one: fits.Header, shape: tuple[int, ...] = (361, 6, 8)) -> Path:
    path = folder / "cube.fits"
    primary = fits.PrimaryHDU()
    primary.header["DATE-OBS"] = "2014-07-27T03:12:00"
    fits.HDUList([primary, fits.ImageHDU(np.zeros(shape, "f4"), one, name="DATA")]).writeto(path)
    return path


@pytest.mark.parametrize("name", SPELLINGS)
def test_every_spelling_gives_the_same_axes(name: str, tmp_path: Path) -> None:
    path = written(tmp_path, header(**SPELLINGS[name]))
    cube = CubeFile.open(path)
    assert cube.wavelength(360) == pytest.approx(6716.5, abs=1e-6)
    np.testing.assert_allclose(SkyAxes.of(cube.header, path).scale, 0.2, rtol=1e-9)
    np.testing.assert_allclose(cube.celestial.wcs_pix2world([[3.5, 2.0]], 0), [[265.17, -53.67]], rtol=1e-12)
    np.testing.assert_allclose(cube.wcs.wcs_pix2world([[3.5, 2.0, 360]], 0)[0], [265.17, -53.67, 6716.5e-10])
    grid, right = read_grid(path), S
    assert grid.step == pytest.approx(right, rel=1e-12)
    assert grid.wavelength(360) == pytest.approx(6716.5, abs=1e-6)
    assert (grid.shape, grid.crpix) == ((361, 6, 8), (4.5, 3.0, 1.0))


@pytest.mark.parametrize("unit", UNITS)
def test_every_name_of_a_unit_is_understood_and_nobody_warns(unit: str, tmp_path: Path, capfd) -> None:
    scale = UNITS[unit]
    path = written(tmp_path, header(**CD, CUNIT3=unit, CRVAL3=6266.5 * scale, CD3_3=1.25 * scale))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cube = CubeFile.open(path)
        assert cube.wavelength(360) == pytest.approx(6716.5, abs=1e-6)
        assert cube.celestial.has_celestial
        assert cube.wcs.naxis == 3
        assert read_grid(path).lambda_step == pytest.approx(1.25, abs=1e-9)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("kind", "last", "medium"),
    [
        ("AWAV", 6716.5, "air"),
        ("WAVE", 6716.5, "vacuum"),
        ("LINEAR", 6716.5, "unknown"),
        ("AWAV-LOG", 6733.05, "air"),
        ("WAVE-LOG", 6733.05, "vacuum"),
    ],
)
def test_wavelengths_are_those_of_wcslib(kind: str, last: float, medium: str) -> None:
    one = header(**CD, CD3_3=1.25, CTYPE3=kind)
    axis = SpectralAxis.of(one, "it")
    assert (axis.medium, axis.logarithmic) == (medium, kind.endswith("LOG"))
    assert axis.wavelength(360) == pytest.approx(last, abs=0.01)
    if kind != "LINEAR":
        planes = np.arange(0, 361, 40)
        there = np.column_stack([np.zeros((len(planes), 2)), planes])
        np.testing.assert_allclose(axis.wavelength(planes), 1e10 * WCS(one).wcs_pix2world(there, 0)[:, 2], rtol=1e-10)
    np.testing.assert_allclose(axis.plane(axis.wavelength(np.arange(361))), np.arange(361), atol=1e-8)


TILTS: dict[str, dict[str, Any]] = {
    "CD": TURNED,
    "CROTA2": {"CDELT1": -S, "CDELT2": S, "CROTA2": 30.0},
    "PC": {"CDELT1": -S, "CDELT2": S, "PC1_1": COSINE, "PC1_2": SINE, "PC2_1": -SINE, "PC2_2": COSINE},
    "not square": {"CDELT1": -S, "CDELT2": 3 * S, "CROTA2": -20.0},
    "mirrored": {"CDELT1": S, "CDELT2": S, "CROTA2": 10.0},
    "galactic": {"CTYPE1": "GLON-SIN", "CTYPE2": "GLAT-SIN", **TURNED},
    "narrow field": {"CD1_1": -S / 8, "CD2_2": S / 8},
    "DEC first": {"CTYPE1": "DEC--TAN", "CTYPE2": "RA---TAN", "CRVAL1": -53.67, "CRVAL2": 265.17, **TURNED},
}


@pytest.mark.parametrize("name", TILTS)
def test_the_sky_is_that_of_wcslib(name: str) -> None:
    one = header(**{"CTYPE3": None, "CUNIT3": None, "CRVAL3": None, "CRPIX3": None} | TILTS[name])
    axes, right = SkyAxes.of(one, "it"), WCS(one)
    pixels = np.array([[0.0, 0.0], [7.0, 0.0], [0.0, 5.0], [3.0, 4.0]])
    np.testing.assert_allclose(celestial_wcs(one, "it").wcs_pix2world(pixels, 0), right.wcs_pix2world(pixels, 0))
    matrix = right.pixel_scale_matrix[::-1] if name == "DEC first" else right.pixel_scale_matrix
    np.testing.assert_allclose(axes.matrix, matrix, atol=1e-12)
    np.testing.assert_allclose(axes.scale, np.hypot(*right.pixel_scale_matrix) * 3600, rtol=1e-9)
    step = axes.matrix @ axes.north
    assert step[1] > 0
    assert abs(step[0]) < 1e-9 * step[1]
    assert (axes.matrix @ axes.east)[0] > 0
    assert axes.upright is (name == "narrow field")


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({**CD}, "lacks CRVAL3, or CD3_3"),
        ({**CD, "CD3_3": 1.25, "CUNIT3": "Hz"}, "CUNIT3 'Hz' is no unit of length"),
        ({**CD, "CD3_3": 1.25, "CTYPE3": "FREQ"}, "CTYPE3 FREQ is no axis"),
        ({**CD, "CD3_3": 1.25, "CTYPE3": "AWAV-TAB"}, "CTYPE3 AWAV-TAB is no axis"),
        ({**CD, "CD3_3": 1.25, "CD2_3": 1e-6}, "CD2_3 ties the sky to the wavelength"),
        ({**CD, "CD3_3": 1.25, "CUNIT3": None, "CRVAL3": 0.62}, "lacks CUNIT3, and CRVAL3 0.62 is no wavelength"),
    ],
)
def test_what_is_not_understood_is_refused_in_a_sentence(more: dict[str, Any], says: str, tmp_path: Path) -> None:
    cube = CubeFile.open(written(tmp_path, header(**more)))
    for ask in (lambda: cube.wavelength(0), lambda: cube.wcs, lambda: read_grid(cube.path)):
        with pytest.raises(MuseError, match=says):
            ask()


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({}, r"lacks CD1_1 \(or CDELT1\)"),
        ({**CD, "CTYPE1": "LINEAR"}, "lacks a celestial WCS"),
        ({**CD, "CUNIT1": "furlong"}, "CUNIT1 'furlong' is no unit of an angle"),
        ({**CD, "CD2_2": 0.0}, "all pixels on a line of the sky"),
        ({**CD, "CRVAL2": None}, "lacks CRVAL2"),
        ({**CD, "CD1_2": "north"}, "CD1_2 is 'north', not a number"),
        ({**CD, "CTYPE1": "RA---XYZ", "CTYPE2": "DEC--XYZ"}, "its WCS is unreadable"),
    ],
)
def test_a_sky_that_is_not_understood_is_refused_in_a_sentence(more: dict[str, Any], says: str, tmp_path) -> None:
    image = ImageFov.open(written(tmp_path, header(**more), (6, 8)))
    with pytest.raises(MuseError, match=says) as caught:
        _ = image.wcs
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({**TURNED, "CD3_3": 1.25}, "not north up"),
        ({**CD, "CD3_3": 1.25, "CTYPE3": "WAVE"}, "CTYPE3 is 'WAVE'"),
        ({**CD, "CD3_3": 1.25, "CTYPE3": "AWAV-LOG"}, "CTYPE3 is 'AWAV-LOG'"),
        ({**CD, "CD3_3": -1.25}, "wavelengths fall"),
        ({**CD, "CD3_3": 1.25, "LONPOLE": 90.0}, "LONPOLE 90"),
        ({**CD, "CD3_3": 1.25, "CTYPE1": "RA---SIN", "CTYPE2": "DEC--SIN"}, "CTYPE1 is .RA---SIN."),
    ],
)
def test_a_grid_that_only_the_recipe_makes_is_refused(more: dict[str, Any], says: str, tmp_path: Path) -> None:
    with pytest.raises(MuseError, match=f"{says}.*use the engine eso"):
        read_grid(written(tmp_path, header(**more)))


def test_a_date_that_is_none_disturbs_no_axes(tmp_path: Path, capfd) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cube = CubeFile.open(written(tmp_path, header(**CD, CD3_3=1.25, **{"DATE-OBS": "yesterday"})))
        assert cube.wcs.has_celestial
    assert capfd.readouterr() == ("", "")
