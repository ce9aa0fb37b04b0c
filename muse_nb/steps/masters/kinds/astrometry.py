"""ASTROMETRY_WCS: size of a spaxel, angle and skew of the field.

``arrays``: matrix (2, 2), the CD matrix [arcsec].
"""

from __future__ import annotations

import numpy as np

from muse_nb.products.calibrations.masters import Master
from muse_nb.steps.masters.parts.measured import Measured, Quantity

__all__ = ["measure_astrometry"]

NOMINAL = {"NFM": 0.025}  # size of a spaxel by the first letters of ESO INS MODE [arcsec]
WIDE = 0.2


def measure_astrometry(master: Master) -> Measured:
    """Measure an ASTROMETRY_WCS, which is a header with a CD matrix [deg]."""
    matrix = np.array([[master.number(f"CD{i}_{j}") for j in (1, 2)] for i in (1, 2)]) * 3600
    if not np.isfinite(matrix).all() or np.linalg.det(matrix) == 0:
        return Measured(master, (), notes=("has no CD matrix: it was not judged",))
    notes = [] if master.mode else ["has no ESO INS MODE: its spaxels were held against 0.2 arcsec"]
    nominal = NOMINAL.get(master.mode[:3], WIDE)
    scale = np.hypot(matrix[0], matrix[1]) / nominal
    # East is to the left: x runs against RA.
    x_angle = np.degrees(np.arctan2(matrix[1, 0], -matrix[0, 0]))
    y_angle = np.degrees(np.arctan2(matrix[0, 1], matrix[1, 1]))
    skew = (x_angle - y_angle + 180) % 360 - 180
    found = [
        Quantity.of("astrometry_scale", scale, ("x", "y")),
        Quantity.one("astrometry_angle", float(y_angle)),
        Quantity.one("astrometry_skew", float(skew)),
    ]
    stars = master.number("ESO QC ASTRO NSTARS")
    if np.isfinite(stars):
        found.append(Quantity.one("astrometry_stars", stars))
    else:
        notes.append("does not say how many stars it is of")
    return Measured(master, tuple(found), {"matrix": matrix}, tuple(notes))
