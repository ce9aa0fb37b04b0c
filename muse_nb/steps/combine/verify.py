"""What a combined cube is held against: its own single exposures, its STAT, and the borders it was made along."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.robust import mad_sigma, median
from muse_nb.products.fits.planes import StoredPlanes
from muse_nb.resample.grid import CubeGrid
from muse_nb.resample.inputs import Inputs
from muse_nb.resample.stream import Settings, planes
from muse_nb.steps.combine.quick_stars import StarShapes, find_stars, image_shift, measure_stars
from muse_nb.steps.combine.result import Check

__all__ = ["check_cube"]

MAX_WIDENING = 0.05  # of the FWHM in the cube over the mean of the exposures
MAX_DISTANCE = 0.1  # arcsec between an exposure and the cube
MAX_FLUX_CHANGE = 0.05  # of stars in an exposure over the cube
NOISE_RANGE = (0.8, 1.25)  # scatter from plane to plane over what STAT says
MAX_STEP = 0.3  # sigma of a voxel, of the level across a border
MAX_SKY_LEVEL = 1.0  # sigma of a voxel, of an exposure's sky over the cube's
MIN_STARS = 3  # that make a median
MAX_BORDERS = 24  # that are looked at


@dataclass(frozen=True)
class _Compared:
    """One exposure against the combine: ratio of widths, distance [arcsec], ratio of fluxes, and level [sigma].

    In fields without single stars the distance is that of the whole images, or NaN, and the ratios are NaN.
    """

    date: str
    width: float
    moved: float
    flux: float
    level: float


def check_cube(
    path: Path, inputs: Inputs, grid: CubeGrid, settings: Settings, borders: Iterable[int] = ()
) -> list[Check]:
    """Hold a combined cube against its exposures, in some planes at the middle of its wavelengths.

    Parameters
    ----------
    path
        The cube.
    inputs
        Its exposures; each is resampled alone on the same grid.
    grid, settings
        Of the cube.
    borders
        First planes of the pieces that were made apart and joined.

    Returns
    -------
    list of Check

    Raises
    ------
    MuseError
        The cube or a table cannot be read.
    """
    nz = grid.shape[0]
    depth = min(nz, max(8, nz // 100))
    sample = range((nz - depth) // 2, (nz - depth) // 2 + depth)
    data, stat = StoredPlanes.named(path, "DATA", grid.shape), StoredPlanes.named(path, "STAT", grid.shape)
    together, error = _mean(map(data.__getitem__, sample)), _sigma(_mean(map(stat.__getitem__, sample)))
    stars = find_stars(together)
    reference = measure_stars(together, stars)
    frugal = replace(settings, memory=None)  # a few planes of one exposure: as little as that takes
    compared = []
    if len(inputs.exposures) > 1:
        for number, exposure in enumerate(inputs.exposures):
            alone = _mean(plane.data for plane in planes(inputs.only(number), grid, frugal, sample.start, sample.stop))
            shapes = measure_stars(alone, stars)
            level = median((alone - together) / error)
            one = _compare(exposure.date_obs, reference, shapes, grid.step * 3600, level)
            if not np.isfinite(one.moved):
                others = together + (together - alone) / (len(inputs.exposures) - 1)
                shift = image_shift(alone, others)
                one = replace(one, moved=math.hypot(*shift) * grid.step * 3600 if shift else math.nan)
            compared.append(one)
    return [
        *_star_checks(compared, len(stars), median(reference.fwhm) * grid.step * 3600),
        _noise(data, stat, sample),
        _slabs(data, stat, sorted(set(borders))),
        _fields(compared),
    ]


def _mean(images: Iterator[NDArray[np.float32]]) -> NDArray[np.float64]:
    total: NDArray[np.float64] | float = 0.0
    count: NDArray[np.int64] | int = 0
    for image in images:
        good = np.isfinite(image)
        total, count = total + np.where(good, image, 0.0), count + good
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))


def _compare(date: str, together: StarShapes, alone: StarShapes, scale: float, level: float) -> _Compared:
    seen = np.isfinite(alone.fwhm) & np.isfinite(together.fwhm)
    if seen.sum() < MIN_STARS:
        return _Compared(date, np.nan, np.nan, np.nan, level)
    moved = scale * math.hypot(median((alone.x - together.x)[seen]), median((alone.y - together.y)[seen]))
    width, flux = (median((getattr(together, n) / getattr(alone, n))[seen]) for n in ("fwhm", "flux"))
    return _Compared(date, width, moved, flux, level)


def _star_checks(compared: list[_Compared], stars: int, fwhm: float) -> list[Check]:
    known = [one for one in compared if np.isfinite(one.width)]
    if not known:
        why = "a single exposure is compared with nothing" if not compared else f"{stars} stars stand alone in it"
        unknown = {name: Check(name, None, f"{name} of stars were not compared: {why}") for name in _STARS}
        return list((unknown | {check.name: check for check in _positions(compared, "its whole image")}).values())
    wider = 1 / float(np.mean([1 / one.width for one in known])) - 1
    off = max(known, key=lambda one: abs(one.flux - 1))
    return [
        Check(
            "widths",
            wider < MAX_WIDENING,
            f"stars are {abs(100 * wider):.1f} % {'wider' if wider > 0 else 'narrower'} in the cube than in the mean of"
            f" its exposures ({fwhm:.2f} arcsec by moments, {stars} stars)"
            + ("" if wider < MAX_WIDENING else ": the exposures do not lie on each other, check the offsets"),
        ),
        *_positions(compared, "its stars"),
        Check(
            "fluxes",
            abs(off.flux - 1) < MAX_FLUX_CHANGE,
            f"fluxes of stars in the cube are within {abs(100 * (off.flux - 1)):.1f} % of those in every exposure"
            if abs(off.flux - 1) < MAX_FLUX_CHANGE
            else f"fluxes of stars in the cube are {off.flux:.2f} times those in {off.date}: clouds, or a wrong"
            " FLUX_SCALE",
        ),
    ]


def _positions(compared: list[_Compared], what: str) -> list[Check]:
    known = [one for one in compared if np.isfinite(one.moved)]
    if not known:
        return []
    far = max(known, key=lambda one: one.moved)
    good = far.moved < MAX_DISTANCE
    text = f"{far.date} lies {far.moved:.2f} arcsec from the cube, by {what}: check the size and sign of its offset"
    if good:
        text = f"every exposure lies within {far.moved:.3f} arcsec of the cube, by {what} ({far.date} is the farthest)"
    return [Check("positions", good, text)]


_STARS = ("widths", "positions", "fluxes")


def _noise(data: StoredPlanes, stat: StoredPlanes, sample: range) -> Check:
    """Compare planes two apart: no drop reaches both, so that their noise is independent."""
    ratios = []
    for number in sample[:-2]:
        difference = (data[number + 2] - data[number]) / _sigma(stat[number + 2] + stat[number])
        ratios.append(mad_sigma(difference))
    ratio = median(np.array(ratios))
    if not np.isfinite(ratio):
        return Check("noise", None, "the noise was not compared with STAT: the planes in the middle hold no data")
    good = NOISE_RANGE[0] < ratio < NOISE_RANGE[1]
    text = f"voxels scatter {ratio:.2f} times as much from plane to plane as STAT says"
    return Check("noise", good, text if good else f"{text}: errors that are taken from STAT are wrong by that")


def _slabs(data: StoredPlanes, stat: StoredPlanes, borders: list[int]) -> Check:
    """Hold the step of the level across borders against the steps on either side of them."""
    borders = [border for border in borders if 2 <= border <= len(data) - 2]
    if not borders:
        return Check("slabs", None, "the cube was made in one piece: there are no borders that could show")
    chosen = borders[:: -(-len(borders) // MAX_BORDERS)]
    excess = []
    for border in chosen:
        step = [_step(data, stat, k) for k in (border - 1, border, border + 1)]
        excess.append(abs(step[1] - (step[0] + step[2]) / 2))
    worst = int(np.nanargmax(excess)) if np.isfinite(excess).any() else 0
    good = not excess[worst] > MAX_STEP
    jump = f"{excess[worst]:.2f} sigma of a voxel"
    text = f"the level steps by at most {jump} across {len(chosen)} of {len(borders)} borders"
    if not good:
        text = f"the level jumps by {jump} at plane {chosen[worst]}, where two pieces meet"
    return Check("slabs", good, text)


def _step(data: StoredPlanes, stat: StoredPlanes, number: int) -> float:
    return median((data[number] - data[number - 1]) / _sigma(stat[number] + stat[number - 1]))


def _sigma(variance: np.ndarray) -> np.ndarray:
    """Square root; NaN where a damaged table has left a negative variance."""
    return np.asarray(np.sqrt(np.where(variance > 0, variance, np.nan)))


def _fields(compared: list[_Compared]) -> Check:
    """An exposure whose level is off leaves a step where its field ends."""
    if not compared:
        return Check("fields", None, "there is one exposure: no field ends inside the cube")
    worst = max(compared, key=lambda one: abs(one.level) if np.isfinite(one.level) else 0.0)
    good = not abs(worst.level) > MAX_SKY_LEVEL
    text = f"sky levels of the exposures are within {abs(worst.level):.2f} sigma of the cube's: no field's edge shows"
    if not good:
        text = f"the sky of {worst.date} is {worst.level:+.1f} sigma off the cube's: the edge of its field will show"
    return Check("fields", good, text)
