"""WAVECAL_RESIDUALS: which arc lines made the solution, and how far each lies from it.

``arrays``: slice, wavelength, residual (n,): of every line that is in the last iteration of its slice, the median of
its residuals [Angstrom].
"""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files

import numpy as np

from muse_nb.core.errors import MuseError
from muse_nb.core.robust import median
from muse_nb.products.calibrations.masters import Master
from muse_nb.products.field import SLICES
from muse_nb.steps.masters.parts.measured import Array, Measured, Quantity, slices

__all__ = ["measure_residuals"]

SAME_LINE = 0.5  # two wavelengths that are nearer are one line [Angstrom]
MIN_LINES = 3  # of a lamp within the range, for the lamp to be judged
NOMINAL = (4650.0, 9350.0)  # of MUSE [Angstrom]
MIN_SLICES = 5  # that have a line, for it to be held against the others


@cache
def _bright_lines() -> dict[str, Array]:
    """Bright lines of each lamp in air [Angstrom]."""
    text = (files("muse_nb.steps.masters.kinds") / "arc_lines.csv").read_text(encoding="utf-8")
    lamps: dict[str, list[float]] = {}
    for row in csv.DictReader(text.splitlines()):
        lamps.setdefault(row["lamp"], []).append(float(row["air"]))
    return {lamp: np.array(lines) for lamp, lines in lamps.items()}


def measure_residuals(master: Master, span: tuple[float, float] | None) -> Measured:
    """Measure a WAVECAL_RESIDUALS.

    Parameters
    ----------
    master
        The table.
    span
        First and last wavelength of the chip [Angstrom], None where they are not known.
    """
    try:
        number, iteration, wavelength, residual, limit = master.columns(
            "slice", "iteration", "lambda", "residual", "rejlimit"
        )
    except MuseError as error:
        return Measured(master, (), notes=(f"was not judged ({error})",))
    last = np.zeros(256)
    np.maximum.at(last, number.astype(int) % 256, iteration)
    kept = (iteration == last[number.astype(int) % 256]) & (np.abs(residual) <= limit)
    lines = _medians(number[kept].astype(int), wavelength[kept], residual[kept])
    if not len(lines):
        return Measured(master, (), notes=("holds no line: it was not judged",))
    of, at, away = lines.T
    found = _lamps(of, at, span)
    notes = () if span else ("is of a chip whose wavelengths are not known: its ends were not judged",)
    gaps, ends = np.full(SLICES, np.nan), np.full(SLICES, np.nan)
    for n in range(SLICES):
        here = np.sort(at[of == n + 1])
        if here.size > 1:
            gaps[n] = float(np.max(np.diff(here)))
        if here.size and span:
            ends[n] = max(here[0] - span[0], span[1] - here[-1])
    found.append(Quantity.of("wave_gap", gaps, slices()))
    if span:
        found.append(Quantity.of("wave_ends", ends, slices()))
    each = np.unique(at)
    shared = [line for line in each if np.count_nonzero(at == line) >= MIN_SLICES]
    medians = [median(away[at == line]) for line in shared]
    found.append(Quantity.of("wave_line", medians, [f"line {line:.2f}" for line in shared]))
    return Measured(master, tuple(found), {"slice": of, "wavelength": at, "residual": away}, notes)


def _medians(number: np.ndarray, wavelength: Array, residual: Array) -> Array:
    """Slice, wavelength and median residual of every line, shape (n, 3)."""
    order = np.lexsort((wavelength, number))
    number, wavelength, residual = number[order], wavelength[order], residual[order]
    starts = np.flatnonzero(np.diff(number, prepend=-1) | (np.diff(wavelength, prepend=-1.0) > SAME_LINE))
    pieces = np.split(residual, starts[1:])
    found = [(number[k], wavelength[k], float(np.median(piece))) for k, piece in zip(starts, pieces, strict=True)]
    return np.array(found, float).reshape(-1, 3)


def _lamps(of: Array, at: Array, span: tuple[float, float] | None) -> list[Quantity]:
    """Share of each lamp's bright lines that is in the solution, in the mean of the slices."""
    low, high = span or NOMINAL
    shares = {}
    for lamp, lines in _bright_lines().items():
        inside = lines[(lines > low + 10) & (lines < high - 10)]
        if inside.size >= MIN_LINES:
            hits = [np.unique(of[np.abs(at - line) < SAME_LINE]).size for line in inside]
            shares[f"lamp {lamp}"] = float(np.sum(hits)) / (inside.size * np.unique(of).size)
    return [Quantity.of("wave_lamp", list(shares.values()), shares)] if shares else []
