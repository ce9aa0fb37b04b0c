"""An image before the fit: its background, noise, cosmic rays, seeing and sources."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from muse_nb.steps.offsets.starfit import background, psf
from muse_nb.steps.offsets.starfit.arrays import Bools, Floats
from muse_nb.steps.offsets.starfit.frame import Footprint, Frame, bright_light
from muse_nb.steps.offsets.starfit.geometry import Plane
from muse_nb.steps.offsets.starfit.matched_filter import Map, Peaks, filter_map, find_peaks
from muse_nb.steps.offsets.starfit.one_thread import one_thread

__all__ = ["prepare"]

FIRST_FWHM = 4.5  # pixel: stars looked for before the seeing is known
RING_FWHM = 5.0  # pixel: what the first background in rings takes it for
MIN_NOISE_STRONG, MIN_NOISE_BRIGHTEST = 3e-3, 1e-5  # of the peaks of strong stars, and of the brightest
MAX_EMPTY_SIGMA = 3.0  # of the matched filter below which a pixel shows no star
MIN_EMPTY_SHARE = 0.3  # of the pixels that measure the noise between the stars
FOUND_SIGMA, BRIGHT_SIGMA = 5.0, 7.0  # of a source; of one that tells the seeing


@dataclass(frozen=True)
class _Cleaned:
    """An image (ny, nx) less its background without cosmic rays, its noise, and its sources at first sight."""

    ok: Bools
    data: Floats
    noise: float
    map: Map
    peaks: Peaks


@one_thread()
def prepare(raw: Floats, plane: Plane, box: int = 24) -> Frame:
    """Measure what the fit needs to know of an image.

    Parameters
    ----------
    raw : ndarray, shape (ny, nx)
        NaN where there are no data.
    plane
        Its map from the sky.
    box
        Mesh of its background [pixel]; 0 for one that follows the light that is no star's.
    """
    finite = np.isfinite(raw)
    ground = background.smooth_background(np.where(finite, raw, 0.0), finite, box, RING_FWHM)
    flat, nothing = np.where(finite, raw - ground, 0.0), np.zeros(raw.shape)
    galaxy = bright_light(ground, finite) + nothing if not box and finite.any() else nothing
    noise, grain = background.pixel_noise(flat, finite)
    if not noise > 0:  # an image of constants
        noise = float(np.std(flat[finite])) if finite.any() else 1.0
    cleaned = _cleaned(flat, finite, noise or 1.0, grain, box)
    least = _least_noise(cleaned.peaks, FIRST_FWHM)
    if cleaned.noise < least:
        cleaned = _cleaned(flat, finite, least, grain, box)
    ok, data, seen, width, floor = cleaned.ok, cleaned.data, cleaned.map, FIRST_FWHM, cleaned.noise**2
    if ok.any():
        width = psf.first_width(data, ok, cleaned.peaks.position, cleaned.peaks.significance)
        seen = filter_map(data, ok / (grain**2 * floor), width, sharp=not box)
        between = _noise_between_stars(data, ok, seen)
        if between is not None and between[0] > least:
            before = grain**2 * floor
            floor, grain = between[0] ** 2, between[1]
            seen = seen.scaled(before / (grain**2 * floor))
    round_psf, masks = psf.round_psf(width), np.zeros((3, *raw.shape), bool)
    return Frame(
        raw=raw,
        plane=plane,
        footprint=Footprint(finite),
        box=box,
        map=seen,
        peaks=find_peaks(seen, FOUND_SIGMA),
        ok=ok,
        data=data,
        ground=ground,
        galaxy=galaxy,
        halo=nothing,
        floor=floor,
        first_floor=floor,
        grain=grain,
        width=width,
        psf=round_psf,
        first_psf=round_psf,
        amplitude=np.zeros(0),
        clipped=masks[0],
        edge=masks[1],
        wing=masks[2],
        model=nothing,
        residual=data,
        weight=ok / (grain**2 * floor),
        leverage=nothing,
    )


def _cleaned(flat: Floats, finite: Bools, noise: float, grain: float, box: int) -> _Cleaned:
    """Take an image without its cosmic rays; what stands out in it at first sight."""
    ok = finite & ~background.cosmic_rays(flat, finite, noise)
    data = np.where(ok, flat, 0.0)
    seen = filter_map(data, ok / (grain**2 * noise**2), FIRST_FWHM, sharp=not box)
    return _Cleaned(ok, data, noise, seen, find_peaks(seen, BRIGHT_SIGMA))


def _noise_between_stars(data: Floats, ok: Bools, seen: Map) -> tuple[float, float] | None:
    """Noise and grain where no star is seen, if that is enough of the image."""
    empty = ok & (np.abs(seen.significance) < MAX_EMPTY_SIGMA)
    return background.pixel_noise(data, empty) if empty.sum() > MIN_EMPTY_SHARE * ok.sum() else None


def _least_noise(peaks: Peaks, width: float) -> float:
    """Noise of an image below which its stars' profile is less known than its pixels: of a simulation without noise."""
    least = MIN_NOISE_BRIGHTEST * float(peaks.amplitude.max(initial=0.0))
    stars = peaks.apart(width)
    return max(least, MIN_NOISE_STRONG * float(stars.amplitude[max(stars.strong, 2)])) if len(stars) > 2 else least
