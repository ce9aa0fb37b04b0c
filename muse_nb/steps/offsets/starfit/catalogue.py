"""The fit's stars one by one: how far each lies from where the common solution puts it, and whether it disagrees."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, replace

import numpy as np

from muse_nb.steps.offsets.starfit.arrays import Bools, Floats, Ints
from muse_nb.steps.offsets.starfit.common_fit import Common, common_motion
from muse_nb.steps.offsets.starfit.fit import Fit
from muse_nb.steps.offsets.starfit.frame import Frame
from muse_nb.steps.offsets.starfit.normal import FrameEquations
from muse_nb.steps.offsets.starfit.one_thread import one_thread
from muse_nb.steps.offsets.starfit.small import column_medians, inverse_2x2

__all__ = [
    "Adjustment",
    "StarShifts",
    "adjust",
    "count_shown",
    "count_shown_at",
    "levers",
    "star_shifts",
    "with_rejected",
]

MIN_SIGMA_OTHERS, MIN_SIGMA = 10.0, 3.0  # that others show a star at; that an exposure shows it at
MIN_FLUX = 0.15  # of its flux in the others, with which it is shown
MAX_STARS = 60  # with their own shift in an exposure: the most informative
MAX_ERROR = 0.15  # arcsec of a shift that counts as measured
TRUSTED, OUTLYING = 3.0, 6.0  # errors up to which a shift counts in full; from which not at all
ITERATIONS = 30  # of weights and floor
MIN_SHARP_SHIFTS = 12  # that tell an error beyond the photon noise


@dataclass(frozen=True)
class StarShifts:
    """Shift (n, K, 2) [arcsec] of every star in every exposure about the common solution, NaN where not measured.

    `covariance` is (n, K, 2, 2).
    """

    shift: Floats
    covariance: Floats

    @property
    def measured(self) -> Bools:
        """Mask (n, K): shift known to better than 0.15 arcsec."""
        error = np.sqrt(np.trace(self.covariance, axis1=2, axis2=3))
        return np.asarray(np.isfinite(self.shift[..., 0]) & (error < MAX_ERROR))


@dataclass(frozen=True)
class Adjustment:
    """Robust solution over the stars' shifts.

    Attributes
    ----------
    offset, covariance : ndarray, shapes (n, 2) and (n, 2, n, 2)
        Correction to the fit's offsets, 0 for the reference.
    residual, error : ndarray, shape (n, K, 2)
        Of each star in each exposure [arcsec].
    deviation : ndarray, shape (n, K)
        Residual over its error, both axes together.
    floor : float
        Error [arcsec] a star has beyond its photon noise.
    chi2 : float
        Per degree of freedom, with that floor.
    angle, angle_covariance : ndarray, shapes (n,) and (n, n)
        By which each exposure is turned beyond its plane, from north towards east [rad]; NaN where no two stars tell.
    of_angles : ndarray, shape (n, 2, n, 2)
        What of `covariance` comes from angles that were free.
    whole : Common
        The solution with all angles free.
    """

    offset: Floats
    covariance: Floats
    residual: Floats
    error: Floats
    deviation: Floats
    floor: float
    chi2: float
    angle: Floats
    angle_covariance: Floats
    of_angles: Floats
    whole: Common


@one_thread()
def star_shifts(fit: Fit, parts: list[FrameEquations], most: int = MAX_STARS) -> StarShifts:
    """Free every star's position (of the `most` informative) in every exposure and solve, linearly, about the fit."""
    n, stars = len(fit.frames), len(fit.sky)
    shift, covariance = np.full((n, stars, 2), np.nan), np.full((n, stars, 2, 2), np.nan)
    for i, equations in enumerate(parts):
        index = equations.active
        own = equations.diagonal()
        worth = np.where(index < stars, np.trace(own[:, 1:, 1:], axis1=1, axis2=2), 0.0)
        chosen = np.argsort(-worth)[: min(most, int((index < stars).sum()))]
        place = np.full(len(index), -1)
        place[chosen] = np.arange(len(chosen))
        m = len(chosen)
        if not m:
            continue
        owner = np.repeat(np.arange(len(index)), np.diff(equations.row))
        both = (place[owner] >= 0) & (place[equations.column] >= 0)
        dense = np.zeros((m, 3, m, 3))
        dense[place[owner[both]], :, place[equations.column[both]], :] = equations.block[both]
        matrix = np.zeros((3 * m + 5, 3 * m + 5))
        matrix[: 3 * m, : 3 * m] = dense.reshape(3 * m, 3 * m)
        matrix[: 3 * m, 3 * m :] = equations.border[chosen].reshape(3 * m, 5)
        matrix[3 * m :, : 3 * m] = matrix[: 3 * m, 3 * m :].T
        matrix[3 * m :, 3 * m :] = equations.shape_block
        right = np.r_[equations.gradient[chosen].ravel(), equations.shape_gradient]
        size = np.sqrt(np.maximum(np.diag(matrix), 1e-12))
        scaled = matrix / size / size[:, None] + 1e-6 * np.eye(len(size))
        inverse = np.linalg.inv(scaled) / size / size[:, None]
        solution = (inverse @ right)[: 3 * m].reshape(m, 3)
        blocks = inverse[: 3 * m, : 3 * m].reshape(m, 3, m, 3)[np.arange(m), :, np.arange(m), :]
        shift[i, index[chosen]] = solution[:, 1:]
        covariance[i, index[chosen]] = blocks[:, 1:, 1:]
    return StarShifts(shift, covariance)


def levers(fit: Fit) -> Floats:
    """How far a turn of each exposure moves each star (n, K, 2) [arcsec / rad]."""
    away = np.array([fit.sky + o - frame.plane.centre for frame, o in zip(fit.frames, fit.offsets, strict=True)])
    return np.stack([away[..., 1], -away[..., 0]], axis=-1)  # from north to east moves (E, N) by (N, -E)


def adjust(
    shifts: StarShifts,
    lever: Floats,
    reference: int,
    least: float = 0.0,
    turning: Container[int] = (),
    iterations: int = ITERATIONS,
) -> Adjustment:
    """Weighted mean of the stars' shifts with outliers down-weighted and an error floor found from their scatter.

    Parameters
    ----------
    shifts
        Of every star in every exposure.
    lever : ndarray, shape (n, K, 2)
        See `levers`.
    reference
        Exposure that keeps its offset and its angle.
    least
        The floor is no less [arcsec].
    turning
        Exposures whose angle is free.
    iterations
        At most; the floor grows or shrinks in all but the last few.
    """
    measured = shifts.measured
    n = len(measured)
    free = np.array([i in turning for i in range(n)])
    d = np.where(measured[..., None], shifts.shift, 0.0)
    base = np.where(measured[..., None, None], shifts.covariance, np.eye(2))
    shared = measured & (measured.sum(0) > 1)
    sharp = _sharp(base, shared)
    trust, floor, chi2 = measured.astype(float), least, 1.0
    for iteration in range(iterations):
        inverse = inverse_2x2(base + floor**2 * np.eye(2))
        common = common_motion(d, inverse * trust[..., None, None], lever, reference, free)
        residual = common.residual(d, lever)
        deviation = np.sqrt(np.einsum("ika,ikab,ikb->ik", residual, inverse, residual))
        before = trust, floor
        trust = np.where(shared, _trusted(deviation), 0)
        typical = shared & sharp
        freedom = _freedom(shared) * typical.sum()
        if not shared.any() or freedom < 2 * n:
            break
        chi2 = float(np.minimum(deviation[typical] ** 2, 16).sum() / freedom)  # one outlier makes no floor
        if iteration < iterations - 5:  # a floor only where chi2 asks for it by 3 sigma
            above = chi2 > 1 + 3 * np.sqrt(2 / freedom)
            floor = max(floor * 1.25, 2e-4) if above else floor * 0.9 if chi2 < 0.98 else floor
            floor = max(floor, least)
        if floor == before[1] and np.abs(trust - before[0]).max() < 1e-3:
            break
    every = _measurable(shared, reference)
    whole = common_motion(d, inverse * trust[..., None, None], lever, reference, every)
    angle_covariance = whole.covariance[:, 2, :, 2].copy()
    every[reference] = shared[reference].any()
    angle_covariance[~every] = angle_covariance[:, ~every] = np.nan
    angle = np.where(every, np.where(free, common.angle, whole.angle), np.nan)
    error = np.sqrt(np.diagonal(base, axis1=2, axis2=3) + floor**2)
    hidden = ~measured
    residual[hidden], error[hidden] = np.nan, np.nan
    deviation = np.where(shared, deviation, np.nan)
    covariance = common.covariance[:, :2, :, :2]
    return Adjustment(
        common.offset, covariance, residual, error, deviation, floor, chi2, angle, angle_covariance, common.of_angles,
        whole,
    )  # fmt: skip


def _measurable(shared: Bools, reference: int) -> Bools:
    """Exposures (n,) whose angle the stars tell: two that others show as well."""
    every = np.asarray(shared.sum(1) > 1)
    every[reference] = False
    return every


def _trusted(deviation: Floats) -> Floats:
    """Weights of shifts that deviate by so many errors."""
    less = np.where(deviation < OUTLYING, TRUSTED / np.maximum(deviation, TRUSTED), 0)
    return np.where(deviation < TRUSTED, 1.0, less)


def _sharp(covariance: Floats, shared: Bools) -> Bools:
    """The quarter (at least 12) of all shifts with the smallest photon noise: the only ones in which a floor shows."""
    error = np.where(shared, np.trace(covariance, axis1=2, axis2=3), np.inf)
    limit = (
        np.sort(error[shared])[max(shared.sum() // 4, min(MIN_SHARP_SHIFTS, shared.sum()) - 1)] if shared.any() else 0.0
    )
    return error <= limit


def _freedom(shared: Bools) -> float:
    """Degrees of freedom that each shift has left: two, less its share of positions and offsets."""
    exposures, stars = int(shared.any(1).sum()), int(shared.any(0).sum())
    return 2 * (1 - (stars + exposures - 1) / max(int(shared.sum()), 1))


def count_shown(fit: Fit) -> Ints:
    """Count, for each exposure, the stars on its data that the others show clearly, and those of them that it shows.

    Returns
    -------
    ndarray of int, shape (n, 2)
    """
    sigma, flux = fit.significance(), _fluxes(fit)
    seen = np.where(fit.active, [sigma, flux], np.nan)
    counts = np.zeros((len(sigma), 2), int)
    for i in range(len(sigma)):
        stars = fit.active[i] & (fit.active.sum(0) > 1)
        others = [column_medians(np.delete(values[:, stars], i, axis=0)) for values in seen]
        counts[i] = _count(sigma[i, stars], flux[i, stars], *others)
    return counts


def count_shown_at(fit: Fit, frame: Frame, offset: Floats) -> tuple[int, int]:
    """Count the fit's stars that fall on the data of another frame at an offset, and those that it shows there."""
    stars = fit.active.sum(0) > 1
    flux, weight = frame.fluxes_at(fit.sky[stars] + offset, frame.map)
    seen = np.where(fit.active, [fit.significance(), _fluxes(fit)], np.nan)[:, :, stars]
    inside = weight > 0
    others = (column_medians(values[:, inside]) for values in seen)
    return _count((flux * np.sqrt(weight))[inside], flux[inside], *others)


def _fluxes(fit: Fit) -> Floats:
    """Flux of every star in every exposure (n, K), in a unit that all share."""
    return np.array([frame.amplitude * frame.seeing**2 for frame in fit.frames])


def _count(own: Floats, flux: Floats, others: Floats, their_flux: Floats) -> tuple[int, int]:
    """How many stars others show clearly, and how many of them are seen at significance `own` with some of the flux."""
    clear = others > MIN_SIGMA_OTHERS
    return int(clear.sum()), int((clear & (own > MIN_SIGMA) & (flux > MIN_FLUX * their_flux)).sum())


def with_rejected(stars: Adjustment, before: Adjustment, limit: float) -> Adjustment:
    """Show the shifts that were left out as they were found, so that they can be named."""
    out = (np.nan_to_num(before.deviation) > limit) & np.isnan(stars.deviation)
    return replace(
        stars,
        residual=np.where(out[..., None], before.residual, stars.residual),
        error=np.where(out[..., None], before.error, stars.error),
        deviation=np.where(out, before.deviation, stars.deviation),
    )
