"""Flux, centre and width of a line by sums over its window, above a straight continuum beside it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["line_moments"]

Array = NDArray[np.float64]
MIN_CONTINUUM = 4  # planes beside the line


def line_moments(
    data: NDArray[np.float32], variance: NDArray[np.float32] | None, x: Array, reach: float
) -> NDArray[np.float64]:
    """Sum up each spectrum's line.

    Parameters
    ----------
    data, variance : ndarray, shape (planes, spectra)
        Without `variance`, that of the continuum's scatter.
    x : ndarray, shape (planes,)
        Wavelengths from the expected centre [Angstrom], evenly spaced.
    reach : float
        Half width of the line's window; the rest is continuum.

    Returns
    -------
    ndarray, shape (8, spectra)
        Flux, centre, standard deviation, continuum below the line, and their errors; NaN where planes are missing in
        the window, or the sum is negative (centre and width).
    """
    values = data.astype(float)
    line = np.abs(x) <= reach
    beside = ~line
    level, slope, scatter = _continuum(values[beside], x[beside])
    y = values[line] - level - slope * x[line, None]
    spread = np.broadcast_to(scatter**2, y.shape) if variance is None else variance[line].astype(float)
    width, at = float(np.median(np.abs(np.diff(x)))), x[line, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        flux = y.sum(0)
        centre = np.where(flux > 0, (at * y).sum(0) / flux, np.nan)
        second = ((at - centre) ** 2 * y).sum(0) / flux
        sigma = np.sqrt(np.where(second > 0, second, np.nan))
        level_error = scatter / np.sqrt(np.isfinite(values[beside]).sum(0))
        errors = [
            np.hypot(np.sqrt(spread.sum(0)), line.sum() * level_error) * width,
            np.sqrt(((at - centre) ** 2 * spread).sum(0)) / flux,
            np.sqrt((((at - centre) ** 2 - second) ** 2 * spread).sum(0)) / (2 * sigma * flux),
            level_error,
        ]
    return np.stack([flux * width, centre, sigma, level + slope * np.where(np.isfinite(centre), centre, 0), *errors])


def _continuum(values: Array, x: Array) -> tuple[Array, Array, Array]:
    """Straight line by least squares in each spectrum: level at x = 0, slope, scatter about it."""
    good = np.isfinite(values)
    y, at = np.where(good, values, 0.0), np.where(good, x[:, None], 0.0)
    number = good.sum(0).astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_x, mean_y = at.sum(0) / number, y.sum(0) / number
        slope = ((at - mean_x) * (y - mean_y) * good).sum(0) / (((at - mean_x) ** 2) * good).sum(0)
        level = mean_y - slope * mean_x
        rest = np.where(good, values - level - slope * x[:, None], 0.0)
        scatter = np.sqrt((rest**2).sum(0) / (number - 2))
    level = np.where(number >= MIN_CONTINUUM, level, np.nan)
    return level, slope, scatter
