"""The streaming combine's structures and kernels, as ``stream.h`` declares them."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, Structure, c_double, c_float, c_int, c_int32, c_int64, c_void_p
from functools import cache

import numpy as np
from numpy.typing import NDArray

from muse_nb.kernels import library

__all__ = ["BLOCK", "COLUMNS", "Exposure", "Grid", "Planes", "scan"]

BLOCK = 128  # rows of a block of the wavelength index
COLUMNS = ("xpos", "ypos", "lambda", "data", "dq", "stat")
MAXTHREADS = 64


class Exposure(Structure):
    """One exposure's pixel table; see ``Exposure`` in ``stream.h``."""

    _fields_ = (
        ("fd", c_int32),
        ("kind", c_int32),
        ("nrow", c_int64),
        ("offset", c_int64 * 6),
        ("stride", c_int64 * 6),
        ("sin_dec", c_double),
        ("cos_dec", c_double),
        ("d_ra", c_double),
        ("d_dec", c_double),
        ("weight", c_float),
        ("flux", c_float),
        ("index", POINTER(c_float)),
        ("limit", c_double * 6),
        ("across_x", c_int32),
        ("across_y", c_int32),
    )


class Grid(Structure):
    """The cube and its drops; see ``Grid`` in ``stream.h``."""

    _fields_ = (
        *((name, c_int32) for name in ("nx", "ny", "nz", "swap")),
        *((name, c_double) for name in ("ra", "dec", "sin_dec", "cos_dec", "crpix_x", "crpix_y", "step")),
        *((name, c_double) for name in ("lambda_min", "lambda_step", "drop_ra", "drop_dec", "drop_lambda")),
        *((name, c_double) for name in ("lambda_low", "lambda_high")),
    )


@cache
def _kernels() -> ctypes.CDLL:
    core = library()
    grid, exposure, ring = POINTER(Grid), POINTER(Exposure), c_void_p
    core.stream_scan.argtypes = [exposure, c_double, c_double, c_int]
    core.stream_open.argtypes, core.stream_open.restype = [grid, c_int, c_int, c_int], ring
    core.stream_close.argtypes, core.stream_close.restype = [ring], None
    core.stream_load.argtypes = [grid, exposure, ring, c_int, c_int]
    core.stream_sort.argtypes = [ring, c_int]
    core.stream_cosmics.argtypes = [grid, ring, c_int, c_int, c_double]
    core.stream_others.argtypes = [grid, ring, exposure, c_int, c_double]
    core.stream_drizzle.argtypes, core.stream_drizzle.restype = [grid, ring, exposure, c_int, c_void_p], None
    core.stream_nearest.argtypes = [grid, ring, c_int, c_void_p, c_void_p, c_void_p]
    core.stream_nearest.restype = None
    core.stream_finish.argtypes, core.stream_finish.restype = [grid, ring, c_int, c_void_p, c_void_p], None
    return core


def scan(exposure: Exposure, low: float, high: float, threads: int) -> NDArray[np.float32]:
    """Find an exposure's limits and index its wavelengths.

    Parameters
    ----------
    exposure
        Its ``limit`` is filled, its ``index`` set.
    low, high
        Wavelengths [Angstrom] between which rows count.
    threads
        How many.

    Returns
    -------
    numpy.ndarray
        The index: smallest and largest wavelength of each block, shape (blocks, 2). It must live as long as `exposure`.

    Raises
    ------
    OSError
        The file cannot be read to its end.
    """
    index = np.empty((-(-exposure.nrow // BLOCK), 2), np.float32)
    exposure.index = index.ctypes.data_as(POINTER(c_float))
    if _kernels().stream_scan(ctypes.byref(exposure), low, high, threads):
        raise OSError("its rows cannot be read")
    return index


class Planes:
    """Planes of a cube on their way through memory: load a slab, then take plane after plane.

    Parameters
    ----------
    grid
        The cube.
    exposures
        After `scan`.
    slab
        Planes to load at a time.
    threads
        How many.

    Raises
    ------
    MemoryError
        There is no memory for it, or there are more exposures than a row's tag can number.
    """

    def __init__(self, grid: Grid, exposures: list[Exposure], slab: int, threads: int) -> None:
        self._grid, self._slab = grid, slab
        self._exposures = (Exposure * len(exposures))(*exposures)
        self._ring = _kernels().stream_open(ctypes.byref(grid), len(exposures), slab, threads)
        if not self._ring:
            raise MemoryError("not enough memory for a slab of planes, or more than 16383 exposures")

    @property
    def parts(self) -> tuple[Grid, ctypes.Array[Exposure], int]:
        """The grid, the exposures and the ring of planes, for other kernels."""
        return self._grid, self._exposures, self._ring

    def close(self) -> None:
        """Give the memory back."""
        if self._ring:
            _kernels().stream_close(self._ring)
            self._ring = None

    def _sort(self, last: int) -> None:
        if _kernels().stream_sort(self._ring, last):
            raise MemoryError("not enough memory to sort a plane")

    def load(self, first: int, last: int) -> None:
        """Read the rows of planes `first` to `last` (excluded).

        Raises
        ------
        OSError
            A file cannot be read, or memory is short.
        """
        if _kernels().stream_load(self._grid, self._exposures, self._ring, first, last):
            raise OSError("a pixel table cannot be read, or there is too little memory for the slab")

    def cosmics(self, plane: int, sigma: float, *, whole: bool) -> None:
        """Reject the cosmic rays of a plane; `atomic_write`: with neighbours along all axes, not along one."""
        self._sort(plane + 1)
        if _kernels().stream_cosmics(self._grid, self._ring, plane, whole, sigma):
            raise MemoryError("not enough memory for the search of cosmic rays")

    def others(self, plane: int, sigma: float) -> None:
        """Reject of a plane what one exposure shows and no other, nor its own neighbours across the slices."""
        self._sort(plane + 1)
        if _kernels().stream_others(self._grid, self._ring, self._exposures, plane, sigma):
            raise MemoryError("not enough memory for the search of cosmic rays")

    def drizzle(self, plane: int) -> list[int]:
        """Add a plane's rows to the sums of itself and its neighbours.

        Returns
        -------
        list of int
            Rows of the plane; of these, rejected as cosmic rays; then for each exposure the rows with dq 0 that were
            left out because their data or variance are not finite.
        """
        self._sort(plane)
        tally = np.empty(2 + len(self._exposures), np.int64)
        _kernels().stream_drizzle(self._grid, self._ring, self._exposures, plane, tally.ctypes.data)
        return [int(value) for value in tally]

    def nearest(self, plane: int) -> tuple[NDArray[np.float32], NDArray[np.float32], list[int]]:
        """Return DATA and STAT of a plane, each voxel that of its nearest row, and the tally as of `drizzle`."""
        self._sort(plane)
        data, stat = np.empty((2, self._grid.ny, self._grid.nx), np.float32)
        tally = np.empty(2 + len(self._exposures), np.int64)
        _kernels().stream_nearest(self._grid, self._ring, plane, data.ctypes.data, stat.ctypes.data, tally.ctypes.data)
        return data, stat, [int(value) for value in tally]

    def finish(self, plane: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return DATA and STAT of a plane that no further row can reach, shape (ny, nx), NaN where none fell."""
        data, stat = np.empty((2, self._grid.ny, self._grid.nx), np.float32)
        _kernels().stream_finish(self._grid, self._ring, plane, data.ctypes.data, stat.ctypes.data)
        return data, stat
