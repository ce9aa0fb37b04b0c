"""What MUSE looks at: stars, many or few, galaxies and nebulae; extended light is a cloud of many faint points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from muse_nb.simulator.galaxies import EXPONENTIAL_HALF, Galaxy, disc_points, galaxy_table
from muse_nb.simulator.light import GASES
from muse_nb.simulator.scene import CENTRE, cluster
from muse_nb.simulator.seeds import generator
from muse_nb.simulator.spectra import magnitude_to_flux, temperature

if TYPE_CHECKING:
    from astropy.table import Table

    Drawn = tuple[Table, Table | None, Table | None]  # stars, points of an extended source, a galaxy's parameters

__all__ = ["FIELDS", "Field", "draw_field", "light_of"]

POINTS = 6000  # of an extended source: closer than the seeing blurs
STAR_VELOCITIES = 40.0  # dispersion of stars that are no cluster's [km/s]
VELOCITY_BIN = 40.0  # of a galaxy's populations [km/s]
CLOUDS = 10  # first population of an extended source


@dataclass(frozen=True)
class Field:
    """What a night looks at.

    Attributes
    ----------
    stars : astropy.table.Table
        Star by star, as `muse_nb.simulator.scene.cluster` gives them.
    light : astropy.table.Table
        All sources of light, the points of extended ones too. Beside ra, dec, flux, warm and vrad: template, the kind
        of spectrum (``star``, or a name of `muse_nb.simulator.light`), and population: sources of one population are
        blurred into each other with their mean velocity.
    galaxy : astropy.table.Table or None
        Parameters of the galaxy, where there is one.
    """

    stars: Table
    light: Table
    galaxy: Table | None = None


def draw_field(name: str, radius: float, seed: int) -> Field:
    """Draw the field `name` within `radius` [arcsec]."""
    from astropy.table import vstack

    stars, cloud, galaxy = FIELDS[name](radius, seed)
    light = light_of(stars)
    if cloud is not None:
        light = vstack([light, cloud], metadata_conflicts="silent")
    return Field(stars, light, galaxy)


def light_of(stars: Table) -> Table:
    """Return stars as sources of light: those of the field, which move otherwise, are a population of their own."""
    light = stars.copy()
    light["template"] = "star"
    light["population"] = (~np.asarray(stars["member"])).astype(int)
    return light


def _table(x: np.ndarray, y: np.ndarray, magnitude: np.ndarray, warm: np.ndarray, vrad: np.ndarray) -> Table:
    """Sources at x east, y north of the centre [arcsec]; vrad [km/s]."""
    from astropy.table import Table

    dec = CENTRE[1] + y / 3600
    ra = CENTRE[0] + x / 3600 / np.cos(np.radians(dec))
    flux = magnitude_to_flux(magnitude)
    number = np.arange(1, len(x) + 1)
    table = Table({"star": number, "ra": ra, "dec": dec, "magnitude": magnitude, "flux": flux, "warm": warm})
    table["teff"], table["vrad"], table["member"] = temperature(warm), vrad, np.ones(len(x), bool)
    table["ra"].unit = table["dec"].unit = "deg"
    table["magnitude"].unit = "mag"
    table["flux"].unit = "1e-20 erg / (s cm2 Angstrom)"
    table["teff"].unit, table["vrad"].unit = "K", "km/s"
    return table


def _stars(radius: float, seed: int, number: int, bright: float, faint: float, *, warm: float | None = None) -> Table:
    random = generator(seed, "field stars")
    r, angle = radius * 0.8 * np.sqrt(random.random(number)), 2 * np.pi * random.random(number)
    magnitude = np.sort(random.uniform(bright, faint, number))
    share = random.random(number) if warm is None else np.full(number, warm)
    vrad = STAR_VELOCITIES * generator(seed, "field velocities").standard_normal(number)
    return _table(r * np.cos(angle), r * np.sin(angle), magnitude, share, vrad)


def _cloud(x: np.ndarray, y: np.ndarray, magnitude: float, template: str, vrad: np.ndarray | None = None) -> Table:
    """Points that share the light of one source; those of like velocity are a population."""
    each = np.full(len(x), magnitude + 2.5 * np.log10(len(x)))
    velocity = np.zeros(len(x)) if vrad is None else vrad
    table = _table(x, y, each, np.ones(len(x)), velocity)
    table["template"] = template
    table["population"] = CLOUDS + np.floor((velocity - velocity.min()) / VELOCITY_BIN).astype(int)
    return table


def _disc(galaxy: Galaxy, template: str) -> tuple[Table, Table]:
    """Points of a galaxy's disc, and the table of its parameters."""
    gas = GASES[template]
    east, north, velocity = disc_points(galaxy, gas, POINTS)
    return _cloud(east, north, galaxy.magnitude, template, velocity), galaxy_table(galaxy, gas, CENTRE)


def _cluster(radius: float, seed: int) -> Drawn:
    return cluster(radius, seed), None, None


def _few(radius: float, seed: int) -> Drawn:
    return _stars(radius, seed, 8, 15.5, 19.5), None, None


def _galaxy(radius: float, seed: int) -> Drawn:
    """An inclined exponential disc, a third of the field in radius, and a few stars of the foreground."""
    scale = radius / 6
    pa = 360 * generator(seed, "galaxy").random()
    disc = Galaxy(0.0, 0.0, 13.5, scale * EXPONENTIAL_HALF, 60.0, pa, scale / 2)
    return _stars(radius, seed, 4, 17.0, 20.0), *_disc(disc, "nearby")


def _distant(radius: float, seed: int) -> Drawn:
    """A faint galaxy of the sharpness of the seeing that shines in [OII], beside stars that tell the seeing."""
    random = generator(seed, "distant galaxy")
    pa, (east, north) = 360 * random.random(), random.uniform(-0.5, 0.5, 2)
    disc = Galaxy(east, north, 20.3, 0.9, 55.0, pa, 0.25)
    stars = _stars(radius, seed, 9, 16.5, 19.5)
    away = np.hypot((stars["ra"] - CENTRE[0]) * np.cos(np.radians(CENTRE[1])) - east / 3600, stars["dec"] - CENTRE[1])
    stars = stars[np.asarray(away) * 3600 > 3.5]
    stars["star"] = np.arange(1, len(stars) + 1)
    return stars, *_disc(disc, "distant")


def _nebula(radius: float, seed: int, number: int) -> Drawn:
    """A shell of emission lines."""
    random = generator(seed, "nebula")
    shell = radius * 0.35 * (1 + 0.08 * random.standard_normal(POINTS))
    depth = random.uniform(-1, 1, POINTS)
    angle = 2 * np.pi * random.random(POINTS)
    r = shell * np.sqrt(1 - depth**2)
    cloud = _cloud(r * np.cos(angle), r * np.sin(angle), 12.0, "nebula")
    return _stars(radius, seed, number, 15.5, 20.0, warm=0.0), cloud, None


def _deep(radius: float, seed: int) -> Drawn:
    return _stars(radius, seed, 3, 22.0, 24.0), None, None


def _bright(radius: float, seed: int) -> Drawn:
    """One star of the tenth magnitude near the centre, and two that are hardly seen."""
    table = _stars(radius / 8, seed, 1, 10.0, 10.0)
    other = _stars(radius, seed + 1, 2, 20.0, 21.0)
    from astropy.table import vstack

    every = vstack([table, other], metadata_conflicts="silent")
    every["star"] = np.arange(1, len(every) + 1)
    return every, None, None


FIELDS: dict[str, Callable[[float, int], Drawn]] = {
    "cluster": _cluster,
    "few": _few,
    "galaxy": _galaxy,
    "distant": _distant,
    "nebula": lambda radius, seed: _nebula(radius, seed, 12),
    "bare-nebula": lambda radius, seed: _nebula(radius, seed, 0),
    "deep": _deep,
    "bright": _bright,
    "moon": _few,
}
