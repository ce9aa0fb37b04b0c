"""Who made a voxel, or why nobody did; see ``reasons.c``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from muse_nb.kernels import library
from muse_nb.kernels.stream import Planes
from muse_nb.kernels.structs import COLUMNS, Exposure, Grid

__all__ = ["Reasons", "slice_sums"]


class Reasons:
    """What explains the voxels of planes on their way through memory.

    Parameters
    ----------
    planes
        The planes, none of which is loaded yet. Close these reasons before them.
    nearest
        Whether a row counts in the cell it lies in only.

    Raises
    ------
    MemoryError
        There is no memory for it.
    """

    def __init__(self, planes: Planes, *, nearest: bool) -> None:
        self._ring: int | None
        self._grid, self._exposures, self._ring = planes.parts
        if library().stream_reasons_open(self._grid, self._ring, nearest):
            self._ring = None
            raise MemoryError("not enough memory for the extensions of the cube")

    def close(self) -> None:
        """Give the memory back."""
        if self._ring:
            library().stream_reasons_close(self._ring)
            self._ring = None

    def forget(self, first: int, last: int) -> None:
        """Forget the rows of planes `first` to `last` (excluded), which are about to be loaded."""
        library().stream_reasons_forget(self._ring, first, last)

    def add(self, plane: int) -> None:
        """Hand a plane's rows, whose cosmic rays are known, to the voxels of itself and its neighbours."""
        library().stream_reasons_add(self._grid, self._ring, self._exposures, plane)

    def finish(
        self, plane: int, data: NDArray[np.float32], rejected: int, infinite: int, none: int
    ) -> tuple[NDArray[np.int16], NDArray[np.int32]]:
        """Explain a plane that no further row can reach.

        Parameters
        ----------
        plane
            Its number.
        data
            Its values, shape (ny, nx).
        rejected, infinite, none
            Values for voxels whose good rows were rejected as cosmic rays, whose rows are not finite, and that no row
            reaches.

        Returns
        -------
        number
            Exposures in each voxel, 0 where it is NaN.
        dq
            Why it is NaN: one of these values, or the flags of its rows, which are all flagged; 0 where it is not.
        """
        number, dq = np.empty(data.shape, np.int16), np.empty(data.shape, np.int32)
        library().stream_reasons_finish(
            *(self._grid, self._ring, plane, data.ctypes.data),
            *(value & 0xFFFFFFFF for value in (rejected, infinite, none)),
            *(number.ctypes.data, dq.ctypes.data),
        )
        return number, dq


def slice_sums(grid: Grid, exposure: Exposure, origin: tuple[int, int]) -> NDArray[np.float64]:
    """Place the slices of an exposure on the cube, by one row in seven.

    Parameters
    ----------
    grid
        The cube.
    exposure
        After `muse_nb.kernels.stream.scan`.
    origin
        Offset of the first row in the column of origins, and from one to the next [byte].

    Returns
    -------
    numpy.ndarray
        Shape (25, 64, 3), by IFU and slice: rows that were placed, and the sums of their x and y [pixel, from 0].

    Raises
    ------
    OSError
        The file cannot be read to its end.
    """
    one = Exposure.from_buffer_copy(exposure)
    dq = COLUMNS.index("dq")  # the kernel finds the origins in its place
    one.offset[dq], one.stride[dq] = origin
    sums = np.zeros((25, 64, 3))
    if library().stream_slices(grid, one, sums.ctypes.data):
        raise OSError("its rows cannot be read")
    return sums
