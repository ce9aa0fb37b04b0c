"""Which rows of a bad-pixel table are good pixels? The table without them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.atomic import write_table
from muse_nb.core.errors import MuseError
from muse_nb.core.html import Shown, findings_html
from muse_nb.core.robust import mad_sigma
from muse_nb.products import dq as flags
from muse_nb.products.badpix_table import BadpixTable
from muse_nb.products.pixtable import PixelTable, detector_pixels, frame_size
from muse_nb.steps.badpix.dithers import deviation_from_others

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["Repair", "judge_badpix", "repair"]

SEARCH_RADIUS = 200  # pixels on either side of a bad one, in its row, that are looked at for good ones
SLICE_RADIUS = 12  # pixels: beyond, they are in another slice
MODEL_ERROR = 0.25  # of neighbours as a prediction of a pixel, over their value: stars are not flat
MODEL_ERROR_OTHER_SLICE = 0.6  # the same of pixels of another slice
MAX_DEVIATION = 3.0  # sigma: a single pixel that stays within is good
MIN_COLUMN = 10  # pixels: a run along a column that is as long is judged as a whole
MAX_COLUMN_MEDIAN = 0.35  # sigma, of the deviations in a good column; on a dark sky a dead one is only 0.8 off
MAX_COLUMN_SCATTER = 2.0  # sigma, of the deviations in a good column
OUTLIER = 5.0  # sigma: a pixel of a good column that is further off stays flagged
MAX_OUTLIERS = 0.1  # part of a good column's pixels that may be outliers

Floats = NDArray[np.floating]
Ints = NDArray[np.integer]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Repair(Shown):
    """Rows of a BADPIX_TABLE and whether they are needed.

    Attributes
    ----------
    badpix : BadpixTable
        The table.
    deviation : numpy.ndarray
        Deviation of each pixel from its unflagged neighbours [sigma], the median over exposures; NaN where not known.
    drop : numpy.ndarray
        True for rows that can go.
    column : numpy.ndarray
        Number of the run along a column that a row was judged with, -1 for single pixels.
    """

    badpix: BadpixTable
    deviation: Floats
    drop: Flags
    column: NDArray[np.int64]

    @property
    def table(self) -> Table:
        """Every row that is taken out: ifu, x, y (raw frame, 1-based), status, flags, deviation [sigma], judged_as."""
        from astropy.table import Table

        rows, gone = self.badpix, self.drop
        status = rows.status[gone]
        return Table(
            {
                "ifu": rows.ifu[gone],
                "x": rows.x[gone],
                "y": rows.y[gone],
                "status": status,
                "flags": ["+".join(flags.names(int(value))) for value in status],
                "deviation": np.round(self.deviation[gone], 2),
                "judged_as": np.where(self.column[gone] >= 0, "column", "pixel"),
            }
        )

    @property
    def findings(self) -> list[str]:
        """What the table holds, in sentences."""
        known = np.isfinite(self.deviation)
        total, gone = len(self.badpix), int(self.drop.sum())
        columns = len(np.unique(self.column[self.drop & (self.column >= 0)]))
        off = known & ~self.drop & (np.abs(self.deviation) > MAX_DEVIATION)
        return [
            f"{gone} of {total} pixels of {self.badpix.path.name} ({gone / max(1, total):.1%}) are as good as their"
            f" neighbours or other exposures say, {columns} columns among them; {int(off.sum())} are bad indeed.",
            f"{total - gone - int(off.sum())} pixels are kept though nothing speaks against them: there is too little"
            " light, or no good pixel, to tell a dead one from a good one; more exposures at other angles would help.",
        ]

    def write(self, path: str | Path, *, force: bool = False) -> Path:
        """Write the table without those rows, and beside it the list of them (.csv); return the table's path."""
        path = Path(path)
        self.badpix.write_without(path, self.drop, force=force)
        write_table(self.table, path.with_suffix(".csv"), force=force)
        return path

    def __str__(self) -> str:
        """Tell the findings as text."""
        return "\n".join(f"- {text}" for text in self.findings)

    def _repr_html_(self) -> str:
        return findings_html(self.findings)


def repair(badpix: str | Path, pixtables: str | Path | Iterable[str | Path]) -> Repair:
    """Find rows of a BADPIX_TABLE whose pixels are good in every exposure given.

    A pixel is compared with the nearest unflagged ones of its row. Runs along a column are judged as a whole; with
    several exposures, also by what the good pixels of all of them make of the run's places on the sky.

    Parameters
    ----------
    badpix
        The BADPIX_TABLE that went into the reduction.
    pixtables
        Pixel tables of one exposure or more (any kind that holds data, dq, stat and origin).

    Raises
    ------
    MuseError
        A file cannot be read, or no pixel of the table is in the pixel tables.
    """
    opened = BadpixTable.open(badpix)
    paths = [pixtables] if isinstance(pixtables, str | Path) else list(pixtables)
    if not paths:
        raise MuseError(f"{opened.path} can only be judged with pixel tables: give those of at least one exposure")
    return judge_badpix(opened, [PixelTable.open(path) for path in paths])


def judge_badpix(badpix: BadpixTable, tables: list[PixelTable]) -> Repair:
    """The same, from opened files."""
    signed: list[Floats] = []
    for table in tables:
        nx, ny = frame_size(table)
        x, y = badpix.trimmed(nx, ny)
        here = np.full(len(badpix), np.nan)
        for ifu in np.unique(badpix.ifu).tolist():
            frame = _frame(table, ifu, nx, ny)
            if frame is None:
                continue
            rows = np.flatnonzero((badpix.ifu == ifu) & (x > 0) & (y > 0))
            data, stat, good = frame
            good[y[rows] - 1, x[rows] - 1] = False  # whichever table went into the reduction
            here[rows] = _deviation(data, stat, good, x[rows] - 1, y[rows] - 1)
        signed.append(here)
    others = deviation_from_others(badpix, tables) if len(tables) > 1 else []
    middle = _lower_median(np.abs(np.array([*signed, *others])))
    if not np.isfinite(middle).any():
        raise MuseError(f"{badpix.path} has no pixel in common with the pixel tables: is it of these IFUs?")
    column = _columns(badpix)
    worst = np.fmax.reduce([np.abs(exposure) for exposure in signed])
    drop = (worst < MAX_DEVIATION) & (column < 0)
    order = np.argsort(column, kind="stable")
    starts = np.searchsorted(column[order], np.arange(column.max() + 2))
    for low, high in pairwise(starts.tolist()):
        rows = order[low:high]
        if any(
            _is_good(exposure[rows]) for exposure in (*signed, *others)
        ):  # a star may spoil one, a bad column is bad in all
            drop[rows] = middle[rows] < OUTLIER
    return Repair(badpix, middle, drop, column)


def _lower_median(values: Floats) -> Floats:
    """Lower of the two middle values over the first axis, of what is finite; NaN where nothing is."""
    ordered = np.sort(values, axis=0)
    number = np.isfinite(values).sum(axis=0)
    middle = np.take_along_axis(ordered, np.maximum(number - 1, 0)[None] // 2, axis=0)[0]
    return np.where(number > 0, middle, np.nan)


def _is_good(deviation: Floats) -> bool:
    known = deviation[np.isfinite(deviation)]
    if len(known) < MIN_COLUMN // 2:
        return False
    typical = abs(np.median(known)) < MAX_COLUMN_MEDIAN and mad_sigma(known) < MAX_COLUMN_SCATTER
    return bool(typical and (np.abs(known) > OUTLIER).mean() < MAX_OUTLIERS)


def _frame(table: PixelTable, ifu: int, nx: int, ny: int) -> tuple[Floats, Floats, Flags] | None:
    """Data, variance and goodness of the pixels of an IFU, shape (ny, nx), NaN between the slices."""
    origin = table.read("origin")
    rows = np.flatnonzero((origin >> 6 & 0x1F) == ifu)
    if not len(rows):
        return None
    _, _, x, y = detector_pixels(table, origin[rows], rows)
    inside = (x > 0) & (x <= nx) & (y > 0) & (y <= ny)
    rows, x, y = rows[inside], x[inside] - 1, y[inside] - 1
    low, high = int(rows[0]), int(rows[-1]) + 1
    data, stat = np.full((2, ny, nx), np.nan, np.float32)
    good = np.zeros((ny, nx), bool)
    data[y, x] = table.read("data", low, high)[rows - low]
    stat[y, x] = table.read("stat", low, high)[rows - low]
    good[y, x] = table.read("dq", low, high)[rows - low] == 0
    return data, stat, good & np.isfinite(data)


def _deviation(data: Floats, stat: Floats, good: Flags, x: Ints, y: Ints) -> Floats:
    """Deviation of pixels from the nearest good pixels left and right of them in the same row [sigma]."""
    ny, nx = data.shape
    columns = np.broadcast_to(np.arange(nx, dtype=np.int32), (ny, nx))
    left = np.maximum.accumulate(np.where(good, columns, -SEARCH_RADIUS - 1), axis=1)[y, x]
    right = np.flip(np.minimum.accumulate(np.flip(np.where(good, columns, nx + SEARCH_RADIUS + 1), 1), axis=1), 1)[y, x]
    values, weights = np.zeros((2, len(x)))
    far = np.minimum(x - left, right - x) > SLICE_RADIUS
    for side in (left, right):
        distance = np.abs(side - x)
        use = (distance <= SEARCH_RADIUS) & (side >= 0) & (side < nx)
        weight = np.where(use, 1 / np.maximum(distance, 1), 0)
        values += weight * np.where(use, data[y, np.clip(side, 0, nx - 1)], 0)
        weights += weight
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = values / weights
        floor = np.nanmedian(stat[good]) if good.any() else np.nan
        noise = np.fmax(stat[y, x], floor) * 1.5
        model = (np.where(far, MODEL_ERROR_OTHER_SLICE, MODEL_ERROR) * expected) ** 2
        deviation = (data[y, x] - expected) / np.sqrt(noise + model)
        return np.where(~far & (model > noise), np.nan, deviation)  # on a star a bad pixel does not show


def _columns(badpix: BadpixTable) -> NDArray[np.int64]:
    """Number of the run along a column that each row belongs to; -1 for runs shorter than MIN_COLUMN."""
    order = np.lexsort((badpix.y, badpix.x, badpix.ifu))
    ifu, x, y = (array[order] for array in (badpix.ifu, badpix.x, badpix.y))
    starts = np.ones(len(order), bool)
    starts[1:] = (np.diff(ifu) != 0) | (np.diff(x) != 0) | (np.diff(y) > 1)
    number = np.cumsum(starts) - 1
    long = np.bincount(number) >= MIN_COLUMN
    renumbered = np.where(long, np.cumsum(long) - 1, -1)
    answer = np.empty(len(order), np.int64)
    answer[order] = renumbered[number]
    return answer
