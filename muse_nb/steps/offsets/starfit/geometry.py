"""Pixels of an exposure on a tangent plane common to all exposures, in arcsec (east, north)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from muse_nb.steps.offsets.starfit.arrays import Floats

if TYPE_CHECKING:
    from astropy.wcs import WCS

__all__ = ["ARCSEC", "Plane", "from_tangent", "nearest", "to_tangent"]

ARCSEC = 206264.80624709636  # in a radian


def to_tangent(ra: Floats, dec: Floats, origin: tuple[float, float]) -> Floats:
    """Gnomonic projection of `ra`, `dec` [deg] about `origin`: (..., 2) arcsec east and north."""
    a, d = np.radians(np.asarray(ra, float) - origin[0]), np.radians(np.asarray(dec, float))
    d0 = np.radians(origin[1])
    depth = np.sin(d) * np.sin(d0) + np.cos(d) * np.cos(d0) * np.cos(a)
    east = np.cos(d) * np.sin(a)
    north = np.sin(d) * np.cos(d0) - np.cos(d) * np.sin(d0) * np.cos(a)
    return np.stack([east / depth, north / depth], axis=-1) * ARCSEC


def from_tangent(sky: Floats, origin: tuple[float, float]) -> tuple[Floats, Floats]:
    """Inverse of `to_tangent`: RA and Dec in degrees."""
    east, north = np.moveaxis(np.asarray(sky, float) / ARCSEC, -1, 0)
    d0 = np.radians(origin[1])
    below = np.cos(d0) - north * np.sin(d0)
    a = np.arctan2(east, below)
    dec = np.arctan2(np.sin(d0) + north * np.cos(d0), np.hypot(east, below))
    return (origin[0] + np.degrees(a)) % 360, np.degrees(dec)


def nearest(points: Floats, others: Floats) -> Floats:
    """From each of the points (N, 2) to the nearest of the others (K, 2); infinite where there are none."""
    from scipy.spatial import cKDTree

    return cKDTree(others).query(points)[0] if len(others) and len(points) else np.full(len(points), np.inf)


@dataclass(frozen=True)
class Plane:
    """Affine map of one exposure: pixel = matrix @ sky + zero, with the sky in arcsec on the common tangent plane."""

    matrix: Floats
    zero: Floats

    @classmethod
    def of(cls, wcs: WCS, shape: tuple[int, int], origin: tuple[float, float]) -> Plane:
        """Fit the map to the WCS at the corners and the centre of an image: exact to a micropixel over MUSE's field."""
        ny, nx = shape
        x, y = np.array([[0, 0], [nx - 1, 0], [0, ny - 1], [nx - 1, ny - 1], [(nx - 1) / 2, (ny - 1) / 2]], float).T
        ra, dec = wcs.wcs_pix2world(x, y, 0)
        sky = to_tangent(ra, dec, origin)
        solution = np.linalg.lstsq(np.c_[sky, np.ones(5)], np.c_[x, y], rcond=None)[0]
        return cls(solution[:2].T.copy(), solution[2].copy())

    def pixel(self, sky: Floats) -> Floats:
        """Sky (..., 2) to 0-based pixel (..., 2)."""
        return sky @ self.matrix.T + self.zero

    def sky(self, pixel: Floats) -> Floats:
        """0-based pixel (..., 2) to sky (..., 2)."""
        return (pixel - self.zero) @ np.linalg.inv(self.matrix).T

    @cached_property
    def scale(self) -> float:
        """Arcsec per pixel."""
        return float(abs(np.linalg.det(self.matrix)) ** -0.5)
