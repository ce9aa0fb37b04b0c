"""Sums and medians over voxels that lie in a FITS file as it has them (compiled, see voxels.c)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from muse_nb.kernels import library

__all__ = ["Sums", "add_planes", "sums", "takes", "trimmed_medians"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Sums:
    """Weighted sums of an aperture by plane, shape (planes,) each.

    Attributes
    ----------
    total : numpy.ndarray
        Of weight times data.
    there : numpy.ndarray
        Of the weights of spaxels that hold data.
    spread : numpy.ndarray
        Of squared weight times variance; 0 without it.
    """

    total: Array
    there: Array
    spread: Array


def takes(array: NDArray[Any] | None) -> bool:
    """Whether these kernels read an array: big-endian float32, one plane after the other."""
    return array is not None and array.dtype == np.dtype(">f4") and array.flags.c_contiguous and array.flags.aligned


def sums(
    data: NDArray[Any],
    variance: NDArray[Any] | None,
    rows: slice,
    columns: slice,
    weight: Array,
    *,
    planes: range | None = None,
    threads: int = 1,
) -> Sums:
    """Weighted sums of a box of spaxels in each plane; NaN and infinite data are left out.

    Parameters
    ----------
    data, variance : ndarray, shape (nz, ny, nx)
        Such as `takes` accepts.
    rows, columns : slice
        The box.
    weight : ndarray, shape (rows, columns)
    planes : range
        Default: all.
    threads : int
        To work on.
    """
    nz, ny, nx = data.shape
    planes = range(nz) if planes is None else planes
    found = Sums(*np.empty((3, len(planes))))
    weight = np.ascontiguousarray(weight, np.float64)
    library().voxels_sums(
        data.ctypes.data, None if variance is None else variance.ctypes.data, planes.start, len(planes), ny, nx,
        rows.start, columns.start, *weight.shape, weight.ctypes.data, threads,
        found.total.ctypes.data, found.there.ctypes.data, found.spread.ctypes.data,
    )  # fmt: skip
    return found


def trimmed_medians(
    data: NDArray[Any],
    chosen: NDArray[np.int64],
    *,
    rounds: int,
    clip: float,
    of_mad: float,
    planes: range | None = None,
    threads: int = 1,
) -> tuple[Array, Array, NDArray[np.int64]]:
    """Median and robust scatter of some spaxels in each plane, after rounds of leaving out what stands out.

    Parameters
    ----------
    data : ndarray, shape (nz, ny, nx)
        Such as `takes` accepts.
    chosen : ndarray
        Where the spaxels are in a plane: row times nx plus column.
    rounds, clip, of_mad
        How often, by how many times the scatter, and what makes a standard deviation of a median absolute deviation.
    planes, threads
        As in `sums`.

    Returns
    -------
    level, scatter, number : ndarray, shape (planes,)
        NaN where no spaxel holds data; how many are left.
    """
    nz, ny, nx = data.shape
    planes = range(nz) if planes is None else planes
    level, scatter = np.empty((2, len(planes)))
    number = np.empty(len(planes), np.int64)
    chosen = np.ascontiguousarray(chosen, np.int64)
    library().voxels_medians(
        data.ctypes.data, planes.start, len(planes), ny * nx, chosen.ctypes.data, len(chosen), rounds, clip, of_mad,
        threads, level.ctypes.data, scatter.ctypes.data, number.ctypes.data,
    )  # fmt: skip
    return level, scatter, number


def add_planes(
    data: NDArray[Any],
    variance: NDArray[Any] | None,
    planes: NDArray[np.int64],
    total: Array,
    spread: Array,
    number: NDArray[np.int64],
    *,
    threads: int = 1,
) -> None:
    """Add planes to `total`, their variances to `spread` and, where they hold data, 1 to `number` (ny, nx).

    Parameters
    ----------
    data, variance : ndarray, shape (nz, ny, nx)
        Such as `takes` accepts; NaN and infinite data are left out.
    planes : ndarray
        Their numbers.
    total, spread, number : ndarray, shape (ny, nx)
        Changed in place.
    threads : int
        To work on.
    """
    _, ny, nx = data.shape
    planes = np.ascontiguousarray(planes, np.int64)
    library().voxels_planes(
        data.ctypes.data, None if variance is None else variance.ctypes.data, planes.ctypes.data, len(planes), ny * nx,
        threads, total.ctypes.data, spread.ctypes.data, number.ctypes.data,
    )  # fmt: skip
