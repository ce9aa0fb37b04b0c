"""The wavelengths at which exposures have good rows: planes in which they can be held against each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from muse_nb.resample.grid import CubeGrid
from muse_nb.resample.inputs import Input, Inputs

__all__ = ["Span", "common_spans"]

_ROWS, _BLOCKS = 4096, 512  # of a block, and how many blocks of an exposure are looked at
_BINS = 256  # of the wavelengths, at most
_MIN_SHARE = 0.3  # of the rows of an exposure's usual bin: with fewer it counts as having none
_SHORTEST = 3  # planes of a span


@dataclass(frozen=True)
class Span:
    """Planes, and the exposures that have good rows in them.

    Attributes
    ----------
    planes : range
        Numbers from 0, without a gap.
    exposures : tuple of int
        Numbers of the exposures, from 0, that are held against each other there.
    """

    planes: range
    exposures: tuple[int, ...]


def common_spans(inputs: Inputs, grid: CubeGrid, depth: int) -> tuple[list[Span], tuple[int, ...]]:
    """Choose planes that all exposures have, the nearest to the middle; where there are none, several sets of them.

    Parameters
    ----------
    inputs
        The exposures; some of their rows are read.
    grid
        Of the cube.
    depth
        Planes of a span.

    Returns
    -------
    spans : list of Span
        Of at least two exposures each; the first span where none has two, of one.
    alone : tuple of int
        Exposures that share no planes with any other.
    """
    nz = grid.shape[0]
    edges = np.linspace(0, nz, min(_BINS, nz) + 1).round().astype(int)
    has = np.array([_has_rows(exposure, grid, edges) for exposure in inputs.exposures])
    windows = [window for length in _lengths(depth) for window in _windows(has, edges, min(length, nz))]
    left, spans = set(range(len(has))), []
    while left:
        best = max(windows, key=lambda one: (len(left.intersection(one.exposures)), len(one.exposures)))
        if len(best.exposures) < 2 or not left.intersection(best.exposures):
            break
        spans.append(best)
        left -= set(best.exposures)
    if not spans:  # of a single exposure, or of several that have nothing in common
        spans = [max(windows, key=lambda one: len(one.exposures))]
    return spans, tuple(sorted(left))


def _lengths(depth: int) -> list[int]:
    """Lengths of spans to try, the longest first."""
    lengths = [depth]
    while lengths[-1] > _SHORTEST:
        lengths.append(max(lengths[-1] // 2, _SHORTEST))
    return lengths


def _windows(has: NDArray[np.bool_], edges: NDArray[np.int64], length: int) -> list[Span]:
    """All runs of bins that are as long as a span, the nearest to the middle first, each cut to its length."""
    nz, found = int(edges[-1]), []
    for first in range(len(edges) - 1):
        last = int(np.searchsorted(edges, edges[first] + length))
        if last < len(edges):
            start = int(edges[first] + edges[last] - length) // 2
            there = np.flatnonzero(has[:, first:last].all(axis=1))
            found.append(Span(range(start, start + length), tuple(int(k) for k in there)))
    return sorted(found, key=lambda one: abs(one.planes.start + one.planes.stop - nz))


def _has_rows(exposure: Input, grid: CubeGrid, edges: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether an exposure has many good rows in each bin of planes."""
    number = np.zeros(len(edges) - 1)
    table, rows = exposure.table, exposure.kernel.nrow
    first, last = grid.wavelength(-0.5), grid.wavelength(grid.shape[0] - 0.5)
    for start in sorted({int(at) for at in np.linspace(0, max(0, rows - _ROWS), _BLOCKS)}):
        stop = exposure.first + min(start + _ROWS, rows)
        wavelength = table.read("lambda", exposure.first + start, stop).astype(float)
        good = (table.read("dq", exposure.first + start, stop) == 0) & (wavelength > first) & (wavelength < last)
        number += np.histogram((wavelength[good] - first) / grid.lambda_step, edges)[0]
    usual = np.median(number[number > 0]) if number.any() else np.inf
    return np.asarray(number > _MIN_SHARE * usual)
