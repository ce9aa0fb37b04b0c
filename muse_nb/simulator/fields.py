"""What MUSE looks at: stars, many or few, galaxies and nebulae; extended light is a cloud of many faint points."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from muse_nb.simulator.scene import CENTRE, cluster
from muse_nb.simulator.seeds import generator
from muse_nb.simulator.spectra import magnitude_to_flux

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["FIELDS", "draw_field"]

POINTS = 6000  # of an extended source: closer than the seeing blurs


def draw_field(name: str, radius: float, seed: int) -> tuple[Table, Table]:
    """Draw the field `name` within `radius` [arcsec]: its stars, and all its light, points of extended sources too."""
    from astropy.table import vstack

    stars, cloud = FIELDS[name](radius, seed)
    return (stars, stars) if cloud is None else (stars, vstack([stars, cloud], metadata_conflicts="silent"))


def _table(x: np.ndarray, y: np.ndarray, magnitude: np.ndarray, warm: np.ndarray) -> Table:
    """Sources at x east, y north of the centre [arcsec]."""
    from astropy.table import Table

    dec = CENTRE[1] + y / 3600
    ra = CENTRE[0] + x / 3600 / np.cos(np.radians(dec))
    flux = magnitude_to_flux(magnitude)
    number = np.arange(1, len(x) + 1)
    table = Table({"star": number, "ra": ra, "dec": dec, "magnitude": magnitude, "flux": flux, "warm": warm})
    table["ra"].unit = table["dec"].unit = "deg"
    table["magnitude"].unit = "mag"
    table["flux"].unit = "1e-20 erg / (s cm2 Angstrom)"
    return table


def _stars(radius: float, seed: int, number: int, bright: float, faint: float, *, warm: float | None = None) -> Table:
    random = generator(seed, "field stars")
    r, angle = radius * 0.8 * np.sqrt(random.random(number)), 2 * np.pi * random.random(number)
    magnitude = np.sort(random.uniform(bright, faint, number))
    share = random.random(number) if warm is None else np.full(number, warm)
    return _table(r * np.cos(angle), r * np.sin(angle), magnitude, share)


def _cloud(x: np.ndarray, y: np.ndarray, magnitude: float, warm: float) -> Table:
    """Points that share the light of one source."""
    each = np.full(len(x), magnitude + 2.5 * np.log10(len(x)))
    return _table(x, y, each, np.full(len(x), warm))


def _cluster(radius: float, seed: int) -> tuple[Table, None]:
    return cluster(radius, seed), None


def _few(radius: float, seed: int) -> tuple[Table, None]:
    return _stars(radius, seed, 8, 15.5, 19.5), None


def _galaxy(radius: float, seed: int) -> tuple[Table, Table]:
    """An inclined exponential disc, a third of the field in radius, and a few stars of the foreground."""
    random = generator(seed, "galaxy")
    scale = radius / 6
    r, angle = random.gamma(2.0, scale, POINTS), 2 * np.pi * random.random(POINTS)
    x, y, turn = r * np.cos(angle), 0.5 * r * np.sin(angle), np.pi * random.random()
    disc = x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)
    return _stars(radius, seed, 4, 17.0, 20.0), _cloud(*disc, 13.5, 0.3)


def _nebula(radius: float, seed: int, number: int) -> tuple[Table, Table]:
    """A shell of emission lines; its light is what stars of the warm spectrum would have."""
    random = generator(seed, "nebula")
    shell = radius * 0.35 * (1 + 0.08 * random.standard_normal(POINTS))
    depth = random.uniform(-1, 1, POINTS)
    angle = 2 * np.pi * random.random(POINTS)
    r = shell * np.sqrt(1 - depth**2)
    return _stars(radius, seed, number, 15.5, 20.0, warm=0.0), _cloud(r * np.cos(angle), r * np.sin(angle), 12.0, 1.0)


def _deep(radius: float, seed: int) -> tuple[Table, None]:
    return _stars(radius, seed, 3, 22.0, 24.0), None


def _bright(radius: float, seed: int) -> tuple[Table, None]:
    """One star of the tenth magnitude near the centre, and two that are hardly seen."""
    table = _stars(radius / 8, seed, 1, 10.0, 10.0)
    other = _stars(radius, seed + 1, 2, 20.0, 21.0)
    from astropy.table import vstack

    every = vstack([table, other], metadata_conflicts="silent")
    every["star"] = np.arange(1, len(every) + 1)
    return every, None


FIELDS: dict[str, Callable[[float, int], tuple[Table, Table | None]]] = {
    "cluster": _cluster,
    "few": _few,
    "galaxy": _galaxy,
    "nebula": lambda radius, seed: _nebula(radius, seed, 12),
    "bare-nebula": lambda radius, seed: _nebula(radius, seed, 0),
    "deep": _deep,
    "bright": _bright,
    "moon": _few,
}
