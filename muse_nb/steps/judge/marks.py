"""What does not belong on the sky: trails of satellites, and voxels sharper than any star or line."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.robust import mad_sigma
from muse_nb.products.voxels import Voxels
from muse_nb.steps.judge.parts.lines import limits
from muse_nb.steps.judge.parts.panel import Map, Mark, Stamps
from muse_nb.steps.judge.parts.reading import Sample, Spike
from muse_nb.steps.judge.result import Check, Section

__all__ = ["check_marks"]

Array = NDArray[np.float64]
MIN_SIDE, MIN_WAY = 24, 0.6  # spaxels of a field; share of its side that a trail crosses
WIDE = 15  # spaxels of the median that takes stars and background out
BOUND = 3.0  # sigma at which what is brighter counts no more
PARTS, MOST_PARTS = 10, 0.8  # of a trail's way, in each of which it must show
HALF, BESIDE = 1.6, (4.0, 8.0)  # spaxels from the middle of a trail: its own; beside it
ANGLE = 1.0  # degrees between directions
ALONG_AXES = 1.5  # degrees: what runs along the slices is a seam
CANDIDATES = 12
LISTED, STAMP = 6, 7  # artefacts shown, and half the side of their pictures [spaxel]


@dataclass(frozen=True)
class _Trail:
    x: float
    y: float
    x2: float
    y2: float
    sigma: float
    height: float
    angle: float


def check_marks(sample: Sample) -> Section:
    """Look for trails in the white light, and list the sharpest voxels."""
    trail, shown = _trails(sample)
    sharp, stamps = _artefacts(sample)
    return Section("Trails and artefacts", (trail, sharp), (*shown, *stamps))


def _trails(sample: Sample) -> tuple[Check, list[Map]]:
    limit = limits()["trail"]
    white = sample.white
    good = np.isfinite(white) & (sample.count > 0.5 * sample.count.max(initial=0))
    if min(white.shape) < MIN_SIDE or good.sum() < 0.3 * white.size or good.sum() < MIN_SIDE**2:
        text = f"a field of {white.shape[1]} x {white.shape[0]} spaxels is too small to tell a trail from a star"
        return Check.unknown("trail", text, limit), []
    flat = _flattened(white, good)
    found = [trail for trail in _candidates(flat, good) if trail.sigma > limit]
    directions = _compass(sample)
    if not found:
        strongest = max((trail.sigma for trail in _candidates(flat, good)), default=0.0)
        text = "no straight streak crosses the field"
        return Check("trail", min(strongest, limit), limit, True, text), []
    best = max(found, key=lambda trail: trail.sigma)
    text = "a straight streak of light runs from"
    text += f" x {best.x + 1:.0f}, y {best.y + 1:.0f}"
    text += f" to x {best.x2 + 1:.0f}, y {best.y2 + 1:.0f} ({best.sigma:.0f} sigma in most parts of its way):"
    text += " a satellite or a plane"
    mark = Mark(best.x, best.y, "trail", best.x2, best.y2)
    panel = Map(np.where(good, flat, np.nan), "white light less what is wide [sigma]", True, [mark], *directions)
    return Check("trail", best.sigma, limit, False, text), [panel]


def _flattened(white: Array, good: NDArray[np.bool_]) -> Array:
    """White light less what is wide, in units of its scatter, what is bright cut off: a star cannot make a line."""
    from scipy import ndimage

    filled = np.where(good, white, np.median(white[good]))
    flat = filled - ndimage.median_filter(filled, WIDE)
    sigma = ndimage.median_filter(np.abs(flat), 2 * WIDE + 1) * 1.5 + 1e-30
    overall = mad_sigma(flat[good]) or 1.0
    flat = np.clip(flat / np.maximum(sigma, 0.3 * overall), -BOUND, BOUND)
    return np.asarray(np.where(good, flat, 0.0))


def _candidates(flat: Array, good: NDArray[np.bool_]) -> list[_Trail]:
    """The straight lines along which most light lies, each measured part by part."""
    from scipy import ndimage

    soft = ndimage.gaussian_filter(flat, 1.0)
    y, x = np.nonzero(good)
    values = soft[y, x]
    ny, nx = flat.shape
    lines = []
    reach = int(np.hypot(nx, ny)) + 2
    for angle in np.arange(0.0, 180.0, ANGLE):
        if min(angle % 90, 90 - angle % 90) < ALONG_AXES:
            continue
        c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
        distance = np.rint(-x * s + y * c).astype(int) + reach
        number = np.bincount(distance, minlength=2 * reach + 1)
        total = np.bincount(distance, values, 2 * reach + 1)
        enough = number >= MIN_WAY * min(nx, ny)
        score = np.where(enough, total / np.sqrt(np.maximum(number, 1)), 0.0)
        k = int(np.argmax(score))
        lines.append((float(score[k]), angle, float(k - reach)))
    lines.sort(reverse=True)
    return [trail for _, angle, away in lines[:CANDIDATES] if (trail := _measured(flat, good, angle, away)) is not None]


def _measured(flat: Array, good: NDArray[np.bool_], angle: float, away: float) -> _Trail | None:
    """Light of a line above that beside it, in parts of its way: what shows in nearly all parts is a trail."""
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    y, x = np.nonzero(good)
    off, along = -x * s + y * c - away, x * c + y * s
    on, beside = np.abs(off) <= HALF, (np.abs(off) >= BESIDE[0]) & (np.abs(off) <= BESIDE[1])
    if on.sum() < 2 * PARTS or np.ptp(along[on]) < MIN_WAY * min(flat.shape):
        return None
    edges = np.quantile(along[on], np.linspace(0, 1, PARTS + 1))
    values = flat[y, x]
    pulls, heights = [], []
    for low, high in pairwise(edges):
        here = (along >= low) & (along <= high)
        own, other = values[on & here], values[beside & here]
        if own.size < 4 or other.size < 4:
            continue
        error = np.hypot(mad_sigma(other) / np.sqrt(own.size), mad_sigma(other) / np.sqrt(other.size)) * 1.5
        pulls.append((np.median(own) - np.median(other)) / max(error, 0.05))
        heights.append(np.median(own) - np.median(other))
    if len(pulls) < PARTS - 2:
        return None
    low_pull = float(np.sort(pulls)[int((1 - MOST_PARTS) * len(pulls))])
    sigma = low_pull * np.sqrt(MOST_PARTS * len(pulls))
    ends = [(a * c - away * s, a * s + away * c) for a in (edges[0], edges[-1])]
    return _Trail(*ends[0], *ends[1], float(sigma), float(np.median(heights)), angle)


def _compass(sample: Sample) -> tuple[tuple[float, float] | None, tuple[float, float] | None]:
    """Directions of north and east in spaxels."""
    try:
        to_pixel = np.linalg.inv(sample.cube.wcs.celestial.pixel_scale_matrix)
        east, north = to_pixel.T / np.hypot(*to_pixel)
    except Exception:  # no celestial axes
        return None, None
    return (float(north[0]), float(north[1])), (float(east[0]), float(east[1]))


def _artefacts(sample: Sample) -> tuple[Check, list[Stamps]]:
    limit = limits()["artefacts"]
    voxels = int(sample.count.sum())
    if sample.cube.shape[0] < 5 or min(sample.white.shape) < 5 or not voxels:
        return Check.unknown("artefacts", "too few planes or spaxels to tell a voxel from its neighbours", limit), []
    share = 1e6 * sample.number_of_spikes / voxels
    text = f"{sample.number_of_spikes} voxels ({share:.2g} in a million) are sharper than a star or a line can be"
    listed = _apart(sample.spikes)
    if listed:
        places = [
            f"x {s.x + 1}, y {s.y + 1} at {sample.wavelength[s.plane]:.1f} Angstrom ({s.sigma:+.0f} sigma)"
            for s in listed[:3]
        ]
        text += f"; the worst at {'; '.join(places)}"
    good = share <= limit
    return Check("artefacts", share, limit, good, text), _stamps(sample, listed)


def _apart(spikes: list[Spike]) -> list[Spike]:
    """The highest, one of each place."""
    chosen: list[Spike] = []
    for spike in spikes:
        near = (abs(spike.x - o.x) <= 4 and abs(spike.y - o.y) <= 4 and abs(spike.plane - o.plane) <= 4 for o in chosen)
        if not any(near):
            chosen.append(spike)
        if len(chosen) == LISTED:
            break
    return chosen


def _stamps(sample: Sample, spikes: list[Spike]) -> list[Stamps]:
    if not spikes:
        return []
    voxels = Voxels(sample.cube)
    _, ny, nx = sample.cube.shape
    images, titles = [], []
    for spike in spikes:
        image = np.full((2 * STAMP + 1, 2 * STAMP + 1), np.nan)
        y0, x0 = spike.y - STAMP, spike.x - STAMP
        rows, columns = slice(max(0, y0), min(ny, y0 + 2 * STAMP + 1)), slice(max(0, x0), min(nx, x0 + 2 * STAMP + 1))
        part = voxels[slice(spike.plane, spike.plane + 1), rows, columns][0]
        image[rows.start - y0 : rows.stop - y0, columns.start - x0 : columns.stop - x0] = part
        images.append(image)
        titles.append(f"x {spike.x + 1}, y {spike.y + 1}\n{sample.wavelength[spike.plane]:.1f} Å, {spike.sigma:+.0f} σ")
    unit = str(sample.cube.header.get("BUNIT") or "unit of the cube")
    return [Stamps(images, titles, unit)]
