"""What one exposure alone shows: wide cosmic rays, trails, asteroids. A star is in all of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from muse_nb.kernels.psf import discs
from muse_nb.steps.starfit.frame import Frame
from muse_nb.steps.starfit.matched_filter import Map, find_peaks

__all__ = ["mask_transients", "transients"]

CLEAR = 6.0  # sigma that the exposure shows it at
ABSENT = 0.3  # of its flux: the others show less
APART = 5.0  # errors between the exposure and the others
DOUBT = 0.3  # of the model: what it leaves there may be its own fault
AROUND = 1.6  # FWHM that it covers


def transients(frames: Sequence[Frame], offsets: Sequence[NDArray], sky: NDArray, maps: Sequence[Map]) -> NDArray:
    """Mask (n, K) of the sources at `sky` (K, 2) [arcsec] that one exposure shows and the others do not.

    Parameters
    ----------
    frames, offsets
        Exposures and their offsets [arcsec].
    maps
        Matched-filter maps of the exposures, in which to look.
    """
    flux, weight = np.zeros((2, len(frames), len(sky)))
    for i, (frame, offset, seen) in enumerate(zip(frames, offsets, maps, strict=True)):
        x, y = np.round(frame.plane.pixel(sky + offset)).astype(int).T
        ny, nx = frame.shape
        inside = (x >= 0) & (y >= 0) & (x < nx) & (y < ny)
        gain = (frame.width * frame.plane.scale) ** -2  # amplitude of the same flux
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


def mask_transients(frames: Sequence[Frame], offsets: Sequence[NDArray], maps: Sequence[Map]) -> list[int]:
    """Take what one exposure alone shows on the maps out of its fit; say in which exposures there was any.

    What a model leaves on its own stars may be its fault.
    """
    changed = []
    for i, frame in enumerate(frames):
        peaks = find_peaks(maps[i], CLEAR)
        x, y = np.round(peaks.position).astype(int).T
        position = peaks.position[peaks.amplitude > DOUBT * (frame.model - frame.level)[y, x]]
        alone = transients(frames, offsets, frame.plane.sky(position) - offsets[i], maps)[i]
        if alone.any():
            frame.edge |= discs(position[alone], AROUND * frame.width, frame.shape)
            changed.append(i)
    return changed
