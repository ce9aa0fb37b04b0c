"""From images to offsets: begin the fit, look at its residuals, fit again, and work out the errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from muse_nb.core.progress import Progress, silent
from muse_nb.kernels.psf import discs
from muse_nb.steps.offsets.starfit import catalogue, noise
from muse_nb.steps.offsets.starfit.arrays import Floats, Ints
from muse_nb.steps.offsets.starfit.begin import Attempt, Effort, begin, fit_round, fitted
from muse_nb.steps.offsets.starfit.coarse import Placement
from muse_nb.steps.offsets.starfit.fit import Fit
from muse_nb.steps.offsets.starfit.frame import Frame
from muse_nb.steps.offsets.starfit.normal import FrameEquations
from muse_nb.steps.offsets.starfit.one_thread import one_thread
from muse_nb.steps.offsets.starfit.revise import revised

__all__ = ["MAX_DEVIATION", "Solution", "complete", "finish", "solve", "unsolved"]

MODEL_ERROR = 0.03  # of the light: what an analytic PSF may miss before an exposure is suspect
PROFILE_ERROR = 0.001  # of the FWHM: how well a star's place can be known where its profile is not quite a Moffat
MIN_OUTLIER_SHIFT = 0.01  # arcsec: stars that agree to this are not rejected, however bright
MAX_ERROR = 1.0  # arcsec: an error that says nothing
MAX_DEVIATION = 5.0  # errors beyond which a star is left out of an exposure
MANY_STARS = 120  # of an exposure that tell the error of its angle
MIN_JUDGES = 4  # stars of which one that is wrong can be told
MAX_REJECTED = 0.3  # of the stars: with more it is not they that are wrong


@dataclass(frozen=True)
class Solution:
    """Offsets of the frames that could be placed.

    Attributes
    ----------
    frames : tuple of Frame, length n
        As the fit left them; those that it could not place as they were.
    placements : list of Placement
        One a frame.
    placed : list of int
        Frames in the fit, in its order.
    fit : Fit or None
        None when fewer than two frames could be placed.
    offset, covariance : ndarray, shapes (n, 2), (n, 2, n, 2)
        Of all frames [arcsec], NaN where not placed, relative to the fit's reference.
    chi2 : ndarray, shape (n,)
        Of the stars' cores.
    angle, angle_covariance : ndarray, shapes (n,) and (n, n)
        By which the rotator is off in each frame, relative to the fit's reference, from north towards east [rad];
        NaN where the stars do not tell.
    stars : Adjustment or None
    numbers : ndarray of int, shape (K,)
        Name of each star of the fit; -1 for a neighbour that only had to be fitted along.
    """

    frames: tuple[Frame, ...]
    placements: list[Placement]
    placed: list[int]
    fit: Fit | None
    offset: Floats
    covariance: Floats
    chi2: Floats
    angle: Floats
    angle_covariance: Floats
    stars: catalogue.Adjustment | None
    numbers: Ints

    @property
    def turning(self) -> list[int]:
        """Frames whose angle is an unknown of the fit."""
        return [self.placed[j] for j in sorted(self.fit.turning)] if self.fit is not None else []

    @property
    def home(self) -> int:
        """The frame whose offset is 0: its header tells where the stars are."""
        return self.placed[self.fit.reference] if self.fit is not None else 0


def solve(frames: Sequence[Frame], radius: float = 6.0, progress: Progress = silent) -> Solution:
    """Measure the offsets of all frames from all their stars.

    Parameters
    ----------
    frames
        Prepared exposures.
    radius
        Largest offset looked for [arcsec].
    progress
        Told a line of text at every stage.
    """
    return complete(begin(frames, radius, progress), progress)


@one_thread()
def complete(begun: Attempt, progress: Progress = silent) -> Solution:
    """Make the other rounds of the fit, with the star list revised in between, and work out the errors."""
    fit = begun.fit
    if fit is None:
        return unsolved(begun.frames, begun.placements, np.zeros(0, int))
    for stage in range(1, len(Effort.on(fit.frames).steps)):
        fit = revised(fit)
        if not len(fit.sky):  # no source is a star
            return unsolved(fitted(begun.frames, begun.placed, fit.frames), begun.placements, np.zeros(0, int))
        fit = fit_round(fit, stage, progress)
    return finish(fit, begun.frames, begun.placements, begun.placed)


def unsolved(frames: tuple[Frame, ...], placements: list[Placement], numbers: Ints) -> Solution:
    """No offset for any frame: the stars place fewer than two."""
    n = len(placements)
    offset, covariance = np.full((n, 2), np.nan), np.full((n, 2, n, 2), np.nan)
    angle, of_angles = np.full(n, np.nan), np.full((n, n), np.nan)
    return Solution(frames, placements, [], None, offset, covariance, np.ones(n), angle, of_angles, None, numbers)


def finish(
    fit: Fit,
    frames: tuple[Frame, ...],
    placements: list[Placement],
    placed: list[int],
    numbers: Ints | None = None,
    floor: float = 0.0,
) -> Solution:
    """Errors, star by star residuals, and the robust correction where stars disagree beyond their noise.

    Parameters
    ----------
    fit
        Of the frames `placed`, after its last round.
    frames, placements
        Of all exposures, before it.
    numbers
        Of stars that an observer picked: they are named when they disagree, but kept.
    floor
        Least error of a star [arcsec].
    """
    if not fit.tied[fit.reference]:  # its stars lie in a hole, and all others would hang on nothing
        fit = fit.referred_to(int(np.argmax(fit.tied)))
    fit, parts = fit.linearized()
    stars = _adjusted(fit, parts, floor)
    masked = _without_outliers(fit, stars) if numbers is None else None
    if masked is not None:
        fit, parts = masked.step(0.5)[0].linearized()  # few pixels went, so one step is enough
        stars = catalogue.with_rejected(_adjusted(fit, parts, 0.0), stars, MAX_DEVIATION)
    own = fit.equations(parts).offset_covariance() + stars.of_angles
    chi2 = np.array([noise.core_chi2(frame) for frame in fit.frames])
    scale = np.sqrt(np.maximum(1, (chi2 + chi2[fit.reference]) / 2))
    own = own * scale[:, None, None, None] * scale[None, None, :, None]
    angle = np.array([frame.plane.angle for frame in fit.frames])
    held = np.array([i in fit.turning for i in range(len(angle))]) & (stars.floor == 0)
    angle = np.where(held, angle, angle + stars.angle)
    offset = fit.offsets.copy()
    if stars.floor > 0:
        # star by star; others have what their light tells
        told = np.asarray(np.isfinite(stars.deviation).any(1))
        told[fit.reference] = True
        offset[told] += stars.offset[told]
        known, axes = np.flatnonzero(told), np.arange(2)
        at = np.ix_(known, axes, known, axes)
        own[at] = stars.covariance[at]
    own += _of_single_stars(fit, parts, stars.floor)
    every = np.arange(len(offset))
    offset[np.trace(own[every, :, every], axis1=1, axis2=2) > MAX_ERROR**2] = np.nan
    n = len(frames)
    full, covariance = np.full((n, 2), np.nan), np.full((n, 2, n, 2), np.nan)
    turn, of_angles = np.full(n, np.nan), np.full((n, n), np.nan)
    turn[placed], of_angles[np.ix_(placed, placed)] = angle, stars.angle_covariance * scale[:, None] * scale
    offset[~fit.tied] = np.nan  # no star of it falls on data of another exposure
    full[placed] = offset
    covariance[np.ix_(placed, [0, 1], placed, [0, 1])] = own
    cores = np.ones(n)
    cores[placed] = [noise.core_chi2(frame, MODEL_ERROR) for frame in fit.frames]
    numbers = np.arange(len(fit.sky)) if numbers is None else numbers
    return Solution(
        fitted(frames, placed, fit.frames), placements, placed, fit, full, covariance, cores, turn, of_angles, stars,
        numbers,
    )  # fmt: skip


def _adjusted(fit: Fit, parts: list[FrameEquations], floor: float) -> catalogue.Adjustment:
    """The stars one by one about the fit."""
    most = MANY_STARS if fit.turning else catalogue.MAX_STARS
    shifts = catalogue.star_shifts(fit, parts, most)
    return catalogue.adjust(shifts, catalogue.levers(fit), fit.reference, floor, fit.turning)


def _of_single_stars(fit: Fit, parts: list[FrameEquations], floor: float) -> Floats:
    """Covariance (n, 2, n, 2) of what each star's place is wrong by beyond its noise and the `floor` already counted.

    No star's profile is quite the one that is fitted. Where one star tells nearly all of an exposure's offset, that is
    an error of the offset; of many stars it is a part.
    """
    each = np.zeros(len(parts))
    for i, (frame, part) in enumerate(zip(fit.frames, parts, strict=True)):
        told = np.trace(part.diagonal()[:, 1:, 1:], axis1=1, axis2=2)
        least = max((PROFILE_ERROR * frame.seeing) ** 2 - floor**2, 0.0)
        if told.any():
            each[i] = least * (told**2).sum() / told.sum() ** 2
    total = np.diag(each) + each[fit.reference]
    total[fit.reference] = total[:, fit.reference] = 0
    return np.asarray(total[:, None, :, None] * np.eye(2)[:, None])


def _without_outliers(fit: Fit, stars: catalogue.Adjustment) -> Fit | None:
    """Mask the stars that disagree, where they do; one that does in a third of its exposures, in all. None if none."""
    far = np.hypot(*np.nan_to_num(np.moveaxis(stars.residual, -1, 0))) > MIN_OUTLIER_SHIFT
    bad = (np.nan_to_num(stars.deviation) > MAX_DEVIATION) & far
    known = np.isfinite(stars.deviation).sum(0)
    if (known > 0).sum() < MIN_JUDGES:
        return None
    bad |= (bad.sum(0) >= np.maximum(2, known / 3)) & fit.active
    if not bad.any() or bad.sum() > MAX_REJECTED * fit.active.sum():
        return None
    frames = [
        frame.masked(discs(frame.plane.pixel(fit.sky[bad[i]] + fit.offsets[i]), frame.width, frame.shape))
        for i, frame in enumerate(fit.frames)
    ]
    return replace(fit, frames=tuple(frames))
