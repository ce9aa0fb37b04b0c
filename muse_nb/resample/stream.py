"""Pixel tables to the planes of a cube, a slab of wavelengths at a time, in bounded memory."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.errors import MuseError
from muse_nb.kernels.reasons import Reasons
from muse_nb.kernels.stream import Planes
from muse_nb.kernels.structs import MAXTHREADS, Grid
from muse_nb.products.dq import NO_ROW, NOT_FINITE, REJECTED
from muse_nb.resample.grid import CubeGrid
from muse_nb.resample.inputs import Inputs

__all__ = ["EXTENSIONS", "Resampled", "Settings", "default_threads", "planes", "slab_for"]

STAGED_BYTES = 26  # a row of a loaded plane: 24, some room
SORTED_BYTES = 24  # a row of a plane in the order of its cells: 22, some room
CELL_BYTES = 136  # a spaxel: three planes of sums with their border, centres, output, its median
REASON_WORDS = 6  # of a spaxel, for the extensions: three planes of flags and fate; one more for each 32 exposures
BASE_BYTES = 60_000_000  # Python, numpy and FITS headers

EXTENSIONS = {"DQ": ">i4", "EXPMAP": ">i2"}  # that a cube may have beside DATA and STAT, in the order of the file


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
        Bytes to stay within; None: 4 bytes a row, between 100 MB and 1 GB, where more would save little time.
    threads : int
    resample : str
        ``drizzle``, or ``nearest``: a voxel is its nearest row.
    crtype : str
        How cosmic rays are searched: ``median``, as by the recipes, or ``others``, against the other exposures.
    extensions : tuple of str
        Those of `EXTENSIONS` to make, in that order: why a voxel is NaN, and how many exposures are in it.
    """

    pixfrac: tuple[float, float] = (0.6, 0.6)
    crsigma: float = 10.0
    low: float = 4000.0
    high: float = 10000.0
    memory: float | None = None
    threads: int = 1
    resample: str = "drizzle"
    crtype: str = "median"
    extensions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Resampled:
    """A finished plane.

    Attributes
    ----------
    number : int
    data, stat : numpy.ndarray of float32, shape (ny, nx)
        NaN where no row fell.
    rows, flagged : int
        Rows of the plane; of these, rejected as cosmic rays.
    not_finite : list of int
        For each exposure, rows left out because data or variance are not finite though dq is 0.
    more : dict of str to numpy.ndarray
        By extension: DQ, int32, why a voxel is NaN; EXPMAP, int16, how many exposures are in it.
    """

    number: int
    data: NDArray[np.float32]
    stat: NDArray[np.float32]
    rows: int
    flagged: int
    not_finite: list[int]
    more: dict[str, NDArray[np.integer]] = field(default_factory=dict)


def planes(
    inputs: Inputs, grid: CubeGrid, settings: Settings, first: int = 0, last: int | None = None
) -> Iterator[Resampled]:
    """Resample plane after plane.

    A plane does not depend on where one starts: those at the edge of the range are computed with their neighbours.

    Parameters
    ----------
    inputs
        The exposures.
    grid
        The cube.
    settings
        How.
    first, last
        Planes to make, `last` excluded; by default all.

    Yields
    ------
    Resampled

    Raises
    ------
    MuseError
        A table cannot be read any more, or memory is short.
    """
    nz = grid.shape[0]
    last = nz if last is None else min(last, nz)
    along_x, whole = search_direction(inputs.exposures[0].table.header)
    kernel_grid = grid.kernel(settings.pixfrac, (settings.low, settings.high), swap=along_x)
    slab = slab_for(inputs.rows, grid.shape, settings, len(inputs.exposures))
    counts: dict[int, list[int]] = {}

    def finished(number: int, data: NDArray[np.float32], stat: NDArray[np.float32]) -> Iterator[Resampled]:
        more = {} if reasons is None else _explained(reasons, number, data, settings.extensions)
        if first <= number < last:
            rows, flagged, *not_finite = counts.pop(number)
            yield Resampled(number, data, stat, rows, flagged, not_finite, more)

    with _memory(inputs, kernel_grid, slab, settings) as (work, reasons):
        # rows of the planes beside `first` and `last` reach into them, and a plane's cosmic rays need its neighbours
        end, done = min(last + 2, nz), max(first - 1, 0)
        for lower in range(max(first - 2, 0), end, slab):
            upper = min(lower + slab, end)
            if reasons is not None:
                reasons.forget(lower, upper)
            work.load(lower, upper)
            ready = min(last + 1, nz) if upper == end else upper - 1
            for plane in range(done, ready):
                if settings.crsigma > 0 and settings.crtype == "others":
                    work.others(plane, settings.crsigma)
                elif settings.crsigma > 0:
                    work.cosmics(plane, settings.crsigma, whole=whole)
                if settings.resample == "nearest":
                    data, stat, counts[plane] = work.nearest(plane)
                    if reasons is not None:
                        reasons.add(plane)
                    yield from finished(plane, data, stat)
                else:
                    counts[plane] = work.drizzle(plane)
                    if reasons is not None:
                        reasons.add(plane)
                    yield from finished(plane - 1, *work.finish(plane - 1))
            done = max(done, ready)
        if last == nz and settings.resample != "nearest":
            yield from finished(nz - 1, *work.finish(nz - 1))


@contextmanager
def _memory(inputs: Inputs, grid: Grid, slab: int, settings: Settings) -> Iterator[tuple[Planes, Reasons | None]]:
    """Memory for planes on their way, and for what explains their voxels where that is asked for.

    Raises
    ------
    MuseError
        There is too little of it; or, from within, a table cannot be read any more.
    """
    kernels = [exposure.kernel for exposure in inputs.exposures]
    work = reasons = None
    try:
        work = Planes(grid, kernels, slab, min(settings.threads, MAXTHREADS))
        if settings.extensions:
            reasons = Reasons(work, nearest=settings.resample == "nearest")
    except MemoryError as error:
        if work is not None:
            work.close()
        raise MuseError(f"{error}: give less --memory, or free some") from error
    try:
        yield work, reasons
    except OSError as error:
        for exposure in inputs.exposures:
            exposure.check_size()
        raise MuseError(f"the exposures cannot be combined: {error}") from error
    finally:
        if reasons is not None:
            reasons.close()
        work.close()


def _explained(
    reasons: Reasons, number: int, data: NDArray[np.float32], extensions: tuple[str, ...]
) -> dict[str, NDArray[np.integer]]:
    """Extensions of a plane beside DATA and STAT."""
    expmap, dq = reasons.finish(number, data, REJECTED, NOT_FINITE, NO_ROW)
    made: dict[str, NDArray[np.integer]] = {"DQ": dq, "EXPMAP": expmap}
    return {name: made[name] for name in extensions}


def search_direction(header: Mapping[str, object]) -> tuple[bool, bool]:
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


def slab_for(rows: int, shape: tuple[int, int, int], settings: Settings, exposures: int) -> int:
    """Return how many planes at a time fit into the memory that is allowed, 1 to 64.

    Parameters
    ----------
    rows
        Of all tables; they are taken to spread evenly over the planes.
    shape
        (nz, ny, nx) of the cube.
    settings
        With the memory, the threads and the extensions.
    exposures
        How many.
    """
    nz, spaxels = shape[0], shape[1] * shape[2]
    sorted_plane = rows / nz * SORTED_BYTES + spaxels * 4
    words = (REASON_WORDS + 3 * math.ceil(exposures / 32) + 3) * bool(settings.extensions)
    least = BASE_BYTES + rows / 16 + spaxels * (CELL_BYTES + 4 * words)
    least += (min(settings.threads, MAXTHREADS) + 2) * sorted_plane
    a_plane = rows / nz * STAGED_BYTES
    memory = settings.memory
    if memory is None:
        memory = max(least + 3 * a_plane, min(max(4 * rows, 100e6), 1e9))
    slab = math.floor((memory - least) / max(a_plane, 1))
    if slab < 1:
        raise MuseError(
            f"{memory / 1e9:.2f} GB are too little for {rows} rows and {shape[2]} x {shape[1]} spaxels:"
            f" allow at least {(least + a_plane) / 1e9:.2f} GB with --memory"
        )
    return min(64, slab, nz)


def default_threads() -> int:
    """Return how many threads to use: the processors at hand, at most 8, since reading limits more."""
    return min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
