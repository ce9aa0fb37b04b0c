"""Apertures and bands of cubes that lie as plain float32 in their file: the same numbers as `sums`, by C kernels."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.progress import Progress
from muse_nb.core.robust import SIGMA_OF_MAD
from muse_nb.kernels.voxels import add_planes, sums, takes, trimmed_medians
from muse_nb.products.voxels import Voxels
from muse_nb.steps.look.aperture import Aperture
from muse_nb.steps.look.sums import CLIP, LEAST_AREA, MEDIAN_ERROR, ROUNDS

__all__ = ["add", "collect", "possible"]

Array = NDArray[np.float64]
PIECE = 256  # planes, at least, between two words of progress
SHARE = 4_000_000  # voxels that are worth a thread, and of an aperture those between two words of progress


def possible(data: Voxels, variance: Voxels | None) -> bool:
    """Whether the kernels read these voxels."""
    return takes(data.mapped) and (variance is None or takes(variance.mapped))


def _threads(voxels: int) -> int:
    """Threads that some work is worth: to start one takes longer than to sum up a small aperture."""
    return min(os.cpu_count() or 1, 1 + voxels // SHARE)


def collect(
    how: str,
    data: Voxels,
    variance: Voxels | None,
    aperture: Aperture,
    around: Aperture | None,
    step: Progress | None = None,
) -> tuple[Array, Array | None]:
    """Reduce the spaxels of an aperture to one value a plane, as `muse_nb.steps.look.sums.collect` does.

    Parameters
    ----------
    how
        ``sum``, ``mean`` or ``median``.
    data, variance
        Such as are `possible`.
    aperture, around
        The aperture, and the ring whose clipped median is taken off.
    step
        Told of every piece.

    Returns
    -------
    value, error : numpy.ndarray
        Shape (nz,); no error without `variance`.
    """
    nz = data.shape[0]
    flux, error = np.empty(nz), np.empty(nz)
    piece = max(PIECE, SHARE // aperture.fraction.size)
    for start in range(0, nz, piece):
        planes = range(start, min(nz, start + piece))
        here = slice(planes.start, planes.stop)
        flux[here], error[here] = _piece(how, data, variance, aperture, around, planes)
        if step is not None:
            step("planes read", planes.stop, nz)
    return flux, None if variance is None else error


def _piece(
    how: str, data: Voxels, variance: Voxels | None, aperture: Aperture, around: Aperture | None, planes: range
) -> tuple[Array, Array]:
    stored, spread = data.mapped, None if variance is None else variance.mapped
    threads = _threads(len(planes) * aperture.fraction.size)
    assert stored is not None
    rows, columns, fraction = aperture.rows, aperture.columns, aperture.fraction
    found = sums(stored, spread, rows, columns, fraction, planes=planes, threads=threads)
    there = np.where(found.there >= LEAST_AREA * aperture.area, found.there, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        if how == "median":
            value, number = _middle(stored, aperture, planes, 0, threads)[::2]
            inside = (fraction >= min(0.5, float(fraction.max()))).astype(float)
            even = sums(stored, spread, rows, columns, inside, planes=planes, threads=threads).spread
            error = np.where(np.isfinite(there), np.sqrt(even) / number, np.nan)
            value, error = np.where(np.isfinite(there), value, np.nan), error * np.where(number > 2, MEDIAN_ERROR, 1.0)
        else:
            times = aperture.area if how == "sum" else 1.0
            value, error = times * found.total / there, times * np.sqrt(found.spread) / there
        if around is not None:
            times = aperture.area if how == "sum" else 1.0
            threads = _threads(4 * len(planes) * around.fraction.size)
            level, scatter, number = _middle(stored, around, planes, ROUNDS, threads)
            value = value - times * level
            error = np.hypot(error, times * MEDIAN_ERROR * scatter / np.sqrt(number))
    return value, error


def _middle(
    stored: NDArray[np.float32], aperture: Aperture, planes: range, rounds: int, threads: int
) -> tuple[Array, Array, NDArray[np.int64]]:
    """Median, scatter and number of the spaxels that lie by half or more in an aperture."""
    rows, columns = np.nonzero(aperture.fraction >= min(0.5, float(aperture.fraction.max())))
    chosen = (rows + aperture.rows.start) * stored.shape[2] + columns + aperture.columns.start
    return trimmed_medians(
        stored, chosen, rounds=rounds, clip=CLIP, of_mad=SIGMA_OF_MAD, planes=planes, threads=threads
    )


def add(
    data: Voxels,
    variance: Voxels | None,
    planes: Sequence[int],
    into: tuple[Array, Array, NDArray[np.int64]],
    step: Progress | None = None,
) -> None:
    """Add planes to sum, variance and number of spaxels with data, shape (ny, nx) each.

    Parameters
    ----------
    data, variance
        Such as are `possible`.
    planes
        Their numbers.
    into
        Changed in place.
    step
        Told of every piece.
    """
    stored, spread = data.mapped, None if variance is None else variance.mapped
    assert stored is not None
    for start in range(0, len(planes), PIECE):
        part = np.asarray(planes[start : start + PIECE], np.int64)
        add_planes(stored, spread, part, *into, threads=_threads(len(part) * stored[0].size))
        if step is not None:
            step("planes read", start + len(part), len(planes))
