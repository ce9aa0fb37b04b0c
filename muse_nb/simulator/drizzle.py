"""A white-light image from the rows of a pixel table, north up."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

__all__ = ["STEP", "blocks", "white_light"]

PIXFRAC = 0.8
STEP = 0.2 / 3600  # [deg]
BLOCK = 2_000_000  # rows at a time: a full pixel table has 300 million


def white_light(
    phi: np.ndarray, theta: np.ndarray, data: np.ndarray, good: np.ndarray, step: float = STEP
) -> tuple[np.ndarray, tuple[float, float]]:
    """Drizzle all wavelengths of the good rows into one image.

    Parameters
    ----------
    phi, theta
        Native angles as in a PIXTABLE_REDUCED: phi and theta - pi/2 [rad].
    data
        Values of the rows.
    good
        Rows to use; the others only count for the size of the image.
    step
        Size of a pixel [deg].

    Returns
    -------
    image, crpix
        float32, NaN where no row falls, and the pixel of the pointing (x, y; FITS convention).
    """
    corners = [(x.min(), x.max(), y.min(), y.max()) for x, y, _ in blocks(phi, theta, step)]
    (west, _, south, _), (_, east, _, north) = np.min(corners, axis=0), np.max(corners, axis=0)
    nx, ny = round(east - west) + 1, round(north - south) + 1
    total, weight = np.zeros(nx * ny), np.zeros(nx * ny)
    for x, y, rows in blocks(phi, theta, step):
        use = good[rows]
        column, row, value = east - x[use], y[use] - south, data[rows][use]
        i, j = np.floor(column).astype(int), np.floor(row).astype(int)
        for dj in (0, 1):
            for di in (0, 1):
                share = _overlap(column - i - di) * _overlap(row - j - dj)
                inside = (share > 0) & (i + di < nx) & (j + dj < ny)
                cell = ((j + dj) * nx + i + di)[inside]
                total += np.bincount(cell, share[inside] * value[inside], nx * ny)
                weight += np.bincount(cell, share[inside], nx * ny)
    with np.errstate(invalid="ignore", divide="ignore"):
        image = np.where(weight > 0, total / weight, np.nan)
    return image.reshape(ny, nx).astype(np.float32), (float(east) + 1, 1 - float(south))


def blocks(phi: np.ndarray, theta: np.ndarray, step: float = STEP) -> Iterator[tuple[np.ndarray, np.ndarray, slice]]:
    """Give gnomonic offsets towards east and north [step] and which rows they are of, some rows at a time."""
    for start in range(0, phi.size, BLOCK):
        rows = slice(start, start + BLOCK)
        radius, angle = np.degrees(np.tan(-theta[rows].astype(float))) / step, phi[rows].astype(float)
        yield radius * np.sin(angle), -radius * np.cos(angle), rows


def _overlap(distance: np.ndarray) -> np.ndarray:
    """Length that a drop of PIXFRAC shares with a pixel whose centre is `distance` away [pix]."""
    length: np.ndarray = np.clip(0.5 + PIXFRAC / 2 - np.abs(distance), 0, PIXFRAC)
    return length
