"""What a combined cube is held against: its own single exposures, its STAT, and the borders it was made along."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.robust import mad_sigma, median
from muse_nb.core.text import listed
from muse_nb.products.fits.planes import StoredPlanes
from muse_nb.resample.coverage import Span, common_spans
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
    """One exposure against the cube: ratio of widths, distance [arcsec], ratio of fluxes, and level [sigma].

    What is NaN could not be compared: in fields without single stars the ratios; the distance then is that of the whole
    image from those of the others.
    """

    date: str
    width: float = math.nan
    moved: float = math.nan
    flux: float = math.nan
    level: float = math.nan
    by_stars: bool = False


def check_cube(
    path: Path, inputs: Inputs, grid: CubeGrid, settings: Settings, borders: Iterable[int] = ()
) -> list[Check]:
    """Hold a combined cube against its exposures, in some planes that they have in common, where several of them lie.

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
        What could not be compared is named in its text.

    Raises
    ------
    MuseError
        The cube or a table cannot be read.
    """
    nz = grid.shape[0]
    data, stat = StoredPlanes.named(path, "DATA", grid.shape), StoredPlanes.named(path, "STAT", grid.shape)
    spans, _ = common_spans(inputs, grid, min(nz, max(8, nz // 100)))
    compared: dict[int, _Compared] = {}
    stars, fwhm = 0, math.nan
    if len(inputs.exposures) > 1:
        for span in spans:
            found, number, width = _compare_in(span, inputs, grid, settings, data, stat)
            compared = found | compared
            stars, fwhm = (number, width) if number > stars else (stars, fwhm)
    every = [compared.get(n, _Compared(exposure.date_obs)) for n, exposure in enumerate(inputs.exposures)]
    if len(every) < 2:
        every = []
    return [
        *_star_checks(every, stars, fwhm),
        _noise(data, stat, spans[0].planes),
        _slabs(data, stat, sorted(set(borders))),
        _fields(every),
    ]


def _compare_in(
    span: Span, inputs: Inputs, grid: CubeGrid, settings: Settings, data: StoredPlanes, stat: StoredPlanes
) -> tuple[dict[int, _Compared], int, float]:
    """Compare exposures with the cube in the planes of a span: also how many stars there are, and their FWHM [arcsec].

    Only where two exposures or more have data does the cube say anything that one of them does not.
    """
    frugal = replace(settings, memory=None)  # a few planes of one exposure: as little as that takes
    first, last = span.planes.start, span.planes.stop
    images = {
        n: _mean(plane.data for plane in planes(inputs.only(n), grid, frugal, first, last)) for n in span.exposures
    }
    number = np.sum([np.isfinite(image) for image in images.values()], axis=0)
    together = np.where(number > 1, _mean(map(data.__getitem__, span.planes)), np.nan)
    error = _sigma(_mean(map(stat.__getitem__, span.planes)))
    stars = find_stars(together)
    reference = measure_stars(together, stars)
    scale, found = grid.step * 3600, {}
    for n, alone in images.items():
        image = np.where(number > 1, alone, np.nan)
        level = median((image - together) / error)
        one = _compare(inputs.exposures[n].date_obs, reference, measure_stars(image, stars), scale, level)
        if not one.by_stars:
            others = together + (together - image) / np.maximum(number - 1, 1)
            shift = image_shift(image, others)
            one = replace(one, moved=math.hypot(*shift) * scale if shift else math.nan)
        found[n] = one
    return found, len(stars), median(reference.fwhm) * scale


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
        return _Compared(date, level=level)
    moved = scale * math.hypot(median((alone.x - together.x)[seen]), median((alone.y - together.y)[seen]))
    width, flux = (median((getattr(together, n) / getattr(alone, n))[seen]) for n in ("fwhm", "flux"))
    return _Compared(date, width, moved, flux, level, by_stars=True)


def _parted(compared: list[_Compared], what: str) -> tuple[list[_Compared], str]:
    """Exposures of which a number is known, and the words that name the others."""
    known = [one for one in compared if np.isfinite(getattr(one, what))]
    unknown = [one.date for one in compared if one not in known]
    return known, f"; not compared: {listed(unknown)}" if unknown else ""


def _whole(known: list[_Compared], compared: list[_Compared]) -> str:
    return "every exposure" if len(known) == len(compared) else f"{len(known)} of {len(compared)} exposures"


def _star_checks(compared: list[_Compared], stars: int, fwhm: float) -> list[Check]:
    known, left = _parted(compared, "width")
    if not known:
        why = "a single exposure is compared with nothing"
        if compared:
            why = f"{stars} stars stand alone where exposures overlap" if stars else _NO_PLACE
        unknown = {name: Check(name, None, f"{name} of stars were not compared: {why}") for name in _STARS}
        return list((unknown | {check.name: check for check in _positions(compared)}).values())
    wider = 1 / float(np.mean([1 / one.width for one in known])) - 1
    off = max(known, key=lambda one: abs(one.flux - 1))
    where = "its exposures" if not left else f"{len(known)} of its exposures"
    return [
        Check(
            "widths",
            wider < MAX_WIDENING,
            f"stars are {abs(100 * wider):.1f} % {'wider' if wider > 0 else 'narrower'} in the cube than in the mean of"
            f" {where} ({fwhm:.2f} arcsec by moments, {stars} stars)"
            + ("" if wider < MAX_WIDENING else ": the exposures do not lie on each other, check the offsets")
            + left,
        ),
        *_positions(compared),
        Check(
            "fluxes",
            abs(off.flux - 1) < MAX_FLUX_CHANGE,
            f"fluxes of stars in the cube are within {abs(100 * (off.flux - 1)):.1f} % of those in"
            f" {_whole(known, compared)}{left}"
            if abs(off.flux - 1) < MAX_FLUX_CHANGE
            else f"fluxes of stars in the cube are {off.flux:.2f} times those in {off.date}: clouds, or a wrong"
            f" FLUX_SCALE{left}",
        ),
    ]


def _positions(compared: list[_Compared]) -> list[Check]:
    known, left = _parted(compared, "moved")
    if not known:
        return []
    far = max(known, key=lambda one: one.moved)
    good = far.moved < MAX_DISTANCE
    how = "of the cube, by its stars" if far.by_stars else "of the others, by its whole image"
    if good:
        text = f"{_whole(known, compared)} {'lies' if len(known) == len(compared) else 'lie'} within"
        return [Check("positions", True, f"{text} {far.moved:.3f} arcsec {how} ({far.date} is the farthest){left}")]
    text = f"{far.date} lies {far.moved:.2f} arcsec {how.replace('of', 'from', 1)}"
    return [Check("positions", False, f"{text}: check the size and sign of its offset{left}")]


_STARS = ("widths", "positions", "fluxes")
_NO_PLACE = "no star stands alone where two exposures or more have data in the same planes"


def _noise(data: StoredPlanes, stat: StoredPlanes, sample: range) -> Check:
    """Compare planes two apart: no drop reaches both, so that their noise is independent."""
    ratios, there = [], False
    for number in sample[:-2]:
        change = data[number + 2] - data[number]
        there = there or bool(np.isfinite(change).any())
        ratios.append(mad_sigma(change / _sigma(stat[number + 2] + stat[number])))
    ratio = median(np.array(ratios))
    if not np.isfinite(ratio):
        why = "STAT is 0 or not finite" if there else "there are no data"
        where = f"in planes {sample.start + 1} to {sample.stop}"
        return Check("noise", None, f"the noise was not compared with STAT: {why} {where}, which were looked at")
    good = NOISE_RANGE[0] < ratio < NOISE_RANGE[1]
    text = f"voxels scatter {ratio:.2f} times as much from plane to plane as STAT says"
    return Check("noise", good, text if good else f"{text}: errors that are taken from STAT are wrong by that")


def _slabs(data: StoredPlanes, stat: StoredPlanes, borders: list[int]) -> Check:
    """Hold the step of the level across borders against the steps on either side of them."""
    borders = [border for border in borders if 2 <= border <= len(data) - 2]
    if not borders:
        return Check("slabs", None, "the cube was made in one piece: there are no borders that could show")
    excess = {}
    for border in borders[:: -(-len(borders) // MAX_BORDERS)]:
        step = [_step(data, stat, k) for k in (border - 1, border, border + 1)]
        excess[border] = abs(step[1] - (step[0] + step[2]) / 2)
    known = {border: value for border, value in excess.items() if np.isfinite(value)}
    if not known:
        return Check("slabs", None, f"the level across {len(borders)} borders was not compared: no data, or no STAT")
    worst = max(known, key=lambda border: known[border])
    jump = f"{known[worst]:.2f} sigma of a voxel"
    if known[worst] > MAX_STEP:
        return Check("slabs", False, f"the level jumps by {jump} at plane {worst}, where two pieces meet")
    return Check("slabs", True, f"the level steps by at most {jump} across {len(known)} of {len(borders)} borders")


def _step(data: StoredPlanes, stat: StoredPlanes, number: int) -> float:
    return median((data[number] - data[number - 1]) / _sigma(stat[number] + stat[number - 1]))


def _sigma(variance: np.ndarray) -> np.ndarray:
    """Square root; NaN where a damaged table has left a negative variance."""
    return np.asarray(np.sqrt(np.where(variance > 0, variance, np.nan)))


def _fields(compared: list[_Compared]) -> Check:
    """An exposure whose level is off leaves a step where its field ends."""
    if not compared:
        return Check("fields", None, "there is one exposure: no field ends inside the cube")
    known, left = _parted(compared, "level")
    if not known:
        why = "nowhere have two exposures or more data, and STAT, in the same planes"
        return Check("fields", None, f"the sky levels of the exposures were not compared: {why}")
    worst = max(known, key=lambda one: abs(one.level))
    if abs(worst.level) > MAX_SKY_LEVEL:
        text = f"the sky of {worst.date} is {worst.level:+.1f} sigma off the cube's: the edge of its field will show"
        return Check("fields", False, f"{text}{left}")
    levels = "the exposures" if not left else f"{len(known)} of {len(compared)} exposures"
    text = f"sky levels of {levels} are within {abs(worst.level):.2f} sigma of the cube's"
    return Check("fields", True, f"{text}{left or ': no edge of a field shows'}")
