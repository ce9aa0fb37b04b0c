"""Sky lines by their wavelengths, and the velocity of the observer that cubes are corrected for."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from muse_nb.products.header import number_of
from muse_nb.products.light.air import to_vacuum

__all__ = ["C", "SkyLine", "barycentric_velocity", "known_sky_lines", "limits", "lines_within"]

C = 299792.458  # speed of light [km/s]
PARANAL = (-70.4045, -24.6268, 2648.0)  # longitude, latitude [deg], height [m]


@dataclass(frozen=True)
class SkyLine:
    """A line of the night sky.

    Attributes
    ----------
    name : str
        Its wavelength in whole Angstrom.
    at : float
        Wavelength in the cube's medium [Angstrom].
    flux : float
        Usual brightness, for the order of the lines [1e-20 erg/s/cm^2 in a spaxel of 0.04 arcsec^2].
    """

    name: str
    at: float
    flux: float


@cache
def known_sky_lines() -> tuple[SkyLine, ...]:
    """Bright lines of the night sky in MUSE's range, in air."""
    return tuple(SkyLine(row["name"], float(row["air"]), float(row["flux"])) for row in _rows("sky_lines.csv"))


def lines_within(low: float, high: float, medium: str) -> list[SkyLine]:
    """Sky lines between two wavelengths [Angstrom] of a cube in ``air``, ``vacuum``, or an unknown medium (air)."""
    lines = known_sky_lines()
    if medium == "vacuum":
        lines = tuple(SkyLine(line.name, float(to_vacuum(line.at)), line.flux) for line in lines)
    return [line for line in lines if low + 4 <= line.at <= high - 4]


@cache
def limits() -> dict[str, float]:
    """What the checks compare with, by name; limits.csv has the source of each."""
    return {row["name"]: float(row["limit"]) for row in _rows("limits.csv")}


def _rows(name: str) -> list[dict[str, str]]:
    text = (files("muse_nb.steps.judge") / name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def barycentric_velocity(header: Mapping[str, Any]) -> float | None:
    """Velocity that was added to the wavelengths [km/s]: 0 where they are the observer's, None where nobody says.

    Parameters
    ----------
    header
        Primary and data header together: SPECSYS, RA, DEC, MJD-OBS, EXPTIME, or the recipes' own RVCORR.
    """
    told = number_of(header.get("ESO DRS MUSE PIXTABLE RVCORR"))
    system = str(header.get("SPECSYS") or "").strip().upper()
    if told is not None:
        return told
    if system == "TOPOCENT":
        return 0.0
    ra, dec, mjd = (number_of(header.get(key)) for key in ("RA", "DEC", "MJD-OBS"))
    if not system.startswith("BARY") or ra is None or dec is None or mjd is None:
        return None
    from astropy import units
    from astropy.coordinates import EarthLocation, SkyCoord
    from astropy.time import Time
    from astropy.utils import iers

    place = EarthLocation.from_geodetic(PARANAL[0] * units.deg, PARANAL[1] * units.deg, PARANAL[2] * units.m)
    middle = mjd + (number_of(header.get("EXPTIME")) or 0.0) / 2 / 86400
    with warnings.catch_warnings(), iers.conf.set_temp("auto_download", False):
        warnings.simplefilter("ignore")  # of dates beyond the tables of the Earth's rotation: they do not matter here
        time = Time(middle, format="mjd", location=place)
        sky = SkyCoord(ra * units.deg, dec * units.deg)
        found = float(sky.radial_velocity_correction(obstime=time).to_value(units.km / units.s))
    return found if np.isfinite(found) else None
