"""The stars of a cube's white light: found, placed, and what is left of them searched for more."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from muse_nb.steps.offsets.starfit.geometry import Plane
from muse_nb.steps.offsets.starfit.matched_filter import filter_map, find_peaks
from muse_nb.steps.offsets.starfit.prepare import prepare
from muse_nb.steps.stars.fit.profile import Profile
from muse_nb.steps.stars.fit.shape import Fit, Image, Stars, fit_image, improve, recentre

__all__ = ["Field", "find_stars", "fit_stars", "reach_of"]

Array = NDArray[np.float64]
FOUND = 5.0  # sigma of a star
KEPT = 4.0  # sigma of one that stays, once all are fitted
BEYOND, NOTHING = 1.5, 1e-5  # FWHM off the data where stars are looked for; weight of what is there
SAME = 0.4  # FWHM between two that are one
APART = 0.5  # FWHM from known stars, of a new one
ONE_EACH = 1.6  # FWHM about a known star, in which no more than one is added at a time
ROUNDS = 11  # of the fit
SEARCHES = range(2, 8)  # rounds with a search for more stars
CORES = range(8, 11)  # rounds in which the correction of the core is let go
LEAST_REACH, MOST_REACH = 3.5, 12.0  # FWHM that stars are drawn out to
FARTHEST = 48.0  # pixel, likewise
UNSEEN = 0.3  # sigma of a pixel, of a star's light where it is drawn no more
GIVEN, GIVEN_SEARCHES, GIVEN_CORES = 6, range(1, 4), range(4, 6)  # rounds of a fit of stars that are given
FIRST_MISFIT, LEAST_MISFIT = 0.2, 0.02  # of the light that the profile may miss in the first rounds, and ever
SURE = 2.5  # times what it misses, of a star beside another
SHOWN = 30.0  # sigma of the light that tells what it misses


@dataclass(frozen=True)
class Field:
    """Stars of an image with their profile and fit.

    Attributes
    ----------
    stars : Stars
    error : ndarray, shape (K,)
        Of each place [pixel].
    profile : Profile
    fit : Fit
    """

    stars: Stars
    error: Array
    profile: Profile
    fit: Fit


def reach_of(flux: Array, noise: float, profile: Profile) -> Array:
    """Radius [pixel] at which stars sink below the noise of a voxel, within bounds."""
    radii = np.linspace(LEAST_REACH, MOST_REACH, 12) * profile.fwhm
    radii = radii[(radii <= FARTHEST) | (radii == radii[0])]
    height = np.array([profile.height(radius) for radius in radii])
    below = np.nan_to_num(flux)[:, None] * height < UNSEEN * noise
    first = np.where(below.any(1), below.argmax(1), len(radii) - 1)
    return np.asarray(radii[first], float)


def find_stars(image: Image, plane: Plane, deepest: float) -> Field | None:
    """Find the stars of an image and fit them; None where there is none.

    Parameters
    ----------
    image
        The white light.
    plane
        Its place on the sky.
    deepest
        Noise of a pixel below which stars need not be drawn.
    """
    nx = image.shape[1]
    frame = prepare(image.data[:, :nx].astype(float), plane)
    peaks = frame.peaks.apart(frame.width)
    if not len(peaks):
        return None
    profile = Profile.of_width(frame.width)
    noise = _noise(image, deepest)
    reach = reach_of(peaks.amplitude / profile.height(0), noise, profile)
    stars = Stars(peaks.position[:, 0].copy(), peaks.position[:, 1].copy(), reach)
    light, fit, misfit = None, None, FIRST_MISFIT
    for round_ in range(ROUNDS):
        if fit is not None:
            stars = _merged(stars, fit, profile, SURE * misfit)
        if not len(stars.x):
            return None
        fit = fit_image(image, stars.stamps(image, profile), light)
        light = fit.light
        profile, _, _ = improve(image, stars, profile, fit, core=round_ in CORES)
        stars, _ = recentre(image, stars, profile, fit)
        stars = Stars(stars.x, stars.y, reach_of(fit.flux, noise, profile))
        if round_ in SEARCHES:
            misfit = min(misfit, max(_missed(image, fit), LEAST_MISFIT))
            stars = _more(image, stars, profile, fit, SURE * misfit)
    fit = fit_image(image, stars.stamps(image, profile), light)
    _, error = recentre(image, stars, profile, fit)
    return Field(stars, error, profile, fit)


def fit_stars(image: Image, stars: Stars, profile: Profile, listed: int, deepest: float) -> Field:
    """Fit stars that are given; the profile is measured on them, and what they leave is searched for more.

    Parameters
    ----------
    image, stars, profile
        The white light, the stars, their profile at first.
    listed
        How many of them, the first ones, keep their places but for a shift of all; others are moved and may go.
    deepest
        Noise of a pixel below which stars need not be drawn.
    """
    noise = _noise(image, deepest)
    fit = fit_image(image, stars.stamps(image, profile))
    misfit = FIRST_MISFIT
    for round_ in range(GIVEN):
        profile, shift, _ = improve(image, stars, profile, fit, core=round_ in GIVEN_CORES)
        first = np.arange(len(stars.x)) < listed
        moved, _ = recentre(image, stars, profile, fit, ~first)
        x, y = (
            np.where(first, old + by, new)
            for old, by, new in ((stars.x, shift[0], moved.x), (stars.y, shift[1], moved.y))
        )
        stars = Stars(x, y, reach_of(fit.flux, noise, profile))
        if round_ in GIVEN_SEARCHES:
            misfit = min(misfit, max(_missed(image, fit), LEAST_MISFIT))
            stars = _more(image, stars, profile, fit, SURE * misfit)
        fit = fit_image(image, stars.stamps(image, profile), fit.light)
        keep = (np.arange(len(stars.x)) < listed) | (fit.significance > FOUND)
        if not keep.all():
            stars = stars.take(np.flatnonzero(keep))
            fit = fit_image(image, stars.stamps(image, profile), fit.light)
    return Field(stars, np.full(len(stars.x), np.nan), profile, fit)


def _noise(image: Image, deepest: float) -> float:
    """Of a pixel, in the middle; no less than what is asked for."""
    return max(float(np.sqrt(np.median(image.variance[image.variance > 0]))), deepest)


def _missed(image: Image, fit: Fit) -> float:
    """Share of the stars' light that the profile misses where there is much of it; 0 where there is none."""
    there = np.isfinite(fit.residual) & (fit.light > SHOWN * np.sqrt(image.variance))
    return float(np.median(np.abs(fit.residual[there]) / fit.light[there])) if there.any() else 0.0


def _more(image: Image, stars: Stars, profile: Profile, fit: Fit, misfit: float) -> Stars:
    """Add what stands out of the residuals."""
    from scipy.spatial import cKDTree

    nx, pad = image.shape[1], round(BEYOND * profile.fwhm)
    there = np.isfinite(fit.residual[:, :nx])
    residual = np.where(there, fit.residual[:, :nx], 0).astype(float)
    light = fit.light[:, :nx].astype(float)
    weight = np.where(there, 1 / (np.where(there, image.variance[:, :nx], 1) + (misfit * light) ** 2), 0)
    nothing = weight.max() * NOTHING  # a star off the data, whose wing is seen, must be told from the background
    padded = (np.pad(residual, pad), np.pad(np.maximum(weight, nothing), pad, constant_values=nothing))
    peaks = find_peaks(filter_map(*padded, profile.fwhm), FOUND, margin=1)
    if not len(peaks):
        return stars
    position = peaks.position - pad
    distance, beside = cKDTree(np.c_[stars.x, stars.y]).query(position)
    close = distance < ONE_EACH * profile.fwhm  # two stars that are taken for one leave residuals on both of its sides
    first = np.zeros(len(position), bool)
    first[np.unique(np.where(close, beside, len(stars.x) + np.arange(len(position))), return_index=True)[1]] = True
    new = position[first & (distance > APART * profile.fwhm)]
    reach = np.full(len(new), stars.reach.min())
    return Stars(np.r_[stars.x, new[:, 0]], np.r_[stars.y, new[:, 1]], np.r_[stars.reach, reach])


def _merged(stars: Stars, fit: Fit, profile: Profile, misfit: float) -> Stars:
    """Leave out stars that fell onto a brighter one, lie off the image, or are no more than what a profile misses."""
    from scipy.spatial import cKDTree

    count = len(fit.flux)
    bright = np.r_[np.nan_to_num(fit.flux), np.zeros(len(stars.x) - count)]
    keep = np.ones(len(stars.x), bool)
    for one, other in cKDTree(np.c_[stars.x, stars.y]).query_pairs(SAME * profile.fwhm):
        if max(one, other) < count:
            keep[one if bright[one] < bright[other] else other] = False
    ny, nx = fit.residual.shape
    off = np.max([-stars.x, -stars.y, stars.x - nx + 1, stars.y - ny + 1], axis=0)
    keep &= off < BEYOND * profile.fwhm
    column, row = (np.clip(np.rint(v[:count]), 0, n - 1).astype(int) for v, n in ((stars.x, nx), (stars.y, ny)))
    own = bright[:count] * profile.height(0)
    keep[:count] &= (fit.significance > KEPT) & (own > misfit * (fit.light[row, column] - own))
    return stars.take(np.flatnonzero(keep))
