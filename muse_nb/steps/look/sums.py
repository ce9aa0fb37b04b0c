"""Sums, means and medians of the spaxels of an aperture, plane by plane, with their errors and the sky around it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.robust import SIGMA_OF_MAD

__all__ = ["HOWS", "Background", "clipped_median", "collect"]

Array = NDArray[np.float64]
LEAST_AREA = 0.5  # of an aperture that must hold data, for a plane to have a value
CLIP = 3.0  # sigma, by which a spaxel of the ring is left out of its median
ROUNDS = 5  # of clipping
MEDIAN_ERROR = float(np.sqrt(np.pi / 2))  # standard error of a median over that of a mean, of a normal distribution


@dataclass(frozen=True)
class Background:
    """Level of the ring around an aperture in some planes.

    Attributes
    ----------
    level, error : numpy.ndarray
        Median of its spaxels, clipped, and the standard error of that; NaN where it holds no data. Shape (planes,).
    """

    level: Array
    error: Array


def clipped_median(values: Array, fraction: Array) -> Background:
    """Median of the spaxels that lie by half or more in a ring, without those that stand out.

    Parameters
    ----------
    values
        Shape (planes, rows, columns).
    fraction
        Of each spaxel in the ring, shape (rows, columns).
    """
    inside = np.where(np.isfinite(values), values, np.nan)[:, fraction >= min(0.5, float(fraction.max()))]
    for _ in range(ROUNDS):
        level, scatter = _spread(inside)
        wild = np.abs(inside - level[:, None]) > CLIP * scatter[:, None]
        if not wild.any():
            break
        inside = np.where(wild, np.nan, inside)
    level, scatter = _spread(inside)
    number = np.isfinite(inside).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return Background(level, MEDIAN_ERROR * scatter / np.sqrt(number))


def _spread(values: Array) -> tuple[Array, Array]:
    """Median and robust standard deviation of each row, NaN where it has no value."""
    level, scatter = np.full(len(values), np.nan), np.full(len(values), np.nan)
    some = np.isfinite(values).any(axis=1)
    if some.any():
        level[some] = np.nanmedian(values[some], axis=1)
        scatter[some] = SIGMA_OF_MAD * np.nanmedian(np.abs(values[some] - level[some, None]), axis=1)
    return level, scatter


def collect(
    how: str, data: Array, variance: Array | None, fraction: Array, area: float, background: Background | None
) -> tuple[Array, Array | None]:
    """Reduce the spaxels of an aperture to one value a plane.

    Parameters
    ----------
    how
        One of `HOWS`.
    data, variance
        Shape (planes, rows, columns).
    fraction
        Of each spaxel in the aperture, shape (rows, columns).
    area
        Of the aperture [spaxel].
    background
        What is taken off each spaxel.

    Returns
    -------
    value, error : numpy.ndarray
        Shape (planes,); NaN where less than half of the aperture holds data. Errors take spaxels for independent;
        None without `variance`.
    """
    value, error = HOWS[how](data, variance, fraction, area)
    if background is None:
        return value, error
    times = area if how == "sum" else 1.0
    value = value - times * background.level
    return value, None if error is None else np.hypot(error, times * background.error)


def _weights(data: Array, fraction: Array, area: float) -> tuple[Array, Array]:
    """Fractions of the spaxels with data, shape as `data`, and their sum by plane, NaN where it is too little."""
    weight = np.where(np.isfinite(data), fraction, 0.0)
    there = weight.sum(axis=(1, 2))
    return weight, np.where(there >= LEAST_AREA * area, there, np.nan)


def _mean(data: Array, variance: Array | None, fraction: Array, area: float) -> tuple[Array, Array | None]:
    weight, there = _weights(data, fraction, area)
    value = (weight * np.where(weight > 0, data, 0.0)).sum(axis=(1, 2)) / there
    if variance is None:
        return value, None
    spread = (weight**2 * np.where(weight > 0, variance, 0.0)).sum(axis=(1, 2))
    with np.errstate(invalid="ignore"):  # of a STAT that is negative or infinite: the error is NaN or infinite
        return value, np.sqrt(spread) / there


def _sum(data: Array, variance: Array | None, fraction: Array, area: float) -> tuple[Array, Array | None]:
    """The mean times the area: a plane with NaN inside is scaled by the area that is there."""
    value, error = _mean(data, variance, fraction, area)
    return value * area, None if error is None else error * area


def _median(data: Array, variance: Array | None, fraction: Array, area: float) -> tuple[Array, Array | None]:
    """Median of the spaxels that lie by half or more in the aperture."""
    _, there = _weights(data, fraction, area)
    chosen = fraction >= min(0.5, float(fraction.max()))
    inside = np.where(np.isfinite(data), data, np.nan)[:, chosen]
    value, _ = _spread(inside)
    value = np.where(np.isfinite(there), value, np.nan)
    if variance is None:
        return value, None
    good = np.isfinite(inside)
    number = good.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_error = np.sqrt(np.where(good, variance[:, chosen], 0.0).sum(axis=1)) / number
    return value, np.where(np.isfinite(value), mean_error * np.where(number > 2, MEDIAN_ERROR, 1.0), np.nan)


Collect = Callable[[Array, "Array | None", Array, float], tuple[Array, "Array | None"]]
HOWS: dict[str, Collect] = {"sum": _sum, "mean": _mean, "median": _median}
"""How the spaxels of an aperture become one value."""
