"""Zeros that muse_scipost writes where a flat-field spectrum does not reach: data 0, variance 0, dq 0, not a word.

muse_scipost divides the pixel tables of an exposure by the spectrum of their flat fields, the common one of all IFUs.
An IFU whose flat is flagged in some rows has a shorter spectrum, and the data of every other IFU become 0 there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.errors import MuseError
from muse_nb.products.cube_file import CubeFile
from muse_nb.products.fits.bintable import read_table
from muse_nb.products.fits.blocks import hdus
from muse_nb.products.header import number_of
from muse_nb.products.pixtable import PixelTable
from muse_nb.recipes.checks.faults import Fault, Frame, Reads, Run, Severity, check
from muse_nb.recipes.checks.sample import sampled_rows

__all__ = ["flat_reach", "zero_planes", "zero_rows"]

_FLAT = "PIXTABLE_FLAT_FIELD"
_BEYOND_LAST = 0.7  # Angstrom, half a step of the spectrum: the recipe reaches that far beyond its last point
_MAX_BEYOND = 0.005  # share of the good rows; a few at the ends, where IFUs begin differently, are in every cube
_MAX_ZEROS = 0.1  # share of a plane's finite values
_END_PLANES, _MIDDLE_PLANES = 3, 24  # of a cube that are looked at: at each end, and between
_CAUSE = "as muse_scipost writes where a flat-field spectrum ends"
_REMEDY = "reduce again with MASTER_FLATs that have light in the whole range, or cut it"
_CUT = "(--lambdamin, --lambdamax)"


@check(Reads.PIXELS)
def flat_reach(run: Run) -> Iterator[Fault]:
    """The flat-field spectrum that the IFUs of an exposure have in common is shorter than their data."""
    if run.recipe != "muse_scipost":
        return
    exposures: dict[str, list[tuple[Frame, tuple[float, float]]]] = defaultdict(list)
    for frame in run.tagged("PIXTABLE_OBJECT"):
        if (reach := _reach(frame.path)) is not None:
            exposures[str(frame.cards.get("DATE-OBS"))].append((frame, reach))
    for given in exposures.values():
        low, high = max(reach[0] for _, reach in given), min(reach[1] for _, reach in given)
        shortest = min(b - a for _, (a, b) in given)
        counted = [_beyond(PixelTable.open(frame.path), low, high, run) for frame, _ in given]
        good, beyond = (sum(numbers) for numbers in zip(*counted, strict=True))
        if beyond > _MAX_BEYOND * good:
            yield Fault(
                "flat_reach",
                tuple(frame.path for frame, (a, b) in given if b - a < shortest + _BEYOND_LAST),
                f"has a flat-field spectrum from {low:.0f} to {high:.0f} Angstrom only",
                f"muse_scipost writes 0 for about {100 * beyond / good:.2g} % of the exposure's good pixels",
                f"{_REMEDY} (--lambdamin {np.ceil(low):.0f} --lambdamax {np.floor(high):.0f})",
                Severity.FLAG,
            )


def _reach(path: Path) -> tuple[float, float] | None:
    """First and last wavelength of a table's flat-field spectrum [Angstrom]; None where it has none."""
    for hdu in hdus(path)[1:]:
        if hdu.name == _FLAT and hdu.cards.get("XTENSION") == "BINTABLE":
            columns = read_table(path, hdu)
            values = [] if "lambda" not in columns else [number_of(value) for value in columns["lambda"].values]
            known = [value for value in values if value is not None]
            return (min(known), max(known)) if known else None
    return None


def _beyond(table: PixelTable, low: float, high: float, run: Run) -> tuple[int, int]:
    """Rows with dq 0 that the recipe is asked for, and how many of them are beyond a range of wavelengths."""
    asked = [run.number(name) for name in ("lambdamin", "lambdamax")]
    first, last = (limit if given is None else given for given, limit in zip(asked, (0.0, np.inf), strict=True))
    good = beyond = 0
    for start, stop in sampled_rows(table):
        wavelength = table.read("lambda", start, stop)
        fine = (table.read("dq", start, stop) == 0) & (wavelength >= first) & (wavelength <= last)
        good += int(np.count_nonzero(fine))
        beyond += int(np.count_nonzero(fine & ((wavelength < low - _BEYOND_LAST) | (wavelength > high + _BEYOND_LAST))))
    return good, beyond


@check(Reads.PIXELS)
def zero_rows(run: Run) -> Iterator[Fault]:
    """Rows of a pixel table are 0 with variance 0 and not flagged; looked for in some of the rows."""
    for frame in run.tagged("PIXTABLE_REDUCED", "PIXTABLE_POSITIONED"):
        looked, zero = _zeros(PixelTable.open(frame.path))
        if zero:
            what = f"has data 0 with variance 0 and dq 0 in about {100 * zero / looked:.2g} % of its rows, {_CAUSE}"
            consequence = "a cube would take the zeros for light"
            yield Fault("zero_rows", (frame.path,), what, consequence, f"{_REMEDY} {_CUT}", Severity.FLAG)


def _zeros(table: PixelTable) -> tuple[int, int]:
    """Rows that are looked at, and how many of them are 0 with variance 0 and not flagged."""
    looked = zero = 0
    for start, stop in sampled_rows(table):
        data = table.read("data", start, stop)
        looked += len(data)
        suspect = data == 0
        if suspect.any():
            fine = table.read("dq", start, stop) == 0
            zero += int(np.count_nonzero(suspect & fine & (table.read("stat", start, stop) == 0)))
    return looked, zero


@check(Reads.PIXELS)
def zero_planes(run: Run) -> Iterator[Fault]:
    """Planes of a cube are mostly 0 with variance 0."""
    for frame in run.made("DATACUBE_FINAL"):
        try:
            cube = CubeFile.open(frame.path)
            planes = _planes_of_zeros(cube) if cube.has("STAT") else []
            where = f"{cube.wavelength(planes[0]):.0f} to {cube.wavelength(planes[-1]):.0f} Angstrom" if planes else ""
        except MuseError:
            continue
        if planes:
            what = f"has zeros with variance 0 from {where}, {_CAUSE}"
            yield Fault(
                "zero_planes", (frame.path,), what, "spectra are wrong there", f"{_REMEDY} {_CUT}", Severity.FLAG
            )


def _planes_of_zeros(cube: CubeFile) -> list[int]:
    """Of the planes at both ends and some between, those with more such zeros than a tenth of their data."""
    nz = cube.shape[0]
    ends = {*range(min(_END_PLANES, nz)), *range(max(0, nz - _END_PLANES), nz)}
    chosen = ends | set(np.linspace(0, nz - 1, _MIDDLE_PLANES).astype(int))
    with cube.reader() as read, cube.reader("STAT") as variance:
        return [k for k in sorted(map(int, chosen)) if _is_of_zeros(read(k), partial(variance, k))]


def _is_of_zeros(plane: NDArray[np.float32], variance: Callable[[], NDArray[np.float32]]) -> bool:
    """Whether many values of a plane are 0 with variance 0; the variance is read only where many are 0."""
    zero = plane == 0
    number = int(np.count_nonzero(np.isfinite(plane)))
    if not number or np.count_nonzero(zero) < _MAX_ZEROS * number:
        return False
    return bool(np.count_nonzero(zero & (variance() == 0)) >= _MAX_ZEROS * number)
