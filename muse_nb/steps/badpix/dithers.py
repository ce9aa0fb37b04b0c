"""What a bad pixel should have seen: the combine of the good pixels of all exposures, at its place on the sky."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from muse_nb.products.badpix_table import BadpixTable
from muse_nb.products.pixtable import PixelTable, detector_pixels, frame_size
from muse_nb.resample.grid import lay_out
from muse_nb.resample.inputs import Inputs
from muse_nb.resample.stream import Settings, default_threads, planes
from muse_nb.resample.weights import exposure_weights
from muse_nb.steps.combine.before import check_tables
from muse_nb.steps.nans.placement import Placement, Resampling
from muse_nb.steps.nans.reach import CHUNK, Tables

__all__ = ["deviation_from_others"]

MODEL_ERROR = 0.25  # of the nearest voxel as a prediction of a pixel, over its value: stars are not flat
MIN_LIGHT = 2.0  # sigma: with less a dead pixel does not differ from a good one
PIXFRAC = 0.6
LIMITS = (4000.0, 10000.0)  # Angstrom

Ints = NDArray[np.integer]


@dataclass(frozen=True)
class _Flagged:
    """Rows of a pixel table whose pixels are in the bad-pixel table, sorted by plane.

    `number` is the row of the bad-pixel table, `cell` the voxel (x, y, plane), shape (rows, 3).
    """

    number: Ints
    cell: Ints
    data: NDArray[np.floating]
    stat: NDArray[np.floating]


def deviation_from_others(badpix: BadpixTable, tables: Sequence[PixelTable]) -> list[NDArray[np.float64]]:
    """Compare each bad pixel with what good pixels of all exposures make of its place on the sky.

    Dithers and turned fields put other pixels there. The pixel itself does not take part where the bad-pixel table went
    into the reduction.

    Parameters
    ----------
    badpix
        The table.
    tables
        PIXTABLE_REDUCED of two exposures or more.

    Returns
    -------
    list of numpy.ndarray
        For each exposure, the deviation of each row of `badpix` [sigma]; NaN where there is too little light to tell,
        or no good pixel.

    Raises
    ------
    MuseError
        The exposures are not fit to be combined.
    """
    check_tables(list(tables))
    low, high = LIMITS
    settings = Settings(pixfrac=(PIXFRAC, PIXFRAC), crsigma=10.0, low=low, high=high, threads=default_threads())
    how = Resampling(pixfrac=(PIXFRAC,) * 3, lambda_range=LIMITS)
    with Inputs(list(tables), None, exposure_weights(list(tables), "exptime"), *LIMITS, settings.threads) as inputs:
        grid = lay_out(inputs.exposures)
        placement = Placement.on(dict(grid.cards()), grid.shape, how, {}, tables[0], 0.0)
        flagged = [_flagged(badpix, Tables([table], placement, cut=0)) for table in tables]
        answer = [np.full(len(badpix), np.nan) for _ in tables]
        for plane in planes(inputs, grid, settings):
            for rows, deviation in zip(flagged, answer, strict=True):
                low, high = np.searchsorted(rows.cell[:, 2], [plane.number, plane.number + 1])
                part = slice(int(low), int(high))
                x, y, _ = rows.cell[part].T
                expected, noise = plane.data[y, x], rows.stat[part] + plane.stat[y, x]
                with np.errstate(invalid="ignore"):
                    sigma = np.sqrt(noise + (MODEL_ERROR * expected) ** 2)
                    lit = expected > MIN_LIGHT * sigma
                    deviation[rows.number[part]] = np.where(lit, (rows.data[part] - expected) / sigma, np.nan)
    return answer


def _flagged(badpix: BadpixTable, source: Tables) -> _Flagged:
    """Find the rows of a pixel table whose pixels are in the bad-pixel table."""
    table = source.tables[0]
    x, y = badpix.trimmed(*frame_size(table))
    known = _key(badpix.ifu, x, y)
    order = np.argsort(known)
    known = known[order]
    parts = []
    for start in range(0, table.nrow, CHUNK):
        stop = min(start + CHUNK, table.nrow)
        ifu, _, column, row = detector_pixels(table, table.read("origin", start, stop), np.arange(start, stop))
        wanted = _key(ifu, column, row)
        place = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
        rows = source.place(0, start, stop)
        use = (known[place] == wanted) & source.loaded(rows)
        data, stat = (table.read(name, start, stop)[use] for name in ("data", "stat"))
        parts.append((order[place[use]], rows.cell[use], data, stat))
    number, cell, data, stat = (np.concatenate(column) for column in zip(*parts, strict=True))
    plane = np.argsort(cell[:, 2], kind="stable")
    return _Flagged(number[plane], cell[plane], data[plane], stat[plane])


def _key(ifu: Ints, x: Ints, y: Ints) -> NDArray[np.int64]:
    """One number for a pixel of an IFU."""
    return ifu.astype(np.int64) << 32 | y.astype(np.int64) << 16 | x.astype(np.int64)
