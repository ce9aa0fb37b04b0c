"""Zeros where other tools leave NaN are holes: taken for data, their edges gave offsets of tens of mas, as agreed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from star_fields import TRUE, found, within, write

from muse_nb import measure_offsets
from muse_nb.steps.offsets.starfit.filled import without_fill

NOISE = np.random.default_rng(5).normal(size=(120, 120))


def corners(image: NDArray) -> NDArray:
    """Off a field that is turned by 45 degrees."""
    y, x = np.indices(image.shape) - (np.array(image.shape)[:, None, None] - 1) / 2
    return np.abs(x) + np.abs(y) > 0.6 * len(image)


def lines(image: NDArray) -> NDArray:
    """Two rows and two columns, as of a slice without data."""
    y, x = np.indices(image.shape)
    return np.isin(y, (40, 41)) | np.isin(x, (70, 71))


@pytest.mark.parametrize("value", [0.0, -999.0])
@pytest.mark.parametrize("holes", [corners, lines])
def test_offsets_of_images_filled_with_a_number_are_those_of_nan(holes: Callable, value: float, tmp_path: Path) -> None:
    def filled(_: int, image: NDArray) -> NDArray:
        return np.where(holes(image), value, image + 90)  # on a bright sky

    def empty(_: int, image: NDArray) -> NDArray:
        return np.where(holes(image), np.nan, image + 90)

    offsets = measure_offsets(write(tmp_path / "filled", TRUE, spoil=filled))
    assert within(offsets, TRUE, 4)
    assert np.allclose(found(offsets), found(measure_offsets(write(tmp_path / "empty", TRUE, spoil=empty))), atol=1e-4)


@pytest.mark.parametrize("step", [0.0, 1.0, 3.0])
def test_single_pixels_of_zero_are_holes(step: float) -> None:
    """Of any kind of number: as measured, or in whole steps a third of the noise or as large as the noise."""
    image = NOISE + 20
    image = np.round(image * step) if step else image
    image[::13, ::17] = 0
    assert (np.isnan(without_fill(image)) == (image == 0)).all()


@pytest.mark.parametrize("sky", [0.0, 1e2, 1e5])
def test_noise_is_left_as_it_is(sky: float) -> None:
    """Also as 4-byte numbers of a bright sky, and in coarse whole numbers, where many pixels have one value."""
    for image in (
        NOISE + sky,
        (NOISE + sky).astype(np.float32),
        *(np.round(NOISE * s + sky) for s in (0.2, 0.3, 1, 9)),
    ):
        assert without_fill(image) is image


def test_a_sky_of_one_value_in_a_simulation_without_noise_is_no_hole() -> None:
    y, x = np.indices((60, 60)) - 29.5
    star = np.maximum(1e3 * (1 + (x**2 + y**2) / 9) ** -2.5 - 1, 0)
    assert (star == 0).mean() > 0.3
    assert without_fill(star) is star
    nothing = np.zeros((9, 9))
    assert without_fill(nothing) is nothing


def test_what_is_not_finite_stays_so() -> None:
    image = NOISE.copy()
    image[:5], image[5], image[6, 3] = np.inf, np.nan, -np.inf
    image[50:60] = 0
    kept = np.isfinite(without_fill(image))
    assert not kept[:6].any()
    assert not kept[50:60].any()
    assert kept.sum() == 120 * 104 - 1
