"""Counts over every pixel of a frame; see frame_stats.c."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import numpy as np

from muse_nb.kernels import library

__all__ = ["PixelCounts", "count_pixels"]


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
    arrays = [_flat(data, "f4"), _flat(dq, "i4"), _flat(stat, "f4")]
    big = all(array is None or array.dtype.byteorder == ">" for array in arrays)
    if not big:  # mixed or native: bring all to the machine's order
        arrays = [None if a is None else a.astype(a.dtype.newbyteorder("="), copy=False) for a in arrays]
    counts = np.zeros(36, np.int64)
    pointers = [None if a is None else ctypes.c_void_p(a.ctypes.data) for a in arrays]
    library().frame_counts(
        *pointers,
        ctypes.c_int64(data.size),
        ctypes.c_int(big),
        ctypes.c_float(level),
        ctypes.c_float(snr),
        ctypes.c_void_p(counts.ctypes.data),
    )
    return PixelCounts(counts[:32], *(int(value) for value in counts[32:]))


def _flat(array: np.ndarray | None, kind: str) -> np.ndarray | None:
    """Contiguous 4-byte values, without a copy where the array has them already."""
    if array is None:
        return None
    if array.dtype.kind + str(array.dtype.itemsize) != kind:
        array = array.astype(np.uint32).view(np.int32) if kind == "i4" else array.astype(kind)
    return np.ascontiguousarray(array).reshape(-1)
