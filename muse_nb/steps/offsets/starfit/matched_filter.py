"""Matched-filter maps of an image: the best amplitude of a star at every pixel and its significance."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from muse_nb.kernels.detect import convolve
from muse_nb.steps.offsets.starfit.arrays import Bools, Floats, Ints
from muse_nb.steps.offsets.starfit.psf import kernel

__all__ = ["NEIGHBOURS", "Map", "Peaks", "filter_map", "find_peaks", "without_lobes"]

MIN_SHARE = 0.01  # of the third peak's significance: less is no peak, where there is hardly any noise
SHADING_RATIO, SHADING_RADIUS = 20.0, 10.0  # of a peak that hides others in its wings: times as high; FWHM
MAX_SHADING = 50  # of the strongest peaks that hide others
MIN_COVERAGE = 0.4  # of the profile's square that must fall on data
LOBE_HEIGHT, LOBE_RADIUS = 0.06, 3.5  # of a star under the sharp filter: twice theirs over the star's; FWHM
NEIGHBOURS = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dy or dx]


@dataclass(frozen=True)
class Map:
    """Best amplitude = numerator / denominator, significance = numerator / sqrt(denominator); 0 where without data."""

    numerator: Floats
    denominator: Floats

    @cached_property
    def significance(self) -> Floats:
        """Amplitude over its error, (ny, nx)."""
        return self.numerator / np.sqrt(np.maximum(self.denominator, 1e-300)) * (self.denominator > 0)

    def scaled(self, factor: float) -> Map:
        """The same for inverse variances that are `factor` times as large."""
        return Map(factor * self.numerator, factor * self.denominator)


@dataclass(frozen=True)
class Peaks:
    """Local maxima of a map, the most significant first: position (n, 2) as x, y; significance; amplitude."""

    position: Floats
    significance: Floats
    amplitude: Floats

    def __len__(self) -> int:
        """How many."""
        return len(self.significance)

    @property
    def strong(self) -> int:
        """Index of a peak that is strong and yet no exception: the tenth, or the middle one of fewer."""
        counted = int((self.significance > MIN_SHARE * self.significance[:3][-1]).sum())
        return min((counted - 1) // 2, 9)

    def apart(self, width: float) -> Peaks:
        """Those that do not lie in the wings of a much brighter one, where photon noise makes many."""
        first = self.first(MAX_SHADING)
        away = np.hypot(*(self.position[:, None] - first.position).T).T
        shaded = (away <= SHADING_RADIUS * width) & (SHADING_RATIO * self.amplitude[:, None] <= first.amplitude)
        return self.take(~shaded.any(1))

    def first(self, n: int) -> Peaks:
        """The `n` most significant."""
        return Peaks(self.position[:n], self.significance[:n], self.amplitude[:n])

    def take(self, which: Bools | Ints) -> Peaks:
        """Those that a mask or an index picks."""
        return Peaks(self.position[which], self.significance[which], self.amplitude[which])


def filter_map(data: Floats, weight: Floats, width: float, sharp: bool = False) -> Map:
    """Filter `data` under inverse variances `weight` for stars of FWHM `width` [pixel].

    A `sharp` filter sees no light that changes smoothly, up to its second derivatives, over two FWHM to each side.
    """
    profile = _without_smooth_light(kernel(width)) if sharp else kernel(width)
    square = profile**2
    valid, most = weight > 0, weight.max() or 1.0
    relative, root = weight / most, np.sqrt(most)  # single precision does not hold the weights of every unit
    covered = convolve(valid, square)
    denominator = covered if (relative[valid] == 1).all() else convolve(relative, square)
    enough = covered >= MIN_COVERAGE * square.sum()
    return Map(root * convolve(relative * (root * data), profile) * enough, most * denominator * enough)


def _without_smooth_light(profile: NDArray[np.floating]) -> NDArray[np.floating]:
    """What is left of a profile when a parabola is fitted to it in a disc: its product with any parabola is 0."""
    reach = len(profile) // 2
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    inside = np.hypot(x, y) <= reach
    x, y, sharp = x[inside], y[inside], np.zeros_like(profile)
    surface = np.stack([np.ones(x.size), x, y, x * x, x * y, y * y], -1)
    sharp[inside] = profile[inside] - surface @ np.linalg.lstsq(surface, profile[inside], rcond=None)[0]
    return sharp


def without_lobes(peaks: Peaks, width: float) -> Peaks:
    """Leave out what may be the ring of positive lobes that a sharp filter makes of a bright star of FWHM `width`."""
    from scipy.spatial import cKDTree

    if not len(peaks):
        return peaks
    pairs = cKDTree(peaks.position).query_pairs(LOBE_RADIUS * width, output_type="ndarray")
    amplitude = peaks.amplitude[pairs]
    fainter = pairs[np.arange(len(pairs)), amplitude.argmin(1)]
    keep = np.ones(len(peaks), bool)
    keep[fainter[amplitude.min(1) < LOBE_HEIGHT * amplitude.max(1)]] = False
    return peaks.take(keep)


def find_peaks(maps: Map, threshold: float, margin: int = 2) -> Peaks:
    """Local maxima above `threshold`, at least `margin` >= 1 pixels inside, to a fraction of a pixel."""
    height = maps.significance
    ny, nx = height.shape
    middle = height[margin : ny - margin, margin : nx - margin]
    top = middle > threshold
    for dy, dx in NEIGHBOURS:
        top &= middle >= height[margin + dy : ny - margin + dy, margin + dx : nx - margin + dx]
    y, x = np.nonzero(top)
    y, x = y + margin, x + margin
    order = np.argsort(-height[y, x], kind="stable")
    y, x = y[order], x[order]
    at = height[y, x]
    position = np.c_[
        x + _vertex(height[y, x - 1], at, height[y, x + 1]), y + _vertex(height[y - 1, x], at, height[y + 1, x])
    ]
    return Peaks(position, at, maps.numerator[y, x] / maps.denominator[y, x])


def _vertex(left: Floats, middle: Floats, right: Floats) -> Floats:
    """Where the parabola through three equidistant points peaks, from the middle one."""
    bend = left - 2 * middle + right
    return np.where(bend < 0, np.clip(0.5 * (left - right) / np.minimum(bend, -1e-12), -0.6, 0.6), 0.0)
