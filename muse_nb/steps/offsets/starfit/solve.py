"""From images to offsets: begin the fit, look at its residuals, fit again, and work out the errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from muse_nb.kernels.psf import discs
from muse_nb.steps.offsets.starfit import catalogue, noise
from muse_nb.steps.offsets.starfit.begin import Attempt, Effort, begin, fit_round, silent
from muse_nb.steps.offsets.starfit.coarse import Placement
from muse_nb.steps.offsets.starfit.detect import stack_peaks
from muse_nb.steps.offsets.starfit.fit import Fit
from muse_nb.steps.offsets.starfit.frame import Frame
from muse_nb.steps.offsets.starfit.geometry import nearest
from muse_nb.steps.offsets.starfit.halo import take_halos
from muse_nb.steps.offsets.starfit.matched_filter import Map, Peaks
from muse_nb.steps.offsets.starfit.normal import FrameEquations
from muse_nb.steps.offsets.starfit.one_thread import one_thread
from muse_nb.steps.offsets.starfit.transients import mask_transients

__all__ = ["Solution", "complete", "finish", "solve", "unsolved"]

MODEL_ERROR = 0.03  # of the light: what an analytic PSF may miss before an exposure is suspect
PROFILE = 0.001  # of the FWHM: how well a star's place can be known where its profile is not quite a Moffat
SAME = 0.01  # arcsec: stars that agree to this are not rejected, however bright
UNKNOWN = 1.0  # arcsec: an error that says nothing
OUTLIER = 5.0  # errors beyond which a star is left out of an exposure


@dataclass(frozen=True)
class Solution:
    """Offsets of the frames that could be placed.

    Attributes
    ----------
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
    stars : Adjustment or None
    numbers : ndarray of int, shape (K,)
        Name of each star of the fit; -1 for a neighbour that only had to be fitted along.
    """

    placements: list[Placement]
    placed: list[int]
    fit: Fit | None
    offset: NDArray
    covariance: NDArray
    chi2: NDArray
    stars: catalogue.Adjustment | None
    numbers: NDArray

    @property
    def home(self) -> int:
        """The frame whose offset is 0: its header tells where the stars are."""
        return self.placed[self.fit.reference] if self.fit is not None else 0


def solve(frames: list[Frame], radius: float = 6.0, tell: Callable[[str], None] = silent) -> Solution:
    """Measure the offsets of all frames from all their stars.

    Parameters
    ----------
    frames
        Prepared exposures.
    radius
        Largest offset looked for [arcsec].
    tell
        Called with a line of text at every stage.
    """
    return complete(begin(frames, radius, tell), tell)


@one_thread()
def complete(begun: Attempt, tell: Callable[[str], None] = silent) -> Solution:
    """Make the other rounds of the fit, with the star list revised in between, and work out the errors."""
    fit = begun.fit
    if fit is None:
        return unsolved(begun.placements, np.zeros(0, int))
    for stage in range(1, len(Effort.on(fit.frames).steps)):
        revise(fit)
        if not len(fit.sky):  # no source is a star
            return unsolved(begun.placements, np.zeros(0, int))
        fit_round(fit, stage, tell)
    return finish(fit, begun.placements, begun.placed, len(begun.frames))


def unsolved(placements: list[Placement], numbers: NDArray) -> Solution:
    """No offset for any frame: the stars place fewer than two."""
    n = len(placements)
    return Solution(
        placements, [], None, np.full((n, 2), np.nan), np.full((n, 2, n, 2), np.nan), np.ones(n), None, numbers
    )


def revise(fit: Fit) -> None:
    """Drop stars that vanished, merged or are galaxies; mask what is no star; add what the residuals show."""
    take_halos(fit)
    keep = _lasting(fit)
    _background_anew(fit)
    galaxy = noise.wider_than_stars(fit) & keep
    _mask(fit, fit.sky[galaxy])
    keep &= ~galaxy
    peaks, width = _missed(fit, fit.sky[keep])
    fit.keep_stars(keep, peaks.position, peaks.amplitude, width)


def _background_anew(fit: Fit) -> None:
    """Measure what lies under the stars again, and mask the light of those that are not on the data."""
    for i, frame in enumerate(fit.frames):
        drawn = fit.stamps(i)
        frame.model = drawn[1].model + frame.level
        noise.mask_edges(frame)
        if fit.stage == 0 and fit.light is None:
            frame.refine_background()
        fit.draw(i, drawn)
    if fit.light is not None:
        fit.light.share(fit.offsets)
        for i in range(len(fit.frames)):
            fit.draw(i)


def _mask(fit: Fit, galaxies: NDArray) -> None:
    """Leave the light of galaxies (K, 2), of these and those found before, out of the fit."""
    fit.rejected = np.r_[fit.rejected, galaxies]
    for i, frame in enumerate(fit.frames if len(fit.rejected) else []):
        frame.edge |= discs(frame.plane.pixel(fit.rejected + fit.offsets[i]), 1.6 * frame.width, frame.shape)
        fit.draw(i)


def _missed(fit: Fit, stars: NDArray) -> tuple[Peaks, float]:
    """What the residuals show beside the stars (K, 2) that are kept, as far as there is room; width of the stack."""
    peaks, width = stack_peaks(fit.frames, list(fit.offsets), _left(fit))
    sharp = min(frame.seeing for frame in fit.frames)
    new = peaks.position
    level = np.zeros(len(new))
    for frame, offset in zip(fit.frames, fit.offsets, strict=True):
        x, y = frame.plane.pixel(new + offset).T
        level = np.maximum(level, ndimage.map_coordinates(frame.model, [y, x], order=1))
    take = (nearest(new, stars) > 0.5 * sharp) & (nearest(new, fit.rejected) > 1.2 * sharp)
    take &= peaks.amplitude > 0.04 * level
    return peaks.take(take).first(max(Effort.on(fit.frames).stars - len(stars), 0)), width


def _left(fit: Fit) -> list[Map]:
    """What the model leaves in each exposure, where it is not in that exposure alone."""
    maps = [frame.left() for frame in fit.frames]
    for i in mask_transients(fit.frames, list(fit.offsets), maps):
        fit.draw(i)
        maps[i] = fit.frames[i].left()
    return maps


def _lasting(fit: Fit) -> NDArray:
    """Stars still seen at 3 sigma, and of those that fell together the brightest."""
    total, square = np.zeros((2, len(fit.sky)))
    for i, frame in enumerate(fit.frames):
        a = np.where(fit.active[i], frame.amplitude, 0.0)
        total += a
        square += np.pi * (frame.width / 1.13) ** 2 / 4 * a**2 / frame.star_variance(a)
    keep = square > 9
    close = 0.35 * min(frame.seeing for frame in fit.frames)
    for k in np.argsort(-total):
        if keep[k]:
            near = np.hypot(*(fit.sky - fit.sky[k]).T) < close
            keep[near & (total < total[k])] = False
    return keep


def finish(
    fit: Fit, placements: list[Placement], placed: list[int], n: int, numbers: NDArray | None = None, floor: float = 0.0
) -> Solution:
    """Errors, star by star residuals, and the robust correction where stars disagree beyond their noise.

    Stars that an observer picked (`numbers`) are named when they disagree, but kept; `floor` is the least error of a
    star [arcsec].
    """
    if not fit.tied[fit.reference]:  # its stars lie in a hole, and all others would hang on nothing
        fit.refer_to(int(np.argmax(fit.tied)))
    parts = fit.parts()
    stars = catalogue.adjust(catalogue.star_shifts(fit, parts), fit.sky, fit.reference, floor)
    if numbers is None and reject(fit, stars):
        fit.step(0.5)  # few pixels went, so one step is enough
        parts = fit.parts()
        again = catalogue.adjust(catalogue.star_shifts(fit, parts), fit.sky, fit.reference)
        stars = catalogue.with_rejected(again, stars, OUTLIER)
    own = fit.equations(parts).offset_covariance()
    chi2 = np.array([noise.core_chi2(frame) for frame in fit.frames])
    scale = np.sqrt(np.maximum(1, (chi2 + chi2[fit.reference]) / 2))
    own = own * scale[:, None, None, None] * scale[None, None, :, None]
    offset = fit.offsets.copy()
    if stars.floor > 0:
        told = np.isfinite(stars.deviation).any(1)  # star by star; others have what their light tells
        told[fit.reference] = True
        offset[told] += stars.offset[told]
        at = np.ix_(told, [0, 1], told, [0, 1])
        own[at] = stars.covariance[at]
    own += _of_single_stars(fit, parts, stars.floor)
    every = np.arange(len(offset))
    offset[np.trace(own[every, :, every], axis1=1, axis2=2) > UNKNOWN**2] = np.nan
    full, covariance = np.full((n, 2), np.nan), np.full((n, 2, n, 2), np.nan)
    offset[~fit.tied] = np.nan  # no star of it falls on data of another exposure
    full[placed] = offset
    covariance[np.ix_(placed, [0, 1], placed, [0, 1])] = own
    cores = np.ones(n)
    cores[placed] = [noise.core_chi2(frame, MODEL_ERROR) for frame in fit.frames]
    numbers = np.arange(len(fit.sky)) if numbers is None else numbers
    return Solution(placements, placed, fit, full, covariance, cores, stars, numbers)


def _of_single_stars(fit: Fit, parts: list[FrameEquations], floor: float) -> NDArray:
    """Covariance (n, 2, n, 2) of what each star's place is wrong by beyond its noise and the `floor` already counted.

    No star's profile is quite the one that is fitted. Where one star tells nearly all of an exposure's offset, that is
    an error of the offset; of many stars it is a part.
    """
    each = np.zeros(len(parts))
    for i, (frame, part) in enumerate(zip(fit.frames, parts, strict=True)):
        told = np.trace(part.diagonal()[:, 1:, 1:], axis1=1, axis2=2)
        least = max((PROFILE * frame.seeing) ** 2 - floor**2, 0.0)
        if told.any():
            each[i] = least * (told**2).sum() / told.sum() ** 2
    total = np.diag(each) + each[fit.reference]
    total[fit.reference] = total[:, fit.reference] = 0
    return total[:, None, :, None] * np.eye(2)[:, None]


def reject(fit: Fit, stars: catalogue.Adjustment) -> bool:
    """Mask the stars that disagree, where they do; one that does in a third of its exposures, in all."""
    far = np.hypot(*np.nan_to_num(np.moveaxis(stars.residual, -1, 0))) > SAME
    bad = (np.nan_to_num(stars.deviation) > OUTLIER) & far
    known = np.isfinite(stars.deviation).sum(0)
    if (known > 0).sum() < 4:  # nobody can say which one is wrong
        return False
    bad |= (bad.sum(0) >= np.maximum(2, known / 3)) & fit.active
    if not bad.any() or bad.sum() > 0.3 * fit.active.sum():
        return False
    for i, frame in enumerate(fit.frames):
        frame.edge |= discs(frame.plane.pixel(fit.sky[bad[i]] + fit.offsets[i]), frame.width, frame.shape)
    return True
