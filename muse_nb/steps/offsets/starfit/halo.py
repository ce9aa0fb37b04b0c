"""Wings of very bright stars, which no Moffat has: what the model misses of them, in rings about each star."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from muse_nb.steps.offsets.starfit.arrays import Bools, Floats
from muse_nb.steps.offsets.starfit.fit import Drawn, Fit
from muse_nb.steps.offsets.starfit.frame import Frame

__all__ = ["without_halos"]

MIN_PEAK = 2000.0  # of the noise: wings that the profile misses by a few per cent show above it
INNER, OUTER = 1.5, 30.0  # FWHM: where rings begin, about a core that tells the star's place, and end
MIN_SATELLITE = 0.05  # of its height: what is fainter in its wings may be a part of them
RING_GROWTH = 1.12  # each ring's radius over the last one's
MIN_RING_PIXELS = 20


def without_halos(fit: Fit) -> Fit:
    """Take out of the images what the model misses of the wings of very bright stars.

    At first, fainter stars of the list in these wings are given up: those that there are stand out of what is left.
    """
    height = np.median([frame.amplitude / np.sqrt(frame.star_floor) for frame in fit.frames], axis=0)
    bright = height > MIN_PEAK
    if not bright.any():
        return fit
    if fit.stage == 0:
        reach = OUTER / 2 * max(frame.seeing for frame in fit.frames)
        away = np.hypot(*(fit.sky[:, None] - fit.sky[bright]).T).T
        keep = ~((away < reach) & (height[:, None] < MIN_SATELLITE * height[bright])).any(1)
        fit = fit.with_stars(keep, np.zeros((0, 2)), np.zeros(0), 1.0)
        bright = bright[keep]
    return fit.redrawn(_without_halos(fit, i, bright) for i in range(len(fit.frames)))


def _without_halos(fit: Fit, i: int, bright: Bools) -> Drawn:
    drawn = fit.draw(i)
    frame = drawn.frame
    for centre in frame.plane.pixel(fit.sky[bright & drawn.shown] + fit.offsets[i]):
        frame = frame.without(_halo(frame, centre))
    return drawn._replace(frame=frame)


def _halo(frame: Frame, centre: Floats) -> Floats:
    """Median of the residual in rings about a star, without its core, which tells the star's place."""
    y, x = np.indices(frame.shape)
    away = np.hypot(x - centre[0], y - centre[1]) / frame.width
    ring = np.floor(np.log(np.maximum(away / INNER, 1e-3)) / np.log(RING_GROWTH)).astype(int)
    ring[~frame.used() | (away >= OUTER)] = -1
    number, pixels = np.unique(ring[ring >= 0], return_counts=True)
    number = number[pixels >= MIN_RING_PIXELS]
    radius, level = ndimage.mean(away, ring, number), ndimage.median(frame.residual, ring, number)
    return np.asarray(np.interp(away, np.r_[INNER, radius], np.r_[0.0, level], right=0.0))
