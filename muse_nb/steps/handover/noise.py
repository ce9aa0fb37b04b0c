"""What STAT leaves out: the true scatter of voxels, and what resampled neighbours share of it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.robust import mad_sigma
from muse_nb.steps.handover.subcube import finite_median

__all__ = ["SharedNoise", "shared_noise"]

Array = NDArray[np.float64]
REACH = (2, 3, 3)  # lags of planes, rows and columns that are looked at
MIN_VOXELS = 2000  # that tell it
OUTLIER = 5.0  # sigma
SIGMA_PER_FWHM = 1 / 2.3548200450309493


@dataclass(frozen=True)
class SharedNoise:
    """How much more than STAT the noise is.

    Attributes
    ----------
    scatter : float
        Standard deviation of voxels over the root of STAT; NaN where too few voxels tell.
    neighbours : tuple of float
        What voxels next to each other share, in wavelength, y and x.
    factor : float
        By which the variance of what is as wide as PSF and LSF exceeds that of independent voxels; NaN as above.
    """

    scatter: float
    neighbours: tuple[float, float, float]
    factor: float

    @property
    def inflation(self) -> float:
        """What STAT is multiplied by; 1 where it is not known."""
        total = self.scatter**2 * self.factor
        return float(total) if np.isfinite(total) and total > 0 else 1.0


def shared_noise(beside: Array, error: Array, psf: float, lsf: float) -> SharedNoise:
    """Measure it in the planes beside a line.

    A least-squares fit that takes voxels for independent gives parameters with variances that are too small by the sum
    over all lags of the noise's correlation times that of the model with itself; the model is at least as wide as the
    PSF and the LSF.

    Parameters
    ----------
    beside, error
        Voxels less their continuum, and the root of their variance, shape (planes, ny, nx).
    psf, lsf
        FWHM [spaxel] and [plane].
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        pull = np.where(error > 0, beside / error, np.nan)
    if not np.isfinite(pull).any():
        return SharedNoise(float("nan"), (float("nan"),) * 3, float("nan"))
    quiet = finite_median(np.abs(pull))
    pull = np.where(quiet <= np.nanquantile(quiet, 0.75), pull, np.nan)  # bright neighbours have lines of their own
    scatter = mad_sigma(pull)
    pull = np.where(np.abs(pull) <= OUTLIER * scatter, pull, np.nan)
    if np.isfinite(pull).sum() < MIN_VOXELS or not scatter > 0:
        return SharedNoise(float("nan"), (float("nan"),) * 3, float("nan"))
    widths = [np.sqrt(2) * SIGMA_PER_FWHM * width for width in (lsf, psf, psf)]  # of the model's own correlation
    factor = 0.0
    for lag in product(*(range(-reach, reach + 1) for reach in REACH)):
        shape = np.exp(-0.5 * sum((step / width) ** 2 for step, width in zip(lag, widths, strict=True)))
        if lag > (0, 0, 0):  # the other half is the same
            factor += 2 * shape * _correlation(pull, lag)
    near = (_correlation(pull, (1, 0, 0)), _correlation(pull, (0, 1, 0)), _correlation(pull, (0, 0, 1)))
    return SharedNoise(scatter, near, max(1 + factor, 1.0))


def _correlation(pull: Array, lag: tuple[int, ...]) -> float:
    """Correlation of voxels with those some planes, rows and columns away."""
    here = tuple(slice(max(0, step), n + min(0, step)) for step, n in zip(lag, pull.shape, strict=True))
    there = tuple(slice(max(0, -step), n + min(0, -step)) for step, n in zip(lag, pull.shape, strict=True))
    one, two = pull[here], pull[there]
    both = np.isfinite(one) & np.isfinite(two)
    if both.sum() < MIN_VOXELS / 4:
        return 0.0
    a, b = one[both], two[both]
    return float((a * b).mean() / np.sqrt((a**2).mean() * (b**2).mean()))
