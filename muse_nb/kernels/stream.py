"""The streaming combine's kernels, see ``stream.h``: pixel tables scanned, and planes on their way through memory."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_float

import numpy as np
from numpy.typing import NDArray

from muse_nb.kernels import library
from muse_nb.kernels.structs import BLOCK, Exposure, Grid

__all__ = ["Planes", "scan"]


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
    if library().stream_scan(exposure, low, high, threads):
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
        self._ring = library().stream_open(grid, len(exposures), slab, threads)
        if not self._ring:
            raise MemoryError("not enough memory for a slab of planes, or more than 16383 exposures")

    @property
    def parts(self) -> tuple[Grid, ctypes.Array[Exposure], int]:
        """The grid, the exposures and the ring of planes, for other kernels."""
        return self._grid, self._exposures, self._ring

    def close(self) -> None:
        """Give the memory back."""
        if self._ring:
            library().stream_close(self._ring)
            self._ring = None

    def _sort(self, last: int) -> None:
        if library().stream_sort(self._ring, last):
            raise MemoryError("not enough memory to sort a plane")

    def load(self, first: int, last: int) -> None:
        """Read the rows of planes `first` to `last` (excluded).

        Raises
        ------
        OSError
            A file cannot be read, or memory is short.
        """
        if library().stream_load(self._grid, self._exposures, self._ring, first, last):
            raise OSError("a pixel table cannot be read, or there is too little memory for the slab")

    def cosmics(self, plane: int, sigma: float, *, whole: bool) -> None:
        """Reject the cosmic rays of a plane; `whole`: with neighbours along all axes, not along one."""
        self._sort(plane + 1)
        if library().stream_cosmics(self._grid, self._ring, plane, whole, sigma):
            raise MemoryError("not enough memory for the search of cosmic rays")

    def others(self, plane: int, sigma: float) -> None:
        """Reject of a plane what one exposure shows and no other, nor its own neighbours across the slices."""
        self._sort(plane + 1)
        if library().stream_others(self._grid, self._ring, self._exposures, plane, sigma):
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
        library().stream_drizzle(self._grid, self._ring, self._exposures, plane, tally.ctypes.data)
        return [int(value) for value in tally]

    def nearest(self, plane: int) -> tuple[NDArray[np.float32], NDArray[np.float32], list[int]]:
        """Return DATA and STAT of a plane, each voxel that of its nearest row, and the tally as of `drizzle`."""
        self._sort(plane)
        data, stat = np.empty((2, self._grid.ny, self._grid.nx), np.float32)
        tally = np.empty(2 + len(self._exposures), np.int64)
        library().stream_nearest(self._grid, self._ring, plane, data.ctypes.data, stat.ctypes.data, tally.ctypes.data)
        return data, stat, [int(value) for value in tally]

    def finish(self, plane: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return DATA and STAT of a plane that no further row can reach, shape (ny, nx), NaN where none fell."""
        data, stat = np.empty((2, self._grid.ny, self._grid.nx), np.float32)
        library().stream_finish(self._grid, self._ring, plane, data.ctypes.data, stat.ctypes.data)
        return data, stat
