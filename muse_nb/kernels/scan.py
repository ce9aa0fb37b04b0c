"""Likelihood of many offsets of an exposure against a list of sources (compiled, see scan.c)."""

from __future__ import annotations

import ctypes

import numpy as np
from numpy.typing import NDArray

from muse_nb.kernels import library

__all__ = ["scan_offsets"]

_LONG, _REAL, _ARRAY = ctypes.c_int64, ctypes.c_double, ctypes.c_void_p


def scan_offsets(
    offset: NDArray,
    position: NDArray,
    amplitude: NDArray,
    significance: NDArray,
    inverse_error: NDArray,
    worth: NDArray,
    seen: tuple[float, float],
) -> tuple[NDArray, NDArray]:
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
    function = library().scan_offsets
    function.argtypes, function.restype = [
        _LONG, *[_ARRAY] * 2, _LONG, *[_ARRAY] * 3, _LONG, _LONG, *[_ARRAY] * 3, *[_REAL] * 3, *[_ARRAY] * 2,
    ], None  # fmt: skip
    arrays = (dx, dy, x, y, amplitude, significance, inverse_error, worth, likelihood, matched)
    at = [array.ctypes.data for array in arrays]
    fine = (len(worth) - 1) / seen[1]
    function(len(dx), *at[:2], len(x), *at[2:5], *significance.shape, *at[5:8], fine, *seen, *at[8:])
    return likelihood, matched
