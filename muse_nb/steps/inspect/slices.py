"""The 48 slices of a frame, found from its flags or its variances, and whether light fills them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from muse_nb.core.robust import SIGMA_OF_MAD, median
from muse_nb.products.field import SLICES
from muse_nb.steps.inspect.sample import QUADRANTS, Sample

__all__ = ["SLICES", "Slices", "find_slices"]

BANDS = 4  # of rows, each taken for itself: slices lean by a few pixels over the chip
MIN_LIT = 0.3  # of the sky: a column of a slice that has less is not lit
MIN_DARK_SIGMAS = 4.0  # below the sky, for a column to be called dark
PARTS_OF_SLICE = 6  # of its length: the faintest of them tells the sky
MAX_COLUMN_NOISE = 3.0  # times that of the other columns, in units of sqrt(STAT): what varies more is not of this slice
MAX_SLICE_SIGMA = 5.0  # times the usual sigma: beyond is the gap between two slices
MAX_SLICE_SCATTER = 50.0  # times the usual scatter, where there is no STAT: stars scatter too
MIN_BANDS_FOUND = 0.25  # of the bands, for a slice to be found
MIN_USABLE_ROWS = 0.5  # of a column's rows without a flag
MAX_GAP_IN_SLICE = 2  # pixels: so few bad columns do not end a slice
MIN_SLICE_WIDTH = 0.4  # of the distance between two slices
ERROR_OF_MEDIAN = 1.2533  # standard error of the median over that of the mean, of a normal distribution: sqrt(pi / 2)


@dataclass(frozen=True)
class Slices:
    """Slices 1 to 48 of a frame, arrays of shape (48,); NaN for a slice that was not found.

    Attributes
    ----------
    left, right : numpy.ndarray
        First and last usable column (0-based), the median over bands of rows.
    light : numpy.ndarray
        Signal inside the slice over the sky of the frame; NaN where the sky is too faint to tell.
    lost_left, lost_right : numpy.ndarray
        Columns in the left (right) half that have no light, or noise that STAT does not explain.
    columns : numpy.ndarray
        Median signal of each column of the frame, the mean over bands; shape (nx,).
    sky : float
        Signal at the faint end of the faintest lit slice: no star is so large that it is in all of them. NaN where
        the noise hides it.
    quadrant_sky : dict of str to float
        The same of each quadrant.
    """

    left: np.ndarray
    right: np.ndarray
    light: np.ndarray
    lost_left: np.ndarray
    lost_right: np.ndarray
    columns: np.ndarray
    sky: float
    quadrant_sky: dict[str, float]

    def inside(self, nx: int, margin: int = 2) -> np.ndarray:
        """True for the columns of an nx wide frame that lie in a slice, `margin` columns from its ends."""
        mask = np.zeros(nx, bool)
        for left, right in zip(self.left[self.found], self.right[self.found], strict=True):
            mask[int(left) + margin : int(right) + 1 - margin] = True
        return mask

    @property
    def centre(self) -> np.ndarray:
        """Middle between the first and the last usable column (0-based)."""
        return np.asarray(0.5 * (self.left + self.right))

    @property
    def found(self) -> np.ndarray:
        """True for each slice with usable columns."""
        return np.asarray(np.isfinite(self.left))


def find_slices(sample: Sample) -> Slices | None:
    """Find the slices in a sample of a frame; None when it has too few rows or columns to tell them."""
    if sample.data.shape[-1] < 2 * SLICES:
        return None
    bands = [
        _band(sample, index) for index in np.array_split(np.arange(len(sample.start)), min(BANDS, len(sample.start)))
    ]
    if any(band is None for band in bands):
        return None
    medians = np.array([band[0] for band in bands if band])
    usable = np.array([band[1] for band in bands if band])
    wild = np.array([band[2] for band in bands if band])
    runs = [_runs(row) for row in usable]
    error = np.array([band[3] for band in bands if band])
    ends = _faint_ends(medians, error, runs)
    floor, half = _sky(ends), (len(runs) + 1) // 2
    bottom, top = (slice(0, half), slice(half, None)) if len(runs) > 1 else (slice(0, 0), slice(0, 0))
    left_half, right_half = slice(0, SLICES // 2), slice(SLICES // 2, None)
    places = ((bottom, left_half), (bottom, right_half), (top, right_half), (top, left_half))
    skies = {name: _sky(ends[:, rows, part]) for name, (rows, part) in zip(QUADRANTS, places, strict=True)}
    table = np.full((5, len(runs), SLICES), np.nan)
    for b, band in enumerate(runs):
        for number, (lo, hi) in band.items():
            below = floor - medians[b, lo:hi]
            lost = (below > (1 - MIN_LIT) * floor) & (below > MIN_DARK_SIGMAS * error[b, lo:hi]) | wild[b, lo:hi]
            table[:, b, number] = (
                lo,
                hi - 1,
                medians[b, lo:hi].mean() / floor,
                *_lost(lost),
            )
    table[:, :, np.isfinite(table[0]).mean(axis=0) < MIN_BANDS_FOUND] = np.nan
    left, right, light, lost_left, lost_right = _median_of_bands(table)
    return Slices(left, right, light, lost_left, lost_right, medians.mean(axis=0), floor, skies)


def _faint_ends(medians: np.ndarray, error: np.ndarray, runs: list[dict[int, tuple[int, int]]]) -> np.ndarray:
    """Light at the faint end of each slice in each band, a sixth of its length, and its error: (2, bands, slices)."""
    ends = np.full((2, len(runs), SLICES), np.nan)
    for b, band in enumerate(runs):
        for number, (lo, hi) in band.items():
            part = max(1, (hi - lo) // PARTS_OF_SLICE)
            means = np.convolve(medians[b, lo:hi], np.full(part, 1 / part), mode="valid")
            ends[0, b, number] = np.sort(means)[len(means) // 10]
            ends[1, b, number] = np.sort(error[b, lo:hi])[(hi - lo) // 2] / np.sqrt(part)
    return ends


def _sky(ends: np.ndarray) -> float:
    """Signal of the sky: that of the faintest lit slice, as stars may be in all the others; NaN if half are not lit."""
    number = np.isfinite(ends[0]).sum(axis=0)
    known = number > 0
    low, sigma = (np.nansum(part, axis=0)[known] / number[known] for part in ends)
    lit = low > MIN_DARK_SIGMAS * sigma / np.sqrt(number[known])
    return float(low[lit].min()) if 2 * lit.sum() > len(low) else float("nan")


def _median_of_bands(table: np.ndarray) -> np.ndarray:
    """Median over axis 1 without NaN; NaN where there is nothing."""
    ordered = np.sort(table, axis=1)
    number = np.isfinite(table).sum(axis=1)
    low, high = np.maximum(number - 1, 0) // 2, np.minimum(number // 2, table.shape[1] - 1)
    take = [np.take_along_axis(ordered, index[:, None], axis=1)[:, 0] for index in (low, high)]
    return np.where(number > 0, 0.5 * (take[0] + take[1]), np.nan)


def _band(sample: Sample, blocks: np.ndarray) -> tuple[np.ndarray, ...] | None:
    """Of a band of rows, by column: median signal, usable, varies more than STAT says, error. None of too few rows."""
    part = sample.data[blocks]
    if part.shape[1] < 3:
        return None
    rows = part.reshape(-1, part.shape[-1])
    with np.errstate(invalid="ignore", over="ignore"):
        second = np.abs(part[:, 1:-1] - 0.5 * (part[:, :-2] + part[:, 2:])).reshape(-1, rows.shape[1])
        good = sample.good[blocks]
        three = (good[:, 1:-1] & good[:, :-2] & good[:, 2:]).reshape(second.shape)
        scatter = SIGMA_OF_MAD * column_medians(second, three) / np.sqrt(1.5)
        medians = column_medians(rows, good.reshape(rows.shape))
    if sample.stat is not None:
        sigma = np.sqrt(
            np.maximum(column_medians(sample.stat[blocks].reshape(rows.shape), good.reshape(rows.shape)), 0)
        )
        beyond = MAX_SLICE_SIGMA
    else:
        sigma, beyond = scatter, MAX_SLICE_SCATTER
    with np.errstate(invalid="ignore"):
        usual = median(sigma) if np.isfinite(sigma).any() else 0.0
        # between the slices the flat is about 0, and the noise beyond measure: a bright star has less of it
        usable = sigma < beyond * np.sqrt(np.maximum(usual**2, np.nan_to_num(medians)))
        inside = usable & (sigma > 0)
        wild = scatter > MAX_COLUMN_NOISE * sigma * (np.median((scatter / sigma)[inside]) if inside.any() else 1)
    if sample.dq is not None:
        usable &= (sample.dq[blocks] == 0).reshape(rows.shape).mean(axis=0) > MIN_USABLE_ROWS
    error = ERROR_OF_MEDIAN * np.nan_to_num(scatter) / np.sqrt(len(rows))
    return np.where(np.isfinite(medians), medians, 0), usable, wild, error


def column_medians(values: np.ndarray, good: np.ndarray) -> np.ndarray:
    """Median of the good values of each column; NaN where there is none."""
    ordered = np.sort(np.where(good, values, np.inf), axis=0)
    number = good.sum(axis=0)
    columns = np.arange(values.shape[1])
    low = ordered[np.maximum(number - 1, 0) // 2, columns]
    high = ordered[np.minimum(number // 2, len(values) - 1), columns]
    with np.errstate(invalid="ignore"):
        return np.where(number > 0, 0.5 * (low + high), np.nan)


def _runs(usable: np.ndarray) -> dict[int, tuple[int, int]]:
    """Runs of usable columns, {slice - 1: (first, last + 1)}; single bad columns do not end a run."""
    nx = len(usable)
    pitch = nx / SLICES
    edges = np.flatnonzero(np.diff(np.concatenate(([False], usable, [False])).astype(np.int8)))
    runs: list[list[int]] = []
    for lo, hi in edges.reshape(-1, 2).tolist():
        if runs and lo - runs[-1][1] <= MAX_GAP_IN_SLICE and hi - runs[-1][0] < pitch:
            runs[-1][1] = hi
        else:
            runs.append([lo, hi])
    runs = [run for run in runs if run[1] - run[0] > MIN_SLICE_WIDTH * pitch]
    runs = [part for lo, hi in runs for part in _parts(lo, hi, round((hi - lo) / pitch))]
    centres = np.array([0.5 * (lo + hi) for lo, hi in runs])
    if len(runs) > 1:  # the slices lie evenly about the middle of the chip
        pitch = median(np.diff(centres))
    numbers = np.rint((centres - 0.5 * nx) / pitch + 0.5 * (SLICES - 1)).astype(int)
    return {number: (lo, hi) for number, (lo, hi) in zip(numbers.tolist(), runs, strict=True) if 0 <= number < SLICES}


def _parts(lo: int, hi: int, number: int) -> list[list[int]]:
    """Cut a run without a gap in it into slices: one that has moved touches the next."""
    edges = np.linspace(lo, hi, max(1, number) + 1).round().astype(int).tolist()
    return [list(pair) for pair in pairwise(edges)]


def _lost(lost: np.ndarray) -> tuple[int, int]:
    """Lost columns in the left and the right half; none when the slice is lost as a whole: it is dark instead."""
    half = len(lost) // 2
    left, right = int(lost[:half].sum()), int(lost[half:].sum())
    return (0, 0) if left + right > half else (left, right)
