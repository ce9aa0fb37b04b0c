"""What pixel tables tell of their IFUs and slices: spectra about sky lines, and the light along each slice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.progress import Progress
from muse_nb.products.field import IFUS, SLICES
from muse_nb.products.pixtable import PixelTable, decode_origin
from muse_nb.steps.judge.parts.lines import barycentric_velocity
from muse_nb.steps.judge.parts.reading import WINDOW, Sample
from muse_nb.steps.nans.placement import Placement
from muse_nb.steps.nans.reach import ALL_SIDES

__all__ = ["Exposure", "read_tables"]

Array = NDArray[np.float64]
CHUNK = 1 << 19
FINE = 0.625  # Angstrom of a bin about a line
COLUMNS = 128  # of a slice, at most
WILD = 8.0  # sigma of STAT above the darkest part: a cosmic ray


@dataclass(frozen=True)
class Exposure:
    """One table.

    Attributes
    ----------
    velocity : float or None
        That its wavelengths are corrected by [km/s].
    centres : numpy.ndarray
        Rows, mean x and y of each slice in the cube, shape (25, 49, 3).
    lines : dict of str to float
        Wavelengths of the lines [Angstrom].
    offsets : dict of str to numpy.ndarray
        Bins about each line, from its place [Angstrom].
    spectra : dict of str to numpy.ndarray
        Sums about each line by slice, of the rows on dark spaxels: rows, data, stat, distance from the line; shape
        (4, 24 * 48, bins).
    profile : numpy.ndarray
        Sums along each slice over all wavelengths: rows, data, stat, and places to the east and the north [arcsec];
        shape (5, 24 * 48, COLUMNS).
    """

    velocity: float | None
    centres: Array
    lines: dict[str, float]
    offsets: dict[str, NDArray[Any]]
    spectra: dict[str, Array]
    profile: Array


def read_tables(tables: Sequence[PixelTable], sample: Sample, step: Progress) -> list[Exposure]:
    """Read what the checks need of some pixel tables, a piece at a time.

    Raises
    ------
    MuseError
        A table cannot be read, or placed on the cube.
    """
    cube = sample.cube
    placement = Placement.of(cube.header, cube.primary, cube.shape, cube.path, list(tables))
    total, done, found = sum(table.nrow for table in tables), 0, []
    for table in tables:
        sums = _Sums(sample)
        for start in range(0, table.nrow, CHUNK):
            stop = min(table.nrow, start + CHUNK)
            sums.add(table, placement, start, stop)
            done += stop - start
            step("rows of the tables", done, total)
        found.append(sums.exposure(table))
    return found


class _Sums:
    def __init__(self, sample: Sample) -> None:
        self.faint = sample.faint
        self.noise = sample.voxel_noise
        self.lines = {name: line.at for name, (line, *_) in sample.windows.items()}
        bins = int(2 * WINDOW / FINE)
        self.spectra = {name: np.zeros((4, IFUS * SLICES, bins)) for name in self.lines}
        self.profile = np.zeros((5, IFUS * SLICES, COLUMNS))
        self.cells = np.zeros((3, IFUS * SLICES))
        self.shrink = float(np.cos(np.radians(sample.sky(0, 0)[1])))

    def add(self, table: PixelTable, placement: Placement, start: int, stop: int) -> None:
        """Take in some rows."""
        good = table.read("dq", start, stop) == 0
        data, stat = (table.read(name, start, stop).astype(float) for name in ("data", "stat"))
        good &= np.isfinite(data) & np.isfinite(stat) & (stat > 0)
        rows = placement.place(table, start, stop, ALL_SIDES)
        ifu, slice_, _, column = decode_origin(table.read("origin", start, stop))
        good &= (ifu >= 1) & (ifu <= IFUS) & (slice_ >= 1) & (slice_ <= SLICES)
        ny, nx = self.faint.shape
        x, y = rows.cell[:, 0], rows.cell[:, 1]
        good &= (x >= 0) & (x < nx) & (y >= 0) & (y < ny)
        which = ((ifu - 1) * SLICES + slice_ - 1)[good]
        data, stat, x, y, column, wavelength = (a[good] for a in (data, stat, x, y, column, rows.wavelength))
        for name, at in self.lines.items():
            self._about(self.spectra[name], wavelength - at, which, data, stat, self.faint[y, x])
        key = which.astype(np.int64) * COLUMNS + np.clip(column, 0, COLUMNS - 1)
        for part, values in enumerate((None, x, y)):
            self.cells[part] += np.bincount(which, values, IFUS * SLICES)
        east, north = (np.asarray(rows.a, float)[good] * self.shrink * 3600, np.asarray(rows.b, float)[good] * 3600)
        for part, values in enumerate((None, data, stat, east, north)):
            self.profile[part] += np.bincount(key, values, self.profile[0].size).reshape(self.profile[0].shape)

    @staticmethod
    def _about(
        sums: Array, away: Array, which: NDArray[np.int64], data: Array, stat: Array, dark: NDArray[np.bool_]
    ) -> None:
        near = np.abs(away) < WINDOW
        if not near.any():
            return
        bins = sums.shape[2]
        key = which[near].astype(np.int64) * bins + np.clip(((away[near] + WINDOW) / FINE).astype(int), 0, bins - 1)
        away, data, stat, dark = away[near], data[near], stat[near], dark[near]
        tame = np.asarray(
            dark & (np.abs(data - np.median(data)) < WILD * np.sqrt(stat) + WILD * abs(float(np.median(data))))
        )
        for part, (rows, values) in enumerate(((tame, None), (tame, data), (tame, stat), (tame, away))):
            weights = None if values is None else values[rows]
            sums[part] += np.bincount(key[rows], weights, sums[0].size).reshape(sums[0].shape)

    def exposure(self, table: PixelTable) -> Exposure:
        """Close the sums of a table."""
        number = self.cells[0]
        centres = np.zeros((IFUS + 1, SLICES + 1, 3))
        with np.errstate(invalid="ignore", divide="ignore"):
            x, y = self.cells[1] / number, self.cells[2] / number
        centres[1:, 1:] = np.stack([number, x, y], axis=1).reshape(IFUS, SLICES, 3)
        bins = int(2 * WINDOW / FINE)
        offsets = {name: (np.arange(bins) + 0.5) * FINE - WINDOW for name in self.lines}
        return Exposure(barycentric_velocity(table.header), centres, self.lines, offsets, self.spectra, self.profile)
