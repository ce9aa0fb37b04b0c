"""A Gaussian on a sloping continuum in each of many spectra (compiled, see lines.c)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from muse_nb.kernels import library

__all__ = ["fit_lines"]

RESULTS = 8  # of each spectrum


def fit_lines(
    data: NDArray[np.float32],
    variance: NDArray[np.float32] | None,
    x: NDArray[np.float64],
    *,
    reach: float,
    width: float,
    limits: tuple[float, float],
    threads: int = 1,
) -> NDArray[np.float32]:
    """Fit a line in each spectrum by weighted least squares (Levenberg-Marquardt).

    Parameters
    ----------
    data, variance : ndarray, shape (planes, spectra)
        Planes with NaN, or without a positive variance, are left out. Without `variance` all weigh the same and errors
        come from the scatter about the fit.
    x : ndarray, shape (planes,)
        Wavelengths from the expected centre.
    reach : float
        Farthest that a centre may lie from it; the continuum of the first guess is that of the planes beyond.
    width : float
        Standard deviation of the first guess.
    limits : (float, float)
        Least and largest standard deviation.
    threads : int
        To work on.

    Returns
    -------
    ndarray, shape (8, spectra)
        Flux (area), centre, standard deviation, continuum below the line, and their errors; NaN where no fit was found.
    """
    planes, spectra = data.shape
    result = np.empty((RESULTS, spectra), np.float32)
    data = np.ascontiguousarray(data, np.float32)
    variance = None if variance is None else np.ascontiguousarray(variance, np.float32)
    x = np.ascontiguousarray(x, np.float64)
    weights = None if variance is None else variance.ctypes.data
    library().fit_lines(
        spectra, planes, data.ctypes.data, weights, x.ctypes.data, reach, width, *limits, threads, result.ctypes.data
    )
    return result
