"""The same fit, limited to stars that an observer picked; and stars to offer."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from muse_nb.kernels.psf import discs, moffat_stamps
from muse_nb.steps.offsets.starfit.coarse import Placement, Sources, scan
from muse_nb.steps.offsets.starfit.fit import Fit
from muse_nb.steps.offsets.starfit.frame import Frame
from muse_nb.steps.offsets.starfit.geometry import from_tangent, nearest, to_tangent
from muse_nb.steps.offsets.starfit.one_thread import one_thread
from muse_nb.steps.offsets.starfit.solve import Solution, finish, unsolved

if TYPE_CHECKING:
    from astropy.table import Table

    from muse_nb.steps.offsets.measurement import Measurement

__all__ = ["candidates", "centre", "listed", "positions", "solve_picks"]

AREA = 2.2  # FWHM around a picked star that enter its fit
GOOD = 2e-4  # arcsec: a step this small is followed by one a hundred times smaller
AIM = 0.6  # FWHM from a star that a click on it may be
NEIGHBOUR = 2.5  # FWHM within which another star is fitted along


def centre(frame: Frame, x: float, y: float) -> tuple[float, float] | None:
    """Where the star next to a click is: a peak of the matched filter within 1.5 FWHM, high and near, or None."""
    height = frame.map.significance
    reach = 1.5 * frame.width
    yy, xx = np.indices(frame.shape)
    away = np.hypot(xx - x, yy - y)
    peak = (away <= reach) & (height > 3) & (height == ndimage.maximum_filter(height, 3))
    peak[0] = peak[-1] = peak[:, 0] = peak[:, -1] = False
    if not peak.any():
        return None
    score = height * np.exp(-((away / frame.width) ** 2))  # a bright neighbour does not take a faint star's click
    j, i = np.unravel_index(np.argmax(np.where(peak, score, -np.inf)), frame.shape)
    position = []
    for k, (left, right) in ((i, (height[j, i - 1], height[j, i + 1])), (j, (height[j - 1, i], height[j + 1, i]))):
        bend = left - 2 * height[j, i] + right
        position.append(float(k + (np.clip(0.5 * (left - right) / bend, -0.6, 0.6) if bend < 0 else 0.0)))
    return position[0], position[1]


def listed(solution: Solution, i: int, x: float, y: float) -> tuple[float, float] | None:
    """Where exposure `i` shows the brightest star of the fit within 0.6 FWHM of a click, or None."""
    if solution.fit is None or i not in solution.placed:
        return None
    j = solution.placed.index(i)
    frame = solution.fit.frames[j]
    position = frame.plane.pixel(solution.fit.sky + solution.fit.offsets[j])
    near = np.hypot(*(position - [x, y]).T) <= AIM * frame.width
    if not near.any():
        return None
    bright = np.max([one.amplitude for one in solution.fit.frames], axis=0)  # also where this exposure lost its core
    star = int(np.argmax(np.where(near, bright, -np.inf)))
    return float(position[star, 0]), float(position[star, 1])


def candidates(measurement: Measurement, most: int) -> Table:
    """Stars worth picking: bright against the noise, alone, seen in many exposures, at rest."""
    from astropy.table import Table

    solution, frames = measurement.solution, measurement.frames
    if solution.fit is None:
        best = int(np.argmax([frame.information for frame in frames]))
        peaks = frames[best].peaks.first(most)
        sky, worth = frames[best].plane.sky(peaks.position), peaks.significance
        shown = np.array([sum(_shows(f, frames[best].plane.sky(p)) for f in frames) for p in peaks.position], int)
    else:
        sky, worth, shown = _worth(solution)
        order = np.argsort(-worth * shown)[:most]
        order = order[worth[order] > 0]
        sky, worth, shown = sky[order], worth[order], shown[order]
    ra, dec = from_tangent(sky, measurement.origin)
    x, y = measurement.pixel(0, ra, dec)
    columns = (np.arange(1, len(ra) + 1), ra, dec, x, y, worth, shown)
    names = ("star", "ra", "dec", "x", "y", "significance", "n_exposures")
    return Table(columns, names=names, units={"ra": "deg", "dec": "deg", "x": "pixel", "y": "pixel"})


def _shows(frame: Frame, sky: NDArray) -> bool:
    x, y = frame.plane.pixel(sky)
    return bool(0 <= x < frame.shape[1] and 0 <= y < frame.shape[0])


def _worth(solution: Solution) -> tuple[NDArray, NDArray, NDArray]:
    """Positions, mean significance less what neighbours take from it, and exposures, of the fit's stars."""
    fit = solution.fit
    assert fit is not None
    assert solution.stars is not None
    shown = fit.active.sum(0)
    mean = fit.significance().sum(0) / np.maximum(shown, 1)
    wide = max(frame.seeing for frame in fit.frames)
    apart = np.hypot(*(fit.sky[:, None] - fit.sky).transpose(2, 0, 1))
    bright = np.median([frame.amplitude for frame in fit.frames], axis=0)
    rival = (bright[None] * np.exp(-apart / wide) * (apart > 0)).max(1) / np.maximum(bright, 1e-9)
    deviation = np.nan_to_num(solution.stars.deviation)
    moves = (deviation > 5).sum(0) > 0.3 * shown
    return fit.sky, np.where(moves, 0, mean / (1 + 5 * rival)), shown


@one_thread()
def solve_picks(measurement: Measurement, picks: Table) -> Solution:
    """Offsets from picked stars only; stars in between are fitted along, all others are subtracted."""
    n = len(measurement.frames)
    numbers, sky, dropped = positions(measurement, picks)
    placements, first = _place(measurement, picks, numbers, sky)
    placed = [i for i, placement in enumerate(placements) if placement.sure]
    if not len(sky) or len(placed) < 2:
        return unsolved(placements, numbers)
    base = measurement.solution
    others = base.fit.sky if base.fit is not None else np.zeros((0, 2))
    wide = max(measurement.frames[i].seeing for i in placed)
    far = nearest(others, sky)
    neighbour = (far > 0.5 * wide) & (far < NEIGHBOUR * wide) & (nearest(others, dropped) > 0.5 * wide)
    frozen = far >= NEIGHBOUR * wide
    frames = [_cut(measurement, i, first[i], sky, dropped, others, frozen) for i in placed]
    stars = np.r_[sky, others[neighbour]]
    amplitude = np.max(
        [
            _as_sources(frame, stars, first[i]).amplitude * (frame.seeing / wide) ** 2
            for i, frame in zip(placed, frames, strict=True)
        ],
        axis=0,
    )
    fit = Fit(frames, first[placed] - first[placed[0]], stars + first[placed[0]], amplitude, wide)
    fit.fluxes()
    for _ in range(4):
        if fit.step(1.0) < GOOD:
            break
    names = np.r_[numbers, np.full(int(neighbour.sum()), -1)]
    floor = base.stars.floor if base.stars is not None else 0.0
    return finish(fit, placements, placed, n, names, floor)


def positions(measurement: Measurement, picks: Table) -> tuple[NDArray, NDArray, NDArray]:
    """Numbers and positions [arcsec] of the picked stars in use, and positions of those dropped."""
    everywhere = [row for row in picks if str(row["exposure"]) == ""]
    known = np.isfinite([row["ra"] + row["dec"] for row in everywhere]) if everywhere else np.zeros(0, bool)
    rows = [row for row, k in zip(everywhere, known, strict=True) if k]
    numbers = np.array([row["star"] for row in rows], int)
    ra, dec = (np.array([row[name] for row in rows], float) for name in ("ra", "dec"))
    sky = to_tangent(ra, dec, measurement.origin).reshape(-1, 2)
    out = np.array([bool(row["dropped"]) for row in rows], bool)
    return numbers[~out], sky[~out], sky[out]


def _place(measurement: Measurement, picks: Table, numbers: NDArray, sky: NDArray) -> tuple[list[Placement], NDArray]:
    """First offsets: from stars put by hand, else from all stars, else by looking for the picked ones."""
    frames, base = measurement.frames, measurement.solution
    first = np.full((len(frames), 2), np.nan)
    placements = list(base.placements)
    sources = None
    for i, frame in enumerate(frames):
        shifts = []
        for row in picks:
            own = str(row["exposure"])[:23] == measurement.date_obs[i][:23]
            if own and not row["dropped"] and np.isfinite(row["x"] + row["y"]) and row["star"] in numbers:
                at = frame.plane.sky(np.array([float(row["x"]), float(row["y"])]))
                shifts.append(at - sky[numbers == row["star"]][0])
        if shifts:
            first[i] = np.median(shifts, axis=0)
            placements[i] = Placement(first[i], np.inf, len(shifts))
        elif np.isfinite(base.offset[i]).all():
            first[i] = base.offset[i]
        elif len(sky):
            sources = sources or _as_sources(frames[base.home], sky)
            placements[i] = scan(frame, sources, measurement.radius)
            first[i] = placements[i].offset
    return placements, first


def _as_sources(frame: Frame, sky: NDArray, offset: NDArray | float = 0.0) -> Sources:
    """Stars of given positions with the amplitudes that the frame's matched filter has there."""
    x, y = frame.plane.pixel(sky + offset).T
    top = ndimage.map_coordinates(frame.map.numerator, [y, x], order=1)
    bottom = ndimage.map_coordinates(frame.map.denominator, [y, x], order=1)
    amplitude = np.where(bottom > 0, top / np.maximum(bottom, 1e-300), 0)
    return Sources(sky, np.maximum(amplitude, 0), frame.seeing)


def _cut(
    measurement: Measurement, i: int, offset: NDArray, sky: NDArray, dropped: NDArray, others: NDArray, frozen: NDArray
) -> Frame:
    """A copy of frame `i` that holds but the surroundings of the picked stars, far stars taken away."""
    frame = copy.copy(measurement.frames[i])
    base = measurement.solution
    frame.first_psf, frame.reach = frame.psf.copy(), AREA + 1
    near = discs(frame.plane.pixel(sky + offset), AREA * frame.width, frame.shape)
    near &= ~discs(frame.plane.pixel(dropped + offset), 0.8 * frame.width, frame.shape)
    if base.fit is not None and i in base.placed and frozen.any():
        j = base.placed.index(i)
        gone = np.flatnonzero(frozen & base.fit.active[j])
        position = frame.plane.pixel(others[gone] + base.fit.offsets[j])
        radius = np.full(gone.size, int(np.ceil(4 * frame.width)))
        far_light = moffat_stamps(position, frame.amplitude[gone], radius, frame.psf, frame.shape)
        frame.data = frame.data - frame.level - far_light.model
    frame.ok = frame.ok & near
    frame.data = np.where(frame.ok, frame.data, 0.0)
    frame.clipped, frame.edge = frame.clipped.copy(), np.zeros(frame.shape, bool)
    return frame
