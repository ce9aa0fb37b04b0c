"""Convolution with a round star; maps from images to a grid of the sky and back (compiled, see detect.c)."""

from __future__ import annotations

import ctypes

import numpy as np
from numpy.typing import NDArray

from muse_nb.kernels import library

__all__ = ["add_maps", "convolve", "spline_at"]

_LONG, _ARRAY = ctypes.c_int64, ctypes.c_void_p
_STRIDE = 32  # pixels that the kernel takes at once


def convolve(image: NDArray, profile: NDArray) -> NDArray:
    """Image (ny, nx) convolved with a star, 0 beyond its borders; in single precision.

    Parameters
    ----------
    image
        Finite everywhere.
    profile : ndarray, shape (2 r + 1, 2 r + 1)
        Symmetric along both axes.
    """
    image = np.ascontiguousarray(image, np.float32)
    reach = len(profile) // 2
    quarter = np.ascontiguousarray(profile[reach:, reach:], np.float32)
    rows = np.zeros((reach + 1, image.shape[1] + 2 * reach + _STRIDE), np.float32)
    out = np.empty_like(image)
    function = library().detect_convolve
    function.argtypes, function.restype = [_LONG, _LONG, _ARRAY, _LONG, *[_ARRAY] * 3], None
    function(*image.shape, image.ctypes.data, reach, quarter.ctypes.data, rows.ctypes.data, out.ctypes.data)
    return out.astype(float)


def add_maps(total: NDArray, maps: NDArray, gain: NDArray, matrix: NDArray, zero: NDArray) -> None:
    """Add `gain` (m,) times each of m `maps` (m, ny, nx), interpolated, to `total` (m, rows, columns).

    A pixel of `total` at (row, column) lies at (y, x) = `matrix` (2, 2) @ (row, column) + `zero` (2,) of the maps.
    """
    maps, gain, matrix, zero = (np.ascontiguousarray(array, float) for array in (maps, gain, matrix, zero))
    function = library().detect_add
    function.argtypes, function.restype = [*[_LONG] * 3, *[_ARRAY] * 4, _LONG, _LONG, _ARRAY], None
    arrays = (array.ctypes.data for array in (maps, gain, matrix, zero))
    function(*maps.shape, *arrays, *total.shape[1:], total.ctypes.data)


def spline_at(
    coefficient: NDArray, matrix: NDArray, zero: NDArray, shape: tuple[int, int]
) -> tuple[NDArray, NDArray, NDArray]:
    """Values of a cubic B-spline at the pixels of an image (ny, nx), and its derivatives along row and along column.

    Parameters
    ----------
    coefficient : ndarray, shape (rows, columns)
        On a grid; beyond it the nearest ones go on.
    matrix, zero : ndarray, shapes (2, 2) and (2,)
        A pixel of the image at (y, x) lies at (row, column) = `matrix` @ (y, x) + `zero` of the grid.
    shape : (ny, nx)
        Of the image.
    """
    coefficient, matrix, zero = (np.ascontiguousarray(array, float) for array in (coefficient, matrix, zero))
    out = np.empty((3, *shape))
    function = library().detect_spline
    function.argtypes, function.restype = [_LONG, _LONG, *[_ARRAY] * 3, _LONG, _LONG, *[_ARRAY] * 3], None
    arrays = (array.ctypes.data for array in (coefficient, matrix, zero))
    function(*coefficient.shape, *arrays, *shape, *(image.ctypes.data for image in out))
    return out[0], out[1], out[2]
