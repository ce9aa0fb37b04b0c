"""The star's profile: an elliptical Moffat, its width and its image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from muse_nb.kernels.psf import moffat_stamps

__all__ = ["BETA", "core_area", "first_width", "fwhm", "kernel", "round_psf", "scale"]

BETA = 2.5  # of a long exposure through turbulence; the fit lets it go


def round_psf(width: float, beta: float = BETA) -> NDArray:
    """Parameters (a, b, c, beta) of a round Moffat with FWHM `width` [pixel]."""
    a = 4 * (2 ** (1 / beta) - 1) / width**2
    return np.array([a, 0.0, a, beta])


def scale(psf: NDArray) -> float:
    """Geometric mean of the Moffat's two core radii, squared [pixel^2]."""
    a, b, c, _ = psf
    return float(1 / np.sqrt(max(a * c - b * b, 1e-8)))


def fwhm(psf: NDArray) -> float:
    """Geometric mean of the full widths at half maximum of both axes [pixel]."""
    return float(2 * np.sqrt((2 ** (1 / psf[3]) - 1) * scale(psf)))


def core_area(psf: NDArray) -> float:
    """Area inside half maximum [pixel^2]."""
    return float(np.pi * fwhm(psf) ** 2 / 4)


def kernel(width: float) -> NDArray:
    """Image of a round star of FWHM `width` and peak 1, centred on an odd square of 2 FWHM half width."""
    reach = int(np.ceil(2 * width))
    centre = np.array([[reach, reach]], float)
    shape = 2 * reach + 1, 2 * reach + 1
    return moffat_stamps(centre, np.ones(1), np.array([reach]), round_psf(width), shape).image_of(0)[0]


def first_width(image: NDArray, ok: NDArray, position: NDArray, significance: NDArray) -> float:
    """Seeing [pixel] of an image: the width that leaves the least residual, star by star; their weighted 40 % quantile.

    The quantile leans to the narrow side because blends and galaxies are only ever wider than a star.
    """
    widths = np.array([2.2, 2.7, 3.2, 3.8, 4.5, 5.4, 6.4, 7.6])
    reach = 8
    estimates, weights = [], []
    for (x, y), strength in zip(position[:25], significance[:25], strict=False):
        x0, y0 = round(x), round(y)
        low = max(0, y0 - reach), max(0, x0 - reach)
        cut = np.s_[low[0] : y0 + reach + 1, low[1] : x0 + reach + 1]
        use = ok[cut].ravel()
        if use.sum() < 40:
            continue
        yy, xx = np.indices(ok[cut].shape)
        q = ((xx - (x - low[1])) ** 2 + (yy - (y - low[0])) ** 2).ravel()[use]
        data = image[cut].ravel()[use]
        data = data - data.mean()
        model = (1 + q * round_psf(1.0)[0] / widths[:, None] ** 2) ** -BETA
        model -= model.mean(axis=1, keepdims=True)
        gain = (model @ data) ** 2 / (model**2).sum(axis=1)
        best = int(np.argmax(gain))
        if 0 < best < len(widths) - 1:
            estimates.append(np.exp(_vertex(np.log(widths[best - 1 : best + 2]), gain[best - 1 : best + 2])))
            weights.append(min(strength, 60.0))
        else:
            estimates.append(widths[best])
            weights.append(0.3 * min(strength, 60.0))
    if not estimates:
        return 4.0
    order = np.argsort(estimates)
    share = np.cumsum(np.array(weights)[order]) / np.sum(weights)
    return float(np.array(estimates)[order][np.searchsorted(share, 0.4)])


def _vertex(x: NDArray, y: NDArray) -> float:
    """Where the parabola through three points peaks."""
    left, right = (x[1] - x[0]) * (y[1] - y[2]), (x[1] - x[2]) * (y[1] - y[0])
    return float(x[1] - 0.5 * ((x[1] - x[0]) * left - (x[1] - x[2]) * right) / (left - right))
