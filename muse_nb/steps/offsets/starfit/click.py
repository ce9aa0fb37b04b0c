"""The star that a click on an exposure means."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from muse_nb.steps.offsets.starfit.frame import Frame
from muse_nb.steps.offsets.starfit.solve import Solution

__all__ = ["AIM", "centre", "listed"]

AIM = 0.6  # FWHM from a star of the fit that a click on it may be
PEAK_AIM = 1.5  # FWHM from a peak
MIN_SIGMA = 3.0  # of a peak


def centre(frame: Frame, x: float, y: float) -> tuple[float, float] | None:
    """Where the star next to a click is: a peak of the matched filter within 1.5 FWHM, high and near, or None."""
    height = frame.map.significance
    yy, xx = np.indices(frame.shape)
    away = np.hypot(xx - x, yy - y)
    peak = (away <= PEAK_AIM * frame.width) & (height > MIN_SIGMA) & (height == ndimage.maximum_filter(height, 3))
    peak[0] = peak[-1] = peak[:, 0] = peak[:, -1] = False
    if not peak.any():
        return None
    score = height * np.exp(-((away / frame.width) ** 2))  # a bright neighbour does not take a faint star's click
    j, i = np.unravel_index(np.argmax(np.where(peak, score, -np.inf)), frame.shape)
    position = []
    for k, (left, right) in ((i, (height[j, i - 1], height[j, i + 1])), (j, (height[j - 1, i], height[j + 1, i]))):
        bend = left - 2 * height[j, i] + right
        position.append(float(k + (np.clip(0.5 * (left - right) / bend, -0.6, 0.6) if bend < 0 else 0.0)))
    return position[0], position[1]


def listed(solution: Solution, i: int, x: float, y: float) -> tuple[float, float] | None:
    """Where exposure `i` shows the brightest star of the fit within 0.6 FWHM of a click, or None."""
    if solution.fit is None or i not in solution.placed:
        return None
    j = solution.placed.index(i)
    frame = solution.fit.frames[j]
    position = frame.plane.pixel(solution.fit.sky + solution.fit.offsets[j])
    near = np.hypot(*(position - [x, y]).T) <= AIM * frame.width
    if not near.any():
        return None
    bright = np.max([one.amplitude for one in solution.fit.frames], axis=0)  # also where this exposure lost its core
    star = int(np.argmax(np.where(near, bright, -np.inf)))
    return float(position[star, 0]), float(position[star, 1])
