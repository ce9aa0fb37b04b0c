"""The star list between two rounds of the fit: what vanished, merged, is no star, or was missed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage

from muse_nb.kernels.psf import discs
from muse_nb.steps.offsets.starfit import noise
from muse_nb.steps.offsets.starfit.arrays import Bools, Floats
from muse_nb.steps.offsets.starfit.begin import Effort
from muse_nb.steps.offsets.starfit.detect import stack_peaks
from muse_nb.steps.offsets.starfit.fit import Drawn, Fit
from muse_nb.steps.offsets.starfit.geometry import nearest
from muse_nb.steps.offsets.starfit.halo import without_halos
from muse_nb.steps.offsets.starfit.matched_filter import Map, Peaks
from muse_nb.steps.offsets.starfit.transients import transient_masks

__all__ = ["revised"]

MIN_SIGMA = 3.0  # of a star in all exposures together
MERGED = 0.35  # FWHM of the best seeing: stars that come closer are one
GALAXY_RADIUS = 1.6  # FWHM around a galaxy that are masked
NEW_APART, GALAXY_APART = 0.5, 1.2  # FWHM of the best seeing from any star, from any galaxy
MIN_NEW_PEAK = 0.04  # of the model there: less may be its own fault


def revised(fit: Fit) -> Fit:
    """Drop stars that vanished, merged or are galaxies; mask what is no star; add what the residuals show."""
    fit = without_halos(fit)
    keep = _lasting(fit)
    fit = _on_new_background(fit)
    galaxy = noise.wider_than_stars(fit) & keep
    fit = _without_galaxies(fit, fit.sky[galaxy])
    keep &= ~galaxy
    fit, left = _without_transients(fit)
    peaks, width = _missed(fit, fit.sky[keep], left)
    return fit.with_stars(keep, peaks.position, peaks.amplitude, width)


def _on_new_background(fit: Fit) -> Fit:
    """Measure what lies under the stars again, and mask the light of those that are not on the data."""

    def drawn(i: int) -> Drawn:
        stamps = fit.stamps(i)
        frame = replace(fit.frames[i], model=stamps[1].model + fit.frames[i].level)
        frame = noise.with_edges_masked(frame)
        if fit.stage == 0 and fit.light is None:
            frame = frame.with_background_refined()
        return fit.draw(i, frame, stamps)

    anew = fit.redrawn(map(drawn, range(len(fit.frames))))
    return anew if fit.light is None else anew.with_light_shared().redrawn()


def _without_galaxies(fit: Fit, galaxies: Floats) -> Fit:
    """Leave the light of galaxies (K, 2), of these and those found before, out of the fit."""
    rejected = np.r_[fit.rejected, galaxies]
    if not len(rejected):
        return fit

    def drawn(i: int) -> Drawn:
        frame = fit.frames[i]
        mask = discs(frame.plane.pixel(rejected + fit.offsets[i]), GALAXY_RADIUS * frame.width, frame.shape)
        return fit.draw(i, frame.masked(mask))

    return replace(fit, rejected=rejected).redrawn(map(drawn, range(len(fit.frames))))


def _without_transients(fit: Fit) -> tuple[Fit, list[Map]]:
    """Mask what one exposure alone shows; maps of what the model leaves then in each exposure."""
    maps = [frame.left() for frame in fit.frames]
    masks = transient_masks(fit.frames, list(fit.offsets), maps)
    fit = fit.redrawn(fit.draw(i, fit.frames[i].masked(mask)) for i, mask in masks.items())
    return fit, [fit.frames[i].left() if i in masks else seen for i, seen in enumerate(maps)]


def _missed(fit: Fit, stars: Floats, left: list[Map]) -> tuple[Peaks, float]:
    """What the residuals show beside the stars (K, 2) that are kept, as far as there is room; width of the stack."""
    peaks, width = stack_peaks(fit.frames, list(fit.offsets), left)
    sharp = min(frame.seeing for frame in fit.frames)
    new = peaks.position
    level = np.zeros(len(new))
    for frame, offset in zip(fit.frames, fit.offsets, strict=True):
        x, y = frame.plane.pixel(new + offset).T
        level = np.maximum(level, ndimage.map_coordinates(frame.model, [y, x], order=1))
    take = (nearest(new, stars) > NEW_APART * sharp) & (nearest(new, fit.rejected) > GALAXY_APART * sharp)
    take &= peaks.amplitude > MIN_NEW_PEAK * level
    return peaks.take(take).first(max(Effort.on(fit.frames).stars - len(stars), 0)), width


def _lasting(fit: Fit) -> Bools:
    """Stars still seen at 3 sigma, and of those that fell together the brightest."""
    total, square = np.zeros((2, len(fit.sky)))
    for i, frame in enumerate(fit.frames):
        a = np.where(fit.active[i], frame.amplitude, 0.0)
        total += a
        square += np.pi * (frame.width / 1.13) ** 2 / 4 * a**2 / frame.star_variance(a)
    keep = square > MIN_SIGMA**2
    close = MERGED * min(frame.seeing for frame in fit.frames)
    for k in np.argsort(-total):
        if keep[k]:
            near = np.hypot(*(fit.sky - fit.sky[k]).T) < close
            keep[near & (total < total[k])] = False
    return np.asarray(keep)
