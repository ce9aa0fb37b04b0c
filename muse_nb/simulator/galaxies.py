"""Galaxies that rotate: discs of many faint points, each with the velocity of its orbit along the line of sight."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from muse_nb.products.light.air import to_air, to_vacuum
from muse_nb.simulator.spectra import emitting_disc, magnitude_to_flux

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["DISTANT", "EXPONENTIAL_HALF", "NEARBY", "Galaxy", "Gas", "disc_points", "galaxy_table"]

EXPONENTIAL_HALF = 1.678347  # half-light radius of an exponential disc over its scale length
HEIGHT = 0.15  # half-width of the disc at half maximum over the half-light radius
THICKNESS = HEIGHT / 1.17  # standard deviation of the height over the half-light radius
FASTEST = 2.5  # dispersions at which random motions end
OUTERMOST = 8.0  # scale lengths


@dataclass(frozen=True)
class Gas:
    """What shines in a galaxy, and how fast it moves.

    Attributes
    ----------
    redshift : float
    lines : tuple of (float, float)
        Wavelength at rest in air [Angstrom], and observed equivalent width [Angstrom].
    maximum_velocity : float
        Of the rotation [km/s].
    dispersion : float
        Of the gas [km/s], beside what holds a disc up that is not thin.
    """

    redshift: float
    lines: tuple[tuple[float, float], ...]
    maximum_velocity: float
    dispersion: float

    @property
    def observed(self) -> dict[float, float]:
        """Wavelengths of the lines in air at the galaxy's redshift [Angstrom], and their equivalent widths."""
        return {float(to_air(to_vacuum(air) * (1 + self.redshift))): width for air, width in self.lines}

    def spectrum(self, wavelength: np.ndarray) -> np.ndarray:
        """Relative spectrum at the velocity of the centre."""
        return emitting_disc(wavelength, self.observed, self.dispersion)


NEARBY = Gas(0.0075, ((6548.05, 4.0), (6562.80, 20.0), (6583.45, 12.0)), 160.0, 15.0)
DISTANT = Gas(0.70, ((3726.03, 48.0), (3728.82, 60.0)), 180.0, 30.0)  # [OII] beyond all sky lines, in every layout


@dataclass(frozen=True)
class Galaxy:
    """An exponential disc that rotates as tanh(r / turnover).

    Attributes
    ----------
    east, north : float
        Of the field's centre [arcsec].
    magnitude : float
        R, of the continuum.
    half_light : float
        Half-light radius in its plane [arcsec].
    inclination : float
        [deg]
    pa : float
        Position angle of the receding side of the major axis, north through east [deg].
    turnover : float
        Where the rotation has reached 76 % of its maximum [arcsec].
    """

    east: float
    north: float
    magnitude: float
    half_light: float
    inclination: float
    pa: float
    turnover: float

    def velocity(self, radius: np.ndarray, angle: np.ndarray, gas: Gas) -> np.ndarray:
        """Velocity along the line of sight against the centre's, by radius [arcsec] and angle from the major axis."""
        speed = gas.maximum_velocity * np.tanh(radius / self.turnover)
        velocity: np.ndarray = speed * np.sin(np.radians(self.inclination)) * np.cos(angle)
        return velocity


def disc_points(galaxy: Galaxy, gas: Gas, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Spread points of equal light evenly over a thick disc; east and north [arcsec], velocity [km/s].

    Radii are quantiles of the exponential, angles turn by the golden angle, heights are quantiles in van der Corput's
    order, so that the disc is smooth with few points.
    """
    from scipy.stats import norm

    index = np.arange(number)
    radii = np.linspace(0, OUTERMOST, 4000)
    light = 1 - (1 + radii) * np.exp(-radii)
    r = np.interp((index + 0.5) / number * light[-1], light, radii) * galaxy.half_light / EXPONENTIAL_HALF
    angle = index * np.pi * (3 - np.sqrt(5))
    height = norm.ppf((_van_der_corput(index) + 0.5 / number).clip(1e-6, 1 - 1e-6)) * THICKNESS * galaxy.half_light
    tilt, pa = np.radians(galaxy.inclination), np.radians(galaxy.pa)
    major, minor = r * np.cos(angle), r * np.sin(angle) * np.cos(tilt) - height * np.sin(tilt)
    east = galaxy.east + major * np.sin(pa) + minor * np.cos(pa)
    north = galaxy.north + major * np.cos(pa) - minor * np.sin(pa)
    return east, north, galaxy.velocity(r, angle, gas) + _random_motions(r, index, galaxy, gas)


def _random_motions(radius: np.ndarray, index: np.ndarray, galaxy: Galaxy, gas: Gas) -> np.ndarray:
    """Velocities [km/s] that hold a disc of some height up against its gravity: sigma = v height / radius.

    As of compact discs in Genzel et al. 2008, ApJ 687, 59.
    """
    from scipy.stats import norm

    speed = gas.maximum_velocity * np.tanh(radius / galaxy.turnover)
    sigma = speed * HEIGHT * galaxy.half_light / np.maximum(radius, 1e-6)
    draws = norm.ppf((_van_der_corput(index, 3) + 0.5 / len(index)).clip(1e-6, 1 - 1e-6))
    motions: np.ndarray = sigma * np.clip(draws, -FASTEST, FASTEST)
    return motions


def _van_der_corput(index: np.ndarray, base: int = 2) -> np.ndarray:
    """Numbers of [0, 1) in the order that fills the gaps."""
    value, weight, left = np.zeros(len(index)), 1 / base, np.array(index)
    while left.any():
        value += weight * (left % base)
        left, weight = left // base, weight / base
    return value


def galaxy_table(galaxy: Galaxy, gas: Gas, centre: tuple[float, float]) -> Table:
    """Truth of a galaxy: one row of its parameters, one flux a line; `centre` is the field's [deg]."""
    from astropy.table import Table

    row = {
        "ra": centre[0] + galaxy.east / 3600 / np.cos(np.radians(centre[1])),
        "dec": centre[1] + galaxy.north / 3600,
        **asdict(galaxy),
        "redshift": gas.redshift,
        "maximum_velocity": gas.maximum_velocity,
        "dispersion": gas.dispersion,
    }
    table = Table({name: [value] for name, value in row.items()})
    units = {"ra": "deg", "dec": "deg", "magnitude": "mag", "inclination": "deg", "pa": "deg"}
    units |= dict.fromkeys(("east", "north", "half_light", "turnover"), "arcsec")
    units |= dict.fromkeys(("maximum_velocity", "dispersion"), "km/s")
    for name, unit in units.items():
        table[name].unit = unit
    continuum = float(magnitude_to_flux(np.array(galaxy.magnitude)))
    table.meta["lines"] = [
        {"rest": rest, "observed": round(at, 3), "flux": round(width * continuum, 1)}
        for (rest, width), at in zip(gas.lines, gas.observed, strict=True)
    ]
    return table
