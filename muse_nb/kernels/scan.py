"""Likelihood of many offsets of an exposure against a list of sources (compiled, see scan.c)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from muse_nb.kernels import library

__all__ = ["scan_offsets"]


def scan_offsets(
    offset: NDArray[np.floating],
    position: NDArray[np.floating],
    amplitude: NDArray[np.floating],
    significance: NDArray[np.floating],
    inverse_error: NDArray[np.floating],
    worth: NDArray[np.floating],
    seen: tuple[float, float],
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Sum over sources of what the significance that is seen there says for the source, or against it.

    Parameters
    ----------
    offset, position : ndarray, shapes (m, 2) and (K, 2)
        x and y that each offset adds, and of the sources without one [0-based pixel].
    amplitude : ndarray, shape (K,)
        Of the sources.
    significance, inverse_error : ndarray, shape (ny, nx)
        Of the exposure's matched filter; 0 beyond its borders.
    worth : ndarray, shape (d, s)
        Table over what is due, from 0 to the most of `seen`, and what is seen; steps are the same along both axes.
    seen : (float, float)
        Least and most of the significance.

    Returns
    -------
    likelihood : ndarray, shape (m,)
    matched : ndarray of int, shape (m,)
        Sources seen above 4 sigma.
    """
    (dx, dy), (x, y) = (np.ascontiguousarray(pair.T, float) for pair in (offset, position))
    amplitude, significance, inverse_error, worth = (
        np.ascontiguousarray(array, float) for array in (amplitude, significance, inverse_error, worth)
    )
    likelihood, matched = np.empty(len(dx)), np.empty(len(dx), np.int64)
    arrays = (dx, dy, x, y, amplitude, significance, inverse_error, worth, likelihood, matched)
    at = [array.ctypes.data for array in arrays]
    fine = (len(worth) - 1) / seen[1]
    library().scan_offsets(len(dx), *at[:2], len(x), *at[2:5], *significance.shape, *at[5:8], fine, *seen, *at[8:])
    return likelihood, matched
