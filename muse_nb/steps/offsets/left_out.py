"""Which stars had no say in an exposure's offset, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from muse_nb.steps.offsets.measurement import Measurement
from muse_nb.steps.offsets.starfit import psf
from muse_nb.steps.offsets.starfit.arrays import Floats
from muse_nb.steps.offsets.starfit.frame import Frame
from muse_nb.steps.offsets.starfit.geometry import from_tangent
from muse_nb.steps.offsets.starfit.solve import MAX_DEVIATION, Solution

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["by_reason", "left_out"]

MIN_LOST_CORE = 0.3  # of a star's core: below this share a star is called too faint


def left_out(measurement: Measurement, solution: Solution) -> Table:
    """List the stars that an exposure's offset goes without.

    Parameters
    ----------
    measurement
        The exposures.
    solution
        Their fit.

    Returns
    -------
    astropy.table.Table
        One row a star and exposure: star, ra, dec [deg], date_obs, why.
    """
    from astropy.table import Table

    rows = []
    fit, stars = solution.fit, solution.stars
    if fit is not None:
        listed = np.flatnonzero(solution.numbers >= 0)
        ra, dec = from_tangent(fit.sky, measurement.origin)
        for j, i in enumerate(solution.placed):
            position = fit.frames[j].plane.pixel(fit.sky + fit.offsets[j])
            for k in listed:
                deviation = np.nan if stars is None else stars.deviation[j, k]
                if deviation > MAX_DEVIATION:
                    why = f"disagrees by {deviation:.1f} errors: it moves, varies, or is two"
                elif not fit.active[j, k]:
                    why = _why(fit.frames[j], position[k])
                else:
                    continue
                rows.append((solution.numbers[k], ra[k], dec[k], measurement.date_obs[i], why))
    table = Table(
        rows=rows or None, names=("star", "ra", "dec", "date_obs", "why"), dtype=(int, float, float, str, str)
    )
    table["ra"].unit = table["dec"].unit = "deg"
    return table


def by_reason(table: Table, date_obs: str) -> dict[str, list[int]]:
    """Stars that one exposure's offset goes without, for JSON: their numbers under each reason."""
    reasons: dict[str, list[int]] = {}
    for row in table[table["date_obs"] == date_obs]:
        reasons.setdefault(str(row["why"]), []).append(int(row["star"]))
    return reasons


def _why(frame: Frame, position: Floats) -> str:
    """What takes most of the core of a star at (x, y) of a frame out of its fit."""
    radius = psf.fwhm(frame.psf) / 2
    low = np.maximum(np.floor(position - radius).astype(int), 0)
    high = np.maximum(np.ceil(position + radius).astype(int) + 1, low)
    near = np.s_[low[1] : high[1], low[0] : high[0]]
    finite, outlying, edge = frame.footprint.finite[near], frame.clipped[near] | ~frame.ok[near], frame.edge[near]
    y, x = np.ogrid[: finite.shape[0], : finite.shape[1]]
    core = np.hypot(x + low[0] - position[0], y + low[1] - position[1]) <= radius
    area = np.pi * radius**2
    never = {
        "at or beyond the edge of the image": area - core.sum(),
        "beside missing data": (core & ~finite).sum(),
    }
    lost = never | {
        "its core is none of a star: a cosmic ray on it, or saturated": (core & finite & outlying).sum(),
        "in light that no star explains, or where stars disagree": (core & edge & ~outlying).sum(),
    }
    if sum(lost.values()) < MIN_LOST_CORE * area:
        return "too faint here"
    if (
        sum(never.values()) >= MIN_LOST_CORE * area
    ):  # what is left of a star that is not fitted looks like outliers: no reason
        lost = never
    return max(lost, key=lambda why: float(lost[why]))
