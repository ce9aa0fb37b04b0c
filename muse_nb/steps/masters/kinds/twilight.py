"""TWILIGHT_CUBE: evenness and smoothness of the illumination, and the light of the IFUs.

``arrays``: white (ny, nx), the mean over wavelengths over its median, NaN outside of the field; ifus (24,), the light
of each IFU over the median of all.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.robust import mad_sigma, median
from muse_nb.products.calibrations.masters import Master
from muse_nb.products.field import IFUS
from muse_nb.steps.masters.parts.measured import Array, Measured, Quantity

__all__ = ["measure_twilight"]

ORDER = 4  # of the polynomial that a smooth illumination follows
MIN_SPAXELS = 200  # for the illumination to be judged


def measure_twilight(master: Master) -> Measured:
    """Measure a TWILIGHT_CUBE: an image DATA (planes, y, x)."""
    cube = master.image("DATA")
    if cube is None or cube.ndim != 3:
        return Measured(master, (), notes=("has no cube DATA: it was not judged",))
    notes = []
    light = np.where(np.isfinite(cube) & (cube > 0), cube, np.nan).astype(float)
    there = np.isfinite(light)
    full = there.any(axis=(1, 2))
    found = [Quantity.one("twilight_empty", float(np.count_nonzero(~full)))]
    white = np.full(cube.shape[1:], np.nan)
    covered = there[full].all(axis=0) if full.any() else np.zeros(cube.shape[1:], bool)
    if covered.sum() < MIN_SPAXELS:
        notes.append(f"has {int(covered.sum())} spaxels with light in all planes: its illumination was not judged")
    else:
        white[covered] = light[full][:, covered].mean(axis=0)
        white /= median(white)
        low, high = np.percentile(white[covered], [5, 95])
        found.append(Quantity.one("twilight_range", float(high - low)))
        low, high = np.percentile((white - _smooth(white, covered))[covered], [2.3, 97.7])
        found.append(Quantity.one("twilight_rough", float(high - low) / 4))
        planes = np.flatnonzero(full)
        changes = [mad_sigma((light[n] / median(light[n][covered]) / white)[covered]) for n in planes]
        found.append(Quantity.of("twilight_colour", changes, [f"plane {n + 1}" for n in planes]))
    ifus = np.array([master.number(f"ESO DRS MUSE FLAT FLUX SKY{n}") for n in range(1, IFUS + 1)])
    known = np.flatnonzero(np.isfinite(ifus))
    relative = ifus / median(ifus) if known.size else ifus
    if known.size > 1:
        found.append(Quantity.of("twilight_ifu", relative[known], [f"IFU {n + 1}" for n in known]))
    else:
        notes.append(f"is of {known.size or 'no known'} IFU: the light of the IFUs was not compared")
    return Measured(master, tuple(found), {"white": white, "ifus": relative}, tuple(notes))


def _smooth(white: Array, covered: NDArray[np.bool_]) -> Array:
    """Surface of a polynomial through the illumination, wild spaxels left out."""
    ny, nx = white.shape
    y, x = np.meshgrid(np.linspace(-1, 1, ny), np.linspace(-1, 1, nx), indexing="ij")
    terms = np.stack([x**i * y**j for i in range(ORDER + 1) for j in range(ORDER + 1 - i)], axis=-1)
    use = covered.copy()
    surface = white
    for _ in range(3):
        solved = np.linalg.lstsq(terms[use], white[use], rcond=None)[0]
        surface = terms @ solved
        away = np.abs(white - surface)
        use = covered & (away <= 5 * max(mad_sigma(away[covered]), 1e-6) + median(away[covered]))
    return surface
