"""Resampled pixels share their noise with the next: how much is measured, and errors count it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from star_fields import PEAKS, STARS, TRUE, found, resampled, star_image, write

from muse_nb import measure_offsets
from muse_nb.steps.offsets.starfit.background import pixel_noise

WCS_CARDS = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRPIX1": 100.5, "CRPIX2": 100.5, "CDELT1": -0.2 / 3600}


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5])
@pytest.mark.parametrize("stars", [False, True])
def test_the_grain_of_the_noise_is_measured_whatever_stars_there_are(share: float, stars: bool) -> None:
    rng = np.random.default_rng(3)
    image = rng.normal(0, 7, (200, 200))
    if stars:
        wcs = WCS(fits.Header(WCS_CARDS | {"CDELT2": 0.2 / 3600, "CRVAL1": 265.2, "CRVAL2": -53.7}))
        image += star_image(wcs, (200, 200), STARS, 7 * PEAKS, 4.0, (265.2, -53.7))
    noise, grain = pixel_noise(resampled(image, share), np.ones(image.shape, bool))
    assert noise == pytest.approx(7 * ((1 - share) ** 2 + share**2), rel=0.04)
    assert noise * grain == pytest.approx(7, rel=0.04)  # a sum over many pixels knows nothing of how they share


def test_an_image_of_one_value_has_no_noise_and_one_of_none_is_told() -> None:
    assert pixel_noise(np.full((50, 50), 3.0), np.ones((50, 50), bool)) == (0.0, 1.0)
    noise, grain = pixel_noise(np.zeros((50, 50)), np.zeros((50, 50), bool))
    assert np.isnan(noise)
    assert grain == 1.0


def test_pixels_that_alternate_have_less_noise_in_a_sum_not_more() -> None:
    sign = np.where(np.indices((60, 60)).sum(0) % 2, 1.0, -1.0)
    image = sign * np.random.default_rng(2).uniform(4, 5, (60, 60))
    assert pixel_noise(image, np.ones((60, 60), bool))[1] == pytest.approx(0.8)  # correlations of -0.1 at most


@pytest.mark.parametrize("stars", [3, 5, 8])
def test_images_without_noise_are_measured_as_well(tmp_path: Path, stars: int) -> None:
    files = write(
        tmp_path, TRUE, sky=STARS[:stars], peaks=PEAKS[:stars], noise=0.0, spoil=lambda _, image: resampled(image, 0.5)
    )
    offsets = measure_offsets(files)
    assert list(offsets.table["verdict"]) == ["agree"] * 4
    np.testing.assert_allclose(found(offsets), TRUE, atol=1e-3)


def test_one_very_bright_star_tells_an_offset_no_better_than_its_profile_is_known(tmp_path: Path) -> None:
    table = measure_offsets(write(tmp_path, TRUE, peaks=np.r_[20000, PEAKS[1:]])).table
    assert (table["ra_error"][1:] > 0.001 * 0.8).all()
    many = measure_offsets(write(tmp_path / "many", TRUE, peaks=np.full(8, 20000.0))).table
    assert (many["ra_error"][1:] < 0.6 * table["ra_error"][1:]).all()


def test_errors_are_calibrated_on_resampled_images(tmp_path: Path) -> None:
    pulls = []
    for seed in range(10):
        files = write(tmp_path / f"{seed}", TRUE, seed=seed, spoil=lambda _, image: resampled(image, 0.5))
        table = (offsets := measure_offsets(files)).table
        assert list(table["verdict"]) == ["agree"] * 4
        error = np.c_[table["ra_error"], table["dec_error"]]
        pulls.append(((found(offsets) - TRUE) / np.maximum(error, 1e-9))[1:])
    assert 0.75 < np.sqrt(np.mean(np.square(pulls))) < 1.3  # of 60 values; 1.9 where pixels are taken for independent
