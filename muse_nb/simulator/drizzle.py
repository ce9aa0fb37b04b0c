"""A white-light image from the rows of a pixel table, north up."""

from __future__ import annotations

import numpy as np

__all__ = ["celestial_offsets", "white_light"]

PIXFRAC = 0.8
STEP = 0.2 / 3600  # [deg]


def celestial_offsets(phi: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Native angles (phi, theta - pi/2) [rad] to gnomonic offsets towards east and north [deg]."""
    radius = np.degrees(np.tan(-theta.astype(float)))
    return radius * np.sin(phi), -radius * np.cos(phi)


def white_light(
    east: np.ndarray, north: np.ndarray, data: np.ndarray, good: np.ndarray
) -> tuple[np.ndarray, tuple[float, float]]:
    """Drizzle all wavelengths of the good rows into one image.

    Parameters
    ----------
    east, north
        Offsets from the pointing [deg].
    data
        Values of the rows.
    good
        Rows to use; the others only count for the size of the image.

    Returns
    -------
    image, crpix
        float32, NaN where no row falls, and the pixel of the pointing (x, y; FITS convention).
    """
    nx, ny = (round((np.ptp(axis)) / STEP) + 1 for axis in (east, north))
    x_zero, y_zero = east.max() / STEP, -north.min() / STEP  # 0-based pixel of the pointing
    x, y = x_zero - east[good] / STEP, y_zero + north[good] / STEP
    total, weight = np.zeros(nx * ny), np.zeros(nx * ny)
    i, j = np.floor(x).astype(int), np.floor(y).astype(int)
    for dj in (0, 1):
        for di in (0, 1):
            share = _overlap(x - i - di) * _overlap(y - j - dj)
            inside = (share > 0) & (i + di >= 0) & (i + di < nx) & (j + dj >= 0) & (j + dj < ny)
            cell = ((j + dj) * nx + i + di)[inside]
            total += np.bincount(cell, share[inside] * data[good][inside], nx * ny)
            weight += np.bincount(cell, share[inside], nx * ny)
    with np.errstate(invalid="ignore", divide="ignore"):
        image = np.where(weight > 0, total / weight, np.nan)
    return image.reshape(ny, nx).astype(np.float32), (x_zero + 1, y_zero + 1)


def _overlap(distance: np.ndarray) -> np.ndarray:
    """Length that a drop of PIXFRAC shares with a pixel whose centre is `distance` away [pix]."""
    return np.clip(0.5 + PIXFRAC / 2 - np.abs(distance), 0, PIXFRAC)
