"""The data-quality bits of MUSE products: Euro3D's flags, any of which makes a pixel bad."""

from __future__ import annotations

from enum import IntFlag

import numpy as np
from numpy.typing import NDArray

__all__ = ["DQ", "MEANING", "NOTCH", "NOT_FINITE", "NO_ROW", "REJECTED", "count", "names"]


class DQ(IntFlag):
    """Bits of a DQ extension and of a pixel table's dq column."""

    TELLURIC = 1 << 0
    TELLCOR = 1 << 1
    COSMICRAY = 1 << 5
    LOWQEPIXEL = 1 << 6
    HOTPIXEL = 1 << 8
    DARKPIXEL = 1 << 9
    SATURATED = 1 << 12
    DEADPIXEL = 1 << 13
    BADOTHER = 1 << 14
    OBJECT = 1 << 25
    OUTLIER = 1 << 26
    NOTCH_NAD = 1 << 27
    MUSE_TRAP = 1 << 29
    MISSDATA = 1 << 30
    OUTSDRANGE = 1 << 31


# What the DQ of a cube made by muse_nb says of a voxel that is NaN. Where all its rows are flagged it has their flags.
NO_ROW = DQ.MISSDATA
NOT_FINITE = DQ.OUTSDRANGE
REJECTED = DQ.COSMICRAY | DQ.OUTLIER  # by the combine, which is no cosmic ray that a pixel table knew of

NOTCH = {"WFM-AO-N": (5805.0, 5966.0), "WFM-AO-E": (5755.0, 6008.0), "NFM-AO-N": (5780.0, 6050.0)}
"""Where the filter against the lasers of the adaptive optics takes the light [Angstrom], by INS MODE: what the recipes
flag NOTCH_NAD (kMuseNaLambdaMin and the like of the MUSE pipeline's muse_instrument.h)."""

MEANING: dict[DQ, str] = {
    DQ.TELLURIC: "telluric absorption, not corrected",
    DQ.TELLCOR: "telluric absorption, corrected",
    DQ.COSMICRAY: "cosmic ray",
    DQ.LOWQEPIXEL: "below 20 % of the flat field",
    DQ.HOTPIXEL: "hot pixel",
    DQ.DARKPIXEL: "dark pixel",
    DQ.SATURATED: "saturated, or without signal",
    DQ.DEADPIXEL: "dead pixel",
    DQ.BADOTHER: "flat field not positive (the gaps between slices)",
    DQ.OBJECT: "object",
    DQ.OUTLIER: "outlier in the spectrum",
    DQ.NOTCH_NAD: "notch filter of the adaptive optics' laser",
    DQ.MUSE_TRAP: "charge trap",
    DQ.MISSDATA: "no data",
    DQ.OUTSDRANGE: "outside the data range",
}


def names(value: int) -> list[str]:
    """Name the bits of one DQ value, lowest first; a bit without a name is called ``BITn``."""
    value = int(value) & 0xFFFFFFFF
    known = {flag.value: flag.name or "" for flag in MEANING}
    return [known.get(1 << bit, f"BIT{bit}") for bit in range(32) if value >> bit & 1]


def count(values: NDArray[np.integer]) -> dict[str, int]:
    """Count the pixels that carry each bit.

    Parameters
    ----------
    values
        DQ values, any shape, any integer type.

    Returns
    -------
    dict
        Bit name to number of pixels, lowest bit first; bits that never occur are left out.
    """
    flat = np.asarray(values).reshape(-1)
    bits: dict[str, int] = {}
    bad = flat[flat != 0].astype(np.int64) & 0xFFFFFFFF
    kinds, numbers = np.unique(bad, return_counts=True)
    for bit in range(32):
        number = int(numbers[(kinds >> bit & 1).astype(bool)].sum())
        if number:
            bits[names(1 << bit)[0]] = number
    return bits
