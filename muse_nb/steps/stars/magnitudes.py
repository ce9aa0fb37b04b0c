"""Magnitudes of spectra through filters, and what is common to all planes of a star in their errors."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from muse_nb.products.filters import Filter, covered, throughput

__all__ = ["Magnitude", "flux_scale", "magnitudes"]

Array = NDArray[np.float64]
Single = NDArray[np.float32]
LIGHT = 2.99792458e18  # speed of light [Angstrom / s]
AB_ZERO = 48.6  # Oke & Gunn 1983 (ApJ 266, 713)
WHOLE = 90.0  # percent of a filter that the wavelengths must cover
SEEN = 0.5  # of a filter's light that a star's good planes must hold
PER_MAGNITUDE = 2.5 / np.log(10)


@dataclass(frozen=True)
class Magnitude:
    """AB magnitudes of all stars through a filter, and their errors; NaN where a star shows none."""

    name: str
    value: Array
    error: Array


def flux_scale(unit: str) -> float | None:
    """What 1 in a unit is in erg/s/cm2/Angstrom; None where it is none of flux by wavelength."""
    import astropy.units as u

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return float((1 * u.Unit(unit)).to_value("erg / (s cm2 Angstrom)")) if unit else None
        except (ValueError, TypeError, u.UnitConversionError):
            return None


def magnitudes(
    names: Sequence[str], filters: dict[str, Filter] | None, wavelength: Array, flux: Single,
    error: Single, mask: NDArray[np.bool_],
    *, scale: float, along: float, common: Array,
) -> list[Magnitude]:  # fmt: skip
    """AB magnitudes of the photons that filters let through, where the wavelengths cover them.

    Parameters
    ----------
    names, filters
        Filters by name, and the curves of a FILTER_LIST: see `muse_nb.products.filters.throughput`. ``white`` takes all
        wavelengths there are.
    wavelength, flux, error, mask
        Spectra: see `muse_nb.steps.stars.result.StarSpectra`.
    scale
        What 1 of flux is in erg/s/cm2/Angstrom.
    along
        Correlation of the noise of next planes.
    common : ndarray, shape (K,)
        Error that all planes of a star share, over its flux.
    """
    found = []
    for name in names:
        if name != "white" and covered(name, float(wavelength.min()), float(wavelength.max()), filters) < WHOLE:
            continue
        photons = throughput(name, wavelength, filters) * wavelength
        weight = np.where(mask, 0.0, photons)
        total = weight.sum(1)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.where(mask, 0.0, weight * np.nan_to_num(flux)).sum(1) / total
            spread = (
                np.sqrt((1 + 2 * along) * (weight**2 * np.nan_to_num(np.where(mask, 0.0, error)) ** 2).sum(1)) / total
            )
            # the pivot wavelength turns a mean by wavelength into one by frequency
            pivot2 = photons.sum() / (photons / wavelength**2).sum()
            value = -2.5 * np.log10(mean * scale * pivot2 / LIGHT) - AB_ZERO
            wrong = PER_MAGNITUDE * np.hypot(spread / mean, common)
        known = (total > SEEN * photons.sum()) & (mean > 0)
        wrong = np.where(np.isfinite(error).any(1), wrong, np.nan)
        found.append(Magnitude(name, np.where(known, value, np.nan), np.where(known, wrong, np.nan)))
    return found
