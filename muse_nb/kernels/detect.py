"""Convolution with a round star; maps from images to a grid of the sky and back (compiled, see detect.c)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from muse_nb.kernels import library

__all__ = ["add_maps", "convolve", "spline_at"]

Floats = NDArray[np.floating]
Doubles = NDArray[np.float64]
Mask = NDArray[np.bool_]

_STRIDE = 32  # pixels that the kernel takes at once


def convolve(image: Floats | Mask, profile: Floats) -> Doubles:
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
    arrays = (array.ctypes.data for array in (quarter, rows, out))
    library().detect_convolve(*image.shape, image.ctypes.data, reach, *arrays)
    return out.astype(float)


def add_maps(total: Doubles, maps: Floats, gain: Floats, matrix: Floats, zero: Floats) -> None:
    """Add `gain` (m,) times each of m `maps` (m, ny, nx), interpolated, to `total` (m, rows, columns).

    A pixel of `total` at (row, column) lies at (y, x) = `matrix` (2, 2) @ (row, column) + `zero` (2,) of the maps.
    """
    maps, gain, matrix, zero = (np.ascontiguousarray(array, float) for array in (maps, gain, matrix, zero))
    arrays = (array.ctypes.data for array in (maps, gain, matrix, zero))
    library().detect_add(*maps.shape, *arrays, *total.shape[1:], total.ctypes.data)


def spline_at(
    coefficient: Floats, matrix: Floats, zero: Floats, shape: tuple[int, int]
) -> tuple[Doubles, Doubles, Doubles]:
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
    arrays = (array.ctypes.data for array in (coefficient, matrix, zero))
    library().detect_spline(*coefficient.shape, *arrays, *shape, *(image.ctypes.data for image in out))
    return out[0], out[1], out[2]
