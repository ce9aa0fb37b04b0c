"""How well the profile serves: what it misses makes the fluxes of a star wrong by one factor in all planes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.robust import SIGMA_OF_MAD
from muse_nb.steps.stars.fit.field import Field
from muse_nb.steps.stars.fit.shape import Image

__all__ = ["common_errors"]

Array = NDArray[np.float64]
SECTORS = 4  # of a star's light, each of which tells its flux
SURE = 50.0  # sigma of a star that tells
REACH = 1.5  # FWHM
PATCHES = 4  # parts of a profile in which what is left of others goes its own way
MEDIAN_OF_VARIANCE = 0.789  # of three degrees of freedom, over the mean


def common_errors(field: Field, image: Image) -> Array:
    """Error of each star's flux that all its planes share, over the flux, shape (K,).

    How far quarters of bright stars disagree tells what the profile misses of a star itself; the share of the light
    that is left where there is much of it, what it leaves of neighbours.
    """
    own, left = _of_quarters(field), _left(field, image)
    return np.asarray(np.hypot(own, left * PATCHES**-0.5 * _of_others(field)))


def _left(field: Field, image: Image) -> float:
    """Share of the stars' light that is left, its noise taken off; 0 where nothing tells."""
    fit = field.fit
    bright = np.isfinite(fit.residual) & (fit.light > SURE * np.sqrt(image.variance))
    if not bright.any():
        return 0.0
    light = fit.light[bright].astype(float)
    ratio = SIGMA_OF_MAD * float(np.median(np.abs(fit.residual[bright]) / light))
    return float(np.sqrt(max(ratio**2 - np.median(image.variance[bright] / light**2), 0.0)))


def _of_others(field: Field) -> Array:
    """What other stars have under each profile, over the star's own flux."""
    fit, found = field.fit, np.zeros(len(field.stars.x))
    for k in np.flatnonzero(fit.significance > 0):
        profile, place = fit.stamps.image_of(int(k))
        square = float((profile.astype(float) ** 2).sum())
        if square > 0:
            all_of = float((profile * fit.light[place]).sum()) / square
            found[k] = max(all_of / fit.flux[k] - 1, 0.0)
    return found


def _of_quarters(field: Field) -> float:
    """How far quarters of bright stars disagree about their flux."""
    fit, stars = field.fit, field.stars
    found = []
    for k in np.flatnonzero((fit.significance > SURE) & (fit.share > 0.9)):
        profile, place = fit.stamps.image_of(int(k))
        residual = fit.residual[place]
        y, x = np.mgrid[place]
        angle = np.arctan2(y - stars.y[k], x - stars.x[k])
        near = np.isfinite(residual) & (np.hypot(x - stars.x[k], y - stars.y[k]) < REACH * field.profile.fwhm)
        sector = ((angle / np.pi + 1) * SECTORS / 2).astype(int) % SECTORS
        told = []
        for one in range(SECTORS):
            part = near & (sector == one)
            light = float((profile[part] ** 2).sum())
            if light > 0:
                told.append(float((profile[part] * residual[part]).sum()) / light / fit.flux[k])
        if len(told) == SECTORS:
            noise = SECTORS / fit.significance[k] ** 2
            found.append((np.var(told, ddof=1) - noise) / SECTORS)
    return float(np.sqrt(max(np.median(found) / MEDIAN_OF_VARIANCE, 0.0))) if found else 0.0
