"""Sky background, pixel noise and cosmic rays of one image."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy import ndimage

from muse_nb.core.robust import SIGMA_OF_MAD
from muse_nb.steps.offsets.starfit.arrays import Bools, Floats
from muse_nb.steps.offsets.starfit.small import middle

__all__ = [
    "cosmic_rays",
    "mesh_background",
    "mesh_fit",
    "pixel_noise",
    "ring_background",
    "smooth_background",
    "spread",
]

NOISE_PIXELS = 40000  # that tell the noise of an image


def spread(values: Floats) -> float:
    """Standard deviation from the median absolute deviation; NaN without values."""
    return SIGMA_OF_MAD * middle(np.abs(values - middle(values))) if values.size else np.nan


def smooth_background(image: Floats, good: Bools, box: int, fwhm: float) -> Floats:
    """Background (ny, nx) on a mesh of `box` pixels; where that is 0, in rings about stars of that FWHM [pixel]."""
    return mesh_background(image, good, box) if box else ring_background(image, good, fwhm)


def mesh_background(image: Floats, good: Bools, box: int = 24) -> Floats:
    """Clipped median on a mesh of `box` pixels, smoothed 3x3 and interpolated over the image (ny, nx)."""
    ny, nx = image.shape
    (my, by), (mx, bx) = _cells(ny, box), _cells(nx, box)
    padded = np.full((my * by, mx * bx), np.nan)
    padded[:ny, :nx] = np.where(good, image, np.nan)
    cell = padded.reshape(my, by, mx, bx).swapaxes(1, 2).reshape(my * mx, by * bx)
    mode, share = _clipped_mode(cell)
    mode[share < 0.15] = np.nan
    mesh = ndimage.median_filter(_fill(mode.reshape(my, mx)), 3, mode="nearest")
    return np.asarray(_spline(ny, my, by) @ mesh @ _spline(nx, mx, bx).T)


def mesh_fit(images: Floats, weight: Floats, box: int) -> Floats:
    """Least squares of the same interpolation to each of some images (m, ny, nx) under `weight` (ny, nx)."""
    ny, nx = weight.shape
    (my, by), (mx, bx) = _cells(ny, box), _cells(nx, box)
    y, x = _spline(ny, my, by), _spline(nx, mx, bx)
    pairs_y, pairs_x = (np.einsum("pa,pb->pab", s, s).reshape(len(s), -1) for s in (y, x))
    normal = (pairs_y.T @ weight @ pairs_x).reshape(my, my, mx, mx).transpose(0, 2, 1, 3).reshape(my * mx, -1)
    right = np.stack([(y.T @ (weight * image) @ x).ravel() for image in images], axis=1)
    ridge = 1e-9 * np.trace(normal) / len(normal)
    found = np.linalg.solve(normal + ridge * np.eye(len(normal)), right)
    return np.stack([y @ cells.reshape(my, mx) @ x.T for cells in found.T])


def _cells(pixels: int, box: int) -> tuple[int, int]:
    """Number and size of the mesh's cells along a side of the image, about `box` pixels each."""
    number = max(1, round(pixels / box))
    return number, -(-pixels // number)


def _clipped_mode(cell: Floats) -> tuple[Floats, Floats]:
    """Background level of each row of values, clipped at 2.5 sigma, and the share of the values it rests on.

    Sigma is from the lower half, which stars do not enter; all by rank in the sorted rows.
    """
    ordered = np.sort(cell, axis=1)  # NaN last
    row = np.arange(len(cell))
    low, high = np.zeros(len(cell), int), np.isfinite(cell).sum(axis=1)

    def rank(q: float) -> Floats:
        return np.asarray(ordered[row, np.clip((low + q * (high - low)).astype(int), 0, cell.shape[1] - 1)])

    for _ in range(5):
        middle = rank(0.5)
        reach = 2.5 * (middle - rank(0.1587))
        low = (ordered < (middle - reach)[:, None]).sum(axis=1)
        high = np.maximum((ordered <= (middle + reach)[:, None]).sum(axis=1), low)
    total = np.c_[np.zeros(len(cell)), np.cumsum(np.nan_to_num(ordered), axis=1)]
    count = high - low
    median, mean = rank(0.5), (total[row, high] - total[row, low]) / np.maximum(count, 1)
    # the mode where the cell is but little skewed by stars (Bertin & Arnouts 1996, A&AS 117, 393)
    mode = np.where(np.abs(median - mean) < 0.12 * reach, 2.5 * median - 1.5 * mean, median)
    return np.where(count > 0, mode, np.nan), count / cell.shape[1]


def ring_background(image: Floats, good: Bools, fwhm: float, step: int = 4) -> Floats:
    """Running median in a ring of 1.7 to 3.2 FWHM: follows the light of a galaxy, not that of stars."""
    ny, nx = image.shape
    outer = 3.2 * fwhm
    reach = int(outer)
    yy, xx = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    ring = (np.hypot(xx, yy) <= outer) & (np.hypot(xx, yy) >= 1.7 * fwhm)
    dy, dx = yy[ring][::4], xx[ring][::4]
    rows, columns = np.arange(0, ny + step, step), np.arange(0, nx + step, step)
    padded = np.pad(np.where(good, image, np.nan), (reach, reach + step), constant_values=np.nan)
    mesh = np.empty((rows.size, columns.size))
    for j, y in enumerate(rows):
        ordered = np.sort(padded[y + reach + dy[:, None], columns + reach + dx[:, None]], axis=0)  # NaN last
        count = np.isfinite(ordered).sum(axis=0)
        mesh[j] = ordered[count // 2, np.arange(columns.size)]
        mesh[j, count < 8] = np.nan
    mesh = ndimage.gaussian_filter(_fill(mesh), 1.0, mode="nearest")
    return np.asarray(_spline(ny, rows.size, step, first=0) @ mesh @ _spline(nx, columns.size, step, first=0).T)


def _fill(mesh: Floats) -> Floats:
    """NaN cells take the value of the nearest cell that has one; all NaN: 0."""
    empty = np.isnan(mesh)
    if empty.all():
        return np.zeros_like(mesh)
    nearest = ndimage.distance_transform_edt(empty, return_distances=False, return_indices=True)
    return np.asarray(mesh[tuple(nearest)])


@cache
def _spline(pixels: int, cells: int, size: int, first: float | None = None) -> Floats:
    """Matrix (pixels, cells) of natural-spline interpolation between cells of `size` pixels, flat beyond the ends."""
    from scipy.interpolate import CubicSpline

    if cells == 1:
        return np.ones((pixels, 1))
    at = (np.arange(pixels) - ((size - 1) / 2 if first is None else first)) / size
    natural = CubicSpline(np.arange(cells), np.eye(cells), bc_type="natural")
    return np.asarray(natural(np.clip(at, 0, cells - 1)))


def pixel_noise(image: Floats, good: Bools) -> tuple[float, float]:
    """Noise of a pixel, and its grain: how much larger the noise of a sum over a star is than that of free pixels.

    Resampling gives neighbours a correlation r along each axis, and hardly any to pixels further off. Fourth
    differences, which stars hardly enter, then have 70 - 112 r times the variance of a pixel, and neighbouring ones a
    covariance of 98 r - 56 times it; a sum over many pixels has 1 + 2 r times the variance along each axis.

    Returns
    -------
    noise : float
        Standard deviation; NaN without pixels.
    grain : float
        1 for free pixels, 2 for those that share all their light with the next along both axes.
    """
    known = np.where(good, image, np.nan)
    variance, grain = [], 1.0
    for values in (known, known.T):
        values = values[:: max(1, values.size // NOISE_PIXELS)]
        fourth = np.diff(values, 4, axis=1)
        own, both = (spread(sums[np.isfinite(sums)]) for sums in (fourth, fourth[:, 1:] + fourth[:, :-1]))
        if not own > 0:
            return own, 1.0
        covariance = max(both**2 / own**2 / 2 - 1, -0.8125)  # of neighbours, over the variance; r is -0.1 or more
        correlation = float(np.clip((70 * covariance + 56) / (112 * covariance + 98), -0.1, 0.5))
        variance.append(own**2 / (70 - 112 * correlation))
        grain *= np.sqrt(1 + 2 * correlation)
    return float(np.sqrt(np.mean(variance))), float(grain)


def cosmic_rays(image: Floats, good: Bools, noise: float) -> Bools:
    """Pixels that stand out of their neighbours, along x or y, by more than a star of any seeing can."""
    hit = np.zeros_like(good)
    smooth = np.where(good, image, 0.0)
    for _ in range(3):
        near = (
            np.minimum(np.roll(smooth, 1, 0) + np.roll(smooth, -1, 0), np.roll(smooth, 1, 1) + np.roll(smooth, -1, 1))
            / 2
        )
        excess = smooth - near
        new = good & ~hit & (excess > 5 * np.sqrt(1.5) * noise) & (excess > 0.55 * smooth)
        if not new.any():
            break
        hit |= new
        smooth = np.where(hit, np.maximum(near, 0), smooth)
    return hit
