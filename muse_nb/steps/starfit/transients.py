"""What one exposure alone shows: wide cosmic rays, trails, asteroids. A star is in all of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from muse_nb.kernels.psf import discs
from muse_nb.steps.starfit.frame import Frame
from muse_nb.steps.starfit.matched_filter import Map

__all__ = ["CLEAR", "mask_transients", "transients"]

CLEAR = 6.0  # sigma that the exposure shows it at
ABSENT = 0.3  # of its flux: the others show less
APART = 5.0  # errors between the exposure and the others
AROUND = 1.6  # FWHM that it covers


def transients(
    frames: Sequence[Frame], offsets: Sequence[NDArray], sky: NDArray, maps: Sequence[Map] | None = None
) -> NDArray:
    """Mask (n, K) of the sources at `sky` (K, 2) [arcsec] that one exposure shows and the others do not.

    Parameters
    ----------
    frames, offsets
        Exposures and their offsets [arcsec].
    maps
        Where to look, by default the exposures' own.
    """
    flux, weight = np.zeros((2, len(frames), len(sky)))
    for i, (frame, offset) in enumerate(zip(frames, offsets, strict=True)):
        x, y = np.round(frame.plane.pixel(sky + offset)).astype(int).T
        ny, nx = frame.shape
        inside = (x >= 0) & (y >= 0) & (x < nx) & (y < ny)
        gain = (frame.width * frame.plane.scale) ** -2  # amplitude of the same flux
        seen = frame.map if maps is None else maps[i]
        weight[i, inside] = gain**2 * seen.denominator[y[inside], x[inside]]
        flux[i, inside] = gain * seen.numerator[y[inside], x[inside]]
    flux = np.where(weight > 0, flux / np.maximum(weight, 1e-300), 0.0)
    brightest, k = np.argmax(flux * np.sqrt(weight), axis=0), np.arange(len(sky))
    own, error = flux[brightest, k], 1 / np.sqrt(np.maximum(weight[brightest, k], 1e-300))
    weight[brightest, k] = 0
    total = np.maximum(weight.sum(0), 1e-300)
    others = (weight * flux).sum(0) / total
    alone = (own > CLEAR * error) & (others < ABSENT * own) & (own - others > APART * np.hypot(error, total**-0.5))
    mask = np.zeros(flux.shape, bool)
    mask[brightest, k] = alone
    return mask


def mask_transients(frames: Sequence[Frame], offsets: Sequence[NDArray], sky: NDArray, alone: NDArray) -> None:
    """Take what is `alone` (n, K) in an exposure, at `sky` (K, 2) [arcsec], out of its fit."""
    for frame, offset, which in zip(frames, offsets, alone, strict=True):
        frame.edge |= discs(frame.plane.pixel(sky[which] + offset), AROUND * frame.width, frame.shape)
