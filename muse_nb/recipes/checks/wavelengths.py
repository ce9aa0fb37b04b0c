"""Wavelengths that muse_scibasic moved by a sky line's own wavelength: exit status 0, and the product says nothing.

It corrects the wavelengths of each IFU by the sky lines of ``--skylines``. Where all pixels around a line are flagged
its fit has none, and the shift is, at random, 0 or the wavelength of the line: light of 6236 Angstrom lies at 12536.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from muse_nb.core.errors import MuseError
from muse_nb.products.cube_file import CubeFile
from muse_nb.products.header import number_of
from muse_nb.products.pixtable import PixelTable
from muse_nb.recipes.checks.faults import Fault, Frame, Reads, Run, check
from muse_nb.recipes.checks.sample import sampled_rows

__all__ = ["lambda_planes", "lambda_range", "lambda_rows", "lambda_shift"]

SHIFT = "ESO QC SCIBASIC LAMBDA SHIFT"
_LIMITS = ("ESO DRS MUSE PIXTABLE LIMITS LAMBDA LOW", "ESO DRS MUSE PIXTABLE LIMITS LAMBDA HIGH")
_MAX_SHIFT = 5.0  # Angstrom; on real nights it is -0.01 to 0.5, the move to the barycentre less than 1
_FIRST, _LAST = 4000.0, 10000.0  # Angstrom; MUSE sees 4600 to 9350
_TABLES = ("PIXTABLE_OBJECT", "PIXTABLE_REDUCED", "PIXTABLE_POSITIONED")
_CONSEQUENCE = "its light would lie at wrong wavelengths, in a cube of thousands of planes too many"
_AGAIN = "run muse_scibasic again, with skylines=none if that comes back"


@check(Reads.HEADERS)
def lambda_shift(run: Run) -> Iterator[Fault]:
    """muse_scibasic moved the wavelengths of an IFU by more than a sky line can tell."""
    for frame in (*run.tagged("PIXTABLE_OBJECT"), *run.made("PIXTABLE_OBJECT")):
        shift = number_of(frame.cards.get(SHIFT))
        if shift is not None and abs(shift) > _MAX_SHIFT:
            what = f"was moved by {shift:g} Angstrom for a sky line in whose place it has no good pixel"
            yield Fault("lambda_shift", (frame.path,), what, _CONSEQUENCE, _AGAIN)


@check(Reads.HEADERS)
def lambda_range(run: Run) -> Iterator[Fault]:
    """The limits in the header of a pixel table are of wavelengths that MUSE does not see."""
    for frame in _tables(run):
        limits = _limits(frame.cards)
        if limits is not None and (limits[0] < _FIRST or limits[1] > _LAST):
            what = f"reaches from {limits[0]:.0f} to {limits[1]:.0f} Angstrom, beyond what MUSE sees"
            yield Fault("lambda_range", (frame.path,), what, _CONSEQUENCE, f"reduce the exposure again: {_AGAIN}")


@check(Reads.PIXELS)
def lambda_rows(run: Run) -> Iterator[Fault]:
    """Wavelengths of a pixel table lie outside the limits in its header; looked for in some of the rows."""
    for frame in _tables(run):
        limits = _limits(frame.cards)
        if limits is None:
            continue
        low, high = _extremes(PixelTable.open(frame.path))
        if low < limits[0] - _MAX_SHIFT or high > limits[1] + _MAX_SHIFT:
            told = f"{limits[0]:.0f} to {limits[1]:.0f}"
            what = f"has wavelengths from {low:.0f} to {high:.0f} Angstrom, its header says {told}"
            yield Fault("lambda_rows", (frame.path,), what, _CONSEQUENCE, f"reduce the exposure again: {_AGAIN}")


@check(Reads.HEADERS)
def lambda_planes(run: Run) -> Iterator[Fault]:
    """A cube has planes at wavelengths that MUSE does not see."""
    for frame in run.made("DATACUBE_FINAL"):
        try:
            cube = CubeFile.open(frame.path)
            first, last = (float(cube.wavelength(plane)) for plane in (0, cube.shape[0] - 1))
        except MuseError:  # no cube, or of unknown wavelengths: said elsewhere
            continue
        if first < _FIRST or last > _LAST:
            what = f"has {cube.shape[0]} planes from {first:.0f} to {last:.0f} Angstrom, beyond what MUSE sees"
            consequence = "the wavelengths of an IFU are wrong"
            yield Fault("lambda_planes", (frame.path,), what, consequence, f"reduce its exposures again: {_AGAIN}")


def _tables(run: Run) -> Iterator[Frame]:
    """Pixel tables that a run was given, and those that it made."""
    yield from run.tagged(*_TABLES)
    for category in _TABLES:
        yield from run.made(category)


def _limits(cards: Mapping[str, object]) -> tuple[float, float] | None:
    low, high = (number_of(cards.get(keyword)) for keyword in _LIMITS)
    return None if low is None or high is None else (low, high)


def _extremes(table: PixelTable) -> tuple[float, float]:
    """Smallest and largest finite wavelength of some rows [Angstrom]; inf and -inf where there is none."""
    low, high = np.inf, -np.inf
    for start, stop in sampled_rows(table):
        wavelength = table.read("lambda", start, stop)
        finite = wavelength[np.isfinite(wavelength)]
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    return low, high
