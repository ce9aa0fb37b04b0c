"""Sky background, pixel noise and cosmic rays of one image."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["cosmic_rays", "mesh_background", "pixel_noise", "ring_background", "spread"]


def spread(values: NDArray) -> float:
    """Standard deviation from the median absolute deviation; NaN without values."""
    return float(1.4826 * np.median(np.abs(values - np.median(values)))) if values.size else np.nan


def mesh_background(image: NDArray, good: NDArray, box: int = 24) -> NDArray:
    """Clipped median on a mesh of `box` pixels, smoothed 3x3 and interpolated over the image (ny, nx)."""
    ny, nx = image.shape
    my, mx = max(1, round(ny / box)), max(1, round(nx / box))
    by, bx = -(-ny // my), -(-nx // mx)
    padded = np.full((my * by, mx * bx), np.nan)
    padded[:ny, :nx] = np.where(good, image, np.nan)
    cell = padded.reshape(my, by, mx, bx).swapaxes(1, 2).reshape(my * mx, by * bx)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # cells without data
        for _ in range(5):
            middle = np.nanmedian(cell, axis=1, keepdims=True)
            width = 1.4826 * np.nanmedian(np.abs(cell - middle), axis=1, keepdims=True)
            cell = np.where(np.abs(cell - middle) <= 2.5 * width, cell, np.nan)
        median, mean = np.nanmedian(cell, axis=1), np.nanmean(cell, axis=1)
    # the mode where the cell is but little skewed by stars (Bertin & Arnouts 1996, A&AS 117, 393)
    mode = np.where(np.abs(median - mean) < 0.3 * width[:, 0], 2.5 * median - 1.5 * mean, median)
    mode[np.isfinite(cell).sum(axis=1) < 0.15 * by * bx] = np.nan
    mesh = ndimage.median_filter(_fill(mode.reshape(my, mx)), 3, mode="nearest")
    y, x = (np.arange(ny) - (by - 1) / 2) / by, (np.arange(nx) - (bx - 1) / 2) / bx
    return _resample(mesh, y, x)


def ring_background(image: NDArray, good: NDArray, fwhm: float, step: int = 3) -> NDArray:
    """Running median in a ring of 1.7 to 3.2 FWHM: follows the light of a galaxy, not that of stars."""
    ny, nx = image.shape
    outer = 3.2 * fwhm
    reach = int(outer)
    yy, xx = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    ring = (np.hypot(xx, yy) <= outer) & (np.hypot(xx, yy) >= 1.7 * fwhm)
    dy, dx = yy[ring][::2], xx[ring][::2]
    rows, columns = np.arange(0, ny + step, step), np.arange(0, nx + step, step)
    padded = np.pad(np.where(good, image, np.nan), (reach, reach + step), constant_values=np.nan)
    mesh = np.empty((rows.size, columns.size))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        for j, y in enumerate(rows):
            mesh[j] = np.nanmedian(padded[y + reach + dy[:, None], columns + reach + dx[:, None]], axis=0)
    mesh = ndimage.gaussian_filter(_fill(mesh), 1.0, mode="nearest")
    return _resample(mesh, np.arange(ny) / step, np.arange(nx) / step)


def _fill(mesh: NDArray) -> NDArray:
    """NaN cells take the value of the nearest cell that has one; all NaN: 0."""
    empty = np.isnan(mesh)
    if empty.all():
        return np.zeros_like(mesh)
    nearest = ndimage.distance_transform_edt(empty, return_distances=False, return_indices=True)
    return mesh[tuple(nearest)]


def _resample(mesh: NDArray, y: NDArray, x: NDArray) -> NDArray:
    """Separable cubic interpolation of a mesh at mesh coordinates."""
    rows = _weights(y, mesh.shape[0])
    columns = _weights(x, mesh.shape[1])
    return rows @ mesh @ columns.T


def _weights(at: NDArray, n: int) -> NDArray:
    """Matrix (len(at), n) of natural-spline interpolation on 0..n-1, held constant beyond both ends."""
    from scipy.interpolate import CubicSpline

    at = np.clip(at, 0, n - 1)
    if n == 1:
        return np.ones((at.size, 1))
    return CubicSpline(np.arange(n), np.eye(n), bc_type="natural")(at)


def pixel_noise(image: NDArray, good: NDArray) -> float:
    """Pixel noise from second differences along x, which smooth light does not enter."""
    use = good[:, 2:] & good[:, 1:-1] & good[:, :-2]
    second = (image[:, 2:] - 2 * image[:, 1:-1] + image[:, :-2])[use] / np.sqrt(6)
    width = spread(second)
    return spread(second[np.abs(second) < 5 * width]) if width > 0 else width


def cosmic_rays(image: NDArray, good: NDArray, noise: float) -> NDArray:
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
