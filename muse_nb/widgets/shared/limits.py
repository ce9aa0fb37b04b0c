"""From values to brightness: the limits and the stretches that a viewer offers, for Python and the browser alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["ASINH", "LIMITS", "LOG", "PERCENTILES", "STRETCHES", "limits"]

LIMITS = {"zscale": "zscale", "90": "90 %", "98": "98 %", "99.5": "99.5 %", "99.9": "99.9 %", "all": "min–max"}
"""Modes and what they are called; a number is the share of the values between the limits."""
PERCENTILES = [mode for mode in LIMITS if mode[0].isdigit()]
STRETCHES = ("linear", "asinh", "log")
ASINH, LOG = 10, 1000
"""The stretches of q in 0..1: ``asinh(ASINH q) / asinh(ASINH)`` and ``log(1 + LOG q) / log(1 + LOG)``."""


def limits(values: ArrayLike) -> dict[str, list[float]]:
    """Lower and upper limit of each mode of `LIMITS` for some values; 0 and 1 where none is finite."""
    array = np.asarray(values)
    finite = np.asarray(array[np.isfinite(array)], dtype=np.float64)
    if finite.size == 0:
        return {mode: [0.0, 1.0] for mode in LIMITS}
    from astropy.visualization import ZScaleInterval

    tails = [(100 - float(mode)) / 2 for mode in PERCENTILES]
    found = np.percentile(finite, [0, 100, *tails, *(100 - tail for tail in tails)])
    pairs = {"zscale": ZScaleInterval().get_limits(finite)} | dict(
        zip(PERCENTILES, zip(found[2:], found[2 + len(tails) :], strict=False), strict=True)
    )
    pairs["all"] = (found[0], found[1])
    return {mode: [float(low), float(high)] for mode, (low, high) in pairs.items()}
