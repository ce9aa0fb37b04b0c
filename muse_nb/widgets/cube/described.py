"""What the browser needs to know of a cube."""

from __future__ import annotations

import re
from typing import Any

from muse_nb.steps.look.catalogue import known_lines, notch, sky_lines
from muse_nb.steps.nans.causes import CODES, MEANING, Cause
from muse_nb.widgets.cube import sky
from muse_nb.widgets.cube.looks import Looks
from muse_nb.widgets.nans.viewer import CAUSE_COLOURS

__all__ = ["described", "readable"]

_DIGITS = str.maketrans("0123456789-+", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺")
_NAMES = {"angstrom": "Å", "Angstrom": "Å", "electron": "e⁻", "arcsec": "″"}


def readable(unit: str) -> str:
    """Write a unit as people read it: ``10**(-20)*erg/s/cm**2/Angstrom`` is 10⁻²⁰ erg s⁻¹ cm⁻² Å⁻¹."""
    text = re.sub(r"^1[eE]([+-]?\d+)\s+", r"10**(\1)*", unit.strip())
    text = re.sub(r"\bcm2\b", "cm**2", text)
    if not text or "(" in text.replace("**(", "").replace("10^(", ""):
        return text
    if "/" not in text and "*" not in text and "^" not in text:
        return text
    parts = []
    for sign, part in re.findall(r"(^|/|(?<!\*)\*(?!\*)|\s+)((?:\*\*|[^/*\s])+)", text):
        found = re.fullmatch(r"([A-Za-z]+|10)(?:(?:\*\*|\^)?\(?([+-]?\d+)\)?)?", part.strip())
        if found is None:
            return text
        power = int(found[2] or 1) * (-1 if sign.strip() == "/" else 1)
        name = _NAMES.get(found[1], found[1])
        parts.append(name if power == 1 else name + str(power).translate(_DIGITS))
    return " ".join(parts)


def described(looks: Looks, second: Looks | None) -> dict[str, Any]:
    """Shape, sky, wavelengths, units, layers, lines, and the maps that there are."""
    cube = looks.cube
    nz, ny, nx = cube.shape
    medium = looks.axis.medium
    layers = ["DATA", *(["STAT", "S/N"] if looks.stat is not None else []), "NaN"]
    layers += [name for name in cube.extensions if name not in ("DATA", "STAT")]
    maps = [] if looks.maps is None else list(looks.maps.maps)
    return {
        "name": cube.path.name,
        "object": str(cube.primary.get("OBJECT") or "").strip(),
        "nx": nx,
        "ny": ny,
        "nz": nz,
        "medium": medium,
        "step": abs(float(looks.axis.step)),
        "unit": readable(looks.unit),
        "raw_unit": looks.unit,
        "stat": looks.stat is not None,
        "sky": sky.tangent(cube),
        "layers": layers,
        "maps": maps,
        "mapped": "" if looks.maps is None else f"{looks.maps.line}, z = {looks.maps.redshift:g}, {looks.maps.method}",
        "lines": [[line.name, line.rest(medium), line.kind] for line in known_lines()],
        "night": [[wave, name] for wave, name in sky_lines(medium)],
        "notch": list(notch(cube.primary) or ()),
        "causes": [
            {"name": c.value, "code": CODES[c], "meaning": MEANING[c], "colour": CAUSE_COLOURS[c]} for c in Cause
        ],
        "second": None if second is None else {"name": second.cube.path.name, "affine": sky.affine(second.cube, cube)},
    }
