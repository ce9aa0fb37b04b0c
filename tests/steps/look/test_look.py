"""Protects what is taken from a cube: sums, errors and bands equal those of numpy and mpdaf on float64."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from muse_nb import MuseError, band, spectrum
from muse_nb.cli import main
from muse_nb.products.cube_file import CubeFile
from muse_nb.products.spectral_axis import SpectralAxis
from muse_nb.steps.look.aperture import Aperture, circle, ring, spaxel
from muse_nb.steps.look.band import image_of
from muse_nb.steps.look.spectrum import extract

SHAPE = (40, 24, 28)
STEP = 0.2 / 3600
RA, DEC = 34.5, -75.0


def header(**more: object) -> fits.Header:
    cards = {
        "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CTYPE3": "AWAV", "CUNIT1": "deg", "CUNIT2": "deg",
        "CUNIT3": "Angstrom", "CRVAL1": RA, "CRVAL2": DEC, "CRVAL3": 6500.0, "CRPIX1": 14.5, "CRPIX2": 12.5,
        "CRPIX3": 1.0, "CD1_1": -STEP, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": STEP, "CD3_3": 1.25, "CD1_3": 0.0,
        "BUNIT": "10**-20 erg Angstrom-1 s-1 cm-2",
    }  # fmt: skip
    return fits.Header(cards | more)


def write(path: Path, data: np.ndarray, stat: np.ndarray | None = None, **more: object) -> Path:
    hdus = [fits.PrimaryHDU(), fits.ImageHDU(data, header(**more), name="DATA")]
    if stat is not None:
        hdus.append(fits.ImageHDU(stat, header(**more), name="STAT"))
    fits.HDUList(hdus).writeto(path)
    return path


@pytest.fixture(scope="module")
def arrays() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(5)
    data = random.normal(10, 3, SHAPE)
    data[7, 3:20, :] = np.nan
    data[9, 12, 14] = np.nan
    return data.astype("f4"), random.uniform(1, 4, SHAPE).astype("f4")


@pytest.fixture(scope="module")
def cube(arrays, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("look") / "CUBE.fits", *arrays)


def test_a_circle_holds_its_area_and_sums_to_what_numpy_sums(cube: Path, arrays) -> None:
    data, stat = (array.astype(float) for array in arrays)
    aperture = Aperture.of(circle(RA, DEC, 0.9), CubeFile.open(cube))
    assert aperture.area == pytest.approx(np.pi * 4.5**2, rel=1e-5)
    weight = np.zeros(SHAPE[1:])
    weight[aperture.rows, aperture.columns] = aperture.fraction
    found = extract(cube, circle(RA, DEC, 0.9))
    whole = [k for k in range(SHAPE[0]) if k not in (7, 9)]
    np.testing.assert_allclose(found.flux[whole], (data * weight).sum((1, 2))[whole], rtol=1e-6)
    np.testing.assert_allclose(found.error[whole], np.sqrt((stat * weight**2).sum((1, 2)))[whole], rtol=1e-6)
    assert np.isnan(found.flux[7])  # more than half is missing
    there = np.where(np.isfinite(data[9]), weight, 0)
    assert found.flux[9] == pytest.approx(np.nansum(data[9] * there) / there.sum() * aperture.area, rel=1e-6)


def test_means_and_spaxels_equal_mpdaf(cube: Path) -> None:
    from mpdaf.obj import Cube

    ours = spectrum(cube, spaxel(6, 5), how="mean")
    theirs = Cube(str(cube), convert_float64=True)[:, 4, 5]
    np.testing.assert_allclose(ours.data, theirs.data, rtol=1e-12)
    np.testing.assert_allclose(ours.var, theirs.var, rtol=1e-12)
    np.testing.assert_allclose(ours.wave.coord(), theirs.wave.coord())


def test_a_ring_takes_the_sky_off_and_tells_its_error(tmp_path: Path) -> None:
    random = np.random.default_rng(6)
    data = random.normal(100, 1, SHAPE)
    data[:, 12, 14] += 500  # a source, and another in the ring
    data[:, 2:4, 14] += 5000
    path = write(tmp_path / "CUBE.fits", data.astype("f4"), np.ones(SHAPE, "f4"))
    found = extract(path, circle(RA, DEC, 0.5), background=(1.2, 2.2))
    pull = (found.flux - 500) / found.error
    assert abs(np.mean(pull)) < 4 / np.sqrt(SHAPE[0])
    assert 0.7 < np.std(pull) < 1.35


def test_a_star_is_weighted_by_its_profile(tmp_path: Path) -> None:
    random = np.random.default_rng(7)
    y, x = np.mgrid[: SHAPE[1], : SHAPE[2]]
    core2 = (4.0 / 2) ** 2 / (2 ** (1 / 2.8) - 1)
    star = (1 + ((x - 13.7) ** 2 + (y - 11.6) ** 2) / core2) ** -2.8 * 1.8 / (np.pi * core2)
    data = random.normal(3, 0.5, SHAPE) + 2000 * star
    path = write(tmp_path / "CUBE.fits", data.astype("f4"), np.full(SHAPE, 0.25, "f4"))
    found = extract(path, circle(RA, DEC, 2.0), how="psf")
    assert np.mean(found.flux) == pytest.approx(2000, rel=0.01)
    assert 0.7 < np.std((found.flux - np.mean(found.flux)) / found.error) < 1.35
    with pytest.raises(MuseError, match="too few"):
        extract(path, circle(RA, DEC, 0.2), how="psf")
    empty = write(tmp_path / "EMPTY.fits", random.normal(0, 1, SHAPE).astype("f4"))
    with pytest.raises(MuseError, match="no star"):
        extract(empty, circle(RA, DEC, 2.0), how="psf")


def test_a_band_less_its_continuum_equals_numpy(cube: Path, arrays) -> None:
    data, stat = (array.astype(float) for array in arrays)
    found = image_of(cube, (6512.4, 6520.1), continuum=[(6525, 6530), (6535, 6540)])
    planes = list(range(10, 17))
    beside = [k for k in range(SHAPE[0]) if 6525 <= 6500 + 1.25 * k <= 6530 or 6535 <= 6500 + 1.25 * k <= 6540]
    assert found.planes == len(planes)
    np.testing.assert_allclose(found.data, data[planes].mean(0) - data[beside].mean(0), rtol=1e-6)
    error = np.sqrt(stat[planes].sum(0) / len(planes) ** 2 + stat[beside].sum(0) / len(beside) ** 2)
    np.testing.assert_allclose(found.error, error, rtol=1e-6)
    np.testing.assert_allclose(image_of(cube, (6512.4, 6520.1), how="sum").data, data[planes].sum(0) * 1.25, rtol=1e-6)
    middle = image_of(cube, (6505, 6520), how="median").data
    np.testing.assert_allclose(middle, np.nanmedian(data[4:17], axis=0), rtol=1e-6)
    made = band(cube, (6512.4, 6520.1))
    assert made.wcs.sky2pix((DEC, RA))[0] == pytest.approx((11.5, 13.5), abs=1e-6)


def test_files_open_with_mpdaf_and_specutils(cube: Path, tmp_path: Path) -> None:
    from mpdaf.obj import Image, Spectrum

    out = extract(cube, circle(RA, DEC, 0.9)).write(tmp_path / "SPECTRUM.fits")
    opened = Spectrum(str(out))
    assert opened.wave.coord()[0] == pytest.approx(6500)
    assert opened.var is not None
    assert "erg" in str(opened.unit)
    image = Image(str(image_of(cube, (6500, 6510)).write(tmp_path / "IMAGE.fits")))
    assert image.shape == SHAPE[1:]
    import specutils

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = specutils.Spectrum.read(str(out), format="wcs1d-fits")
    assert theirs.spectral_axis.to_value("Angstrom")[1] == pytest.approx(6501.25)
    assert theirs.uncertainty is not None


@pytest.mark.parametrize(
    ("cards", "last", "medium"),
    [
        ({}, 6548.75, "air"),
        ({"CTYPE3": "WAVE"}, 6548.75, "vacuum"),
        ({"CTYPE3": "LINEAR"}, 6548.75, "unknown"),
        ({"CTYPE3": "AWAV-LOG"}, 6500 * np.exp(48.75 / 6500), "air"),
        ({"CUNIT3": "micron", "CRVAL3": 0.65, "CD3_3": 1.25e-4}, 6548.75, "air"),
        ({"CUNIT3": "nm", "CRVAL3": 650.0, "CD3_3": 0.125}, 6548.75, "air"),
        ({"CUNIT3": "m", "CRVAL3": 6.5e-7, "CD3_3": 1.25e-10}, 6548.75, "air"),
    ],
)
def test_wavelengths_are_read_in_every_form(cards: dict, last: float, medium: str) -> None:
    axis = SpectralAxis.of(header(**cards), "CUBE.fits")
    assert axis.wavelength(SHAPE[0] - 1) == pytest.approx(last)
    assert axis.plane(last) == pytest.approx(SHAPE[0] - 1)
    assert axis.medium == medium


@pytest.mark.parametrize(
    ("cards", "words"),
    [
        ({"CTYPE3": "FREQ"}, "CTYPE3"),
        ({"CTYPE3": "WAVE-TAB"}, "CTYPE3"),
        ({"CUNIT3": "Hz"}, "CUNIT3"),
        ({"CUNIT3": "furlongs"}, "CUNIT3"),
        ({"CD3_1": 0.1}, "CD3_1"),
        ({"CD3_3": 0.0}, "CD3_3"),
    ],
)
def test_axes_that_are_not_understood_are_refused_by_name(cards: dict, words: str) -> None:
    with pytest.raises(MuseError, match=words):
        SpectralAxis.of(header(**cards), "CUBE.fits")


def test_the_commands_print_what_the_functions_give(cube: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out = tmp_path / "S.fits"
    assert main(["spectrum", str(cube), "--circle", str(RA), str(DEC), "0.9", "--json", "-o", str(out)]) == 0
    told = json.loads(capsys.readouterr().out)
    found = extract(cube, circle(RA, DEC, 0.9))
    assert told["flux"][7] is None
    assert told["flux"][8] == pytest.approx(found.flux[8])
    assert told["spaxels"] == pytest.approx(np.pi * 4.5**2, rel=1e-5)
    assert out.exists()
    assert main(["spectrum", str(cube), "--spaxel", "1", "1", "-o", str(out)]) == 1
    assert "already there" in capsys.readouterr().err
    words = [
        "band",
        str(cube),
        "--range",
        "6512",
        "6520",
        "--continuum",
        "6525",
        "6530",
        "-o",
        str(tmp_path / "B.fits"),
    ]
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["shape"] == list(SHAPE[1:])


def test_what_lies_off_the_cube_is_refused_in_a_sentence(cube: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["spectrum", str(cube), "--circle", "10", "10", "1"]) == 1
    assert "lies off" in capsys.readouterr().err
    assert main(["band", str(cube), "--range", "4000", "4100"]) == 1
    assert "no plane of" in capsys.readouterr().err
    with pytest.raises(MuseError, match="holds nothing"):
        ring(RA, DEC, 2, 1)


def test_odd_cubes(tmp_path: Path) -> None:
    one = write(tmp_path / "ONE.fits", np.ones((1, 1, 1)))
    found = extract(one, spaxel(1, 1))
    assert found.flux.tolist() == [1.0]
    assert found.error is None
    assert "no STAT" in str(found)
    nothing = write(tmp_path / "NAN.fits", np.full(SHAPE, np.nan))
    assert np.isnan(extract(nothing, circle(RA, DEC, 0.9)).flux).all()
    assert np.isnan(image_of(nothing, (6500, 6510)).data).all()
