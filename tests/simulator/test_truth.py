"""The truth is true: stars lie in the images where the tables say, and the offsets have the pipeline's sign."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from muse_nb.simulator.night import Night
from muse_nb.simulator.plan import SCATTER, WOBBLE, offset_from, pointing

MODEL_STARS = 19.0  # brighter ones are fitted [mag]


def moffats(x: np.ndarray, y: np.ndarray, flux: np.ndarray, shape: tuple[int, int], fwhm: float) -> np.ndarray:
    """Image of round Moffat profiles, beta 2.8, positions 0-based, `fwhm` in pixels."""
    alpha2 = (fwhm / 2) ** 2 / (2 ** (1 / 2.8) - 1)
    rows, columns = np.indices(shape)
    image = np.zeros(shape)
    for xk, yk, fk in zip(x, y, flux, strict=True):
        image += fk * 1.8 / np.pi / alpha2 * (1 + ((columns - xk) ** 2 + (rows - yk) ** 2) / alpha2) ** -2.8
    return image


def measured_minus_true(night: Night, number: int) -> tuple[float, float, float]:
    """Offset of an image's stars from their true positions [arcsec east, north], and their flux ratio."""
    with fits.open(night.reduced["IMAGE_FOV"][number]) as hdus:
        data, wcs = hdus["DATA"].data.astype(float), WCS(hdus["DATA"].header)
    row = night.exposures[number]
    stars = night.stars[night.stars["magnitude"] < MODEL_STARS]
    x, y = wcs.all_world2pix(stars["ra"], stars["dec"], 0)
    near = (x > -8) & (y > -8) & (x < data.shape[1] + 8) & (y < data.shape[0] + 8)
    x, y, flux = x[near], y[near], np.array(stars["flux"][near]) * row["transparency"]
    fwhm = row["seeing"] * 5 * 1.06  # spaxel and drizzle widen it
    inner = (slice(4, -4), slice(4, -4))
    for _ in range(3):  # Gauss-Newton for shift, flux and sky
        here, step = moffats(x, y, flux, data.shape, fwhm), 0.05
        right, up = (moffats(x + dx, y + dy, flux, data.shape, fwhm) for dx, dy in ((step, 0), (0, step)))
        slopes = [(right - here) / step, (up - here) / step, here, np.ones_like(here)]
        design = np.array([plane[inner].ravel() for plane in slopes])
        weight = 1 / np.sqrt(50.0**2 + (0.02 * here[inner].ravel()) ** 2)
        solution = np.linalg.lstsq((design * weight).T, data[inner].ravel() * weight, rcond=None)[0]
        x, y = x + solution[0] / solution[2], y + solution[1] / solution[2]
    moved = wcs.all_pix2world(x, y, 0)
    east = np.median((moved[0] - stars["ra"][near]) * np.cos(np.radians(row["dec"])))
    return float(east * 3600), float(np.median(moved[1] - stars["dec"][near]) * 3600), float(solution[2])


def test_stars_lie_where_truth_and_pointing_error_put_them(night: Night) -> None:
    found = np.array([measured_minus_true(night, k) for k in range(len(night.raw))])
    pointings = [pointing(k, night.seed, 60.0) for k in range(len(night.raw))]
    expected = -np.array([p.error for p in pointings])
    assert found[:, :2] == pytest.approx(expected, abs=0.012)
    # The offset list's convention: header minus true, relative to the first exposure.
    listed = np.array([night.offsets["east"], night.offsets["north"]]).T
    assert found[:, :2] - found[0, :2] == pytest.approx(listed, abs=0.008)
    cosine = np.cos(np.radians(night.exposures["dec"]))
    assert np.array(night.offsets["RA_OFFSET"]) * 3600 * cosine == pytest.approx(listed[:, 0], abs=1e-6)
    assert found[:, 2] == pytest.approx(1, abs=0.06)  # fluxes are calibrated


def test_the_wobble_turns_by_minus_90_degrees_with_each_step() -> None:
    errors = np.array([pointing(k, 5, 60.0).error for k in range(400)])
    offsets = -errors[:, 0] - 1j * errors[:, 1]
    turned = offsets * 1j ** np.arange(400)  # undo the rotation: what is left is a constant plus scatter
    assert abs(turned.mean()) == pytest.approx(WOBBLE, abs=0.02)
    assert turned.real.std() == pytest.approx(SCATTER, abs=0.02)
    assert turned.imag.std() == pytest.approx(SCATTER, abs=0.02)


def test_dithers_are_in_the_headers_and_errors_are_not(night: Night) -> None:
    for path, row, number in zip(night.raw, night.exposures, range(9), strict=False):
        header = fits.getheader(path)
        assert (header["RA"], header["DEC"]) == (row["ra"], row["dec"])
        error = (row["true_dec"] - row["dec"]) * 3600
        assert error == pytest.approx(pointing(number, night.seed, 60.0).error[1], abs=1e-6)
    assert np.ptp(night.exposures["dec"]) * 3600 > 0.05


def test_the_first_exposure_has_no_offset() -> None:
    assert offset_from(pointing(0, 1, 60.0), pointing(0, 1, 60.0)) == (0, 0)


def test_the_field_is_crowded(night: Night) -> None:
    row = night.exposures[0]
    cosine = np.cos(np.radians(row["dec"]))
    east = (night.stars["ra"] - row["ra"]) * cosine * 3600
    north = (night.stars["dec"] - row["dec"]) * 3600
    inside = (abs(east) < 7) & (abs(north) < 7)
    magnitude = night.stars["magnitude"][inside]
    assert 150 < inside.sum() < 600
    assert 10 < (magnitude < 17).sum() < 80
    assert magnitude.max() > 23
