"""Matched-filter maps of an image: the best amplitude of a star at every pixel and its significance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.signal import fftconvolve

from muse_nb.steps.starfit.psf import kernel

__all__ = ["Map", "Peaks", "filter_map", "find_peaks"]

COVERAGE = 0.4  # of the profile's square that must fall on data


@dataclass(frozen=True)
class Map:
    """Best amplitude = numerator / denominator, significance = numerator / sqrt(denominator); 0 where without data."""

    numerator: NDArray
    denominator: NDArray

    @property
    def significance(self) -> NDArray:
        """Amplitude over its error, (ny, nx)."""
        return self.numerator / np.sqrt(np.maximum(self.denominator, 1e-300)) * (self.denominator > 0)


@dataclass(frozen=True)
class Peaks:
    """Local maxima of a map, the most significant first: position (n, 2) as x, y; significance; amplitude."""

    position: NDArray
    significance: NDArray
    amplitude: NDArray

    def __len__(self) -> int:
        """How many."""
        return len(self.significance)

    def first(self, n: int) -> Peaks:
        """The `n` most significant."""
        return Peaks(self.position[:n], self.significance[:n], self.amplitude[:n])

    def take(self, which: NDArray) -> Peaks:
        """Those that a mask or an index picks."""
        return Peaks(self.position[which], self.significance[which], self.amplitude[which])


def filter_map(data: NDArray, weight: NDArray, width: float) -> Map:
    """Filter `data` under inverse variances `weight` for stars of FWHM `width` [pixel]."""
    profile = kernel(width)
    square = profile**2
    numerator = fftconvolve(weight * data, profile, mode="same")
    denominator = np.maximum(fftconvolve(weight, square, mode="same"), 0)
    valid = weight > 0
    if not valid.all():
        covered = fftconvolve(valid.astype(float), square, mode="same") >= COVERAGE * square.sum()
        numerator, denominator = numerator * covered, denominator * covered
    return Map(numerator, denominator)


def find_peaks(maps: Map, threshold: float, margin: int = 2) -> Peaks:
    """Local maxima above `threshold`, at least `margin` pixels inside, with their position to a fraction of a pixel."""
    height = maps.significance
    top = (height == ndimage.maximum_filter(height, 3)) & (height > threshold)
    if margin:
        top[:margin] = top[-margin:] = top[:, :margin] = top[:, -margin:] = False
    y, x = np.nonzero(top)
    order = np.argsort(-height[y, x], kind="stable")
    y, x = y[order], x[order]
    at = height[y, x]
    position = np.c_[
        x + _vertex(height[y, x - 1], at, height[y, x + 1]), y + _vertex(height[y - 1, x], at, height[y + 1, x])
    ]
    return Peaks(position, at, maps.numerator[y, x] / maps.denominator[y, x])


def _vertex(left: NDArray, middle: NDArray, right: NDArray) -> NDArray:
    """Where the parabola through three equidistant points peaks, from the middle one."""
    bend = left - 2 * middle + right
    return np.where(bend < 0, np.clip(0.5 * (left - right) / np.minimum(bend, -1e-12), -0.6, 0.6), 0.0)
