"""Counts over every pixel of a frame, and its cosmic-ray hits; see frame_stats.c and frame_cosmics.c."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from muse_nb.kernels import library

__all__ = ["PixelCounts", "count_hits", "count_pixels"]


@dataclass(frozen=True)
class PixelCounts:
    """Numbers of pixels: with each of the 32 DQ bits, with any, not finite though dq = 0, not finite, high."""

    bits: np.ndarray
    flagged: int
    nonfinite_good: int
    nonfinite: int
    high: int


def count_pixels(
    data: np.ndarray, dq: np.ndarray | None, stat: np.ndarray | None, level: float, snr: float = 200.0
) -> PixelCounts:
    """Count the pixels of a frame by DQ bit, the values that are not finite, and those too high to be true.

    Parameters
    ----------
    data, dq, stat
        Arrays of one shape, in the byte order of the file or the machine's; `dq` and `stat` may be None.
    level, snr
        A pixel is high when dq = 0 and data are above `level` (> 0) and above `snr` times sqrt(stat). Gaps between
        slices have huge values and huge variances: they are not high.
    """
    arrays, big = _arrays(data, dq, stat)
    counts = np.zeros(36, np.int64)
    library().frame_counts(
        *_pointers(arrays),
        *(data.size, big, level, snr),
        counts.ctypes.data,
    )
    return PixelCounts(counts[:32], *(int(value) for value in counts[32:]))


def count_hits(
    data: np.ndarray, dq: np.ndarray | None, stat: np.ndarray, columns: np.ndarray, *, flags: bool
) -> tuple[int, int]:
    """Count the cosmic-ray hits of a frame, and the pixels they cover.

    A hit has a pixel 8 sigma above the mean light two pixels away, along the row and along the column, and along one of
    them above its nearest neighbours by more than a star or a line of 2 pixels FWHM is; or one with the flag COSMICRAY.
    Pixels with any other flag do not count.

    Parameters
    ----------
    data, dq, stat
        Arrays of shape (ny, nx), in the byte order of the file or the machine's; `dq` may be None.
    columns
        True for the columns to look at, shape (nx,).
    flags
        Whether pixels with the flag COSMICRAY are there to look for.
    """
    arrays, big = _arrays(data, dq, stat)
    looked, found = np.ascontiguousarray(columns, np.uint8), np.zeros(2, np.int64)
    failed = library().frame_cosmics(
        *_pointers(arrays),
        *(*data.shape, big, flags),
        *(looked.ctypes.data, found.ctypes.data),
    )
    if failed:
        raise MemoryError("no memory for the cosmic rays of a frame")
    return int(found[0]), int(found[1])


def _arrays(data: np.ndarray, dq: np.ndarray | None, stat: np.ndarray | None) -> tuple[list[np.ndarray | None], bool]:
    """Flat arrays of one byte order, and whether that is the file's."""
    arrays = [_flat(data, "f4"), _flat(dq, "i4"), _flat(stat, "f4")]
    if all(array is None or array.dtype.byteorder == ">" for array in arrays):
        return arrays, True
    return [None if a is None else a.astype(a.dtype.newbyteorder("="), copy=False) for a in arrays], False


def _pointers(arrays: list[np.ndarray | None]) -> list[int | None]:
    return [None if array is None else array.ctypes.data for array in arrays]


def _flat(array: np.ndarray | None, kind: str) -> np.ndarray | None:
    """Contiguous 4-byte values, without a copy where the array has them already."""
    if array is None:
        return None
    if array.dtype.kind + str(array.dtype.itemsize) != kind:
        array = array.astype(np.uint32).view(np.int32) if kind == "i4" else array.astype(kind)
    return np.ascontiguousarray(array).reshape(-1)
