"""The kinds of light in a field, each with one spectrum: what an exposure is rendered in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from muse_nb.simulator.galaxies import DISTANT, NEARBY, Gas
from muse_nb.simulator.spectra import cool_star, nebula, warm_star

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["GASES", "kinds", "template"]

GASES: dict[str, Gas] = {"nearby": NEARBY, "distant": DISTANT}


def template(name: str, wavelength: np.ndarray) -> np.ndarray:
    """Relative spectrum of one kind of light at rest: warm, cool, nebula, or a galaxy's name in `GASES`."""
    if name in GASES:
        return GASES[name].spectrum(wavelength)
    return {"warm": warm_star, "cool": cool_star, "nebula": nebula}[name](wavelength)


def kinds(light: Table) -> list[tuple[str, np.ndarray]]:
    """Split a field's light into kinds that a mean velocity does for: names of templates, and each source's share.

    Stars are warm in part and cool in part; other sources have one spectrum. Every population is a kind of its own.
    """
    populations, names = np.asarray(light["population"]), np.asarray(light["template"])
    found = []
    for number in np.unique(populations):
        for name in np.unique(names[populations == number]):
            here = ((populations == number) & (names == name)).astype(float)
            warm = np.asarray(light["warm"])
            parts = [("warm", here * warm), ("cool", here * (1 - warm))] if name == "star" else [(str(name), here)]
            found += [(kind, share) for kind, share in parts if share.any()]
    return found
