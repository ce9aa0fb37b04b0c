"""Pixels of an exposure on a tangent plane common to all exposures, in arcsec (east, north)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from muse_nb.steps.offsets.starfit.arrays import Floats

if TYPE_CHECKING:
    from astropy.wcs import WCS

__all__ = ["ARCSEC", "Plane", "from_tangent", "nearest", "to_tangent", "turn_matrix"]

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


def turn_matrix(angle: float) -> Floats:
    """Matrix (2, 2) that turns (east, north) by `angle` [rad] from north towards east."""
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, sine], [-sine, cosine]])


@dataclass(frozen=True)
class Plane:
    """Affine map of one exposure: pixel = matrix @ sky + zero, with the sky in arcsec on the common tangent plane.

    Attributes
    ----------
    matrix, zero : ndarray, shapes (2, 2) and (2,)
    centre : ndarray, shape (2,)
        Where the header puts the field's centre, about which a rotator that is off turns the field.
    angle : float
        By which it did, from north towards east [rad]: the map is that of the header after a turn by it.
    """

    matrix: Floats
    zero: Floats
    centre: Floats = field(default_factory=lambda: np.zeros(2))
    angle: float = 0.0

    @classmethod
    def of(cls, wcs: WCS, shape: tuple[int, int], origin: tuple[float, float]) -> Plane:
        """Fit the map to the WCS at the corners and the centre of an image: exact to a micropixel over MUSE's field."""
        ny, nx = shape
        x, y = np.array([[0, 0], [nx - 1, 0], [0, ny - 1], [nx - 1, ny - 1], [(nx - 1) / 2, (ny - 1) / 2]], float).T
        ra, dec = wcs.wcs_pix2world(x, y, 0)
        sky = to_tangent(ra, dec, origin)
        solution = np.linalg.lstsq(np.c_[sky, np.ones(5)], np.c_[x, y], rcond=None)[0]
        return cls(solution[:2].T.copy(), solution[2].copy(), _field_centre(wcs, shape, origin))

    def turned(self, angle: float) -> Plane:
        """Turn the field by `angle` [rad] more."""
        matrix = self.matrix @ turn_matrix(angle)
        zero = self.zero + (self.matrix - matrix) @ self.centre
        return replace(self, matrix=matrix, zero=zero, angle=self.angle + angle)

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


def _field_centre(wcs: WCS, shape: tuple[int, int], origin: tuple[float, float]) -> Floats:
    """Where on the tangent plane the WCS has its reference, the pointing; the image's centre where it is off it."""
    ny, nx = shape
    x, y = np.asarray(wcs.wcs.crpix[:2], float) - 1
    if not (0 <= x < nx and 0 <= y < ny):
        x, y = (nx - 1) / 2, (ny - 1) / 2
    ra, dec = wcs.wcs_pix2world([x], [y], 0)
    return to_tangent(ra, dec, origin)[0]
