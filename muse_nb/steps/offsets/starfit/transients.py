"""What one exposure alone shows: wide cosmic rays, trails, asteroids. A star is in all of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from muse_nb.kernels.psf import discs
from muse_nb.steps.offsets.starfit.arrays import Bools, Floats, Ints
from muse_nb.steps.offsets.starfit.frame import Frame
from muse_nb.steps.offsets.starfit.matched_filter import NEIGHBOURS, Map, find_peaks

__all__ = ["fluxes", "transient_masks", "transients"]

MIN_SIGMA = 6.0  # that the exposure shows it at
MAX_FLUX_ELSEWHERE = 0.3  # of its flux
MIN_DIFFERENCE = 5.0  # errors between the exposure and the others
MODEL_DOUBT = 0.3  # of the model: what it leaves there may be its own fault
BLEND_SHIFT = 0.6  # FWHM of the worst seeing: how far from a star its blend with another may peak
DIRECTIONS = np.array(NEIGHBOURS) / np.hypot(*np.transpose(NEIGHBOURS))[:, None]
MASK_RADIUS = 1.6  # FWHM


def transients(frames: Sequence[Frame], offsets: Sequence[Floats], sky: Floats, maps: Sequence[Map]) -> Bools:
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
    alone = (
        (own > MIN_SIGMA * error)
        & (others < MAX_FLUX_ELSEWHERE * own)
        & (own - others > MIN_DIFFERENCE * np.hypot(error, theirs))
    )
    # bad seeing shows two stars as one between them
    wide = BLEND_SHIFT * max(frame.seeing for frame in frames)
    for way in DIRECTIONS if alone.any() else []:
        found = np.flatnonzero(alone)
        beside, _ = _others(*fluxes(frames, offsets, sky[found] + wide * way, maps), brightest[found])
        alone[found] = beside < MAX_FLUX_ELSEWHERE * own[found]
    mask = np.zeros(flux.shape, bool)
    mask[brightest, k] = alone
    return mask


def fluxes(
    frames: Sequence[Frame], offsets: Sequence[Floats], sky: Floats, maps: Sequence[Map]
) -> tuple[Floats, Floats]:
    """Fluxes (n, K) that the maps show, in a unit that all share, and their inverse variances, 0 off the data."""
    each = zip(frames, offsets, maps, strict=True)
    flux, weight = np.array([frame.fluxes_at(sky + offset, seen) for frame, offset, seen in each]).swapaxes(0, 1)
    return flux, weight


def _others(flux: Floats, weight: Floats, brightest: Ints) -> tuple[Floats, Floats]:
    """Mean flux without the exposure that shows a source best, and its error."""
    left = weight.copy()
    left[brightest, np.arange(len(brightest))] = 0
    total = np.maximum(left.sum(0), 1e-300)
    return (left * flux).sum(0) / total, total**-0.5


def transient_masks(frames: Sequence[Frame], offsets: Sequence[Floats], maps: Sequence[Map]) -> dict[int, Bools]:
    """Pixels (ny, nx) of what one exposure alone shows on the maps, for those exposures in which there is any.

    What a model leaves on its own stars may be its fault.
    """
    masks = {}
    for i, frame in enumerate(frames):
        peaks = find_peaks(maps[i], MIN_SIGMA)
        x, y = np.round(peaks.position).astype(int).T
        position = peaks.position[peaks.amplitude > MODEL_DOUBT * (frame.model - frame.level)[y, x]]
        alone = transients(frames, offsets, frame.plane.sky(position) - offsets[i], maps)[i]
        if alone.any():
            masks[i] = discs(position[alone], MASK_RADIUS * frame.width, frame.shape)
    return masks
