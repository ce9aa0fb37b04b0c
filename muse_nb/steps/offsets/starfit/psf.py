"""The star's profile: an elliptical Moffat, its width and its image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from muse_nb.kernels.psf import moffat_stamps
from muse_nb.steps.offsets.starfit.arrays import Bools, Floats

__all__ = ["BETA", "core_area", "first_width", "fwhm", "held", "kernel", "moved", "round_psf", "scale"]

BETA = 2.5  # of a long exposure through turbulence; the fit lets it go; first_width has it written out
STAMP_REACH = 8  # pixel around a star in which its width shows
MAX_STARS = 25  # whose widths are looked at
MIN_PIXELS = 40  # of a star's stamp
TRIAL_WIDTHS = np.array([2.2, 2.7, 3.2, 3.8, 4.5, 5.4, 6.4, 7.6])  # FWHM [pixel]
DEFAULT_WIDTH = 4.0  # FWHM [pixel] where no star tells
MAX_SHRINK, MAX_GROWTH = np.array([-0.3, -0.15, -0.3, -0.4]), np.array([0.4, 0.15, 0.4, 0.4])  # of a, b, c, beta a step
BETA_RANGE = (1.5, 6.0)


def round_psf(width: float, beta: float = BETA) -> Floats:
    """Parameters (a, b, c, beta) of a round Moffat with FWHM `width` [pixel]."""
    a = 4 * (2 ** (1 / beta) - 1) / width**2
    return np.array([a, 0.0, a, beta])


def scale(psf: Floats) -> float:
    """Geometric mean of the Moffat's two core radii, squared [pixel^2]."""
    a, b, c, _ = psf
    return float(1 / np.sqrt(max(a * c - b * b, 1e-8)))


def fwhm(psf: Floats) -> float:
    """Geometric mean of the full widths at half maximum of both axes [pixel]."""
    return float(2 * np.sqrt((2 ** (1 / psf[3]) - 1) * scale(psf)))


def core_area(psf: Floats) -> float:
    """Area inside half maximum [pixel^2]."""
    return float(np.pi * fwhm(psf) ** 2 / 4)


def kernel(width: float) -> NDArray[np.float32]:
    """Image of a round star of FWHM `width` and peak 1, centred on an odd square of 2 FWHM half width."""
    reach = int(np.ceil(2 * width))
    centre = np.array([[reach, reach]], float)
    shape = 2 * reach + 1, 2 * reach + 1
    image, _ = moffat_stamps(centre, np.ones(1), np.array([reach]), round_psf(width), shape).image_of(0)
    return image


def held(
    block: Floats, gradient: Floats, psf: Floats, first: Floats, loose: tuple[float, float, float]
) -> tuple[Floats, Floats]:
    """Keep the PSF near a round Moffat of the first width with beta 2.5, as far as the data do not know better.

    Parameters
    ----------
    block, gradient : ndarray, shapes (5, 5) and (5,)
        Normal equations of a, b, c, beta and the background.
    psf, first : ndarray, shape (4,)
        Present parameters, and those that it is held to.
    loose
        How far ellipticity, beta and width may go.
    """
    ellipticity, beta, width = loose
    curvature, size = first[0], 1 / scale(psf)
    errors = np.array([2 * width * curvature, ellipticity * size, 2 * width * curvature, beta])
    strength = (1 / errors) ** 2
    difference = np.array([1.0, 0, -1, 0, 0])
    stretch = (2 * ellipticity * size) ** -2
    block = block + np.diag(np.r_[strength, 0.0]) + stretch * np.outer(difference, difference)
    pull = np.r_[strength * (first - psf), 0.0]
    return block, gradient + pull - stretch * difference * (psf[0] - psf[2])


def moved(psf: Floats, change: Floats, width: float) -> Floats:
    """Parameters (4,) after a step, kept within bounds; a round star of FWHM `width` where they are no profile."""
    size = 1 / scale(psf)
    unit = np.array([size, size, size, 1.0])
    after: Floats = psf + np.clip(change, MAX_SHRINK * unit, MAX_GROWTH * unit)
    after[3] = np.clip(after[3], *BETA_RANGE)
    return round_psf(width) if after[0] * after[2] <= 1.05 * after[1] ** 2 else after


def first_width(image: Floats, ok: Bools, position: Floats, significance: Floats) -> float:
    """Seeing [pixel] of an image: the width that leaves the least residual, star by star; their weighted 40 % quantile.

    The quantile leans to the narrow side because blends and galaxies are only ever wider than a star.
    """
    centre = position[:MAX_STARS]
    window = np.arange(-STAMP_REACH, STAMP_REACH + 1)
    x0, y0 = np.round(centre).astype(int).T
    row, column = y0[:, None, None] + window[:, None], x0[:, None, None] + window
    ny, nx = image.shape
    inside = (row >= 0) & (row < ny) & (column >= 0) & (column < nx)
    at = np.clip(row, 0, ny - 1), np.clip(column, 0, nx - 1)
    use = (ok[at] & inside).reshape(len(centre), window.size**2)
    count = np.maximum(use.sum(1), 1)
    data = np.where(use, image[at].reshape(use.shape), 0.0)
    data = np.where(use, data - (data.sum(1) / count)[:, None], 0.0)
    square = ((row - centre[:, 1, None, None]) ** 2 + (column - centre[:, 0, None, None]) ** 2).reshape(use.shape)
    gain = np.empty((len(TRIAL_WIDTHS), len(centre)))
    for width, product in zip(TRIAL_WIDTHS, gain, strict=True):
        core = 1 + square * (round_psf(1.0)[0] / width**2)
        model = np.where(use, 1 / (core * core * np.sqrt(core)), 0.0)  # a Moffat of BETA
        power = np.einsum("sp,sp->s", model, model) - model.sum(1) ** 2 / count  # about its mean
        product[:] = np.einsum("sp,sp->s", model, data) ** 2 / np.maximum(power, 1e-300)
    estimates, weights = [], []
    for star in np.flatnonzero(use.sum(1) >= MIN_PIXELS):
        best, strength = int(np.argmax(gain[:, star])), min(significance[star], 60.0)
        if 0 < best < len(TRIAL_WIDTHS) - 1:
            near = slice(best - 1, best + 2)
            estimates.append(np.exp(_vertex(np.log(TRIAL_WIDTHS[near]), gain[near, star])))
            weights.append(strength)
        else:
            estimates.append(TRIAL_WIDTHS[best])
            weights.append(0.3 * strength)
    if not estimates:
        return DEFAULT_WIDTH
    order = np.argsort(estimates)
    share = np.cumsum(np.array(weights)[order]) / np.sum(weights)
    return float(np.array(estimates)[order][np.searchsorted(share, 0.4)])


def _vertex(x: Floats, y: Floats) -> float:
    """Where the parabola through three points peaks."""
    left, right = (x[1] - x[0]) * (y[1] - y[2]), (x[1] - x[2]) * (y[1] - y[0])
    return float(x[1] - 0.5 * ((x[1] - x[0]) * left - (x[1] - x[2]) * right) / (left - right))
