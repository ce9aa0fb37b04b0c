"""Zeros that muse_scipost writes where a flat-field spectrum does not reach: data 0, variance 0, dq 0, not a word.

muse_scipost divides the pixel tables of an exposure by the spectrum of their flat fields, the common one of all IFUs.
An IFU whose flat is flagged in some rows has a shorter spectrum, and the data of every other IFU become 0 there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.errors import MuseError
from muse_nb.products.cube_file import CubeFile
from muse_nb.products.fits.bintable import read_table
from muse_nb.products.fits.blocks import hdus
from muse_nb.products.header import number_of
from muse_nb.products.pixtable import PixelTable
from muse_nb.recipes.checks.faults import Fault, Frame, Run, Severity

__all__ = ["flat_reach", "zero_planes", "zero_rows"]

_FLAT = "PIXTABLE_FLAT_FIELD"
_NEAR = 0.7  # Angstrom, half a point of the spectrum: the recipe reaches that far beyond the last
_BLOCK, _BLOCKS = 4096, 128  # rows at a time, and how many times, of a look at a table
_MANY = 0.005  # of the good rows; a few at the ends, where IFUs begin at different wavelengths, are in every cube
_ENDS, _SAMPLE = 3, 24  # planes at each end of a cube, and between
_CAUSE = "as muse_scipost writes where a flat-field spectrum ends"
_REMEDY = "reduce again with MASTER_FLATs that have light in the whole range, or cut it"
_CUT = "(--lambdamin, --lambdamax)"


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
        looks = [_beyond(PixelTable.open(frame.path), low, high, run) for frame, _ in given]
        good, beyond = (sum(numbers) for numbers in zip(*looks, strict=True))
        if beyond > _MANY * good:
            yield Fault(
                "flat_reach",
                tuple(frame.path for frame, (a, b) in given if b - a < shortest + _NEAR),
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
    asked = [number_of(run.parameters.get(name)) for name in ("lambdamin", "lambdamax")]
    first, last = (limit if given is None else given for given, limit in zip(asked, (0.0, np.inf), strict=True))
    good = beyond = 0
    for start in _starts(table):
        wavelength = table.read("lambda", start, start + _BLOCK)
        fine = (table.read("dq", start, start + _BLOCK) == 0) & (wavelength >= first) & (wavelength <= last)
        good += int(np.count_nonzero(fine))
        beyond += int(np.count_nonzero(fine & ((wavelength < low - _NEAR) | (wavelength > high + _NEAR))))
    return good, beyond


def _starts(table: PixelTable) -> list[int]:
    """First rows of some blocks, spread over a table: each lies in another slice or at other wavelengths."""
    return sorted({int(at) for at in np.linspace(0, max(0, table.nrow - _BLOCK), _BLOCKS)})


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
    for start in _starts(table):
        data = table.read("data", start, start + _BLOCK)
        looked += len(data)
        suspect = data == 0
        if suspect.any():
            fine = table.read("dq", start, start + _BLOCK) == 0
            zero += int(np.count_nonzero(suspect & fine & (table.read("stat", start, start + _BLOCK) == 0)))
    return looked, zero


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
    chosen = {*range(min(_ENDS, nz)), *range(max(0, nz - _ENDS), nz), *np.linspace(0, nz - 1, _SAMPLE).astype(int)}
    with cube.reader() as read, cube.reader("STAT") as variance:
        return [k for k in sorted(map(int, chosen)) if _of_zeros(read(k), variance, k)]


def _of_zeros(plane: NDArray[Any], variance: Callable[[int], NDArray[Any]], k: int) -> bool:
    zero = plane == 0
    number = int(np.count_nonzero(np.isfinite(plane)))
    if not number or np.count_nonzero(zero) < 0.1 * number:
        return False
    return bool(np.count_nonzero(zero & (variance(k) == 0)) >= 0.1 * number)
