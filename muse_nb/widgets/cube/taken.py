"""Spectra and numbers of what is drawn in a cube viewer; what did not change is not taken again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from muse_nb.core.errors import MuseError
from muse_nb.steps.look.aperture import Aperture
from muse_nb.steps.look.measure import radial_profile, statistics
from muse_nb.steps.look.result import Extraction
from muse_nb.steps.look.spectrum import extract
from muse_nb.widgets.cube.described import readable
from muse_nb.widgets.cube.looks import Asked, Looks
from muse_nb.widgets.cube.shapes import Drawn, pixel_region

if TYPE_CHECKING:
    from muse_nb.steps.stars.result import StarSpectra

__all__ = ["RESIDUAL", "STAR", "SUM", "Taken", "measured"]

KEYS = ("kind", "x", "y", "a", "b", "angle", "points", "how", "ring")
KEPT = 64  # spectra
STAR, RESIDUAL, SUM = -1, -2, -3  # ids of the spectra of a star that is clicked
NEAR = 3.0  # spaxels from a star that a click may be off
APERTURE = 5.0  # spaxels of radius, that is held beside a star


class Taken:
    """Spectra of drawn regions."""

    def __init__(self, looks: Looks, stars: StarSpectra | None = None) -> None:
        self._looks, self._stars = looks, stars
        self._known: dict[str, Extraction] = {}

    def spectrum(self, shape: Drawn, quick: bool = False) -> Extraction:
        """Spectrum of a region; `quick`, while a hand moves, a star's own profile waits."""
        wanted = {name: shape.get(name) for name in KEYS}
        if quick and wanted["how"] == "psf":
            wanted["how"] = "sum"
        key = json.dumps(wanted)
        if key not in self._known:
            ring = [float(radius) for radius in wanted["ring"] or ()]
            made = extract(
                self._looks.cube,
                pixel_region(wanted),
                background=(ring[0], ring[1]) if len(ring) == 2 else None,
                how=str(wanted["how"] or "sum"),
            )
            if quick:
                return made
            if len(self._known) >= KEPT:
                self._known.pop(next(iter(self._known)))
            self._known[key] = made
        return self._known[key]

    def all(self, spaxel: list[int], shapes: list[Drawn]) -> list[tuple[dict[str, Any], bytes]]:
        """What the browser keeps of each: id, unit, notes; flux and error as float32."""
        found = []
        if len(spaxel) == 2:
            flux, error = self._looks.spaxel(spaxel[0], spaxel[1], error=True)
            found.append(_packed(0, self._looks.unit, [], flux, error))
            found += self._star(*spaxel)
        for shape in shapes:
            try:
                made = self.spectrum(shape)
            except MuseError as problem:
                nothing = np.full(len(self._looks.wavelengths), np.nan)
                found.append(_packed(shape.get("id", 0), "", [str(problem)], nothing, None))
                continue
            notes = [f"{made.how} of {made.spaxels:.1f} spaxels", *made.notes]
            found.append(_packed(shape.get("id", 0), made.unit, notes, made.flux, made.error))
        return found

    def _star(self, x: int, y: int) -> list[tuple[dict[str, Any], bytes]]:
        """Of the star that lies there: its spectrum, the sum of an aperture about it, and the residual of its fit."""
        number = None if self._stars is None else self._stars.near(x, y, NEAR)
        if self._stars is None or number is None:
            return []
        row, made = self._stars.row(number), self._stars.spectrum(number)
        star, unit = self._stars.stars[row], made.unit
        circle = {"kind": "circle", "x": float(star["x"]) - 1, "y": float(star["y"]) - 1, "a": APERTURE, "b": APERTURE}
        around = self.spectrum({**circle, "how": "sum", "ring": [], "points": [], "angle": 0.0})
        noise = self._stars.error[row]
        left = np.sqrt(self._stars.chi2[row]) * noise  # in errors of the flux: as high as its error where all is well
        return [
            _packed(STAR, unit, [f"star {number}, by its profile", *made.notes], made.flux, made.error),
            _packed(SUM, unit, [f"sum of {APERTURE:g} spaxels about it"], around.flux, None),
            _packed(RESIDUAL, unit, ["residual of its fit, error of the flux where all is well"], left, None),
        ]


def _packed(number: int, unit: str, notes: list[str], flux: Any, error: Any) -> tuple[dict[str, Any], bytes]:
    parts = [flux] if error is None else [flux, error]
    info = {"id": number, "unit": unit, "notes": notes, "error": error is not None}
    return info, b"".join(np.asarray(part).astype("<f4").tobytes() for part in parts)


def measured(looks: Looks, asked: Asked, shape: Drawn) -> dict[str, Any]:
    """Statistics of a region in the image that is shown; of a circle the radial profile and the width of its star."""
    picture = looks.pictures(asked)[0]
    try:
        aperture = Aperture.of(pixel_region(shape), looks.cube)
    except MuseError as problem:
        return {"note": str(problem)}
    found: dict[str, Any] = {"statistics": _plain(statistics(picture.data, aperture)), "unit": readable(picture.unit)}
    if shape.get("kind") == "circle":
        star = radial_profile(picture.data, float(shape["x"]), float(shape["y"]))
        found["profile"] = _plain({"x": star.x, "y": star.y, "fwhm": star.fwhm, "beta": star.beta}) | {
            "radius": [value if np.isfinite(value) else None for value in star.radius.tolist()],
            "value": [value if np.isfinite(value) else None for value in star.value.tolist()],
        }
    return found


def _plain(values: dict[str, float]) -> dict[str, float | None]:
    return {name: value if np.isfinite(value) else None for name, value in values.items()}
