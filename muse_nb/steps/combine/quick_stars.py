"""Stars of small images in a few lines of numpy: the combine's own process has to stay small and quick.

`muse_nb.star_widths` fits profiles and is the one to quote; this finds stars that a combine has smeared or moved.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.robust import mad_sigma, median

__all__ = ["StarShapes", "find_stars", "image_shift", "measure_stars"]

_HALF = 7  # pixels on either side of a star: half a stamp
_APERTURE = 5.0  # pixels: radius
_WINDOW = 2.0  # pixels: sigma of the weight, near that of a star in MUSE's 0.2 arcsec
_MIN_PEAK = 30.0  # times the noise of a pixel
_MAX_IN_RING = 0.3  # of a star's peak: a ring that holds more has a neighbour in it
_NEIGHBOUR_RADIUS, _SKY_RADIUS = 4.0, 6.0  # pixels, from which on neighbours are looked for, and the sky is measured
_MAX_SHIFT = 10  # pixels by which images may be apart
_MIN_CORRELATION = 0.5  # coefficient of images that show the same field
_MIN_PIXELS = 100  # with data, of an image that is worth a look
_FWHM_OF_SIGMA = 2.3548  # of a Gaussian


@dataclass(frozen=True)
class StarShapes:
    """Measurements of the same stars in one image, arrays of shape (stars,), NaN where a star cannot be measured.

    Attributes
    ----------
    x, y : numpy.ndarray
        0-based pixel.
    fwhm : numpy.ndarray
        Of the Gaussian with the same windowed second moments [pixel].
    flux : numpy.ndarray
        Sum over an aperture of 5 pixels, less the ring around it.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    fwhm: NDArray[np.float64]
    flux: NDArray[np.float64]


def find_stars(image: NDArray[np.floating], most: int = 40) -> NDArray[np.int64]:
    """Find bright peaks with nothing else beside them.

    Parameters
    ----------
    image
        Shape (ny, nx), NaN where there are no data.
    most
        The brightest are kept.

    Returns
    -------
    numpy.ndarray
        x and y, shape (stars, 2).
    """
    good = np.isfinite(image)
    if good.sum() < _MIN_PIXELS:
        return np.zeros((0, 2), np.int64)
    level, noise = median(image), mad_sigma(image)
    data = np.where(good, image - level, 0.0)
    peak = data > _MIN_PEAK * noise
    peak[: _HALF + 1], peak[-_HALF - 1 :], peak[:, : _HALF + 1], peak[:, -_HALF - 1 :] = (False,) * 4
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            if dy or dx:
                peak &= data >= np.roll(data, (dy, dx), (0, 1))
    y, x = np.nonzero(peak)
    order = np.argsort(-data[y, x])[: 10 * most]
    found = []
    for j, i in zip(y[order], x[order], strict=True):
        cut = np.s_[j - _HALF : j + _HALF + 1, i - _HALF : i + _HALF + 1]
        ring = data[cut][_RADIUS > _NEIGHBOUR_RADIUS]
        if good[cut].all() and ring.max() < _MAX_IN_RING * data[j, i]:
            found.append((i, j))
    return np.array(found[:most], np.int64).reshape(-1, 2)


def measure_stars(image: NDArray[np.floating], stars: NDArray[np.int64]) -> StarShapes:
    """Measure stars at the pixels `stars` (x, y), shape (stars, 2)."""
    out = np.full((4, len(stars)), np.nan)
    for k, (i, j) in enumerate(stars):
        stamp = np.asarray(image[j - _HALF : j + _HALF + 1, i - _HALF : i + _HALF + 1], float)
        if np.isfinite(stamp).all():
            out[:, k] = _measure(stamp - median(stamp[_RADIUS > _SKY_RADIUS]))
    out[:2] += stars.T
    return StarShapes(*out)


def image_shift(image: NDArray[np.floating], reference: NDArray[np.floating]) -> tuple[float, float] | None:
    """Find how far `image` lies from `reference`, in fields too crowded for single stars: by their cross-correlation.

    Parameters
    ----------
    image, reference
        Shape (ny, nx), NaN where there are no data; their noise must not be the same.

    Returns
    -------
    tuple of float or None
        x and y [pixel]; None where they do not show the same stars within 10 pixels.
    """
    good = np.isfinite(image) & np.isfinite(reference)
    if good.sum() < _MIN_PIXELS:
        return None
    a, b = (np.where(good, one - median(one[good]), 0.0) for one in (image, reference))
    shape = (good.shape[0] + _MAX_SHIFT, good.shape[1] + _MAX_SHIFT)

    def crossed(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
        product = np.fft.irfft2(np.fft.rfft2(one, shape) * np.conj(np.fft.rfft2(other, shape)), shape)
        return np.asarray(
            np.roll(product, (_MAX_SHIFT, _MAX_SHIFT), (0, 1))[: 2 * _MAX_SHIFT + 1, : 2 * _MAX_SHIFT + 1]
        )

    common = good.astype(float)
    near = crossed(a, b) / np.sqrt(crossed(a**2, common) * crossed(common, b**2))
    y, x = (int(k) for k in np.unravel_index(np.argmax(near), near.shape))
    if not (near[y, x] > _MIN_CORRELATION and 0 < y < 2 * _MAX_SHIFT and 0 < x < 2 * _MAX_SHIFT):
        return None
    bend_x, bend_y = 2 * near[y, x] - near[y, x - 1] - near[y, x + 1], 2 * near[y, x] - near[y - 1, x] - near[y + 1, x]
    slope_x, slope_y = near[y, x + 1] - near[y, x - 1], near[y + 1, x] - near[y - 1, x]
    return float(x - _MAX_SHIFT + slope_x / (2 * bend_x)), float(y - _MAX_SHIFT + slope_y / (2 * bend_y))


_AXIS = np.arange(-_HALF, _HALF + 1.0)
_RADIUS = np.hypot(*np.meshgrid(_AXIS, _AXIS))


def _measure(stamp: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Offset from the centre, FWHM and flux by moments in a Gaussian window that follows the star."""
    x = y = 0.0
    spread = 0.0
    for _ in range(12):
        window = np.exp(-((_AXIS - x)[None, :] ** 2 + (_AXIS - y)[:, None] ** 2) / (2 * _WINDOW**2))
        weighted = window * stamp
        total = weighted.sum()
        if not total > 0:
            return (np.nan,) * 4
        dx, dy = ((_AXIS - x) * weighted.sum(0)).sum() / total, ((_AXIS - y) * weighted.sum(1)).sum() / total
        x, y = x + 2 * dx, y + 2 * dy  # the window halves the step, roughly
        spread = (((_AXIS - x) ** 2 * weighted.sum(0)).sum() + ((_AXIS - y) ** 2 * weighted.sum(1)).sum()) / (2 * total)
        if abs(x) > 3 or abs(y) > 3:
            return (np.nan,) * 4
    narrowed = 1 / spread - 1 / _WINDOW**2  # a Gaussian times the window is a Gaussian of this inverse variance
    if not narrowed > 0:
        return (np.nan,) * 4
    return x, y, _FWHM_OF_SIGMA / np.sqrt(narrowed), float(stamp[_RADIUS < _APERTURE].sum())
