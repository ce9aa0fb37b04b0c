"""Values that no reduction makes of light: no variance, an infinite one, and exact zeros in the place of NaN."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.errors import MuseError
from muse_nb.products.cube_file import CubeFile
from muse_nb.products.pixtable import PixelTable
from muse_nb.products.voxels import ValueSample, sample_values
from muse_nb.recipes.checks.faults import Fault, Reads, Run, Severity, check
from muse_nb.recipes.checks.sample import sampled_rows

__all__ = ["cube_variance", "odd_values", "row_variance", "zero_voxels"]

_MOST = 0.5  # of a plane's voxels with data: more of them, and the plane as a whole is named
_MIN_SHARE = 1e-4  # of voxels or rows, below which nothing is said
_MIN_ZEROS = 2e-3  # of the finite voxels; light is hardly ever exactly 0 but where it was digitized coarsely
_CONSEQUENCE = "errors and weights that are taken from it are wrong"
_REMEDY = "make it again, or mask these voxels"


@check(Reads.PIXELS)
def cube_variance(run: Run) -> Iterator[Fault]:
    """STAT of a cube is 0, negative or not finite where there are data."""
    for frame in run.made("DATACUBE_FINAL"):
        for what in _told(frame.path, lambda cube, sample: _variance(cube, sample)):
            yield Fault("cube_variance", (frame.path,), what, _CONSEQUENCE, _REMEDY, Severity.FLAG)


@check(Reads.PIXELS)
def zero_voxels(run: Run) -> Iterator[Fault]:
    """Voxels of a cube are exactly 0, as tools write that do not know NaN."""
    for frame in run.made("DATACUBE_FINAL"):
        for what in _told(frame.path, lambda cube, sample: _zeros(sample)):
            consequence = "means, medians and noise take them for light"
            remedy = "set them to NaN where there are no data"
            yield Fault("zero_voxels", (frame.path,), what, consequence, remedy, Severity.FLAG)


@check(Reads.PIXELS)
def row_variance(run: Run) -> Iterator[Fault]:
    """Rows of a pixel table have no variance though they have data and are not flagged; looked for in some rows."""
    for frame in run.tagged("PIXTABLE_REDUCED", "PIXTABLE_POSITIONED"):
        table, looked, bad = PixelTable.open(frame.path), 0, 0
        for start, stop in sampled_rows(table):
            stat = table.read("stat", start, stop)
            looked += len(stat)
            suspect = np.isfinite(stat) & ~(stat > 0)
            if suspect.any():
                fine = (table.read("dq", start, stop) == 0) & (table.read("data", start, stop) != 0)
                bad += int(np.count_nonzero(suspect & fine))
        if bad > _MIN_SHARE * looked:
            what = f"has stat 0 or negative in about {100 * bad / looked:.3g} % of its rows, whose data are not 0"
            yield Fault("row_variance", (frame.path,), what, _CONSEQUENCE, "reduce the exposure again", Severity.FLAG)


def odd_values(cube: CubeFile) -> list[str]:
    """Say what of a cube's values cannot be right, each the rest of a sentence that starts with the cube's name.

    Raises
    ------
    MuseError
        The cube cannot be read.
    """
    sample = sample_values(cube)
    return [*_variance(cube, sample), *_zeros(sample)]


def _told(path: object, say: Callable[[CubeFile, ValueSample], list[str]]) -> list[str]:
    try:
        cube = CubeFile.open(str(path))
        return say(cube, sample_values(cube))
    except MuseError:  # no cube: said elsewhere
        return []


def _variance(cube: CubeFile, sample: ValueSample) -> list[str]:
    said = []
    for what, bad in (("0 or negative", sample.no_variance), ("infinite or NaN", sample.no_finite_variance)):
        whole = bad > _MOST * np.maximum(sample.finite, 1)
        if whole.any():
            said.append(f"has a STAT that is {what} in {int(whole.sum())} planes with data{_where(cube, whole)}")
        rest = int(bad[~whole].sum())
        if rest > _MIN_SHARE * max(1, int(sample.finite.sum())):
            share = 100 * rest / int(sample.finite.sum())
            beside = " of other planes" if whole.any() else ""
            said.append(f"has a STAT that is {what} in about {share:.3g} % of the voxels with data{beside}")
    return said


def _zeros(sample: ValueSample) -> list[str]:
    finite, zero = int(sample.finite.sum()), int(sample.zero.sum())
    if zero <= _MIN_ZEROS * max(1, finite):
        return []
    return [f"has data of exactly 0 in about {100 * zero / finite:.3g} % of its voxels: they look like no data"]


def _where(cube: CubeFile, planes: NDArray[np.bool_]) -> str:
    number = np.flatnonzero(planes)
    first, last = int(number[0]), int(number[-1])
    try:
        return f", from {cube.wavelength(first):.0f} to {cube.wavelength(last):.0f} Angstrom"
    except MuseError:
        return f", the first of them plane {first}"
