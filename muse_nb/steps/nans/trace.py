"""NaN voxels traced back through the pixel tables: what reaches each of them, and why that was not enough."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.progress import Progress
from muse_nb.kernels.nans import STORY, row_stories
from muse_nb.products.badpix_table import Lookup
from muse_nb.products.pixtable import decode_origin
from muse_nb.steps.nans.causes import CODES, Cause, Holes
from muse_nb.steps.nans.reach import Chunk, Reach, Tables, take_rows
from muse_nb.steps.nans.rejected import rejected

__all__ = ["trace"]

VOXELS_A_PASS = 1 << 26  # of the cube, traced in one pass over the tables


def trace(nan: Iterable[NDArray[np.bool_]], source: Tables, reach: Reach, progress: Progress) -> Holes:
    """Find the cause of every NaN voxel between the first and the last plane that rows reach.

    Parameters
    ----------
    nan
        Every plane of the cube in turn: True where it is NaN, shape (ny, nx).
    source, reach
        The pixel tables of the cube, and what they reach.
    progress
        Told of every slab of planes.
    """
    nz, ny, nx = source.placement.grid.shape
    thick = max(1, VOXELS_A_PASS // (ny * nx))
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
    source: Tables,
    reach: Reach,
    lookups: list[Lookup] | None,
    planes: tuple[int, int],
    voxel: NDArray[np.int32],
    number: int,
) -> Holes:
    """Trace the holes of planes `planes[0]` to `planes[1]`; `voxel` numbers them, -1 where there is none."""
    stories = np.zeros(number, STORY)
    for chunk in reach.chunks:
        if chunk.highest >= planes[0] - 2 and chunk.lowest <= planes[1] + 1:
            _add_rows(source, chunk, lookups, planes, voxel, stories)
    index = np.flatnonzero(voxel.reshape(-1) >= 0) + planes[0] * voxel[0].size
    return _causes_of(source, reach, stories, index)


def _add_rows(
    source: Tables,
    chunk: Chunk,
    lookups: list[Lookup] | None,
    planes: tuple[int, int],
    voxel: NDArray[np.int32],
    stories: NDArray[np.void],
) -> None:
    """Add what the rows of a chunk do to the stories of the holes."""
    table, start, stop, _, _ = chunk
    opened = source.tables[table]
    rows = source.place(table, start, stop)
    dq, origin = (opened.read(name, start, stop).astype(np.int32, copy=False) for name in ("dq", "origin"))
    finite = source.finite(table, start, stop)
    weight = opened.read("weight", start, stop).astype(np.float32) if "weight" in opened.columns else None
    use = source.loaded(rows)
    row = np.arange(start, stop)
    if not use.all():
        rows, dq, origin, finite, row = take_rows(rows, use), dq[use], origin[use], finite[use], row[use]
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


def _causes_of(source: Tables, reach: Reach, stories: NDArray[np.void], index: NDArray[np.int64]) -> Holes:
    """Give each hole (its story, and its index in the cube) one cause."""
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
