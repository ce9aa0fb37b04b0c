"""Absorption lines of stars by temperature: the list of which star spectra are simulated and measured.

Wavelengths (star_lines.csv) are laboratory ones in air, rounded to 0.01 Angstrom; equivalent and intrinsic widths are
rounded guesses for a star of 4500 K and one of 6500 K with few metals: good to find velocities with, not to measure
abundances by.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

__all__ = ["COOL", "WARM", "StarLine", "absorption", "star_lines"]

COOL, WARM = 4500.0, 6500.0
"""Temperatures of the two columns of the list [K]; between them equivalent widths change linearly."""

_REACH = 3.0  # FWHM from its centre that a line is drawn to


@dataclass(frozen=True)
class StarLine:
    """A line at rest.

    Attributes
    ----------
    element : str
    air : float
        Its wavelength in air [Angstrom].
    cool, warm : float
        Equivalent width in stars of `COOL` and `WARM` [Angstrom].
    cool_width, warm_width : float
        FWHM before the instrument blurs it [Angstrom].
    """

    element: str
    air: float
    cool: float
    warm: float
    cool_width: float
    warm_width: float


@cache
def star_lines() -> tuple[StarLine, ...]:
    """Lines of the list, from blue to red."""
    text = (files("muse_nb.products.light") / "star_lines.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return tuple(StarLine(row.pop("element"), **{name: float(value) for name, value in row.items()}) for row in rows)


def absorption(wavelength: NDArray[np.float64], teff: float, lsf: float) -> NDArray[np.float64]:
    """Share of the continuum that a star's lines take away.

    Parameters
    ----------
    wavelength
        In air, at rest [Angstrom].
    teff
        Temperature [K]; below `COOL` and above `WARM` as at those.
    lsf
        FWHM of the line-spread function [Angstrom].

    Returns
    -------
    numpy.ndarray
        0 where there is no line, shape of `wavelength`.
    """
    share = float(np.clip((teff - COOL) / (WARM - COOL), 0, 1))
    taken = np.zeros(np.shape(wavelength))
    for line in star_lines():
        for part, area, width in ((1 - share, line.cool, line.cool_width), (share, line.warm, line.warm_width)):
            fwhm = float(np.hypot(width, lsf))
            near = np.abs(wavelength - line.air) < _REACH * fwhm
            if part and near.any():
                profile = np.exp(-4 * np.log(2) * ((wavelength[near] - line.air) / fwhm) ** 2)
                taken[near] += part * area * profile / (fwhm * np.sqrt(np.pi / 4 / np.log(2)))
    return taken
