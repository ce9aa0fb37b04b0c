"""Raw calibrations on which a recipe fails with a riddle, or does not end: told before it starts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from muse_nb.core.text import listed
from muse_nb.recipes.checks.faults import Fault, Frame, Reads, Run, Severity, check

__all__ = ["MIN_FRAMES", "arc_lamps", "few_frames", "line_catalogue", "two_of_a_lamp"]

MIN_FRAMES = {"BIAS": 3, "DARK": 3, "FLAT": 3, "SKYFLAT": 3}
"""By tag: fewer are refused by the recipe, whose rejection of outliers needs so many."""

_ARCS = ("muse_wavecal", "muse_lsf")
_LAMPS = {3: "neon", 4: "xenon", 5: "mercury and cadmium", 6: "neon"}
_NUMBER = 6  # lamps that headers know
_FAINTEST = 100.0  # electrons of the brightest line; a catalogue of relative fluxes goes to 1 or to 100


@check(Reads.HEADERS)
def few_frames(run: Run) -> Iterator[Fault]:
    """A recipe gets fewer frames than it needs."""
    for tag, least in MIN_FRAMES.items():
        frames = list(run.tagged(tag))
        if frames and len(frames) < least:
            what = f"{'are' if len(frames) > 1 else 'is'} {len(frames)} {tag} of at least {least}"
            consequence = f"{run.recipe} would fail, as it rejects outliers"
            files = tuple(frame.path for frame in frames)
            yield Fault("few_frames", files, what, consequence, "add frames of the same template")


@check(Reads.HEADERS)
def two_of_a_lamp(run: Run) -> Iterator[Fault]:
    """Of a lamp there are two arcs, which the recipe cannot combine by its clipping of outliers."""
    if run.recipe not in _ARCS or str(run.parameters.get("combine", "sigclip")) != "sigclip":
        return
    arcs = list(run.tagged("ARC", "ARC_LSF"))
    counts = Counter(lamps for frame in arcs if (lamps := _burning(frame)))
    for lamps, number in counts.items():
        if number == 2:
            files = tuple(frame.path for frame in arcs if _burning(frame) == lamps)
            what = f"are two arcs of {_named(lamps)}"
            consequence = f"{run.recipe} would fail: it clips outliers of one frame (none) or of three and more"
            yield Fault("two_of_a_lamp", files, what, consequence, "leave one out, or set combine=average")


@check(Reads.HEADERS)
def arc_lamps(run: Run) -> Iterator[Fault]:
    """Headers of arcs do not name the lamp, or a lamp was off, or one is missing."""
    arcs = list(run.tagged("ARC", "ARC_LSF"))
    if run.recipe not in _ARCS or not arcs:
        return
    mute = [
        frame.path for frame in arcs if not any(f"ESO INS LAMP{n} ST" in frame.cards for n in range(1, _NUMBER + 1))
    ]
    if mute:
        consequence = f"{run.recipe} would take all lamps for one, and may not end"
        yield Fault("arc_lamps", tuple(mute), "do not say which lamp was on (ESO INS LAMPn ST, SHUTn ST)", consequence,
                    "take the archive's raw frames, whose headers do")  # fmt: skip
        return
    dark = [frame.path for frame in arcs if not _burning(frame)]
    if dark:
        yield Fault("arc_lamps", tuple(dark), "had no lamp on", "there are no lines in them", "leave these arcs out")
    there = {n for frame in arcs for n in _burning(frame)}
    missing = [name for n, name in _LAMPS.items() if n != _NUMBER and n not in there]
    if there and missing and not (missing == ["neon"] and _NUMBER in there):
        yield Fault(
            "arc_lamps",
            (),
            f"there are no arcs of {listed(missing)}",
            "wavelengths are worse where only these have lines, at the ends above all",
            "add them, or look at the residuals of the wavelengths",
            Severity.FLAG,
        )


@check(Reads.HEADERS)
def line_catalogue(run: Run) -> Iterator[Fault]:
    """The lines' fluxes are not in the unit of the frames, or no line is good enough for a width."""
    if run.recipe not in _ARCS:
        return
    for frame in run.tagged("LINE_CATALOG"):
        found = _columns(frame)
        if found is None:
            what = "has no table with the columns lambda, flux, ion and quality"
            yield Fault("line_catalogue", (frame.path,), what, "no arc line could be told from another", _TAKE)
            continue
        flux, quality = found
        if not np.nanmax(flux, initial=0.0) > _FAINTEST:
            what = f"has fluxes up to {np.nanmax(flux, initial=0.0):g}, not in electrons as the frames are"
            yield Fault("line_catalogue", (frame.path,), what, f"no line is left and {run.recipe} does not end", _TAKE)
        elif not (quality == 5).any():
            what = "has no line of quality 5, by which widths are measured"
            yield Fault("line_catalogue", (frame.path,), what, f"{run.recipe} would fail", _TAKE)


_TAKE = "take the LINE_CATALOG of ESO's pipeline kit (muse-calib)"


def _columns(frame: Frame) -> tuple[np.ndarray, np.ndarray] | None:
    """Flux and quality of the lines."""
    from astropy.io import fits

    try:
        table = fits.getdata(frame.path, 1)
        _ = table["lambda"], table["ion"]
        return np.asarray(table["flux"], float), np.asarray(table["quality"])
    except (OSError, KeyError, IndexError, TypeError):
        return None


def _burning(frame: Frame) -> tuple[int, ...]:
    """Lamps that were on with an open shutter."""
    on = (n for n in range(1, _NUMBER + 1) if frame.cards.get(f"ESO INS LAMP{n} ST") is True)
    return tuple(n for n in on if frame.cards.get(f"ESO INS SHUT{n} ST") is True)


def _named(lamps: tuple[int, ...]) -> str:
    return " and ".join(_LAMPS.get(n, f"lamp {n}") for n in lamps)
