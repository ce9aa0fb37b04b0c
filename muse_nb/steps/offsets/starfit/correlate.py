"""Offset of two images without stars: masked normalised cross-correlation, with an error from the noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from muse_nb.core.robust import SIGMA_OF_MAD
from muse_nb.steps.offsets.starfit.arrays import Floats
from muse_nb.steps.offsets.starfit.frame import Frame

__all__ = ["Shift", "correlate"]

MIN_SIGMA = 7.0  # peak over the correlation's own scatter
MIN_PEAK_RATIO = 1.5  # over any other peak
VERTEX_ERROR = 0.02  # pixel: how well a parabola finds the top of a peak
MIN_COVERAGE = 0.9  # of a blurred pixel by data: beside a hole a star's light looks pushed away from it
MIN_SHOWN = 0.5  # of the light that both images should show
MIN_PIXELS, MIN_SCATTER_PIXELS = 400, 50  # that both images have; away from the peak
MIN_OVERLAP = 0.3  # of the pixels that the best overlap has


@dataclass(frozen=True)
class Shift:
    """Offset of the second image against the first, its error [arcsec], and the peak's height over the scatter."""

    offset: Floats
    error: Floats
    significance: float


def correlate(first: Frame, second: Frame, radius: float = 6.0) -> Shift | None:
    """Match `second` to `first`; None where no peak within `radius` arcsec stands out.

    The image of the first is put on the pixels of the second; the normalised correlation over the pixels that both have
    (Padfield 2012, IEEE Trans. Image Process. 21, 2706) then peaks at the shift.
    """
    if not (first.ok.any() and second.ok.any()):
        return None
    template, mask = _onto(first, second)
    if mask.sum() < MIN_PIXELS:
        return None
    reach = int(np.ceil(radius / second.plane.scale))
    image, valid = _smooth(second)
    height, overlap = _masked(image, valid, template, mask, reach)
    usable = overlap > MIN_OVERLAP * overlap.max()
    height = np.where(usable, height, 0)
    height = height - np.median(height[usable])
    y, x = np.unravel_index(np.argmax(height), height.shape)
    if not (0 < y < height.shape[0] - 1 and 0 < x < height.shape[1] - 1):
        return None
    yy, xx = np.indices(height.shape)
    far = usable & (np.hypot(yy - y, xx - x) > 2.5 * max(first.width, second.width))
    scatter = SIGMA_OF_MAD * np.median(np.abs(height[far])) if far.sum() > MIN_SCATTER_PIXELS else np.inf
    significance = float(height[y, x] / scatter) if scatter > 0 else 0.0
    if significance < MIN_SIGMA or height[y, x] < MIN_PEAK_RATIO * height[far].max():
        return None
    peak = height[y - 1 : y + 2, x - 1 : x + 2]
    bend = np.array([2 * peak[1, 1] - peak[1, 0] - peak[1, 2], 2 * peak[1, 1] - peak[0, 1] - peak[2, 1]])
    slope = np.array([peak[1, 2] - peak[1, 0], peak[2, 1] - peak[0, 1]]) / 2
    pixel = np.array([x, y]) - reach + slope / bend
    shift = np.round(pixel)
    shown = min(_shown(first, template, valid, -shift), _shown(second, image, mask, shift))
    if shown < MIN_SHOWN:
        return None
    # both images are smoothed once more by their seeing: what is a star has a peak twice as wide
    width = 2.355 / 2 * np.sqrt(peak[1, 1] / np.maximum(bend, 1e-300))
    error = np.sqrt(_error(first, second, template, mask) ** 2 + ((1 - shown) * width) ** 2 + VERTEX_ERROR**2)
    to_sky = np.linalg.inv(second.plane.matrix)
    return Shift(to_sky @ pixel, np.sqrt(to_sky**2 @ error**2), significance)


def _shown(frame: Frame, smoothed: Floats, on_data: Floats, shift: Floats) -> float:
    """Share of the light of a frame that falls on data of the other image: a star cut by a hole looks displaced."""
    smoothing = frame.width / 2.355
    noise = np.sqrt(frame.star_floor / (4 * np.pi)) / smoothing
    light = np.where(smoothed > 3 * noise, smoothed, 0.0)
    there = ndimage.shift(on_data, shift[::-1], order=0)
    return float((light * there).sum() / max(light.sum(), 1e-300))


def _error(first: Frame, second: Frame, template: Floats, mask: Floats) -> Floats:
    """Error [pixel] of the shift along x and y: noise of both images over the gradients that hold the template.

    The template is smoother than the images, which makes the error about twice too large: this is the fallback.
    """
    inside = ndimage.binary_erosion(mask > 0)
    smoothing = first.width / 2.355
    own_noise = first.star_floor / (8 * np.pi * smoothing**4)  # gradient of the smoothed noise, squared
    held = [float(((ndimage.sobel(template, axis)[inside] / 8) ** 2 - own_noise).sum()) for axis in (1, 0)]
    weakest = own_noise * max(int(inside.sum()), 1) * 0.1
    return np.sqrt((first.star_floor + second.star_floor) / np.maximum(held, weakest))


def _smooth(frame: Frame) -> tuple[Floats, Floats]:
    """The image as its own seeing blurs it, and 1 where hardly any of that is missing, 0 elsewhere, where it is 0."""
    sigma = frame.width / 2.355
    covered = ndimage.gaussian_filter(frame.ok.astype(float), sigma)
    known = frame.ok & (covered > MIN_COVERAGE)
    light = ndimage.gaussian_filter(np.where(frame.ok, frame.data, 0.0), sigma)
    return np.where(known, light / np.maximum(covered, MIN_COVERAGE), 0.0), known.astype(float)


def _onto(first: Frame, second: Frame) -> tuple[Floats, Floats]:
    """The first image on the second's pixels."""
    to_first = first.plane.matrix @ np.linalg.inv(second.plane.matrix)
    zero = first.plane.zero - to_first @ second.plane.zero
    matrix = to_first[::-1, ::-1]
    image, known = _smooth(first)
    mask = ndimage.affine_transform(known, matrix, zero[::-1], output_shape=second.shape, order=1) > 0.99
    light = ndimage.affine_transform(image, matrix, zero[::-1], output_shape=second.shape, order=1)
    return light * mask, mask.astype(float)


def _masked(image: Floats, valid: Floats, template: Floats, mask: Floats, reach: int) -> tuple[Floats, Floats]:
    """Normalised correlation at shifts of up to `reach` pixels, and the number of pixels it rests on."""
    from scipy.signal import fftconvolve  # a second to load, and most fields have stars

    ny, nx = image.shape

    def at_shifts(a: Floats, b: Floats) -> Floats:
        whole = fftconvolve(a, b[::-1, ::-1])
        padded = np.pad(whole, reach)
        return padded[ny - 1 : ny + 2 * reach, nx - 1 : nx + 2 * reach]

    count = np.maximum(at_shifts(valid, mask), 1.0)
    mean_image, mean_template = at_shifts(image, mask) / count, at_shifts(valid, template) / count
    covariance = at_shifts(image, template) / count - mean_image * mean_template
    spread_image = at_shifts(image**2, mask) / count - mean_image**2
    spread_template = at_shifts(valid, template**2) / count - mean_template**2
    floor = 1e-9 * float(image.var()) or 1.0  # an image of one value
    product = np.maximum(spread_image, floor) * np.maximum(spread_template, floor)
    return covariance / np.sqrt(product), count
