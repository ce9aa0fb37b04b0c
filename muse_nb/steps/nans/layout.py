"""Which slice should look at a spaxel: the field inside, the IFUs and slices that are missing."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from muse_nb.products.field import SLICE_SKY
from muse_nb.steps.nans.causes import CODES, Cause, Holes

__all__ = ["Empty", "at_the_edge", "border", "enclosed", "explain_empty"]

ENDS = 2.0  # pixels: slices begin and end that far from where the layout has them
GOOD_FIT = 1.5  # pixels: slices that scatter more about the layout are not MUSE's


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

    cause: np.ndarray
    ifu: np.ndarray
    slice: np.ndarray

    @property
    def inside(self) -> np.ndarray:
        """True for spaxels of the field, reached or not."""
        return self.cause != CODES[Cause.OUTSIDE_FIELD]


def enclosed(covered: np.ndarray) -> np.ndarray:
    """True for spaxels with covered ones on both sides in x or on both sides in y."""
    answer = covered.copy()
    for axis in (0, 1):
        before = np.maximum.accumulate(covered, axis=axis)
        after = np.flip(np.maximum.accumulate(np.flip(covered, axis), axis=axis), axis)
        answer |= before & after
    return answer


def border(inside: np.ndarray) -> np.ndarray:
    """True for spaxels of the field with a neighbour outside it, or on the edge of the cube."""
    padded = np.pad(inside, 1)
    surrounded = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return inside & ~surrounded


def at_the_edge(holes: Holes, edge: np.ndarray) -> Holes:
    """At the ragged edge of the field, where no pixel falls is outside it."""
    outside = (holes.cause == CODES[Cause.NO_PIXEL]) & edge.reshape(-1)[holes.index % edge.size]
    return replace(holes, cause=np.where(outside, CODES[Cause.OUTSIDE_FIELD], holes.cause).astype(np.int8))


def explain_empty(covered: np.ndarray, centres: np.ndarray | None = None) -> Empty:
    """Say why no row reaches some spaxels.

    Parameters
    ----------
    covered
        True where rows reach, shape (ny, nx).
    centres
        Of each exposure, IFU and slice: number of rows, mean x and y; see `nan_trace.Reach`. Without it, a spaxel
        inside the field may be a gap or a missing slice: the cause is unknown.
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
        layout = _layout(exposure)
        if layout is None:
            continue
        place, missing, (along, across), (half_length, half_width) = layout
        gone = np.flatnonzero(missing)
        if not len(gone):
            continue
        difference = np.stack([x, y], axis=1)[:, None, :] - place[None, gone]
        distance = np.maximum(
            np.abs(difference @ across) / (1.5 * half_width),
            (np.abs(difference @ along) - half_length) / ENDS,
        )
        hit = distance.min(axis=1) < 1
        number = gone[np.argmin(distance[hit], axis=1)]
        yy, xx = y[hit], x[hit]
        cause[yy, xx] = np.where(missing[number] == 2, CODES[Cause.MISSING_IFU], CODES[Cause.MISSING_SLICE])
        ifu[yy, xx] = number // 48 + 1
        slice_[yy, xx] = np.where(missing[number] == 2, 0, number % 48 + 1)
    return Empty(cause, ifu, slice_)


def _layout(
    exposure: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray], tuple[float, float]] | None:
    """Places of all 24 x 48 slices of an exposure; which are missing (1 slice, 2 whole IFU); directions; half sizes.

    Slices lie on a lattice: IFUs beneath one another, in each four stacks of twelve slices. Its four vectors are fitted
    to the slices that are there.
    """
    number = exposure[1:25, 1:49, 0]
    usual = float(np.median(number[number > 0])) if (number > 0).any() else 0.0
    present = number > 0.2 * usual
    ifus = np.flatnonzero(present.any(axis=1))
    if present.sum() < 48 or len(ifus) == 0:
        return None
    sky = SLICE_SKY - 1
    ifu_, slice_ = np.nonzero(present)
    design = _design(ifu_, sky[slice_])
    position = exposure[1:25, 1:49, 1:][present]
    solution, *_ = np.linalg.lstsq(design, position, rcond=None)
    scatter = np.median(np.hypot(*(position - design @ solution).T))
    stack, row = solution[2], solution[3]
    if scatter > GOOD_FIT or np.hypot(*row) < 0.2:
        return None
    every_ifu, every_slice = np.divmod(np.arange(24 * 48), 48)
    place = _design(every_ifu, sky[every_slice]) @ solution
    measured = present.reshape(-1)
    place[measured] = exposure[1:25, 1:49, 1:].reshape(-1, 2)[measured]
    missing = np.zeros(24 * 48, np.int8)
    loaded = (every_ifu >= ifus.min()) & (every_ifu <= ifus.max())
    missing[loaded & ~measured] = 1
    missing[loaded & ~np.isin(every_ifu, ifus)] = 2
    along, across = stack / np.hypot(*stack), row / np.hypot(*row)
    return place, missing, (along, across), (0.5 * float(np.hypot(*stack)), 0.5 * float(np.hypot(*row)))


def _design(ifu: np.ndarray, sky: np.ndarray) -> np.ndarray:
    return np.stack([np.ones(len(ifu)), ifu, sky // 12, sky % 12], axis=1).astype(float)
