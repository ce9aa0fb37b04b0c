"""Pixel tables to the planes of a cube, a slab of wavelengths at a time, in bounded memory."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from muse_nb.kernels.stream import MAXTHREADS, Planes
from muse_nb.products.errors import MuseError
from muse_nb.resample.grid import CubeGrid
from muse_nb.resample.inputs import Inputs

__all__ = ["Settings", "Tally", "planes", "slab_for"]

ROW_BYTES = 34  # a row of a loaded plane: 24 as read, 4 + 4 sorted, some room
CELL_BYTES = 172  # a spaxel: three planes of sums with their border, centres, output
BASE_BYTES = 60_000_000  # Python, numpy and FITS headers


@dataclass(frozen=True)
class Settings:
    """How to resample.

    Attributes
    ----------
    pixfrac : tuple of float
        Size of a drop over that of a voxel, on the sky and in wavelength.
    crsigma : float
        Cosmic rays lie above median + crsigma x MAD of their neighbours; 0 or less: none is searched.
    low, high : float
        Wavelength limits [Angstrom].
    memory : float or None
        Bytes to stay within; None: as much as keeps slabs 32 planes thick.
    threads : int
    """

    pixfrac: tuple[float, float] = (0.6, 0.6)
    crsigma: float = 10.0
    low: float = 4000.0
    high: float = 10000.0
    memory: float | None = None
    threads: int = 1


@dataclass
class Tally:
    """Rows counted on the way.

    Attributes
    ----------
    used, flagged : int
        Rows that fell into the cube; of those, rejected as cosmic rays.
    not_finite : list of int
        For each exposure, rows left out because their data are not finite though dq is 0.
    """

    used: int = 0
    flagged: int = 0
    not_finite: list[int] | None = None


def planes(
    inputs: Inputs, grid: CubeGrid, settings: Settings, tally: Tally
) -> Iterator[tuple[int, NDArray[np.float32], NDArray[np.float32]]]:
    """Resample plane after plane.

    Parameters
    ----------
    inputs
        The exposures.
    grid
        The cube.
    settings
        How.
    tally
        Filled on the way.

    Yields
    ------
    number, data, stat
        Plane number and its values, shape (ny, nx), NaN where no row fell.

    Raises
    ------
    MuseError
        A table cannot be read any more, or memory is short.
    """
    along_x, whole = search_direction(inputs.exposures[0].table.header)
    kernel_grid = grid.kernel(settings.pixfrac, (settings.low, settings.high), swap=along_x)
    slab = slab_for(inputs.rows, grid.shape, settings)
    nz = grid.shape[0]
    kernels = [exposure.kernel for exposure in inputs.exposures]
    try:
        work = Planes(kernel_grid, kernels, slab, min(settings.threads, MAXTHREADS))
    except MemoryError as error:
        raise MuseError(f"{error}: give less --memory, or free some") from error
    try:
        done = 0
        for first in range(0, nz, slab):
            last = min(first + slab, nz)
            work.load(first, last)
            ready = nz if last == nz else last - 1  # a plane's neighbours must be there for its cosmic rays
            for plane in range(done, ready):
                if settings.crsigma > 0:
                    work.cosmics(plane, settings.crsigma, whole=whole)
                work.drizzle(plane)
                if plane:
                    yield plane - 1, *work.finish(plane - 1)
            done = ready
        yield nz - 1, *work.finish(nz - 1)
        tally.used, tally.flagged, tally.not_finite = work.used, work.flagged, work.not_finite
    except OSError as error:
        raise MuseError(f"the exposures cannot be combined: {error}") from error
    finally:
        work.close()


def search_direction(header: Any) -> tuple[bool, bool]:
    """Find the axis along which the recipes search cosmic rays: across the slices of the first exposure.

    Parameters
    ----------
    header
        Its primary header.

    Returns
    -------
    along_x, whole
        Neighbours along x instead of y (rotator angle near 90 or 270); along all axes (an angle between).
    """
    angle = header.get("ESO INS DROT POSANG", 0.0)
    angle = abs(float(angle)) if isinstance(angle, (int, float)) else 0.0
    along_x = min(abs(angle - 90), abs(angle - 270)) < 5
    return along_x, not along_x and min(angle, abs(angle - 180), abs(angle - 360)) >= 5


def slab_for(rows: int, shape: tuple[int, int, int], settings: Settings) -> int:
    """Return how many planes at a time fit into the memory that is allowed, 1 to 32.

    Parameters
    ----------
    rows
        Of all tables; they are taken to spread evenly over the planes.
    shape
        (nz, ny, nx) of the cube.
    settings
        With the memory and the threads.
    """
    if settings.memory is None:
        return min(32, shape[0])
    left = settings.memory - BASE_BYTES - rows / 16 - shape[1] * shape[2] * CELL_BYTES
    a_plane = rows / shape[0] * ROW_BYTES + shape[1] * shape[2] * 4 * (settings.threads + 1)
    slab = math.floor(left / a_plane) - 2
    if slab < 1:
        need = settings.memory - left + 3 * a_plane
        raise MuseError(
            f"{settings.memory / 1e9:.2f} GB are too little for {rows} rows and {shape[2]} x {shape[1]} spaxels:"
            f" allow at least {need / 1e9:.2f} GB with --memory"
        )
    return min(32, slab, shape[0])


def default_threads() -> int:
    """Return how many threads to use: the processors at hand, at most 8, since reading limits more."""
    return min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
