"""Which slice should look at a spaxel: the field inside, the IFUs and slices that are missing."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from muse_nb.products.field import IFUS, SLICE_SKY, SLICES, SLICES_PER_STACK
from muse_nb.steps.nans.causes import CODES, Cause, Holes

__all__ = ["Empty", "border", "enclosed", "explain_empty", "put_edge_outside"]

MIN_SLICES = 48  # to fit the layout to
MIN_ROWS = 0.2  # of the median slice: with fewer a slice counts as missing
MIN_SLICE_WIDTH = 0.2  # pixels: below it the fit is none
MAX_SCATTER = 1.5  # pixels: slices that scatter more about the layout are not MUSE's
ENDS = 2.0  # pixels: slices begin and end up to that far from where the layout has them
REACH_ACROSS = 1.5  # half widths of a slice: spaxels up to that far from its middle are its own


@dataclass(frozen=True)
class Empty:
    """Spaxels that no row reaches, arrays of shape (ny, nx).

    Attributes
    ----------
    cause : numpy.ndarray
        int8 code; 0 where rows reach.
    ifu, slice : numpy.ndarray
        int8: what is missing there, 0 for unknown.
    """

    cause: NDArray[np.int8]
    ifu: NDArray[np.int8]
    slice: NDArray[np.int8]

    @property
    def inside(self) -> NDArray[np.bool_]:
        """True for spaxels of the field, reached or not."""
        return np.asarray(self.cause != CODES[Cause.OUTSIDE_FIELD])


def enclosed(covered: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """True for spaxels with covered ones on both sides in x or on both sides in y."""
    answer = covered.copy()
    for axis in (0, 1):
        before = np.maximum.accumulate(covered, axis=axis)
        after = np.flip(np.maximum.accumulate(np.flip(covered, axis), axis=axis), axis)
        answer |= before & after
    return answer


def border(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """True for spaxels of the field with a neighbour outside it, or on the edge of the cube."""
    padded = np.pad(inside, 1)
    surrounded = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return np.asarray(inside & ~surrounded)


def put_edge_outside(holes: Holes, edge: NDArray[np.bool_]) -> Holes:
    """Call holes that no pixel falls into outside the field where they lie on its ragged edge, as of `border`."""
    outside = (holes.cause == CODES[Cause.NO_PIXEL]) & edge.reshape(-1)[holes.index % edge.size]
    return replace(holes, cause=np.where(outside, CODES[Cause.OUTSIDE_FIELD], holes.cause).astype(np.int8))


def explain_empty(covered: NDArray[np.bool_], centres: NDArray[np.float64] | None = None) -> Empty:
    """Say why no row reaches some spaxels.

    Parameters
    ----------
    covered
        True where rows reach, shape (ny, nx).
    centres
        Of each exposure, IFU and slice: number of rows, mean x and y; see `muse_nb.steps.nans.reach.Reach`. Without it,
        a spaxel inside the field may be a gap or a missing slice: the cause is unknown.
    """
    cause = np.zeros(covered.shape, np.int8)
    ifu, slice_ = np.zeros(covered.shape, np.int8), np.zeros(covered.shape, np.int8)
    empty = ~covered
    inside = enclosed(covered) & empty
    cause[empty] = CODES[Cause.OUTSIDE_FIELD]
    cause[inside] = CODES[Cause.NO_PIXEL if centres is not None else Cause.UNKNOWN]
    if centres is None or not inside.any():
        return Empty(cause, ifu, slice_)
    y, x = np.nonzero(inside)
    for exposure in centres:
        layout = _fit_layout(exposure)
        if layout is None or not len(layout.missing):
            continue
        distance = layout.distance(np.stack([x, y], axis=1))
        hit = distance.min(axis=1) < 1
        number = layout.missing[np.argmin(distance[hit], axis=1)]
        yy, xx = y[hit], x[hit]
        whole = layout.of_missing_ifu[number]
        cause[yy, xx] = np.where(whole, CODES[Cause.MISSING_IFU], CODES[Cause.MISSING_SLICE])
        ifu[yy, xx] = number // SLICES + 1
        slice_[yy, xx] = np.where(whole, 0, number % SLICES + 1)
    return Empty(cause, ifu, slice_)


@dataclass(frozen=True)
class _Layout:
    """Where the slices of an exposure lie in the cube, those too that are missing.

    Attributes
    ----------
    place : numpy.ndarray
        x and y of the middle of each slice [pixel], IFU by IFU, shape (24 * 48, 2).
    missing : numpy.ndarray
        Numbers of the slices that are missing, (ifu - 1) * 48 + slice - 1.
    of_missing_ifu : numpy.ndarray
        True for slices whose whole IFU is missing, shape (24 * 48,).
    stack, row : numpy.ndarray
        From a slice to the same in the next stack, and to the next slice [pixel]: its length and its width.
    """

    place: NDArray[np.float64]
    missing: NDArray[np.int64]
    of_missing_ifu: NDArray[np.bool_]
    stack: NDArray[np.float64]
    row: NDArray[np.float64]

    def distance(self, spaxels: NDArray[np.int64]) -> NDArray[np.float64]:
        """Distance of spaxels (x, y) from the missing slices, below 1 inside; shape (spaxels, missing)."""
        length, width = float(np.hypot(*self.stack)), float(np.hypot(*self.row))
        along, across = self.stack / np.hypot(*self.stack), self.row / np.hypot(*self.row)
        difference = spaxels[:, None, :] - self.place[None, self.missing]
        return np.asarray(
            np.maximum(
                np.abs(difference @ across) / (REACH_ACROSS * (0.5 * width)),
                (np.abs(difference @ along) - 0.5 * length) / ENDS,
            )
        )


def _fit_layout(exposure: NDArray[np.float64]) -> _Layout | None:
    """Fit the lattice of slices to those that are there; None where they are too few, or lie otherwise.

    IFUs lie beneath one another, in each four stacks of twelve slices: an origin and three steps.
    """
    number = exposure[1:, 1:, 0]
    usual = float(np.median(number[number > 0])) if (number > 0).any() else 0.0
    present = number > MIN_ROWS * usual
    ifus = np.flatnonzero(present.any(axis=1))
    if present.sum() < MIN_SLICES or len(ifus) == 0:
        return None
    sky = SLICE_SKY - 1
    ifu_, slice_ = np.nonzero(present)
    design = _design(ifu_, sky[slice_])
    position = exposure[1:, 1:, 1:][present]
    solution, *_ = np.linalg.lstsq(design, position, rcond=None)
    scatter = np.median(np.hypot(*(position - design @ solution).T))
    stack, row = solution[2], solution[3]
    if scatter > MAX_SCATTER or np.hypot(*row) < MIN_SLICE_WIDTH:
        return None
    every_ifu, every_slice = np.divmod(np.arange(IFUS * SLICES), SLICES)
    place = _design(every_ifu, sky[every_slice]) @ solution
    measured = present.reshape(-1)
    place[measured] = exposure[1:, 1:, 1:].reshape(-1, 2)[measured]
    loaded = (every_ifu >= ifus.min()) & (every_ifu <= ifus.max())
    return _Layout(place, np.flatnonzero(loaded & ~measured), ~np.isin(every_ifu, ifus), stack, row)


def _design(ifu: NDArray[np.int64], sky: NDArray[np.int64]) -> NDArray[np.float64]:
    """Terms of a slice's position: the origin, its IFU, its stack, its number in the stack; shape (n, 4)."""
    return np.stack([np.ones(len(ifu)), ifu, sky // SLICES_PER_STACK, sky % SLICES_PER_STACK], axis=1).astype(float)
