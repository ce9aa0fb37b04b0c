"""The sky of an image or a cube, whatever way its header writes it; what is not understood is refused."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.errors import MuseError
from muse_nb.products.header import number_of
from muse_nb.products.spectral_axis import unit_scale

__all__ = ["SkyAxes"]

_LONGITUDES = ("RA", "GLON", "ELON", "HLON", "SLON")
_PAIRS = dict(zip(_LONGITUDES, ("DEC", "GLAT", "ELAT", "HLAT", "SLAT"), strict=True))
_REMEDY = "its place on the sky is unknown; make the file again"
_UPRIGHT = 1e-6  # of a step, by which an axis may lean
_SQUARE = 1e-4  # of a step, by which the steps of both axes may differ


@dataclass(frozen=True)
class SkyAxes:
    """The two celestial axes of an image or a cube.

    Attributes
    ----------
    ra, dec : float
        Of the reference pixel [deg]; longitude and latitude where `system` is another.
    x, y : float
        The reference pixel, counted from 1.
    matrix : numpy.ndarray
        Degrees on the projected plane, to the east (row 0) and to the north (row 1), for a pixel in x and in y; shape
        (2, 2), as CD1_1, CD1_2, CD2_1, CD2_2 where RA is the first axis.
    projection : str
        ``TAN`` and the like; ``TAN-SIP`` with distortions.
    system : str
        ``RA``, ``GLON``, ...: the first world axis.
    lonpole : float
        LONPOLE [deg]: 180 where the header does not say.
    """

    ra: float
    dec: float
    x: float
    y: float
    matrix: NDArray[np.float64]
    projection: str
    system: str
    lonpole: float

    @classmethod
    def of(cls, header: Mapping[str, Any], path: str | Path) -> SkyAxes:
        """Read the axes: CD, or PC times CDELT, or CDELT turned by CROTA2; in any unit of an angle.

        The rules are those of Greisen & Calabretta 2002, A&A 395, 1061, and Calabretta & Greisen 2002, A&A 395, 1077.

        Raises
        ------
        MuseError
            A keyword is missing, no number or of another unit, an axis is tilted into the wavelengths, or all pixels
            lie on a line.
        """
        kinds = [str(header.get(f"CTYPE{axis}") or "").strip().upper() for axis in (1, 2)]
        names = [kind.partition("-")[0] for kind in kinds]
        first = next((axis for axis in (0, 1) if names[axis] in _PAIRS), None)
        if first is None or names[1 - first] != _PAIRS[names[first]]:
            raise MuseError(f"{path} lacks a celestial WCS (CTYPE1, CTYPE2): {_REMEDY}")
        rows = (first, 1 - first)
        scale = [_degrees(header, axis + 1, path) for axis in (0, 1)]
        values = [number_of(header.get(f"CRVAL{axis}")) for axis in (1, 2)]
        if values[0] is None or values[1] is None:
            raise MuseError(f"{path} lacks CRVAL{1 if values[0] is None else 2}: {_REMEDY}")
        matrix = (_steps(header, path) * np.array(scale)[:, None])[list(rows)]
        if not abs(np.linalg.det(matrix)) > 0:
            raise MuseError(
                f"{path}: its WCS (CD1_1, CD1_2, CD2_1, CD2_2 or CDELT) puts all pixels on a line of the sky: {_REMEDY}"
            )
        place = [value * scale[axis] for axis, value in enumerate(values) if value is not None]
        pixel = [number_of(header.get(f"CRPIX{axis}")) or 0.0 for axis in (1, 2)]
        pole = number_of(header.get("LONPOLE"))
        return cls(
            ra=place[rows[0]],
            dec=place[rows[1]],
            x=pixel[0],
            y=pixel[1],
            matrix=matrix,
            projection=kinds[first].partition("-")[2].strip("-"),
            system=names[first],
            lonpole=180.0 if pole is None else pole,
        )

    @property
    def scale(self) -> tuple[float, float]:
        """Size of a pixel in x and in y [arcsec]."""
        x, y = np.hypot(*self.matrix) * 3600
        return float(x), float(y)

    @property
    def north(self) -> NDArray[np.float64]:
        """Direction of north in pixels (x, y), of length 1."""
        return _unit(np.linalg.inv(self.matrix)[:, 1])

    @property
    def east(self) -> NDArray[np.float64]:
        """Direction of east in pixels (x, y), of length 1."""
        return _unit(np.linalg.inv(self.matrix)[:, 0])

    @property
    def on_tangent_plane(self) -> bool:
        """Whether these are RA and DEC on a plain tangent plane."""
        return self.system == "RA" and self.projection == "TAN" and self.lonpole == 180.0

    @property
    def upright(self) -> bool:
        """Whether north is up, east left, and pixels are square."""
        (west, lean), (tilt, north) = self.matrix.tolist()
        return (
            west < 0 < north and max(abs(lean), abs(tilt)) <= _UPRIGHT * north and abs(west + north) <= _SQUARE * north
        )


def _unit(vector: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.asarray(vector / math.hypot(*vector), float)


def _has_cd(header: Mapping[str, Any], axes: str = r"\d") -> bool:
    """Say whether the steps of these axes (a pattern) stand in a CD matrix, so that PC and CDELT do not count."""
    return any(re.fullmatch(rf"CD{axes}_\d", str(key)) for key in header)


def _steps(header: Mapping[str, Any], path: str | Path) -> NDArray[np.float64]:
    """The matrix in the axes' units, rows as the world axes."""

    def number(key: str, default: float) -> float:
        if header.get(key) is None:
            return default
        found = number_of(header.get(key))
        if found is None:
            raise MuseError(f"{path}: {key} is {header.get(key)!r}, not a number: {_REMEDY}")
        return found

    for tilt in (f"{m}{a}_{b}" for m in ("CD", "PC") for a, b in ((1, 3), (2, 3), (3, 1), (3, 2))):
        if number(tilt, 0.0):
            raise MuseError(f"{path}: {tilt} ties the sky to the wavelength: resample the cube to upright axes")
    if _has_cd(header, "[12]"):
        return np.array([[number(f"CD{i}_{j}", 0.0) for j in (1, 2)] for i in (1, 2)])
    if header.get("CDELT1") is None and header.get("PC1_1") is None:
        raise MuseError(f"{path} lacks CD1_1 (or CDELT1): {_REMEDY}")
    step = np.array([number(f"CDELT{axis}", 1.0) for axis in (1, 2)])
    if any(re.fullmatch(r"PC\d_\d", str(key)) for key in header):
        turned = np.array([[number(f"PC{i}_{j}", float(i == j)) for j in (1, 2)] for i in (1, 2)])
        return np.asarray(turned * step[:, None])
    angle = math.radians(number("CROTA2", number("CROTA1", 0.0)))
    cosine, sine = math.cos(angle), math.sin(angle)
    return np.array([[step[0] * cosine, -step[1] * sine], [step[0] * sine, step[1] * cosine]])


def _degrees(header: Mapping[str, Any], axis: int, path: str | Path) -> float:
    """Degrees in the unit of a celestial axis."""
    text = str(header.get(f"CUNIT{axis}") or "").strip()
    found = unit_scale(text, "deg") if text else 1.0
    if found is None:
        raise MuseError(f"{path}: CUNIT{axis} {text!r} is no unit of an angle: {_REMEDY}")
    return found
