"""How pictures travel to the browser: half floats, an index of DQ values, strips of rows, a thumbnail that is kept.

Frames go as messages with binary buffers and are never part of the widget's state; the thumbnail is, so that a saved
notebook stays small and a page without a kernel still has something to zoom.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.robust import mad_sigma, median
from muse_nb.core.saved import HALF, NO_DATA, index_type
from muse_nb.widgets.shared.front_end import for_a_page

__all__ = [
    "STRIP_BYTES",
    "THUMB_SIDE",
    "Indexed",
    "blocks",
    "code",
    "flags_of_blocks",
    "halves",
    "index_values",
    "strips",
    "thumb_bins",
    "thumbnail",
]

THUMB_SIDE = 350  # pixels: DATA, STAT and DQ of this size are 0.6 MB in a saved notebook
PAGE_SIDE = 1100  # in a page without a kernel nothing finer will follow: a full frame is binned 4 x 4
STRIP_BYTES = 4 << 20  # one message; the browser stays responsive between two of them
LARGEST = 65000.0
SAMPLE = 200_000  # pixels that a median needs


@dataclass(frozen=True)
class Indexed:
    """`index` into `table` for each pixel; ``table[0]`` is 0, `counts` says how often each value occurs."""

    index: NDArray[np.unsignedinteger[Any]]
    table: NDArray[np.int64]
    counts: NDArray[np.int64]


def sample(image: NDArray[Any]) -> NDArray[np.float32]:
    """Finite values of an image on a regular grid, a few hundred thousand at most."""
    step = max(1, int(np.sqrt(image.size / SAMPLE)))
    values = np.asarray(image[step // 2 :: step, step // 2 :: step], dtype=np.float32)
    if values.size == 0:
        values = np.asarray(image, dtype=np.float32)
    return values[np.isfinite(values)]


def code(image: NDArray[Any]) -> tuple[float, float]:
    """Offset and scale with which an image fits half floats: sharpest at its median, up to 65000 times its scatter."""
    values = sample(image)
    if values.size == 0:
        return 0.0, 1.0
    offset = median(values)
    reach = float(np.abs(values - offset).max())
    return offset, max(mad_sigma(values), reach / LARGEST) or 1.0


def halves(image: NDArray[Any], offset: float, scale: float) -> NDArray[np.float16]:
    """Half floats of an image for the given code."""
    values = (image.astype(np.float32, copy=False) - np.float32(offset)) * np.float32(1 / scale)
    np.clip(values, -LARGEST, LARGEST, out=values)
    coded = values.astype(HALF)
    coded[np.isnan(values)] = NO_DATA
    return coded


def index_values(values: NDArray[np.integer[Any]]) -> Indexed:
    """Replace each distinct value (of few) by its place in a table."""
    flat = values.ravel()
    flagged = np.flatnonzero(flat)
    present = flat[flagged]
    table, counts = np.unique(present, return_counts=True)
    kind = index_type(len(table) + 1)
    if len(table) > 65535:
        raise ValueError(f"{len(table)} different values cannot be told apart in a picture")
    index: NDArray[Any] = np.zeros(flat.size, kind)
    index[flagged] = np.searchsorted(table, present) + 1
    zeros = flat.size - flagged.size
    return Indexed(
        index.reshape(values.shape),
        np.concatenate([[0], table]).astype(np.int64) & 0xFFFFFFFF,
        np.concatenate([[zeros], counts]),
    )


def thumb_bins(shape: tuple[int, ...], side: int | None = None) -> int:
    """Pixels per side of a thumbnail's pixel; a multiple of 4 for large frames, see `thumbnail`."""
    side = side or (PAGE_SIDE if for_a_page() else THUMB_SIDE)
    bins = max(1, -(-max(shape) // side))
    return bins if bins <= 4 else -(-bins // 4) * 4


def thumbnail(image: NDArray[Any], bins: int) -> NDArray[np.float32]:
    """Mean of the finite pixels in blocks of `bins` x `bins`, or of a regular 4 x 4 of them, which is much quicker."""
    step = bins // 4 if bins % 4 == 0 else 1
    part = image[::step, ::step]
    good = np.isfinite(part)
    total, count = blocks(np.where(good, part, 0), bins // step), blocks(good, bins // step)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(total / count, dtype=np.float32)


def flags_of_blocks(flags: NDArray[np.integer[Any]], per: int) -> NDArray[np.integer[Any]]:
    """Bits that any pixel has, in each block of `per` x `per`."""
    return blocks(flags, per, np.bitwise_or, flags.dtype)


def blocks(image: NDArray[Any], per: int, join: np.ufunc = np.add, kind: Any = np.float32) -> NDArray[Any]:
    """Sums over blocks of `per` x `per`; strided sums are several times quicker than `numpy.add.reduceat`."""
    ny, nx = image.shape
    padded = np.zeros((-(-ny // per) * per, -(-nx // per) * per), kind)
    padded[:ny, :nx] = image
    rows = join.reduce([padded[i::per] for i in range(per)])
    return np.asarray(join.reduce([rows[:, i::per] for i in range(per)]))


def strips(plane: NDArray[Any]) -> Iterator[tuple[int, memoryview]]:
    """First row and bytes of successive strips of rows."""
    rows = max(1, STRIP_BYTES // max(1, plane[0].nbytes))
    for start in range(0, len(plane), rows):
        yield start, np.ascontiguousarray(plane[start : start + rows]).data.cast("B")
