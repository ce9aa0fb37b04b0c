"""Offsets and angles that a field's stars have in common, by least squares over their shifts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from muse_nb.steps.offsets.starfit.arrays import Bools, Floats
from muse_nb.steps.offsets.starfit.small import inverse_2x2

__all__ = ["Common", "common_motion"]

MIN_INFORMATION = 1e-9  # of what the others have, of an exposure that takes part
POSITION_PRIOR = 1e-6  # arcsec^-2, of a star that no exposure measures


@dataclass(frozen=True)
class Common:
    """How exposures moved about a common solution.

    Attributes
    ----------
    offset, angle : ndarray, shapes (n, 2) and (n,)
        [arcsec] and [rad, from north towards east]; 0 for the reference, and for an angle that is not free.
    position : ndarray, shape (K, 2)
        Shift of each star [arcsec].
    covariance : ndarray, shape (n, 3, n, 3)
        Of offset and angle; 0 where not free.
    carried : ndarray, shapes (n, 2, n)
        How far an angle [rad] carries each offset along [arcsec].
    """

    offset: Floats
    angle: Floats
    position: Floats
    covariance: Floats
    carried: Floats

    def residual(self, shift: Floats, lever: Floats) -> Floats:
        """What is left of shifts (n, K, 2)."""
        return np.asarray(shift - self.offset[:, None] - lever * self.angle[:, None, None] - self.position)

    @property
    def of_angles(self) -> Floats:
        """Covariance (n, 2, n, 2) that free angles add to that of the offsets."""
        angles = self.covariance[:, 2, :, 2]
        return np.einsum("iap,pq,jbq->iajb", self.carried, angles, self.carried, optimize=True)


def common_motion(shift: Floats, weight: Floats, lever: Floats, reference: int, free: Bools) -> Common:
    """Solve for offsets, angles and star positions.

    Parameters
    ----------
    shift : ndarray, shape (n, K, 2)
        Of each star in each exposure [arcsec]; 0 where it is not measured.
    weight : ndarray, shape (n, K, 2, 2)
        Inverse covariance; 0 where not measured.
    lever : ndarray, shape (n, K, 2)
        Shift of each star per angle [arcsec / rad].
    reference
        Exposure that keeps its offset and angle.
    free : ndarray of bool, shape (n,)
        Exposures whose angle is sought.
    """
    n, stars = shift.shape[:2]
    turn = np.einsum("ikab,ikb->ika", weight, lever)
    weighted = np.concatenate([weight, turn[..., None]], axis=3)  # (n, K, 2, 3)
    mean_inverse = inverse_2x2(weight.sum(0) + POSITION_PRIOR * np.eye(2))
    pulled = np.einsum("ikab,ikb->ika", weight, shift)
    mean = np.einsum("kab,kb->ka", mean_inverse, pulled.sum(0))
    tall = np.ascontiguousarray(weighted.transpose(1, 2, 0, 3)).reshape(2 * stars, 3 * n)
    part = np.matmul(mean_inverse, tall.reshape(stars, 2, 3 * n)).reshape(2 * stars, 3 * n)
    normal = -(part.T @ tall).reshape(n, 3, n, 3)
    own = np.empty((n, 3, 3))
    own[:, :2] = weighted.sum(1)
    own[:, 2, :2] = own[:, :2, 2]
    own[:, 2, 2] = np.einsum("ika,ika->i", lever, turn)
    normal[np.arange(n), :, np.arange(n), :] += own
    right = np.empty((n, 3))
    right[:, :2] = pulled.sum(1)
    right[:, 2] = np.einsum("ika,ika->i", lever, pulled)
    right -= (tall.T @ mean.ravel()).reshape(n, 3)
    unknown = np.ones((n, 3), bool)
    unknown[:, 2] = free
    unknown[reference] = False
    told = np.diagonal(own, axis1=1, axis2=2)
    unknown &= told > MIN_INFORMATION * told.max(axis=0, initial=0.0)
    at = np.flatnonzero(unknown)
    small = normal.reshape(3 * n, 3 * n)[np.ix_(at, at)]
    size = np.sqrt(np.maximum(np.diag(small), 1e-300))  # arcsec and rad are not of a size
    solved = np.linalg.pinv(small / size / size[:, None], hermitian=True) / size / size[:, None]
    found, covariance = np.zeros(3 * n), np.zeros((3 * n, 3 * n))
    found[at] = solved @ right.ravel()[at]
    covariance[np.ix_(at, at)] = solved
    motion, covariance = found.reshape(n, 3), covariance.reshape(n, 3, n, 3)
    position = mean - (part @ found).reshape(stars, 2)
    return Common(motion[:, :2], motion[:, 2], position, covariance, _carried(covariance))


def _carried(covariance: Floats) -> Floats:
    """Offsets (n, 2, n) that angles carry along: their regression on the angles."""
    n = len(covariance)
    angles, both = covariance[:, 2, :, 2], covariance[:, :2, :, 2]
    if not angles.any():
        return np.zeros((n, 2, n))
    known = np.diag(angles) > 0
    size = np.where(known, np.sqrt(np.maximum(np.diag(angles), 0)), 1.0)
    inverse = np.linalg.pinv(angles / size / size[:, None], hermitian=True) / size / size[:, None]
    inverse[~known] = 0
    return np.asarray(both @ inverse)
