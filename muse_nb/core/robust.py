"""Medians and scatters that a few wild values do not move, and that leave out what is not finite."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["ERROR_OF_MEDIAN", "SIGMA_OF_MAD", "mad_sigma", "median"]

SIGMA_OF_MAD = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation (1 / Phi^-1(3/4))."""

ERROR_OF_MEDIAN = 1.253
"""Error of the median of many normal values over that of their mean (sqrt(pi / 2))."""


def median(values: ArrayLike) -> float:
    """Median of the finite values; NaN where there is none."""
    array = np.asarray(values)
    finite = array[np.isfinite(array)]
    return float(np.median(finite)) if finite.size else float("nan")


def mad_sigma(values: ArrayLike) -> float:
    """Standard deviation of the finite values by their median absolute deviation; NaN where there is none."""
    array = np.asarray(values)
    finite = array[np.isfinite(array)]
    if not finite.size:
        return float("nan")
    return SIGMA_OF_MAD * float(np.median(np.abs(finite - np.median(finite))))
