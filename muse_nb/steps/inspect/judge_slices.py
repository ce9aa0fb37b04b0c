"""Slices that are not where they belong, on the detector or in wavelength: against a trace table or siblings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.robust import SIGMA_OF_MAD, median
from muse_nb.products.detector import TraceTable
from muse_nb.steps.inspect.lines import line_shifts
from muse_nb.steps.inspect.slices import SLICES
from muse_nb.steps.inspect.stats import FrameStatistics

__all__ = ["Moved", "moved_lines", "moved_slices"]

MIN_EXPOSURES = 3  # of an IFU, to compare them; with fewer, nobody knows which one is odd
MIN_IFUS = 4  # of an exposure, else
MIN_SCATTERS = 8.0  # of what else is compared: real slices are not where a ruler would put them
MIN_ERRORS = 5.0  # of its own, where that is known
MIN_SLICES = 6  # of a frame that are known, to say something of all of them
MIN_SLICES_FOR_CURVE = 6  # for a parabola through a row of slices
MAX_CURVE_SCATTERS, MIN_CURVE_REACH = 3.0, 0.5  # scatters, pixels: slices further away have no say in it
TRACE, OTHER_EXPOSURES = "the trace table", "the other exposures"
OTHER_IFUS, OTHER_SLICES = "the other IFUs", "the row of the other slices"


@dataclass(frozen=True)
class Moved:
    """A slice (1 to 48; 0 for all of them) of a frame that lies `by` pixels from its place in `reference`."""

    frame: FrameStatistics
    slice: int
    by: float
    reference: str


def moved_slices(
    frames: Sequence[FrameStatistics], limit: float, traces: Mapping[int, TraceTable] | None = None
) -> list[Moved]:
    """Slices that lie elsewhere on the detector, along x [pixel], than their trace or their siblings say."""
    frames = [frame for frame in frames if frame.slices is not None]
    found: list[Moved] = []
    untraced = []
    for frame in frames:
        trace = (traces or {}).get(frame.ifu or 0)
        if trace is None:
            untraced.append(frame)
            continue
        away = _centres(frame) - _traced(trace, frame.shape[0])
        found += _odd([frame], away[None], limit, TRACE)
    for group, reference in _compared(untraced):
        values = np.array([_centres(frame) for frame in group])
        if reference == OTHER_SLICES:
            found += _odd(group, values - _even(values), limit, reference)
        elif reference == OTHER_IFUS:
            found += _odd(group, _from_median(values - _even(values)), limit, reference)
        else:
            found += _odd(group, _from_median(values), limit, reference)
    return found


def moved_lines(frames: Sequence[FrameStatistics], limit: float) -> list[Moved]:
    """Slices whose sky lines lie elsewhere, along y [pixel], than in their siblings."""
    found: list[Moved] = []
    shapes: dict[int, list[FrameStatistics]] = defaultdict(list)
    for frame in frames:
        if frame.lines.any():
            shapes[frame.lines.shape[-1]].append(frame)
    for alike in shapes.values():
        for group, reference in _compared(alike):
            if reference == OTHER_SLICES:
                continue
            shift, error = line_shifts([frame.lines for frame in group])
            shift[:, np.isfinite(shift).sum(axis=0) < MIN_EXPOSURES] = np.nan
            found += _odd(group, _from_median(shift), limit, reference, error)
    return found


def _compared(frames: Sequence[FrameStatistics]) -> Iterator[tuple[list[FrameStatistics], str]]:
    """Groups of siblings: an IFU in several exposures, else the IFUs of an exposure, else each frame alone."""
    by_ifu: dict[int | None, list[FrameStatistics]] = defaultdict(list)
    for frame in frames:
        by_ifu[frame.ifu].append(frame)
    left: dict[str, list[FrameStatistics]] = defaultdict(list)
    for group in by_ifu.values():
        if len(group) >= MIN_EXPOSURES:
            yield group, OTHER_EXPOSURES
        else:
            for frame in group:
                left[frame.exposure].append(frame)
    for group in left.values():
        if len(group) >= MIN_IFUS:
            yield group, OTHER_IFUS
        else:
            yield from (([frame], OTHER_SLICES) for frame in group)


def _centres(frame: FrameStatistics) -> NDArray[np.float64]:
    assert frame.slices is not None
    return frame.slices.centre


def _traced(trace: TraceTable, ny: int) -> NDArray[np.float64]:
    """Middles of the traces [pixel, 0-based], over the bands of rows in which slices are found."""
    left, right = trace.edges((np.arange(4) + 0.5) / 4 * ny)
    return np.asarray(np.median(0.5 * (left + right), axis=1) - 1)


def _even(centres: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where slices would be if they lay evenly: a robust parabola through each row of centres."""
    number = np.linspace(-1, 1, SLICES)
    even = np.full(centres.shape, np.nan)
    for row, values in enumerate(centres):
        use = np.isfinite(values)
        for _ in range(4):
            if use.sum() < MIN_SLICES_FOR_CURVE:
                break
            even[row] = np.polynomial.polynomial.polyval(
                number, np.polynomial.polynomial.polyfit(number[use], values[use], 2)
            )
            away = np.abs(values - even[row])
            reach = max(MIN_CURVE_REACH, MAX_CURVE_SCATTERS * SIGMA_OF_MAD * median(away[use]))
            use = np.isfinite(away) & (away <= reach)
    return even


def _from_median(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """What is left of (frames, slices) without the median over the frames."""
    known = np.where(np.isfinite(values).any(axis=0), values, 0)
    return np.asarray(values - np.nanmedian(known, axis=0))


def _odd(
    frames: Sequence[FrameStatistics],
    away: NDArray[np.float64],
    limit: float,
    reference: str,
    error: NDArray[np.float64] | None = None,
) -> list[Moved]:
    """What lies further away than the limit, its error and the scatter of all; once for a frame of which all do."""
    away = np.where(np.isfinite(away), away, np.nan)
    common = np.array([median(row) if np.isfinite(row).sum() >= MIN_SLICES else 0.0 for row in away])
    single = away - common[:, None]
    values = np.abs(single[np.isfinite(single)])
    least = max(limit, MIN_SCATTERS * SIGMA_OF_MAD * median(values)) if values.size else limit
    beyond = np.abs(single) > (least if error is None else np.maximum(least, limit + MIN_ERRORS * np.nan_to_num(error)))
    found = []
    for frame, whole, row, odd in zip(frames, common, single, beyond, strict=True):
        if reference in (TRACE, OTHER_EXPOSURES) and abs(whole) > limit:
            found.append(Moved(frame, 0, float(whole), reference))
        found += [Moved(frame, int(k) + 1, float(row[k]), reference) for k in np.flatnonzero(odd)]
    return found
