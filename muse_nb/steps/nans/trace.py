"""NaN voxels traced back through the pixel tables: what reaches each of them, and why that was not enough."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from muse_nb.core.progress import Progress
from muse_nb.kernels.nans import STORY, Rows, row_coverage, row_stories
from muse_nb.products.badpix_table import BadpixTable, Lookup
from muse_nb.products.pixtable import PixelTable, decode_origin, detector_pixels, frame_size
from muse_nb.steps.nans.causes import CODES, Cause, Holes
from muse_nb.steps.nans.placement import Placement

__all__ = ["Reach", "Tables", "coverage_of", "trace"]

CHUNK = 1 << 19  # rows read at a time
BLOCK = 2048  # rows in an entry of the index
EVERYWHERE = 63
SLAB = 1 << 26  # voxels whose stories are told in one pass over the tables


@dataclass(frozen=True)
class Reach:
    """What rows reach, good or bad.

    Attributes
    ----------
    first, last : numpy.ndarray
        First and last plane of each spaxel that a row overlaps, int32, shape (ny, nx); (nz, -1) for none.
    chunks : list of tuple
        (table, start, stop, lowest plane, highest plane) of each chunk of rows.
    blocks : numpy.ndarray
        int32, shape (n, 9): table, start, stop of each short run of rows, the lowest and the highest x, y, z.
    centres : numpy.ndarray
        Shape (tables, 25, 49, 3): number of rows of each IFU and slice, and their mean x and y in the cube [pixel].
    cut : int
        Sides at which the cube was cut out of a larger one, see `Tables`.
    """

    first: np.ndarray
    last: np.ndarray
    chunks: list[tuple[int, int, int, int, int]]
    blocks: np.ndarray
    centres: np.ndarray
    cut: int

    def runs(self, voxel: tuple[int, int, int]) -> list[tuple[int, int, int]]:
        """(table, start, stop) of the rows that may reach a voxel (x, y, z)."""
        near = np.ones(len(self.blocks), bool)
        for axis, place in enumerate(voxel):
            near &= (self.blocks[:, 3 + axis] <= place + 1) & (self.blocks[:, 6 + axis] >= place - 1)
        return [tuple(block[:3]) for block in self.blocks[near].tolist()]


@dataclass(frozen=True)
class Tables:
    """Pixel tables placed on a cube, and the bad-pixel table that went into them.

    `cut` says at which sides the cube was cut out of a larger one: at all, until `coverage_of` has seen the rows.
    """

    tables: Sequence[PixelTable]
    placement: Placement
    badpix: BadpixTable | None = None
    cut: int = EVERYWHERE

    def place(self, number: int, start: int, stop: int) -> Rows:
        """Place rows of a table."""
        return self.placement.place(self.tables[number], start, stop, self.cut)

    def loaded(self, rows: Rows) -> np.ndarray:
        """True for rows that the recipe loaded; not for those that fell far beside a cube cut out of a larger one."""
        low, high = self.placement.resampling.lambda_range
        near = [(cell > -3) & (cell < size + 2) for cell, size in zip(rows.cell.T, self._sizes, strict=True)]
        return np.logical_and.reduce([*near, rows.wavelength >= low, rows.wavelength <= high])

    def beyond(self, rows: Rows) -> int:
        """Sides (bits as of `cut`) beyond which rows fell that no cell at the edge has taken in."""
        low, high = self.placement.resampling.lambda_range
        cells = rows.cell[(rows.wavelength >= low) & (rows.wavelength <= high)]
        if not len(cells):
            return 0
        ends = zip(cells.min(axis=0).tolist(), cells.max(axis=0).tolist(), self._sizes, strict=True)
        return sum(
            (least < -1) << 2 * axis | (most > size) << 2 * axis + 1 for axis, (least, most, size) in enumerate(ends)
        )

    @property
    def _sizes(self) -> tuple[int, int, int]:
        nz, ny, nx = self.placement.grid.shape
        return nx, ny, nz

    def finite(self, number: int, start: int, stop: int) -> np.ndarray:
        """True for rows whose values the resampler can use; muse_nb looks at the variance too."""
        names = ("data",) if self.placement.resampling.spreads else ("data", "stat")
        return np.logical_and.reduce([np.isfinite(self.tables[number].read(name, start, stop)) for name in names])

    def detector(self, number: int, origin: np.ndarray, row: np.ndarray) -> tuple[np.ndarray, ...]:
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
    centres = np.zeros((len(source.tables), 25 * 64, 3))
    chunks, blocks = [], []
    total = sum(table.nrow for table in source.tables)
    done = cut = 0
    for number, table in enumerate(source.tables):
        for start in range(0, table.nrow, CHUNK):
            stop = min(table.nrow, start + CHUNK)
            rows = source.place(number, start, stop)
            origin = table.read("origin", start, stop)
            use = source.loaded(rows)
            cut |= source.beyond(rows)
            if not use.all():
                rows, origin = _take(rows, use), origin[use]
            if len(rows.a):
                row_coverage(grid, rows, first, last)
                planes = rows.cell[:, 2]
                blocks.append(_index(number, start, stop, rows.cell, use))
                chunks.append((number, start, stop, int(planes.min()), int(planes.max())))
                key = (origin >> 6 & 0x1F) % 25 * 64 + (origin & 0x3F)
                for part, weights in enumerate((None, rows.cell[:, 0], rows.cell[:, 1])):
                    centres[number, :, part] += np.bincount(key, weights, minlength=25 * 64)
            done += stop - start
            progress("rows placed", done, total)
    centres = centres.reshape(-1, 25, 64, 3)[:, :, :49]
    with np.errstate(invalid="ignore"):
        centres[..., 1:] /= centres[..., :1]
    return Reach(first, last, chunks, np.concatenate(blocks) if blocks else np.zeros((0, 9), np.int32), centres, cut)


def _index(table: int, start: int, stop: int, cell: np.ndarray, use: np.ndarray) -> np.ndarray:
    """Blocks of BLOCK rows with the range of their cells; `cell` has the rows that are used."""
    edges = np.arange(start, stop, BLOCK)
    first = np.minimum(np.concatenate(([0], np.cumsum(use)))[edges - start], len(cell) - 1)
    low, high = np.minimum.reduceat(cell, first), np.maximum.reduceat(cell, first)
    ends = np.minimum(edges + BLOCK, stop)
    return np.column_stack([np.full(len(edges), table), edges, ends, low, high]).astype(np.int32)


def _take(rows: Rows, use: np.ndarray) -> Rows:
    return Rows(*(np.ascontiguousarray(array[use]) for array in (rows.a, rows.b, rows.wavelength, rows.cell)))


def trace(nan: Iterable[np.ndarray], source: Tables, reach: Reach, progress: Progress) -> Holes:
    """Find the cause of every NaN voxel between the first and the last plane that rows reach.

    Parameters
    ----------
    nan
        Every plane of the cube in turn: True where it is NaN, shape (ny, nx).
    """
    nz, ny, nx = source.placement.grid.shape
    thick = max(1, SLAB // (ny * nx))
    planes = iter(nan)
    parts = []
    lookups = source.lookups()
    for z0 in range(0, nz, thick):
        z1 = min(nz, z0 + thick)
        voxel = np.full((z1 - z0, ny, nx), -1, np.int32)
        number = 0
        for k in range(z0, z1):
            here = next(planes) & (reach.first <= k) & (k <= reach.last)
            count = int(here.sum())
            voxel[k - z0][here] = np.arange(number, number + count, dtype=np.int32)
            number += count
        if number:
            parts.append(_trace_slab(source, reach, lookups, (z0, z1), voxel, number))
        progress("planes traced", z1, nz)
    return Holes.concatenate(parts)


def _trace_slab(
    source: Tables, reach: Reach, lookups: list[Lookup] | None, planes: tuple[int, int], voxel: np.ndarray, number: int
) -> Holes:
    stories = np.zeros(number, STORY)
    for table, start, stop, low, high in reach.chunks:
        if high < planes[0] - 2 or low > planes[1] + 1:
            continue
        opened = source.tables[table]
        rows = source.place(table, start, stop)
        dq, origin = (opened.read(name, start, stop).astype(np.int32, copy=False) for name in ("dq", "origin"))
        finite = source.finite(table, start, stop)
        weight = opened.read("weight", start, stop).astype(np.float32) if "weight" in opened.columns else None
        use = source.loaded(rows)
        row = np.arange(start, stop)
        if not use.all():
            rows, dq, origin, finite, row = _take(rows, use), dq[use], origin[use], finite[use], row[use]
            weight = None if weight is None else weight[use]
        table_dq = None
        if lookups is not None:
            table_dq = np.zeros(len(dq), np.int32)
            bad = np.flatnonzero(dq)
            ifu, _, x, y = source.detector(table, origin[bad], row[bad])
            table_dq[bad] = lookups[table](ifu, x, y)
        row_stories(
            source.placement.grid,
            rows,
            dq,
            table_dq,
            origin,
            finite,
            weight,
            table,
            planes,
            voxel,
            stories,
            spreads=source.placement.resampling.spreads,
        )
    index = np.flatnonzero(voxel.reshape(-1) >= 0) + planes[0] * voxel[0].size
    return _judge(source, reach, stories, index)


def _judge(source: Tables, reach: Reach, stories: np.ndarray, index: np.ndarray) -> Holes:
    """One cause for each story."""
    from muse_nb.steps.nans.rejected import rejected

    good, bad = stories["good"] > 0, stories["bad"] > 0
    nonfinite = stories["nonfinite"] > 0
    cause = np.full(len(stories), CODES[Cause.NO_PIXEL], np.int8)
    cause[bad] = CODES[Cause.FLAGGED]
    cause[bad & (stories["only_badpix"] > 0)] = CODES[Cause.BADPIX]
    cause[stories["zero_weight"] > 0] = CODES[Cause.ZERO_WEIGHT]
    cause[good] = CODES[Cause.UNEXPLAINED]
    spoilt = nonfinite & (good == source.placement.resampling.spreads)
    cause[spoilt] = CODES[Cause.NOT_FINITE]
    open_question = np.flatnonzero(good & ~spoilt)
    if len(open_question):
        lost, spoiled = rejected(source, reach, index[open_question])
        cause[open_question[spoiled]] = CODES[Cause.NOT_FINITE]
        cause[open_question[lost]] = CODES[Cause.REJECTED]
    flagged = (cause == CODES[Cause.FLAGGED]) | (cause == CODES[Cause.BADPIX])
    shared = stories["common"].view(np.int32)
    dq = np.where((cause == CODES[Cause.FLAGGED]) & (shared != 0), shared, stories["dq"])
    ifu, slice_, _, _ = decode_origin(stories["origin"])
    return Holes(
        index,
        cause,
        np.where(flagged, dq, 0).astype(np.int32),
        np.where(flagged, ifu, 0).astype(np.int8),
        np.where(flagged, slice_, 0).astype(np.int8),
    )
