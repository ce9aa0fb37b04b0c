"""Where an IFU and its slices lie in MUSE's field.

The field is cut into 24 channels, one IFU each, stacked from IFU 1 to IFU 24; a channel is cut into 48 slices: four
stacks side by side, twelve slices one over the other in each.
"""

from __future__ import annotations

import numpy as np

__all__ = [
    "CHANNEL",
    "IFUS",
    "SLICES",
    "SLICES_PER_STACK",
    "SLICE_PIXELS",
    "SLICE_SKY",
    "STACKS",
    "compass",
]

IFUS, SLICES = 24, 48
STACKS, SLICES_PER_STACK = 4, 12
SLICE_PIXELS = 16  # along a slice, in a picture of the field
CHANNEL = (SLICES_PER_STACK, STACKS * SLICE_PIXELS)
"""Shape of a channel in a picture of the field, (rows, columns)."""

# SliceSky of slices 1 to 48 on the detector: 1 to 12 from above in the first stack, 13 to 24 in the next.
SLICE_SKY = np.array([
    9, 8, 1, 10, 7, 2, 11, 6, 3, 12, 5, 4, 21, 20, 13, 22, 19, 14, 23, 18, 15, 24, 17, 16,
    33, 32, 25, 34, 31, 26, 35, 30, 27, 36, 29, 28, 45, 44, 37, 46, 43, 38, 47, 42, 39, 48, 41, 40,
])  # fmt: skip
SLICE_SKY.flags.writeable = False


def compass(posang: float) -> tuple[tuple[float, float], tuple[float, float]]:
    """Directions (x right, y up) of north and of east in the field at a rotator angle ESO INS DROT POSANG [deg].

    The inverse of CD = 0.2 arcsec ((-cos pa, -sin pa), (-sin pa, cos pa)) with pa = -POSANG.
    """
    angle = np.radians(posang)
    return (float(np.sin(angle)), float(np.cos(angle))), (float(-np.cos(angle)), float(np.sin(angle)))
