"""Pixel tables placed on a cube: the spaxels and planes that their rows reach, and where each slice lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.progress import Progress
from muse_nb.kernels.nans import Rows, row_coverage
from muse_nb.products.badpix_table import BadpixTable, Lookup
from muse_nb.products.pixtable import PixelTable, detector_pixels, frame_size
from muse_nb.steps.nans.placement import Placement

__all__ = ["CHUNK", "Chunk", "Reach", "Tables", "coverage_of", "take_rows"]

CHUNK = 1 << 19  # rows read at a time
BLOCK = 2048  # rows in an entry of the index
ALL_SIDES = 0b111111  # low x, high x, low y, high y, low z, high z, from bit 0
IFUS, SLICES = 25, 49  # numbers from 0, which none has
SLICE_CODES = 64  # that the six bits of an origin can tell


class Chunk(NamedTuple):
    """Rows `start` to `stop` of a table, and the lowest and the highest plane that one of them falls in."""

    table: int
    start: int
    stop: int
    lowest: int
    highest: int


@dataclass(frozen=True)
class Reach:
    """What rows reach, good or bad.

    Attributes
    ----------
    first, last : numpy.ndarray
        First and last plane of each spaxel that a row overlaps, int32, shape (ny, nx); (nz, -1) for none.
    chunks : list of Chunk
        All rows, in the order of the tables, but for chunks of which none was loaded.
    blocks : numpy.ndarray
        int32, shape (n, 9): table, start, stop of each short run of rows, the lowest and the highest x, y, z.
    centres : numpy.ndarray
        Shape (tables, 25, 49, 3): number of rows of each IFU and slice, and their mean x and y in the cube [pixel].
    cut : int
        Sides at which the cube was cut out of a larger one, see `Tables`.
    """

    first: NDArray[np.int32]
    last: NDArray[np.int32]
    chunks: list[Chunk]
    blocks: NDArray[np.int32]
    centres: NDArray[np.float64]
    cut: int

    def runs(self, voxel: tuple[int, int, int]) -> list[tuple[int, int, int]]:
        """(table, start, stop) of the rows that may reach a voxel (x, y, z)."""
        near = np.ones(len(self.blocks), bool)
        for axis, place in enumerate(voxel):
            near &= (self.blocks[:, 3 + axis] <= place + 1) & (self.blocks[:, 6 + axis] >= place - 1)
        return [(table, start, stop) for table, start, stop in self.blocks[near, :3].tolist()]


@dataclass(frozen=True)
class Tables:
    """Pixel tables placed on a cube, and the bad-pixel table that went into them.

    `cut` says at which sides the cube was cut out of a larger one (bits as of `ALL_SIDES`): all of them, until
    `coverage_of` has seen the rows.
    """

    tables: Sequence[PixelTable]
    placement: Placement
    badpix: BadpixTable | None = None
    cut: int = ALL_SIDES

    def place(self, number: int, start: int, stop: int) -> Rows:
        """Place rows of a table."""
        return self.placement.place(self.tables[number], start, stop, self.cut)

    def loaded(self, rows: Rows) -> NDArray[np.bool_]:
        """True for rows that the recipe loaded; not for those that fell far beside a cube cut out of a larger one."""
        near = [(cell > -3) & (cell < size + 2) for cell, size in zip(rows.cell.T, self._sizes, strict=True)]
        return np.asarray(np.logical_and.reduce([*near, self._in_range(rows)]))

    def sides_beyond(self, rows: Rows) -> int:
        """Sides (bits as of `ALL_SIDES`) beyond which rows fell that no cell at the edge has taken in."""
        cells = rows.cell[self._in_range(rows)]
        if not len(cells):
            return 0
        ends = zip(cells.min(axis=0).tolist(), cells.max(axis=0).tolist(), self._sizes, strict=True)
        return sum(
            (least < -1) << 2 * axis | (most > size) << 2 * axis + 1 for axis, (least, most, size) in enumerate(ends)
        )

    def _in_range(self, rows: Rows) -> NDArray[np.bool_]:
        """True for rows within the wavelengths that were loaded."""
        low, high = self.placement.resampling.lambda_range
        return np.asarray((rows.wavelength >= low) & (rows.wavelength <= high))

    @property
    def _sizes(self) -> tuple[int, int, int]:
        nz, ny, nx = self.placement.grid.shape
        return nx, ny, nz

    def finite(self, number: int, start: int, stop: int) -> NDArray[np.bool_]:
        """True for rows whose values the resampler can use; muse_nb looks at the variance too."""
        names = ("data",) if self.placement.resampling.spreads else ("data", "stat")
        values = [np.isfinite(self.tables[number].read(name, start, stop)) for name in names]
        return np.asarray(np.logical_and.reduce(values))

    def detector(
        self, number: int, origin: NDArray[np.integer], row: NDArray[np.integer]
    ) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64], NDArray[np.int32]]:
        """IFU, slice, x and y of rows of a table; see `detector_pixels`."""
        return detector_pixels(self.tables[number], origin, row)

    def lookups(self) -> list[Lookup] | None:
        """Look-up of the bad-pixel table for the frames of each pixel table; None without one."""
        if self.badpix is None:
            return None
        sizes = [frame_size(table) for table in self.tables]
        made = {size: self.badpix.lookup(*size) for size in set(sizes)}
        return [made[size] for size in sizes]


def coverage_of(source: Tables, progress: Progress) -> Reach:
    """Pass over all rows: which spaxels and planes they reach, where each slice lies."""
    grid = source.placement.grid
    nz, ny, nx = grid.shape
    first, last = np.full((ny, nx), nz, np.int32), np.full((ny, nx), -1, np.int32)
    sums = np.zeros((len(source.tables), IFUS * SLICE_CODES, 3))
    chunks, blocks = [], []
    total = sum(table.nrow for table in source.tables)
    done = cut = 0
    for number, table in enumerate(source.tables):
        for start in range(0, table.nrow, CHUNK):
            stop = min(table.nrow, start + CHUNK)
            rows = source.place(number, start, stop)
            origin = table.read("origin", start, stop)
            use = source.loaded(rows)
            cut |= source.sides_beyond(rows)
            if not use.all():
                rows, origin = take_rows(rows, use), origin[use]
            if len(rows.a):
                row_coverage(grid, rows, first, last)
                planes = rows.cell[:, 2]
                blocks.append(_index(number, start, stop, rows.cell, use))
                chunks.append(Chunk(number, start, stop, int(planes.min()), int(planes.max())))
                _add_slices(sums[number], origin, rows)
            done += stop - start
            progress("rows placed", done, total)
    centres = sums.reshape(-1, IFUS, SLICE_CODES, 3)[:, :, :SLICES]
    with np.errstate(invalid="ignore"):
        centres[..., 1:] /= centres[..., :1]
    return Reach(first, last, chunks, np.concatenate(blocks) if blocks else np.zeros((0, 9), np.int32), centres, cut)


def _add_slices(sums: NDArray[np.float64], origin: NDArray[np.int32], rows: Rows) -> None:
    """Add rows to the number of rows of each IFU and slice, and to the sums of their x and y."""
    key = (origin >> 6 & 0x1F) % IFUS * SLICE_CODES + (origin & 0x3F)
    for part, weights in enumerate((None, rows.cell[:, 0], rows.cell[:, 1])):
        sums[:, part] += np.bincount(key, weights, minlength=len(sums))


def _index(table: int, start: int, stop: int, cell: NDArray[np.int32], use: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Blocks of BLOCK rows with the range of their cells; `cell` has the rows that are used."""
    edges = np.arange(start, stop, BLOCK)
    first = np.minimum(np.concatenate(([0], np.cumsum(use)))[edges - start], len(cell) - 1)
    low, high = np.minimum.reduceat(cell, first), np.maximum.reduceat(cell, first)
    ends = np.minimum(edges + BLOCK, stop)
    return np.column_stack([np.full(len(edges), table), edges, ends, low, high]).astype(np.int32)


def take_rows(rows: Rows, use: NDArray[np.bool_]) -> Rows:
    """Keep the rows where `use` is True."""
    return Rows(*(np.ascontiguousarray(array[use]) for array in (rows.a, rows.b, rows.wavelength, rows.cell)))
