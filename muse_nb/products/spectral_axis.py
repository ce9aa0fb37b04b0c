"""The wavelengths of a cube's planes, whatever way its header writes them; what is not understood is refused."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from muse_nb.core.errors import MuseError
from muse_nb.products.header import number_of

__all__ = ["SpectralAxis", "unit_scale"]

_REMEDY = "its wavelengths are unknown; make the cube again"
_MEDIUM = {"AWAV": "air", "WAVE": "vacuum", **dict.fromkeys(("LINEAR", "LAMBDA", "WAVELENGTH", ""), "unknown")}
_OPTICAL = (1e3, 1e6)  # Angstrom that a wavelength without a unit must lie between to be taken for Angstrom


@dataclass(frozen=True)
class SpectralAxis:
    """Third axis of a cube.

    Attributes
    ----------
    start : float
        Wavelength at the reference pixel [Angstrom].
    step : float
        Angstrom from plane to plane, at the reference pixel where the axis is logarithmic.
    reference : float
        CRPIX3: the reference pixel, counted from 1.
    medium : str
        ``air``, ``vacuum``, or ``unknown`` where the header does not say.
    logarithmic : bool
        Whether steps grow with the wavelength (CTYPE3 ends in ``-LOG``).
    """

    start: float
    step: float
    reference: float
    medium: str
    logarithmic: bool = False

    @classmethod
    def of(cls, header: Mapping[str, Any], path: str | Path) -> SpectralAxis:
        """Read the axis from a cube's header: CD3_3, or CDELT3 with PC3_3; AWAV, WAVE, LINEAR and their ``-LOG``.

        Raises
        ------
        MuseError
            A keyword is missing, the axis is none of wavelengths, tilted, tabulated, or in a unit that is no length.
        """
        kind = str(header.get("CTYPE3") or "").strip().upper()
        name, _, algorithm = kind.partition("-")
        algorithm = algorithm.strip("-")
        if name not in _MEDIUM or algorithm not in ("", "LOG"):
            raise MuseError(
                f"{path}: CTYPE3 {kind} is no axis that is read here (AWAV, WAVE or LINEAR, each also -LOG): resample"
                " the cube to wavelengths"
            )
        start, step = number_of(header.get("CRVAL3")), _step(header)
        if start is None or step is None or step == 0:
            raise MuseError(f"{path} lacks CRVAL3, or CD3_3 (or CDELT3): {_REMEDY}")
        tilts = [f"{m}{a}_{b}" for m in ("CD", "PC") for a, b in ((1, 3), (2, 3), (3, 1), (3, 2))]
        tilted = next((key for key in tilts if number_of(header.get(key))), None)
        if tilted:
            raise MuseError(f"{path}: {tilted} ties the sky to the wavelength: resample the cube to upright axes")
        scale = _angstrom(header, start, path)
        reference = number_of(header.get("CRPIX3"))
        start, step = (_rounded(scale, value) for value in (start, step))
        return cls(start, step, 1.0 if reference is None else reference, _MEDIUM[name], algorithm == "LOG")

    def wavelength(self, plane: ArrayLike) -> Any:
        """Wavelength [Angstrom] of planes counted from 0, as the header has it (see `medium`)."""
        distance = (np.asarray(plane) + 1 - self.reference) * self.step
        if self.logarithmic:  # Greisen et al. 2006, A&A 446, 747, equation 5
            return self.start * np.exp(distance / self.start)
        return self.start + distance

    def plane(self, wavelength: ArrayLike) -> Any:
        """Plane counted from 0, with a fraction, at which wavelengths [Angstrom] lie."""
        value = np.asarray(wavelength, float)
        distance = self.start * np.log(value / self.start) if self.logarithmic else value - self.start
        return distance / self.step + self.reference - 1

    def wavelengths(self, planes: int) -> NDArray[np.float64]:
        """Wavelengths [Angstrom] of all planes of a cube, shape (planes,)."""
        return np.asarray(self.wavelength(np.arange(planes)), float)

    def within(self, low: float, high: float, planes: int) -> range:
        """Planes whose centres lie within two wavelengths [Angstrom], ends included."""
        inside = np.flatnonzero((self.wavelengths(planes) >= low) & (self.wavelengths(planes) <= high))
        return range(int(inside[0]), int(inside[-1]) + 1) if len(inside) else range(0)


def _rounded(scale: float, value: float) -> float:
    """Convert to Angstrom, without the last bits that a change of unit leaves."""
    return value if scale == 1 else float(f"{scale * value:.13g}")


def _step(header: Mapping[str, Any]) -> float | None:
    """CD3_3, else PC3_3 (1 where it is missing) times CDELT3; in the unit of CUNIT3."""
    if header.get("CD3_3") is not None:
        return number_of(header.get("CD3_3"))
    # a CD matrix of the sky alone beside CDELT3 is common; wcslib would take 1 for the step
    factor = None if any(str(key).startswith("CD1_") for key in header) else header.get("PC3_3")
    step = number_of(header.get("CDELT3"))
    if factor is None:
        return step
    if number_of(factor) is None:
        return None
    return float(factor) * (1.0 if header.get("CDELT3") is None else step or 0.0)


def _angstrom(header: Mapping[str, Any], start: float, path: str | Path) -> float:
    """Angstrom in the unit of the axis."""
    text = str(header.get("CUNIT3") or "").strip()
    if not text:
        if _OPTICAL[0] <= abs(start) <= _OPTICAL[1]:
            return 1.0
        raise MuseError(f"{path} lacks CUNIT3, and CRVAL3 {start:g} is no wavelength in Angstrom: {_REMEDY}")
    found = unit_scale(text, "AA")
    if found is None:
        raise MuseError(f"{path}: CUNIT3 {text!r} is no unit of length: {_REMEDY}")
    return found


def unit_scale(text: str, wanted: str) -> float | None:
    """How many of a unit `wanted` a unit in a header is, by any name that astropy knows; None where it is no such unit.

    Headers write units in capitals, and in the plural, too.
    """
    import astropy.units as u

    for name in dict.fromkeys((text, text.lower(), text.capitalize(), text.lower().removesuffix("s"))):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of units that FITS does not know
            try:
                return float(u.Unit(name).to(u.Unit(wanted)))
            except (ValueError, TypeError, u.UnitConversionError):
                continue
    return None
