"""The stars' common profile: an elliptical Moffat, its core corrected by what the stars show, smooth in wavelength."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from muse_nb.kernels.crowd import LANES, Stamps, profiles
from muse_nb.kernels.psf import Stamps as _Boxes

__all__ = ["CORE", "KNOTS", "Profile", "stamps_of"]

Array = NDArray[np.float64]
KNOTS = np.array(
    [0.0, 0.0, 0.0, 0.0, 0.3, 0.6, 0.9, 1.3, 1.8, 2.5, 3.5, 3.5, 3.5, 3.5]
)  # core radii: of the correction
CORE = len(KNOTS) - 4 - 2  # splines of the correction: the last two are 0, so that it ends without a step
STEP = 0.02  # core radii between the values of its table
HALF = 0.55  # FWHM about a star's centre that is its core


@dataclass(frozen=True)
class Profile:
    """Profile of a star at one wavelength, of total light 1.

    Attributes
    ----------
    radius : float
        Core radius of the Moffat [pixel], the geometric mean of both axes.
    ellipticity : (float, float)
        Along x against y, and along the diagonal.
    beta : float
        Exponent.
    core : ndarray, shape (CORE,)
        Of the correction's splines, over the Moffat's peak.
    """

    radius: float
    ellipticity: tuple[float, float] = (0.0, 0.0)
    beta: float = 2.5
    core: Array | None = None

    @classmethod
    def of_width(cls, fwhm: float, beta: float = 2.5) -> Profile:
        """Make a round one of a full width at half maximum [pixel]."""
        return cls(fwhm / 2 / np.sqrt(2 ** (1 / beta) - 1), beta=beta)

    @property
    def fwhm(self) -> float:
        """Full width at half maximum of the Moffat [pixel]."""
        return float(2 * self.radius * np.sqrt(2 ** (1 / self.beta) - 1))

    @property
    def moffat(self) -> Array:
        """a, b, c [pixel^-2] and beta of (1 + a u^2 + 2 b u v + c v^2)^-beta."""
        e, d = self.ellipticity
        scale = 1 / self.radius**2 / np.sqrt(1 - e * e - d * d)
        return np.array([scale * (1 - e), -scale * d, scale * (1 + e), self.beta])

    @property
    def table(self) -> Array:
        """The correction at elliptical radii of 0, STEP, 2 STEP ... core radii, over the Moffat's peak."""
        return np.zeros(2) if self.core is None else np.asarray(_splines() @ self.core)

    @property
    def norm(self) -> float:
        """Peak of the Moffat, for a total light of 1."""
        rho = STEP * np.arange(len(self.table))
        more = 2 * float(np.trapezoid(self.table * rho, rho))
        return float(1 / (np.pi * self.radius**2 * (1 / (self.beta - 1) + more)))

    @property
    def like_moffat(self) -> Array:
        """Correction that comes nearest to the Moffat itself, of length 1, shape (CORE,)."""
        rho = STEP * np.arange(len(_splines()))
        found = np.linalg.lstsq(_splines(), (1 + rho**2) ** -self.beta, rcond=None)[0]
        return np.asarray(found / np.linalg.norm(found))

    def height(self, distance: float) -> float:
        """Of the Moffat at a distance from the centre [pixel], over the total light."""
        return float(self.norm * (1 + (distance / self.radius) ** 2) ** -self.beta)

    def moved(self, change: Array) -> Profile:
        """The profile after a change of log radius, both ellipticities, beta, and the correction."""
        e = np.clip(np.add(self.ellipticity, change[1:3]), -0.6, 0.6)
        core = np.zeros(CORE) if self.core is None else self.core
        return replace(
            self,
            radius=float(self.radius * np.exp(np.clip(change[0], -0.15, 0.15))),
            ellipticity=(float(e[0]), float(e[1])),
            beta=float(np.clip(self.beta + np.clip(change[3], -0.3, 0.3), 1.5, 8.0)),
            core=core + change[4:] if len(change) > 4 else self.core,
        )

    @property
    def parameters(self) -> Array:
        """Log radius, ellipticities, beta and the correction, as `moved` changes them; shape (4 + CORE,)."""
        core = np.zeros(CORE) if self.core is None else self.core
        return np.array([np.log(self.radius), *self.ellipticity, self.beta, *core])

    @classmethod
    def from_parameters(cls, values: Array) -> Profile:
        """Make one of what `parameters` tells."""
        return cls(float(np.exp(values[0])), (float(values[1]), float(values[2])), float(values[3]), values[4:].copy())


@cache
def _splines() -> Array:
    """Cubic splines of the correction on the table's radii, shape (values, CORE)."""
    from scipy.interpolate import BSpline

    rho = np.arange(0, KNOTS[-1], STEP)
    made = BSpline.design_matrix(rho, KNOTS, 3).toarray()[:, :CORE]
    return np.vstack([made, np.zeros((1, CORE))])


def stamps_of(
    x: Array, y: Array, reach: Array, profile: Profile, shape: tuple[int, int], *, threads: int = 1
) -> Stamps:
    """Draw stars on planes of some shape.

    Parameters
    ----------
    x, y : ndarray, shape (K,)
        Centres [pixel from 0].
    reach : ndarray, shape (K,)
        Radius beyond which each is 0 [pixel].
    profile
        Of all of them.
    shape
        (ny, nx) of a plane; it is stored in a multiple of `LANES` columns.
    threads
        To work on.
    """
    ny, wide = shape[0], -(-shape[1] // LANES) * LANES
    first_x, end_x = np.floor((x - reach) / LANES) * LANES, np.ceil((x + reach + 1) / LANES) * LANES
    box = _boxes(first_x, end_x, np.floor(y - reach), np.ceil(y + reach + 1), (ny, wide))
    near = HALF * profile.fwhm + 1
    core = _boxes(np.floor(x - near), np.ceil(x + near + 1), np.floor(y - near), np.ceil(y + near + 1), (ny, wide))
    core = _within(core, box)
    start = np.r_[0, np.cumsum(box[:, 2].astype(np.int64) * box[:, 3])]
    value = profiles(x, y, reach, profile.moffat, profile.table, STEP, profile.norm, box, start, threads=threads)
    least = np.full(len(x), 0.5 * profile.height(0.0), np.float32)
    row, column = _pairs(x, y, reach, box, start)
    return Stamps((ny, wide), box, core, start, value, least, row, column, _square(profile))


def _square(profile: Profile) -> float:
    """Sum of the squares of a profile on whole pixels, none left out."""
    reach = int(np.ceil(4 * profile.fwhm))
    side = 2 * reach + 1
    box, start = np.array([[-reach, -reach, side, side]], np.int32), np.array([0, side * side])
    one = np.zeros(1)
    value = profiles(one, one, one + reach, profile.moffat, profile.table, STEP, profile.norm, box, start)
    return float((value.astype(float) ** 2).sum())


def _boxes(left: Array, right: Array, below: Array, above: Array, shape: tuple[int, int]) -> NDArray[np.int32]:
    """Boxes inside the plane; of no width where a star lies off it."""
    ny, nx = shape
    x0, x1 = np.clip(left, 0, nx), np.clip(right, 0, nx)
    y0, y1 = np.clip(below, 0, ny), np.clip(above, 0, ny)
    none = (x1 <= x0) | (y1 <= y0)
    return np.where(none[:, None], 0, np.stack([x0, y0, x1 - x0, y1 - y0], 1)).astype(np.int32)


def _within(core: NDArray[np.int32], box: NDArray[np.int32]) -> NDArray[np.int32]:
    first = np.maximum(core[:, :2], box[:, :2])
    end = np.minimum(core[:, :2] + core[:, 2:], box[:, :2] + box[:, 2:])
    return np.ascontiguousarray(np.c_[first, np.maximum(end - first, 0)], np.int32)


def _pairs(
    x: Array, y: Array, reach: Array, box: NDArray[np.int32], start: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Later stars that overlap each."""
    nothing = np.zeros(0, np.float32)
    row, column = _Boxes(box, start, nothing, nothing, nothing, np.zeros((1, 1)), nothing).pairs()
    one = np.repeat(np.arange(len(x)), np.diff(row))
    keep = (column > one) & (np.hypot(x[one] - x[column], y[one] - y[column]) < reach[one] + reach[column])
    counts = np.bincount(one[keep], minlength=len(x))
    return np.r_[0, np.cumsum(counts)].astype(np.int64), np.ascontiguousarray(column[keep], np.int32)
