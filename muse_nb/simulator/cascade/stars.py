"""What the night's three frames of stars look at, and where and through what air."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from muse_nb.simulator.cascade.faults import OTHER_STAR
from muse_nb.simulator.cascade.schedule import Frame
from muse_nb.simulator.instrument import Instrument
from muse_nb.simulator.plan import Pointing, pointing
from muse_nb.simulator.scene import CENTRE, cluster
from muse_nb.simulator.seeds import generator
from muse_nb.simulator.spectra import magnitude_to_flux

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["ASTROMETRIC_FIELD", "STANDARD", "STANDARD_MAGNITUDE", "Field", "field_of"]

STANDARD, STANDARD_MAGNITUDE = "SIM-STD-1", 11.0  # in R
ASTROMETRIC_FIELD = "SIM-FIELD-1"
BETA = 4.765
"""Exponent of the stars' profile: that of turbulent air alone (Trujillo et al. 2001, MNRAS 328, 977).

With the demo's 2.8 a percent of the light falls outside of what muse_standard fits in so small a field, and it finds
2 % too much.
"""
_ROWS, _COLUMNS = 4, 6  # of the astrometric field's stars


@dataclass(frozen=True)
class _Target:
    """Where a frame looks, its number among the night's pointings, and its seeing where that is not left to chance."""

    name: str
    number: int
    centre: tuple[float, float]
    seeing: float | None = None
    drift: float = 0.0


# Numbers that are multiples of 4 are at a rotator angle of 0. Wavelengths of science drift from the morning's arcs'
# by 0.26 Angstrom in the median of a real night.
_TARGETS = {
    "STD": _Target(STANDARD, 4, (237.0, -33.0), seeing=0.9, drift=-0.008),
    "ASTROMETRY": _Target(ASTROMETRIC_FIELD, 8, (246.0, -45.0), drift=0.1),
    "OBJECT": _Target("NGC 6397", 0, CENTRE, drift=0.262),
}


@dataclass(frozen=True)
class Field:
    """What one frame looks at.

    Attributes
    ----------
    target
        Its name.
    pointing
        Where the telescope looks, and through what air; the sky is clear.
    stars
        As of `muse_nb.simulator.scene.cluster`: star, ra, dec [deg], magnitude, flux at 6500 Angstrom, warm.
    """

    target: str
    pointing: Pointing
    stars: Table


def field_of(frame: Frame, instrument: Instrument) -> Field:
    """Return the field of a frame with tag STD, ASTROMETRY or OBJECT."""
    target, seed = _TARGETS[frame.tag], instrument.seed
    where = pointing(target.number, seed, frame.exptime, time=frame.time, centre=target.centre)
    drift = target.drift if instrument.layout.real else 0.0
    where = replace(where, transparency=1.0, drift=drift, beta=BETA, seeing=target.seeing or where.seeing)
    low, high = instrument.limits
    size = (high - low) * instrument.layout.spaxel
    stars = {
        "STD": lambda: _standard(where, other="other-standard" in frame.faults),
        "ASTROMETRY": lambda: _astrometric(where, size, seed),
        "OBJECT": lambda: cluster(float(np.hypot(*size)) / 2 + 4, seed),
    }[frame.tag]()
    return Field(target.name, where, stars)


def _table(ra: np.ndarray, dec: np.ndarray, magnitude: np.ndarray, warm: float) -> Table:
    from astropy.table import Table

    columns = {"star": np.arange(1, ra.size + 1), "ra": ra, "dec": dec, "magnitude": magnitude}
    table = Table(columns | {"flux": magnitude_to_flux(magnitude), "warm": np.full(ra.size, warm)})
    table["ra"].unit = table["dec"].unit = "deg"
    table["magnitude"].unit = "mag"
    table["flux"].unit = "1e-20 erg / (s cm2 Angstrom)"
    return table


def _standard(where: Pointing, *, other: bool) -> Table:
    magnitude = STANDARD_MAGNITUDE + (OTHER_STAR if other else 0.0)
    # In the middle of the field, wherever the telescope really looks.
    return _table(np.array([where.true_ra]), np.array([where.true_dec]), np.array([magnitude]), 0.0 if other else 1.0)


def _astrometric(where: Pointing, size: np.ndarray, seed: int) -> Table:
    """A sparse field: in a crowded one muse_astrometry finds no solution."""
    random = generator(seed, "astrometric field")
    reach = size / 2 - 1.4
    north, east = (
        grid.ravel()
        for grid in np.meshgrid(np.linspace(-reach[1], reach[1], _ROWS), np.linspace(-reach[0], reach[0], _COLUMNS))
    )
    number = east.size
    east, north = east + random.uniform(-0.6, 0.6, number), north + random.uniform(-0.5, 0.5, number)
    magnitude = random.uniform(13, 16, number)
    ra = where.ra + east / 3600 / np.cos(np.radians(where.dec))
    return _table(ra, where.dec + north / 3600, magnitude, 1.0)
