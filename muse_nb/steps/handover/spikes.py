"""Voxels that are sharper than any light through the atmosphere: what is left of cosmic rays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["find_spikes"]

Array = NDArray[np.float64]
SIGMA = 8.0  # above what a star could have there
SHARPER = 1.4  # times a star's contrast
GROWN = 3.0  # sigma above what is around it, of voxels beside a spike that belong to it


def find_spikes(data: Array, error: Array, fwhm: float, beta: float) -> NDArray[np.bool_]:
    """Find them: a voxel above the ring around it by more than the contrast of a star.

    Parameters
    ----------
    data, error
        Shape (planes, ny, nx), NaN where there is nothing.
    fwhm, beta
        Of the PSF's Moffat [spaxel].

    Returns
    -------
    numpy.ndarray
        True for voxels to leave out, with the neighbours that a spike was resampled into.
    """
    from scipy import ndimage

    radius = max(2.0, fwhm * 0.6)
    reach = int(np.ceil(radius))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    ring = np.abs(np.hypot(x, y) - radius) <= 0.6
    core2 = (fwhm / 2) ** 2 / (2 ** (1 / beta) - 1)
    share = float((1 + (np.hypot(x, y)[ring] ** 2).mean() / core2) ** -beta)  # a star's ring over its peak
    good = np.isfinite(data)
    around = np.empty_like(data)
    for k, plane in enumerate(data):  # a median: spikes beside each other do not hide behind each other
        filled = np.where(good[k], plane, np.median(plane[good[k]]) if good[k].any() else 0.0)
        around[k] = ndimage.median_filter(filled, footprint=ring, mode="nearest")
    noise = np.where(np.isfinite(error), error, np.inf)
    above = np.where(good, data - np.maximum(around, 0.0) / share * SHARPER, -np.inf)
    spikes = above > SIGMA * noise
    beside = ndimage.binary_dilation(spikes, np.ones((3, 3, 3), bool))
    grown: NDArray[np.bool_] = spikes | (beside & (np.where(good, data - around, 0.0) > GROWN * noise))
    return grown
