"""Numbers of an image: statistics of a region, the radial profile and the width of a star."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.robust import mad_sigma
from muse_nb.steps.look.aperture import Aperture
from muse_nb.steps.look.point_source import fit_star

__all__ = ["RadialProfile", "radial_profile", "statistics"]

Array = NDArray[np.float64]
BOX = 12  # spaxels from the star that its profile is fitted in


def statistics(image: Array, aperture: Aperture) -> dict[str, float]:
    """Numbers of the spaxels of a region, each by the share of it that lies inside.

    Parameters
    ----------
    image
        Shape (ny, nx).
    aperture
        The region.

    Returns
    -------
    dict
        spaxels (with data), sum, mean, and of spaxels that lie in it by half or more median, sigma (robust, by the
        median absolute deviation), min, max; NaN where there are none.
    """
    box = np.asarray(image[aperture.rows, aperture.columns], float)
    good = np.isfinite(box) & (aperture.fraction > 0)
    weight = aperture.fraction[good]
    there, total = float(weight.sum()), float((weight * box[good]).sum())
    inside = box[good & (aperture.fraction >= min(0.5, float(aperture.fraction.max())))]
    if not inside.size:
        return {"spaxels": 0.0} | dict.fromkeys(("sum", "mean", "median", "sigma", "min", "max"), float("nan"))
    return {
        "spaxels": there,
        "sum": total,
        "mean": total / there,
        "median": float(np.median(inside)),
        "sigma": float(mad_sigma(inside)),
        "min": float(inside.min()),
        "max": float(inside.max()),
    }


@dataclass(frozen=True)
class RadialProfile:
    """A star's light by distance from its centre.

    Attributes
    ----------
    x, y : float
        Centre [spaxel, from 0].
    radius, value : numpy.ndarray
        Mean of the spaxels in rings of one spaxel's width; radius [spaxel].
    fwhm : float
        Of the Moffat that fits [spaxel]; NaN where none does.
    beta : float
        Its exponent.
    """

    x: float
    y: float
    radius: Array
    value: Array
    fwhm: float
    beta: float


def radial_profile(image: Array, x: float, y: float, box: int = BOX) -> RadialProfile:
    """Fit a Moffat to the star near a place, and average the image in rings about its centre.

    Parameters
    ----------
    image
        Shape (ny, nx).
    x, y
        About where it is [spaxel, from 0].
    box
        Spaxels to either side that are used.
    """
    ny, nx = image.shape
    rows = slice(max(0, round(y) - box), min(ny, round(y) + box + 1))
    columns = slice(max(0, round(x) - box), min(nx, round(x) + box + 1))
    part = np.asarray(image[rows, columns], float)
    fit = fit_star(part, np.isfinite(part)) if part.size else None
    centre = (x, y) if fit is None else (columns.start + fit[0], rows.start + fit[1])
    fwhm, beta = (float("nan"), float("nan")) if fit is None else (float(fit[2]), float(fit[3]))
    grid_y, grid_x = np.mgrid[rows, columns]
    distance = np.hypot(grid_x - centre[0], grid_y - centre[1])
    ring = np.floor(distance).astype(int)
    good = np.isfinite(part) & (ring < box)
    number = np.bincount(ring[good], minlength=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = np.bincount(ring[good], part[good], minlength=1) / number
        radius = np.bincount(ring[good], distance[good], minlength=1) / number
    return RadialProfile(float(centre[0]), float(centre[1]), radius, value, fwhm, beta)
