"""First offsets: where do the sources of one exposure fall on another? A scan that knows when it is unsure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from muse_nb.kernels.scan import scan_offsets
from muse_nb.steps.offsets.starfit.arrays import Bools, Floats, Ints
from muse_nb.steps.offsets.starfit.detect import stack_peaks
from muse_nb.steps.offsets.starfit.frame import Frame
from muse_nb.steps.offsets.starfit.geometry import turn_matrix
from muse_nb.steps.offsets.starfit.transients import transients

__all__ = ["MIN_MARGIN", "Placement", "Sources", "place_all", "scan", "stack_sources", "straightened"]

# margins in ln L over any other offset
MIN_MARGIN = 7.0  # to be sure: 6 of 380 with stars of 3 to 12 sigma were wrong, 0 of 700 others
MIN_MARGIN_ASKED = 1.5  # without which what sources say on an empty image is not asked
MAX_SOURCES = 80  # more do not help
MAX_REFERENCES = 8  # exposures that the others are tried against
MIN_SIGMA, MAX_SIGMA, STEP = -4.0, 20.0, 0.25  # of significances: beyond its ends a source tells no more
DUE, SEEN = np.arange(0, MAX_SIGMA + STEP / 2, STEP)[:, None], np.arange(MIN_SIGMA, MAX_SIGMA + STEP / 2, STEP)
MIN_LOGL = -3.0  # ln L of one source, so that no outlier can veto
LOGL_EMPTY_SKY = np.maximum(DUE * SEEN - DUE**2 / 2, MIN_LOGL)  # of a source due and seen on an empty image
OUTSHINING = 50.0  # times as bright as the others are: a star that alone places an exposure
FLUX_ERROR = 0.25  # of a source's flux: neighbours and seeing change it
# of a field that may be turned: fewest sources that tell; share of what is due that an exposure at rest shows
MIN_TURN_SOURCES, AT_REST, MIN_DUE, MIN_SEEN = 5, 0.9, 8.0, 0.5
TRIAL_ANGLES = np.radians(np.arange(-5.4, 5.5, 0.6))  # half a step moves the corners by half a star's width
FINER_ANGLES = np.radians([0.3, 0.15, 0.075])
MORE_MARGIN = 4.0  # in ln L, as so many angles are tried; and that an angle betters the placement by


@dataclass(frozen=True)
class Sources:
    """Sources on the sky plane (K, 2) and their amplitudes in an image of FWHM `width` arcsec."""

    sky: Floats
    amplitude: Floats
    width: float

    def take(self, which: Bools | Ints) -> Sources:
        """Those that a mask or an index picks."""
        return Sources(self.sky[which], self.amplitude[which], self.width)

    def first(self, n: int) -> Sources:
        """The first `n`."""
        return self.take(np.arange(min(n, len(self.sky))))


@dataclass(frozen=True)
class Placement:
    """The most likely offset of an exposure, its margin in ln L over the next best, and how many sources it shows.

    `angle` [rad] is by how much its rotator is off, `likelihood` the ln L of both.
    """

    offset: Floats
    margin: float
    matched: int
    angle: float = 0.0
    likelihood: float = 0.0

    @property
    def sure(self) -> bool:
        """Whether the offset can be trusted."""
        return self.margin > MIN_MARGIN


def scan(frame: Frame, sources: Sources, radius: float = 6.0, doubt: float = FLUX_ERROR) -> Placement:
    """Find the offset (arcsec, within `radius`) at which `frame` shows the sources best.

    ln L(o) = sum over sources of ln N(s; q, 1 + (doubt q)^2) / p(s), with q the significance each should have, s the
    one the matched filter finds there, both capped, and p(s) how often the image has it: what falls on a trail or on
    one of many cosmic rays says little. No source counts less than -3, so that no outlier can veto.
    """
    # very bright stars would all be capped, over all their wings: then as if the noise were larger
    peaks = frame.peaks.significance
    strong = peaks[frame.peaks.strong] if len(peaks) else 0.0
    placement = _scan(frame, sources, radius, doubt, max(1.0, strong / MAX_SIGMA))
    if not placement.sure and strong and peaks[0] > OUTSHINING * strong:  # its wings hide the others
        placement = _scan(frame, sources, radius, doubt, peaks[0] / MAX_SIGMA)
    return placement


def _scan(frame: Frame, sources: Sources, radius: float, doubt: float, noise: float) -> Placement:
    """Scan as if the noise were that many times as large."""
    significance = np.clip(frame.map.significance / noise, MIN_SIGMA, MAX_SIGMA)
    inverse_error = np.sqrt(frame.map.denominator) / noise
    amplitude = 0.88 * sources.amplitude * (sources.width / frame.seeing) ** 2
    worth = _worth(significance[frame.map.denominator > 0], doubt)
    position = frame.plane.pixel(sources.sky)

    def likelihood(offset: Floats, worth: Floats) -> tuple[Floats, Ints]:
        shift = offset @ frame.plane.matrix.T
        return scan_offsets(shift, position, amplitude, significance, inverse_error, worth, (MIN_SIGMA, MAX_SIGMA))

    side = np.arange(-radius, radius + 0.1, 0.2)
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    value, matched = likelihood(grid, worth)
    top = int(np.argmax(value))
    best = grid[top]
    away = np.hypot(*(grid - best).T) / (1.6 * frame.seeing)

    def margin(value: Floats) -> float:
        return float(value[away < 0.5].max() - max(value[away > 1].max(initial=0.0), 0.0))

    sure = margin(value)
    if MIN_MARGIN_ASKED < sure < MIN_MARGIN:  # few sources: what they say on an empty image decides
        sure = max(sure, margin(likelihood(grid, LOGL_EMPTY_SKY)[0]))
    for step in (0.1, 0.05, 0.025):
        near = step * np.stack(np.meshgrid([-2, -1, 0, 1, 2], [-2, -1, 0, 1, 2]), axis=-1).reshape(-1, 2) + best
        values = likelihood(near, LOGL_EMPTY_SKY)[0]
        best = near[np.argmax(values)]
    return Placement(best, sure, int(matched[top]), frame.plane.angle, float(values.max()))


def _worth(significance: Floats, doubt: float) -> Floats:
    """Table (due, seen) of what it says for a source that a significance is seen where another is due."""
    count = np.bincount(np.round((significance - MIN_SIGMA) / STEP).astype(int), minlength=SEEN.size).astype(float)
    common = ndimage.gaussian_filter1d(count, 1 / STEP) / STEP / max(significance.size, 1)
    common = np.maximum(common, np.exp(-(SEEN**2) / 2) / np.sqrt(2 * np.pi))
    variance = 1 + (doubt * DUE) ** 2
    worth = -((SEEN - DUE) ** 2) / variance / 2 - np.log(2 * np.pi * variance) / 2 - np.log(common)
    worth = np.maximum(worth, MIN_LOGL)
    worth[0] = 0  # no data
    return np.asarray(worth)


def place_all(frames: Sequence[Frame], radius: float = 6.0) -> list[Placement]:
    """Place every frame: against the one that places most others, then all against the stack of those placed.

    Returns
    -------
    list of Placement
        One a frame, on the stack's system; not `sure` where the frame could not be placed.
    """
    quality = np.array([frame.information for frame in frames])
    nowhere = Placement(np.zeros(2), 0.0, 0)
    best: list[Placement] = []
    candidates = [i for i in np.argsort(-quality, kind="stable") if quality[i] > 0][:MAX_REFERENCES]
    for reference in candidates:  # one that holds a false source places nothing: try the next
        sources = _sources(frames[reference])
        trial = _against(frames, sources, radius, skip=reference)
        if (stars := _in_several(frames, trial, sources)) is not sources:
            trial = _against(frames, stars, radius, skip=reference)
        if sum(p.sure for p in trial) > sum(p.sure for p in best):
            best = trial
        if all(p.sure for p in best) and best:
            break
    if not best:
        return [nowhere] * len(frames)
    best = _with_turns(frames, best, radius)
    frames = [frame.turned(placement.angle) for frame, placement in zip(frames, best, strict=True)]
    sources = stack_sources(frames, best)
    if not len(sources.sky):
        return [nowhere] * len(frames)
    if len(frames) == 1:
        return best
    return _against(frames, _in_several(frames, best, sources).first(MAX_SOURCES), radius, skip=-1)


def straightened(
    frames: Sequence[Frame], placements: list[Placement], first: int
) -> tuple[list[Frame], list[Placement]]:
    """Turn the frames by the angles they were placed at, less that of the first one's, which keeps its header's."""
    zero, home = placements[first].angle, frames[first].plane.centre
    placed = []
    for frame, placement in zip(frames, placements, strict=True):
        apart, offset = frame.plane.centre - home, placement.offset
        if zero:
            offset = apart + turn_matrix(zero) @ (offset - placements[first].offset - apart) + placements[first].offset
        placed.append(replace(placement, offset=offset, angle=placement.angle - zero * placement.sure))
    return [f.turned(p.angle - f.plane.angle) for f, p in zip(frames, placed, strict=True)], placed


def _with_turns(frames: Sequence[Frame], placements: list[Placement], radius: float) -> list[Placement]:
    """Try angles for frames that do not show what the others do, as those do whose rotator was off."""
    good = [i for i, placement in enumerate(placements) if placement.sure]
    if len(good) == len(frames) == 1:
        return placements
    sources = stack_sources(frames, placements).first(MAX_SOURCES)
    shown = [_shown(frame, placement, sources) for frame, placement in zip(frames, placements, strict=True)]
    reference = max(good, key=lambda i: shown[i])
    odd = [i for i in range(len(frames)) if i != reference and not (placements[i].sure and shown[i] > AT_REST)]
    if not odd:
        return placements
    still = [p if p.sure and i not in odd else replace(p, margin=0.0) for i, p in enumerate(placements)]
    sources = stack_sources(frames, still).first(MAX_SOURCES)
    found = list(placements)
    for i in odd:
        trial = _turned_scan(frames[i], sources, radius)
        if trial is not None and (not found[i].sure or trial.likelihood > found[i].likelihood + MORE_MARGIN):
            found[i] = trial
    return found


def _shown(frame: Frame, placement: Placement, sources: Sources) -> float:
    """Share of what others let expect in a frame that it shows where it was placed; 1 where too little is expected."""
    x, y = np.round(frame.plane.pixel(sources.sky + placement.offset)).astype(int).T
    inside = (x >= 0) & (y >= 0) & (x < frame.shape[1]) & (y < frame.shape[0])
    x, y = x[inside], y[inside]
    amplitude = 0.88 * sources.amplitude[inside] * (sources.width / frame.seeing) ** 2
    due = amplitude * np.sqrt(frame.map.denominator[y, x])
    clear = due > MIN_DUE
    shown = frame.map.significance[y, x][clear] > MIN_SEEN * due[clear]
    return float(shown.mean()) if clear.sum() >= MIN_TURN_SOURCES else 1.0


def _turned_scan(frame: Frame, sources: Sources, radius: float) -> Placement | None:
    """Place a frame at the most likely of many angles, if that is sure."""
    if len(sources.sky) < MIN_TURN_SOURCES or len(frame.peaks) < MIN_TURN_SOURCES:
        return None

    def at(angle: float) -> Placement:
        return scan(frame.turned(angle), sources, radius)

    best = max(map(at, TRIAL_ANGLES), key=lambda placement: placement.likelihood)
    for step in FINER_ANGLES:
        best = max(best, at(best.angle - step), at(best.angle + step), key=lambda placement: placement.likelihood)
    return best if best.margin > MIN_MARGIN + MORE_MARGIN else None


def stack_sources(frames: Sequence[Frame], placements: list[Placement]) -> Sources:
    """What is seen on the stack of the frames that could be placed."""
    placed = [i for i, placement in enumerate(placements) if placement.sure]
    peaks, width = stack_peaks([frames[i] for i in placed], [placements[i].offset for i in placed])
    return Sources(peaks.position, peaks.amplitude, width)


def _in_several(frames: Sequence[Frame], placements: list[Placement], sources: Sources) -> Sources:
    """Sources that are not in one exposure alone."""
    placed = [i for i, placement in enumerate(placements) if placement.sure]
    shown, offsets = [frames[i] for i in placed], [placements[i].offset for i in placed]
    alone = transients(shown, offsets, sources.sky, [frame.map for frame in shown])
    return sources.take(np.flatnonzero(~alone.any(0))) if alone.any() else sources


def _sources(frame: Frame) -> Sources:
    peaks = frame.peaks.first(MAX_SOURCES)
    return Sources(frame.plane.sky(peaks.position), peaks.amplitude, frame.seeing)


def _against(frames: Sequence[Frame], sources: Sources, radius: float, skip: int) -> list[Placement]:
    home = Placement(np.zeros(2), np.inf, len(sources.amplitude))
    return [home if i == skip else scan(frame, sources, radius) for i, frame in enumerate(frames)]
