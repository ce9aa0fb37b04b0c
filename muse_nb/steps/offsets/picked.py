"""The same fit, limited to stars that an observer picked; and stars to offer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from muse_nb.kernels.psf import discs, moffat_stamps
from muse_nb.steps.offsets.measurement import Measurement
from muse_nb.steps.offsets.starfit.arrays import Bools, Floats, Ints
from muse_nb.steps.offsets.starfit.coarse import Placement, Sources, scan
from muse_nb.steps.offsets.starfit.fit import Fit
from muse_nb.steps.offsets.starfit.frame import Frame
from muse_nb.steps.offsets.starfit.geometry import from_tangent, nearest, to_tangent
from muse_nb.steps.offsets.starfit.one_thread import one_thread
from muse_nb.steps.offsets.starfit.solve import Solution, finish, unsolved

if TYPE_CHECKING:
    from astropy.table import Row, Table

__all__ = ["candidates", "positions", "solve_picks"]

FIT_RADIUS = 2.2  # FWHM around a picked star that enter its fit
CONVERGED = 2e-4  # arcsec: a step this small is followed by one a hundred times smaller
MAX_STEPS = 4
SAME_STAR = 0.5  # FWHM: two positions of one star
NEIGHBOUR = 2.5  # FWHM within which another star is fitted along
DROPPED_RADIUS = 0.8  # FWHM around a dropped star that do not enter the fit
FAR_STAR_REACH = 4.0  # FWHM out to which far stars are subtracted
MOVING_ERRORS, MOVING_SHARE = 5.0, 0.3  # of a star that is not at rest: its deviation, in so many of its exposures


def candidates(measurement: Measurement, most: int = 20) -> Table:
    """Stars worth picking, the best first: bright against the noise, alone, seen in many exposures, at rest.

    Returns
    -------
    astropy.table.Table
        star, ra, dec [deg, as the first exposure has them], x, y [0-based pixel there], significance, n_exposures.
    """
    from astropy.table import Table

    solution = measurement.solution
    frames = solution.frames
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


def _shows(frame: Frame, sky: Floats) -> bool:
    x, y = frame.plane.pixel(sky)
    return bool(0 <= x < frame.shape[1] and 0 <= y < frame.shape[0])


def _worth(solution: Solution) -> tuple[Floats, Floats, Ints]:
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
    moves = (deviation > MOVING_ERRORS).sum(0) > MOVING_SHARE * shown
    return fit.sky, np.where(moves, 0, mean / (1 + 5 * rival)), shown


@one_thread()
def solve_picks(measurement: Measurement, picks: Table) -> Solution:
    """Offsets from picked stars only; stars in between are fitted along, all others are subtracted."""
    numbers, sky, dropped = positions(measurement, picks)
    placements, first = _place(measurement, picks, numbers, sky)
    placed = [i for i, placement in enumerate(placements) if placement.sure]
    if not len(sky) or len(placed) < 2:
        return unsolved(measurement.solution.frames, placements, numbers)
    base = measurement.solution
    others = base.fit.sky if base.fit is not None else np.zeros((0, 2))
    wide = max(base.frames[i].seeing for i in placed)
    far = nearest(others, sky)
    neighbour = (far > SAME_STAR * wide) & (far < NEIGHBOUR * wide) & (nearest(others, dropped) > SAME_STAR * wide)
    frozen = far >= NEIGHBOUR * wide
    frames = [_cut(base, i, first[i], sky, dropped, others, frozen) for i in placed]
    stars = np.r_[sky, others[neighbour]]
    amplitude = np.max(
        [
            _as_sources(frame, stars, first[i]).amplitude * (frame.seeing / wide) ** 2
            for i, frame in zip(placed, frames, strict=True)
        ],
        axis=0,
    )
    fit = Fit.of(frames, first[placed] - first[placed[0]], stars + first[placed[0]], amplitude, wide)
    fit = fit.with_fluxes()
    for _ in range(MAX_STEPS):
        fit, moved, _ = fit.step(1.0)
        if moved < CONVERGED:
            break
    names = np.r_[numbers, np.full(int(neighbour.sum()), -1)]
    floor = base.stars.floor if base.stars is not None else 0.0
    return finish(fit, base.frames, placements, placed, names, floor)


def positions(measurement: Measurement, picks: Table) -> tuple[Ints, Floats, Floats]:
    """Numbers and positions [arcsec] of the picked stars in use, and positions of those dropped."""
    everywhere = [row for row in picks if str(row["exposure"]) == ""]
    known = np.isfinite([row["ra"] + row["dec"] for row in everywhere]) if everywhere else np.zeros(0, bool)
    rows = [row for row, k in zip(everywhere, known, strict=True) if k]
    numbers = np.array([row["star"] for row in rows], int)
    ra, dec = (np.array([row[name] for row in rows], float) for name in ("ra", "dec"))
    sky = to_tangent(ra, dec, measurement.origin).reshape(-1, 2)
    out = np.array([bool(row["dropped"]) for row in rows], bool)
    return numbers[~out], sky[~out], sky[out]


def _place(measurement: Measurement, picks: Table, numbers: Ints, sky: Floats) -> tuple[list[Placement], Floats]:
    """First offsets: from stars put by hand, else from all stars, else by looking for the picked ones."""
    base = measurement.solution
    frames = base.frames
    first = np.full((len(frames), 2), np.nan)
    placements = list(base.placements)
    sources = None
    for i, frame in enumerate(frames):
        rows = [row for row in picks if _put_by_hand(row, measurement.date_obs[i]) and row["star"] in numbers]
        shifts = [
            frame.plane.sky(np.array([float(row["x"]), float(row["y"])])) - sky[numbers == row["star"]][0]
            for row in rows
        ]
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


def _put_by_hand(row: Row, date_obs: str) -> bool:
    """Whether a pick says where its star is in that exposure."""
    own = str(row["exposure"])[:23] == date_obs[:23]
    return bool(own and not row["dropped"] and np.isfinite(row["x"] + row["y"]))


def _as_sources(frame: Frame, sky: Floats, offset: Floats | float = 0.0) -> Sources:
    """Stars of given positions with the amplitudes that the frame's matched filter has there."""
    x, y = frame.plane.pixel(sky + offset).T
    top = ndimage.map_coordinates(frame.map.numerator, [y, x], order=1)
    bottom = ndimage.map_coordinates(frame.map.denominator, [y, x], order=1)
    amplitude = np.where(bottom > 0, top / np.maximum(bottom, 1e-300), 0)
    return Sources(sky, np.maximum(amplitude, 0), frame.seeing)


def _cut(base: Solution, i: int, offset: Floats, sky: Floats, dropped: Floats, others: Floats, frozen: Bools) -> Frame:
    """Frame `i` with but the surroundings of the picked stars, far stars taken away."""
    frame = base.frames[i]
    near = discs(frame.plane.pixel(sky + offset), FIT_RADIUS * frame.width, frame.shape)
    near &= ~discs(frame.plane.pixel(dropped + offset), DROPPED_RADIUS * frame.width, frame.shape)
    ok, data = frame.ok & near, frame.data
    if base.fit is not None and i in base.placed and frozen.any():
        j = base.placed.index(i)
        gone = np.flatnonzero(frozen & base.fit.active[j])
        position = frame.plane.pixel(others[gone] + base.fit.offsets[j])
        radius = np.full(gone.size, int(np.ceil(FAR_STAR_REACH * frame.width)))
        far_light = moffat_stamps(position, frame.amplitude[gone], radius, frame.psf, frame.shape)
        data = data - frame.level - far_light.model
    edge = np.zeros(frame.shape, bool)
    return replace(frame, first_psf=frame.psf, reach=FIT_RADIUS + 1, ok=ok, data=np.where(ok, data, 0.0), edge=edge)
