"""Stars on a galaxy: the light all exposures share is taken away, and the offsets are true within their errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from star_fields import STARS, TRUE, within, write

from muse_nb.steps.measurement import Measurement
from muse_nb.steps.offsets import measure_offsets
from muse_nb.steps.starfit.geometry import to_tangent
from muse_nb.steps.starfit.noise import core_chi2

ORIGIN = (265.2, -53.7)


def galaxy(measurement: Measurement, i: int, shape: tuple[int, int], offset: np.ndarray) -> np.ndarray:
    """An exponential disc of 60 times the sky's noise, moved with the stars of exposure `i`."""
    y, x = np.indices(shape)
    east, north = np.moveaxis(to_tangent(*measurement.sky(i, x, y), ORIGIN) - offset, -1, 0)
    return 60 * np.exp(-np.hypot(east - 1.0, (north + 1.5) / 0.6) / 3.0)


@pytest.fixture(scope="module")
def on_galaxy(tmp_path_factory: pytest.TempPathFactory) -> tuple[Measurement, list[np.ndarray]]:
    """Measurement of the field, and the galaxy in each of its exposures."""
    files: list[Path] = write(tmp_path_factory.mktemp("galaxy"), TRUE)
    rng, plain = np.random.default_rng(3), Measurement(files)
    light = []
    for i, file in enumerate(files):
        with fits.open(file, mode="update") as opened:
            image = opened["DATA"].data
            light.append(galaxy(plain, i, image.shape, np.asarray(TRUE)[i]))
            opened["DATA"].data = (image + light[-1] + rng.normal(0, np.sqrt(0.03 * light[-1]))).astype(np.float32)
    return Measurement(files), light


def test_offsets_of_stars_on_a_galaxy_are_true_within_their_errors(on_galaxy: tuple) -> None:
    offsets = measure_offsets(on_galaxy[0])
    assert within(offsets, np.asarray(TRUE))
    assert np.max(offsets.table["ra_error"]) < 0.0022


def test_the_galaxy_is_taken_away_and_not_the_stars(on_galaxy: tuple) -> None:
    measurement, light = on_galaxy
    fit = measurement.solution.fit
    assert fit is not None
    assert len(fit.sky) <= 2 * len(STARS)  # no heap of false stars holds the galaxy's middle
    for frame, galaxy_light in zip(fit.frames, light, strict=True):
        assert not frame.box  # the background that follows the light was chosen
        free = frame.used() & (frame.model - frame.level < 1)
        left = frame.ground[free] + frame.level - 10 - galaxy_light[free]
        assert np.sqrt(np.mean(left**2)) < 0.45  # of the sky's noise; a ring alone leaves 0.7 of 60
        assert core_chi2(frame) < 1.35
