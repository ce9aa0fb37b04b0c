"""Lines by their names, lines of the night sky, and the gap of the laser's filter."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from muse_nb.core.errors import MuseError
from muse_nb.products.dq import NOTCH
from muse_nb.products.light.air import to_vacuum

__all__ = ["Line", "find_line", "known_lines", "notch", "sky_lines"]


@dataclass(frozen=True)
class Line:
    """A line at rest.

    Attributes
    ----------
    name : str
    air : float
        Its wavelength in air [Angstrom].
    kind : str
        ``emission``, ``absorption`` or ``both``: how it is usually seen.
    """

    name: str
    air: float
    kind: str

    def rest(self, medium: str) -> float:
        """Wavelength [Angstrom] in ``vacuum``, else in air."""
        return float(to_vacuum(self.air)) if medium == "vacuum" else self.air


@cache
def known_lines() -> tuple[Line, ...]:
    """Lines that have names here, from blue to red."""
    text = (files("muse_nb.steps.look") / "lines.csv").read_text(encoding="utf-8")
    return tuple(Line(row["name"], float(row["air"]), row["kind"]) for row in csv.DictReader(text.splitlines()))


def find_line(name: str | float) -> Line:
    """Find a line by its name, or make one of a wavelength at rest in air [Angstrom].

    Raises
    ------
    MuseError
        There is no such line.
    """
    try:
        return Line(f"{float(name):g}", float(name), "both")
    except ValueError:
        pass
    wanted = str(name).strip().lower().replace(" ", "")
    for line in known_lines():
        if line.name.lower() == wanted:
            return line
    raise MuseError(
        f"{name!r} is no line that is known here: give its wavelength at rest in air [Angstrom], or one of"
        f" {', '.join(line.name for line in known_lines())}"
    )


@cache
def _sky() -> tuple[tuple[float, str], ...]:
    text = (files("muse_nb.steps.look") / "sky_lines.csv").read_text(encoding="utf-8")
    return tuple((float(row["air"]), row["name"]) for row in csv.DictReader(text.splitlines()))


def sky_lines(medium: str) -> list[tuple[float, str]]:
    """Strong lines of the night sky [Angstrom]: Osterbrock et al. 1996, PASP 108, 277; in ``vacuum``, else in air."""
    return [(float(to_vacuum(air)) if medium == "vacuum" else air, name) for air, name in _sky()]


def notch(primary: Mapping[str, Any]) -> tuple[float, float] | None:
    """Wavelengths that the laser's filter takes away [Angstrom]; None without adaptive optics, or where nobody says."""
    return NOTCH.get(str(primary.get("ESO INS MODE") or "").strip().upper())
