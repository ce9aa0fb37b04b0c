"""What STAT leaves out: the true scatter of voxels, and what resampled neighbours share of it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.robust import mad_sigma
from muse_nb.steps.handover.subcube import finite_median

__all__ = ["SharedNoise", "own_noise_out", "shared_noise"]

Array = NDArray[np.float64]
REACH = (2, 3, 3)  # lags of planes, rows and columns that are looked at
MIN_VOXELS = 2000  # that tell it
OUTLIER = 5.0  # sigma
SQUARE = 5  # spaxels about a voxel that its own noise is told from
LEAST = 0.3  # of a variance that is left at least
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


def own_noise_out(data: Array, variance: Array) -> tuple[Array, float]:
    """Take out of a variance what it has from the noise of its own voxel.

    Where variances are counted photons, a voxel that is high by chance has a high variance, too, and weighs less: every
    fit comes out low. What the variance rises with the data beyond their neighbourhood is taken off again.

    Parameters
    ----------
    data, variance
        Shape (planes, ny, nx).

    Returns
    -------
    variance : numpy.ndarray
        Without it.
    slope : float
        Of the variance with the data; 0 where they are not tied.
    """
    good = np.isfinite(data) & np.isfinite(variance)
    if good.sum() < MIN_VOXELS:
        return variance, 0.0
    away, spread = (np.where(good, values - _around(values, good), 0.0) for values in (data, variance))
    limit = OUTLIER * mad_sigma(away[good])
    use = good & (np.abs(away) <= limit)
    slope = float((away[use] * spread[use]).sum() / max((away[use] ** 2).sum(), 1e-300))
    if not slope > 0:
        return variance, 0.0
    return np.where(good, np.maximum(variance - slope * away, LEAST * variance), variance), slope


def _around(values: Array, good: NDArray[np.bool_]) -> Array:
    """Mean of the good voxels of the same plane in a square about each."""
    from scipy import ndimage

    size = (1, SQUARE, SQUARE)
    total = ndimage.uniform_filter(np.where(good, values, 0.0), size)
    return np.asarray(total / np.maximum(ndimage.uniform_filter(good.astype(float), size), 1e-9))


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
