"""Wavelengths in air and in vacuum."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["to_air", "to_vacuum"]


def to_vacuum(air: ArrayLike) -> np.ndarray:
    """Vacuum wavelengths [Angstrom] of those in air, to 1e-4 Angstrom; the inverse of `to_air`."""
    vacuum = np.asarray(air, float)
    for _ in range(4):
        vacuum = np.asarray(air, float) * _index(vacuum)
    return vacuum


def to_air(vacuum: ArrayLike) -> np.ndarray:
    """Wavelengths in air [Angstrom] of those in vacuum."""
    return np.asarray(vacuum, float) / _index(np.asarray(vacuum, float))


def _index(vacuum: np.ndarray) -> np.ndarray:
    """Refractive index of standard air: Ciddor 1996, Applied Optics 35, 1566, as quoted by Donald Morton (2000)."""
    s2 = (1e4 / vacuum) ** 2
    return np.asarray(1 + 8.34254e-5 + 2.406147e-2 / (130 - s2) + 1.5998e-4 / (38.9 - s2))
