"""Rotators that are off: an exposure's angle belongs to the fit where its stars tell one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from muse_nb.steps.offsets.starfit.arrays import Bools, Floats
from muse_nb.steps.offsets.starfit.catalogue import StarShifts, adjust, levers
from muse_nb.steps.offsets.starfit.common_fit import Common, common_motion
from muse_nb.steps.offsets.starfit.fit import Fit
from muse_nb.steps.offsets.starfit.normal import FrameEquations
from muse_nb.steps.offsets.starfit.small import inverse_2x2

__all__ = ["turned"]

# An angle is free where it betters ln L by more than this: 3.5 sigma; by one of few stars that is off, 6 sigma.
MIN_GAIN, MIN_GAIN_FEW = 3.5**2 / 2, 6.0**2 / 2
FEW_STARS = 8
MIN_SHIFT = 5e-4  # arcsec at the stars' distance from the centre, on the mean: less matters to nobody
MAX_STEP = 0.5  # of the seeing's FWHM, of the farthest star
MAX_DEVIATION = 6.0  # errors beyond which a star tells no angle
MIN_TRUSTED = 0.5  # of an exposure's stars
SUSPECT = 2.5  # sigma, of stars taken at their photon noise, without which no closer look is taken
ITERATIONS = 10
MAX_STARS = 150  # that tell an angle, the most informative


def turned(fit: Fit, parts: list[FrameEquations]) -> Fit:
    """Turn the frames whose stars ask for it, and carry offsets and positions along.

    An angle is an unknown of the fit like the others: its step is that of the joint least squares, of which `Fit.step`
    has made the part at fixed angles. Tested against none, so that it costs offsets nothing where it is not needed.
    """
    lever = levers(fit)
    shifts = _own_shifts(fit, parts)
    few = _most_informative(shifts)
    if few is not None:
        lever, shifts = lever[:, few], StarShifts(shifts.shift[:, few], shifts.covariance[:, few])
    measured = shifts.measured
    shared = measured & (measured.sum(0) > 1)
    able = shared.sum(1) > 1
    able[fit.reference] = False
    if not able.any():
        return fit
    shift = np.where(measured[..., None], shifts.shift, 0.0)
    weight = inverse_2x2(np.where(measured[..., None, None], shifts.covariance, np.eye(2))) * measured[..., None, None]
    first = common_motion(shift, weight, lever, fit.reference, able)
    turning = np.array([i in fit.turning for i in range(len(able))])
    if not turning.any() and not (_sigma(first.angle, first) > SUSPECT)[able].any():
        return fit
    judged = adjust(shifts, lever, fit.reference, turning=tuple(np.flatnonzero(able)), iterations=ITERATIONS)
    before = np.array([frame.plane.angle for frame in fit.frames])
    total = before + np.nan_to_num(judged.angle)
    gain = _sigma(total, judged.whole) ** 2 / 2
    reach = np.sqrt((np.where(shared[..., None], lever, 0.0) ** 2).sum((1, 2)) / np.maximum(shared.sum(1), 1))
    needed = np.where(shared.sum(1) < FEW_STARS, MIN_GAIN_FEW, MIN_GAIN)
    turning = able & (gain > needed) & (np.abs(total) * reach > MIN_SHIFT)
    if not (turning | (before != 0)).any():
        return fit
    trust = ~(judged.deviation > MAX_DEVIATION)
    trust[(trust & shared).sum(1) < MIN_TRUSTED * shared.sum(1)] = (
        True  # it is not they that are wrong, it is too far off
    )
    own = common_motion(shift, weight * trust[..., None, None], lever, fit.reference, turning & able)
    farthest = np.sqrt((np.where(shared[..., None], lever, 0.0) ** 2).sum(2).max(1))
    most = MAX_STEP * min(frame.seeing for frame in fit.frames) / np.maximum(farthest, 1e-3)
    # what blends and cosmic rays of the first steps asked for is taken back
    angle = np.where(able & ~turning, -before, np.clip(own.angle, -most, most))
    return _moved(fit, own, angle, turning)


def _sigma(angle: Floats, common: Common) -> Floats:
    """Angles over their errors."""
    variance = np.diag(common.covariance[:, 2, :, 2])
    return np.abs(angle) / np.sqrt(np.where(variance > 0, variance, np.inf))


def _moved(fit: Fit, common: Common, angle: Floats, turning: Bools) -> Fit:
    """Turn frames by angles (n,), their offsets carried along."""
    frames = tuple(frame.turned(float(a)) for frame, a in zip(fit.frames, angle, strict=True))
    offsets = fit.offsets + np.einsum("iap,p->ia", common.carried, angle)
    return replace(fit, frames=frames, offsets=offsets, turning=frozenset(np.flatnonzero(turning).tolist()))


def _most_informative(shifts: StarShifts) -> np.ndarray | None:
    """Stars that tell most, or None where there are not too many."""
    if shifts.shift.shape[1] <= MAX_STARS:
        return None
    worth = np.where(shifts.measured, 1 / np.trace(shifts.covariance, axis1=2, axis2=3), 0.0).sum(0)
    return np.sort(np.argsort(-worth)[:MAX_STARS])


def _own_shifts(fit: Fit, parts: list[FrameEquations]) -> StarShifts:
    """Shift of every star in every exposure by its own pixels, as if no two overlapped."""
    n, stars = len(parts), len(fit.sky)
    shift, covariance = np.full((n, stars, 2), np.nan), np.full((n, stars, 2, 2), np.nan)
    for i, part in enumerate(parts):
        index = part.active < stars  # not the light that all share
        own, gradient = part.diagonal()[index], part.gradient[index]
        flux = np.maximum(own[:, 0, 0], 1e-300)
        block = own[:, 1:, 1:] - own[:, 0, 1:, None] * own[:, 0, None, 1:] / flux[:, None, None]
        pull = gradient[:, 1:] - own[:, 0, 1:] * (gradient[:, :1] / flux[:, None])
        well = np.linalg.det(block) > 0
        known = part.active[index][well]
        covariance[i, known] = inverse_2x2(block[well])
        shift[i, known] = np.einsum("kab,kb->ka", covariance[i, known], pull[well])
    return StarShifts(shift, covariance)
