"""What the residuals tell: the noise law, cosmic rays on stars, light at the edges, sources that are no stars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy import ndimage

from muse_nb.steps.offsets.starfit.arrays import Bools, Floats, Ints
from muse_nb.steps.offsets.starfit.background import spread
from muse_nb.steps.offsets.starfit.fit import Fit
from muse_nb.steps.offsets.starfit.frame import Frame
from muse_nb.steps.offsets.starfit.small import middle

__all__ = ["core_chi2", "wider_than_stars", "with_edges_masked", "with_noise_law", "with_outliers_clipped"]

MEDIAN_CHI2 = 0.4549  # of one degree of freedom
SLOPE_PIXELS = 4000  # of an exposure that tell the slope
FLOOR_PIXELS = 40000  # without stars that tell the floor, on which the slope leans
COMMON_PIXELS = 3000  # that all exposures' slope counts for against an exposure's own
MIN_FLOOR_PIXELS, MIN_SLOPE_PIXELS = 500, 60
CLIP_SIGMA = 5.5  # of a pixel that is no star's
RAY_NEIGHBOUR = 0.5  # of what a cosmic ray's brightest pixel must stand out by
MAX_CLIPPED = 0.02  # of the pixels: with more it is the model that is wrong
EDGE_SIGMA, MIN_EDGE_PIXELS = 4.0, 5  # of light at an edge that no star of the list explains
MAX_RING, RING_SIGMA = 0.25, 5.0  # of a star's flux in a wider profile, and how surely
MIN_CORE_PIXELS = 30  # on stars' cores that tell a chi2


def with_noise_law(frames: Sequence[Frame]) -> tuple[Frame, ...]:
    """Measure variance = floor + slope * model in all frames.

    The floor is that where no star is, the slope from the median of r^2 / variance on stars.
    A wrong slope ruins the errors and costs up to 1.8 in the offsets' rms. Exposures of a night share one gain, so an
    exposure with few bright pixels leans on all of them.
    """
    samples, floored = [], []
    for frame in frames:
        use = frame.used()  # elsewhere the residual is 0
        light, noise = frame.model - frame.level, np.sqrt(frame.floor)
        empty = _some(use & (light < 0.3 * noise) & (frame.galaxy < noise), FLOOR_PIXELS)
        if empty.size > MIN_FLOOR_PIXELS:
            floor = spread(frame.residual.ravel()[empty]) ** 2
            frame = replace(frame, floor=float(np.clip(floor, 0.5 * frame.first_floor, 2 * frame.first_floor)))
        floored.append(frame)
        at = _some(use & (light > 2 * np.sqrt(frame.floor)), SLOPE_PIXELS)
        square = frame.residual.ravel()[at] ** 2 / np.maximum(1 - frame.leverage.ravel()[at], 0.2)
        samples.append((square / frame.floor, (light + frame.galaxy).ravel()[at] / frame.floor))
    count = np.array([len(square) for square, _ in samples])
    if count.sum() < MIN_SLOPE_PIXELS:
        return tuple(floored)
    most = 500 * float(np.median([np.sqrt(frame.floor) for frame in floored]))  # in the unit of the images
    step = -(-count.sum() // (2 * SLOPE_PIXELS))
    square, light = (np.concatenate(columns)[::step] for columns in zip(*samples, strict=True))
    together = _slope(square, light, most)
    lawful = []
    for frame, n, (square, light) in zip(floored, count, samples, strict=True):
        own = _slope(square, light, most) if n > MIN_SLOPE_PIXELS else together
        slope = float((n * own + COMMON_PIXELS * together) / (n + COMMON_PIXELS))
        lawful.append(replace(frame, slope=slope))
    return tuple(lawful)


def _some(mask: Bools, enough: int) -> Ints:
    """Where a mask holds, `enough` to twice as many pixels of it."""
    at = np.flatnonzero(mask)
    return at[:: max(1, at.size // enough)]


def _slope(square: Floats, light: Floats, most: float) -> float:
    """Slope up to `most` for which the median of square / (1 + slope * light) is that of chi2; blind to bad fits.

    Half of the pixels are above it where half of (square / median - 1) / light are above the slope.
    """
    return float(np.clip(middle((square / MEDIAN_CHI2 - 1) / light), 0.0, most))


def with_outliers_clipped(frame: Frame, stage: int) -> Frame:
    """Mask what is sharper than a star, or far below the model; the model itself is trusted to a few per cent."""
    light = np.maximum(frame.model, 0)
    trust = (0.3, 0.1, 0.05)[min(stage, 2)]
    residual = frame.data - frame.model
    variance = frame.variance()
    bright = frame.ok & ~frame.clipped & (frame.model - frame.level > 10 * np.sqrt(frame.floor))
    if stage >= 2 and bright.sum() > 30:  # as good as the model is seen to be
        share = np.maximum(light[bright], np.sqrt(frame.floor)) ** 2
        excess = middle((frame.residual[bright] ** 2 - MEDIAN_CHI2 * variance[bright]) / share)
        trust = float(np.clip(3 * np.sqrt(max(excess, 0) / MEDIAN_CHI2), 0.004, 0.05))
    limit = CLIP_SIGMA**2 * (variance + (trust * light) ** 2)
    square = residual * np.abs(residual)
    new = frame.ok & ((square > limit) | (square < -1.5 * limit))
    y, x = np.nonzero(new & (residual > 0))
    (ny, nx), height = frame.shape, residual[y, x]
    near = np.minimum(residual[y - 1, x] + residual[(y + 1) % ny, x], residual[y, x - 1] + residual[y, (x + 1) % nx])
    new[y, x] = height - 0.5 * near > 0.55 * height
    if new.any():  # what it has given of its light to the pixels around it
        new |= (
            ndimage.binary_dilation(new & (residual > 0), np.ones((3, 3)))
            & frame.ok
            & (square > RAY_NEIGHBOUR**2 * limit)
        )
    return replace(frame, clipped=new if new.sum() < MAX_CLIPPED * frame.ok.sum() else np.zeros_like(new))


def with_edges_masked(frame: Frame) -> Frame:
    """Mask bright light at the field's edge that no star of the list explains."""
    ny, nx = frame.shape
    y, x = np.arange(ny), np.arange(nx)
    border = np.minimum.outer(np.minimum(y, y[::-1]), np.minimum(x, x[::-1])) < 6
    border |= frame.footprint.to_hole <= np.ceil(1.3 * frame.width)
    light = np.maximum(frame.model, 0)
    residual = np.where(frame.ok & border, frame.data - frame.model, 0.0)
    high = residual > EDGE_SIGMA * np.sqrt(frame.floor)
    if not high.any():
        return frame
    residual = _median_filter(residual, high)
    hot = residual > EDGE_SIGMA * np.sqrt(frame.variance() + (0.1 * light) ** 2)
    label, count = ndimage.label(hot, np.ones((3, 3)))
    edge = frame.edge.copy()
    for k in range(1, count + 1):
        blob = np.argwhere(label == k)
        if len(blob) < MIN_EDGE_PIXELS:
            continue
        height = residual[tuple(blob.T)]
        top = blob[np.argmax(height)]
        reach = frame.width / 1.13 * np.sqrt(max((1.5 * height.max() / np.sqrt(frame.floor)) ** 0.4 - 1, 1))
        edge |= np.add.outer((y - top[0]) ** 2, (x - top[1]) ** 2) < reach**2
    return replace(frame, edge=edge)


def _median_filter(values: Floats, high: Bools) -> Floats:
    """Medians of 3 x 3 pixels beside those of the mask `high`, 0 elsewhere: no median is high without them."""
    around = np.lib.stride_tricks.sliding_window_view(np.pad(values, 1, mode="symmetric"), (3, 3))
    at = np.nonzero(ndimage.binary_dilation(high, np.ones((3, 3))))
    medians = np.zeros_like(values)
    medians[at] = np.partition(around[at].reshape(-1, 9), 4)[:, 4]
    return medians


def wider_than_stars(fit: Fit) -> Bools:
    """Sources whose residual is a ring: at least a quarter of the flux is in a wider profile, by 5 sigma. Mask (K,)."""
    total, weight = np.zeros((2, len(fit.sky)))
    for i, frame in enumerate(fit.frames):
        ny, nx = frame.shape
        reach, core = int(np.ceil(1.6 * frame.width)), frame.width / 1.13
        position = frame.plane.pixel(fit.sky + fit.offsets[i])
        middle = np.round(position).astype(int)
        inside = (middle >= reach).all(1) & (middle + reach < [nx, ny]).all(1)
        use = np.flatnonzero(inside & fit.active[i] & (frame.amplitude > 6 * np.sqrt(frame.floor)))
        if not use.size:
            continue
        side = np.arange(-reach, reach + 1)
        row = (middle[use, 1, None] + side)[:, :, None]
        column = (middle[use, 0, None] + side)[:, None, :]
        square = (row - position[use, 1, None, None]) ** 2 + (column - position[use, 0, None, None]) ** 2
        ring = (1 + square / (1.5 * core) ** 2) ** -2.5 - (1 + square / core**2) ** -2.5
        w = frame.weight[row, column]
        information = (ring**2 * w).sum((1, 2))
        share = (ring * w * frame.residual[row, column]).sum((1, 2)) / np.maximum(information, 1e-300)
        share /= frame.amplitude[use]
        inverse = information * frame.amplitude[use] ** 2
        inverse = np.where(inverse > 0, 1 / (1 / np.maximum(inverse, 1e-300) + 0.1**2), 0)
        total[use] += share * inverse
        weight[use] += inverse
    mean = total / np.maximum(weight, 1e-9)
    return np.asarray((weight > 0) & (mean > MAX_RING) & (mean * np.sqrt(weight) > RING_SIGMA))


def core_chi2(frame: Frame, trust: float = 0.0) -> float:
    """Mean squared residual over variance on the stars' cores; 1 when there are too few pixels to tell.

    `trust` is the share of the model that is allowed for as its own error: no analytic PSF fits a star of S/N 1000.
    """
    core = frame.used() & (frame.model - frame.level > np.sqrt(frame.floor))
    if core.sum() <= MIN_CORE_PIXELS:
        return 1.0
    freedom = np.maximum(1 - frame.leverage[core], 0.0).sum()
    variance = frame.variance(trust)[core]
    return float((frame.residual[core] ** 2 / variance).sum() / max(freedom, 1.0))
