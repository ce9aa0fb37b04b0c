"""What a click is told at once: offsets from picked stars about the fit of all stars, without fitting again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from muse_nb.steps.offsets.measurement import Measurement
from muse_nb.steps.offsets.picked import SAME_STAR, positions
from muse_nb.steps.offsets.result import Offsets
from muse_nb.steps.offsets.starfit.catalogue import StarShifts, adjust, levers
from muse_nb.steps.offsets.starfit.solve import Solution
from muse_nb.steps.offsets.table import assemble

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["preview_offsets"]


def preview_offsets(measurement: Measurement, picks: Table) -> Offsets | None:
    """Offsets of picked stars in milliseconds: the weighted mean of the shifts that the fit of all stars gave each.

    They keep that fit's PSF and star list, and are down-weighted where they disagree, so that the picks' own fit in
    `measure_offsets` comes out up to two errors away, farther with few picks: good to look at, not to write. None where
    the fit does not tell: of a star it does not hold or one put by hand, or in an exposure that it could not place.
    """
    solution = _solution(measurement, picks)
    return None if solution is None else assemble(measurement, solution, "picks", None)


def _solution(measurement: Measurement, picks: Table) -> Solution | None:
    base = measurement.solution
    numbers, sky, _ = positions(measurement, picks)
    if base.fit is None or not len(sky) or len(base.placed) < len(base.frames) or (picks["exposure"] != "").any():
        return None
    fit, n = base.fit, len(base.frames)
    apart = np.hypot(*(sky[:, None] - fit.sky).transpose(2, 0, 1))
    near, first = np.unique(apart.argmin(1), return_index=True)
    if apart.min(1).max() > SAME_STAR * max(frame.seeing for frame in fit.frames):
        return None
    shifts = measurement.star_shifts
    chosen = StarShifts(shifts.shift[:, near], shifts.covariance[:, near])
    shown = np.any(chosen.measured, axis=1)
    if shown.sum() < 2:
        return None
    reference = fit.reference if shown[fit.reference] else int(np.argmax(shown))
    least = base.stars.floor if base.stars is not None else 0.0
    own = adjust(chosen, levers(fit)[:, near], reference, least)
    names = np.full(len(fit.sky), -1)
    names[near] = numbers[first]
    residual, error = np.full((2, n, len(fit.sky), 2), np.nan)
    deviation = np.full((n, len(fit.sky)), np.nan)
    residual[:, near], error[:, near], deviation[:, near] = own.residual, own.error, own.deviation
    return replace(
        base,
        offset=np.where(shown[:, None], fit.offsets + own.offset, np.nan),
        covariance=own.covariance,
        stars=replace(own, residual=residual, error=error, deviation=deviation),
        numbers=names,
    )
