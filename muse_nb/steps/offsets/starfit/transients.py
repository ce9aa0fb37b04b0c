"""What one exposure alone shows: wide cosmic rays, trails, asteroids. A star is in all of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from muse_nb.kernels.psf import discs
from muse_nb.steps.offsets.starfit.frame import Frame
from muse_nb.steps.offsets.starfit.matched_filter import NEIGHBOURS, Map, find_peaks

__all__ = ["fluxes", "mask_transients", "transients"]

CLEAR = 6.0  # sigma that the exposure shows it at
ABSENT = 0.3  # of its flux: the others show less
APART = 5.0  # errors between the exposure and the others
DOUBT = 0.3  # of the model: what it leaves there may be its own fault
BLENDED = 0.6  # FWHM of the worst seeing: how far from a star its blend with another may peak
WAYS = np.array(NEIGHBOURS) / np.hypot(*np.transpose(NEIGHBOURS))[:, None]
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
    flux, weight = fluxes(frames, offsets, sky, maps)
    brightest, k = np.argmax(flux * np.sqrt(weight), axis=0), np.arange(len(sky))
    own, error = flux[brightest, k], 1 / np.sqrt(np.maximum(weight[brightest, k], 1e-300))
    others, theirs = _others(flux, weight, brightest)
    alone = (own > CLEAR * error) & (others < ABSENT * own) & (own - others > APART * np.hypot(error, theirs))
    # bad seeing shows two stars as one between them
    wide = BLENDED * max(frame.seeing for frame in frames)
    for way in WAYS if alone.any() else []:
        found = np.flatnonzero(alone)
        beside, _ = _others(*fluxes(frames, offsets, sky[found] + wide * way, maps), brightest[found])
        alone[found] = beside < ABSENT * own[found]
    mask = np.zeros(flux.shape, bool)
    mask[brightest, k] = alone
    return mask


def fluxes(
    frames: Sequence[Frame], offsets: Sequence[NDArray], sky: NDArray, maps: Sequence[Map]
) -> tuple[NDArray, NDArray]:
    """Fluxes (n, K) that the maps show, in a unit that all share, and their inverse variances, 0 off the data."""
    each = zip(frames, offsets, maps, strict=True)
    flux, weight = np.array([frame.fluxes_at(sky + offset, seen) for frame, offset, seen in each]).swapaxes(0, 1)
    return flux, weight


def _others(flux: NDArray, weight: NDArray, brightest: NDArray) -> tuple[NDArray, NDArray]:
    """Mean flux without the exposure that shows a source best, and its error."""
    left = weight.copy()
    left[brightest, np.arange(len(brightest))] = 0
    total = np.maximum(left.sum(0), 1e-300)
    return (left * flux).sum(0) / total, total**-0.5


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
