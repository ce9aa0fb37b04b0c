"""A cube read once: its mean in some bins of wavelength, what its noise is, and what neighbours share of it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.progress import Progress
from muse_nb.core.robust import mad_sigma, median
from muse_nb.products.cube_file import CubeFile

__all__ = ["Bins", "read_bins"]

Array = NDArray[np.float64]
Single = NDArray[np.float32]
MOST, LEAST = 8, 12  # bins; planes in one
SAMPLED = 5  # every so many pixels tell the noise of a plane
LAG = 2  # planes apart whose noise is compared: next planes share some after resampling
COMPARED = 120  # planes in which neighbours are compared
REFRESH = 40  # planes after which the faint pixels are chosen anew
REACH = 2  # pixels to either side that may share noise
CLIP = 4.0  # sigma of differences that are looked at
FAINT, ENOUGH = (
    50.0,
    12,
)  # percent of the pixels, by the light of earlier planes, that tell noise; how many these must be
MAX_SHARED = 0.5  # what next planes may share


@dataclass(frozen=True)
class Bins:
    """Means of a cube over bins of wavelength.

    Attributes
    ----------
    planes : list of range
        Of each bin.
    middle : ndarray, shape (bins,)
        Mean number of the planes in each.
    image, variance : ndarray, shape (bins, ny, nx)
        Weighted mean, NaN where less than half of the weight has data, and its variance (of independent planes).
    noise : ndarray, shape (planes,)
        Standard deviation of a voxel, by differences of planes; NaN where it is not known.
    ratio : float
        The same over what STAT says, the median; 1 where that is not known.
    shared : ndarray, shape (5, 5)
        Correlation of the noise of voxels of a plane, up to two rows and columns apart; 1 in the middle.
    along : float
        The same of next planes.
    """

    planes: list[range]
    middle: Array
    image: Array
    variance: Array
    noise: Array
    ratio: float
    shared: Array
    along: float

    @property
    def white(self) -> tuple[Array, Array]:
        """Mean of all bins, by their noise, and its variance."""
        weight = 1 / np.nanmedian(self.variance, axis=(1, 2))
        weight = np.where(np.isfinite(weight), weight, 0.0)[:, None, None]
        good = np.isfinite(self.image)
        total = (weight * good).sum(0)
        with np.errstate(invalid="ignore", divide="ignore"):
            image = np.nansum(weight * self.image, axis=0) / total
            variance = np.nansum(weight**2 * self.variance, axis=0) / total**2
        enough = total > 0.5 * weight.sum()
        return np.where(enough, image, np.nan), np.where(enough, variance, np.nan)


class _Noise:
    """Differences of planes: how they scatter, and what neighbours share."""

    def __init__(self, planes: int) -> None:
        self.every = max(1, planes // COMPARED)
        self.ratios: list[float] = []
        self.near: list[float] = []
        self.faint: NDArray[np.bool_] | None = None
        self.sums, self.number = np.zeros((2 * REACH + 1, 2 * REACH + 1)), 0

    def add(self, k: int, ring: deque[tuple[Single, Single | None]], light: Single) -> float:
        """Take in the last planes; the scatter of a voxel in them. `light` is that of the planes before."""
        (data, stat), (between, _), (before, before_stat) = ring[-1], ring[-2], ring[-1 - LAG]
        if k % REFRESH == LAG or self.faint is None:
            seen = np.isfinite(light)
            self.faint = seen & (light <= np.percentile(light[seen], FAINT)) if seen.any() else seen
        difference = np.where(self.faint, data - before, np.nan)
        sigma = mad_sigma(difference[::SAMPLED, ::SAMPLED]) / np.sqrt(2)
        if k % self.every or k < ENOUGH:
            return sigma
        sigma = mad_sigma(difference) / np.sqrt(2)
        if not sigma > 0:
            return sigma
        unit = difference / (sigma * np.sqrt(2))
        if stat is not None and before_stat is not None:
            with np.errstate(invalid="ignore", divide="ignore"):
                unit = difference / np.sqrt(stat + before_stat)
            self.ratios.append(mad_sigma(unit))
        unit = unit / (mad_sigma(unit) or 1.0)
        unit = np.where(np.abs(unit) < CLIP, unit, np.nan)
        self._compare(unit)
        next_one = mad_sigma(np.where(self.faint, data - between, np.nan))
        self.near.append(1 - next_one**2 / (2 * sigma**2))
        return sigma

    def _compare(self, unit: Single) -> None:
        ny, nx = unit.shape
        if min(ny, nx) <= 2 * REACH:
            return
        filled = np.nan_to_num(unit)
        there = np.isfinite(unit).astype(float)
        middle = np.s_[REACH : ny - REACH, REACH : nx - REACH]
        found = np.zeros_like(self.sums)
        for j in range(2 * REACH + 1):
            for i in range(2 * REACH + 1):
                moved = np.s_[j : ny - 2 * REACH + j, i : nx - 2 * REACH + i]
                both = (there[middle] * there[moved]).sum()
                if both < 10:
                    return
                found[j, i] = (filled[middle] * filled[moved]).sum() / both
        if found[REACH, REACH] > 0:
            self.sums += found / found[REACH, REACH]
            self.number += 1

    @property
    def shared(self) -> Array:
        """Correlation with the voxels around, the same in opposite directions."""
        if not self.number:
            alone = np.zeros_like(self.sums)
            alone[REACH, REACH] = 1
            return alone
        mean = self.sums / self.number
        return np.asarray((mean + mean[::-1, ::-1]) / 2)


def read_bins(cube: CubeFile, step: Progress) -> Bins:
    """Read all planes once.

    Raises
    ------
    MuseError
        It cannot be read, or the work was cancelled.
    """
    nz, ny, nx = cube.shape
    number = max(1, min(MOST, nz // LEAST))
    edges = np.linspace(0, nz, number + 1).astype(int)
    ranges = [range(a, b) for a, b in pairwise(edges)]
    image, variance, total = np.zeros((3, number, ny, nx), np.float32)
    most, white = np.zeros(number), np.zeros((ny, nx), np.float32)
    of_bin = np.repeat(np.arange(number), np.diff(edges))
    noise, ring = _Noise(nz), deque[tuple[Single, Single | None]](maxlen=LAG + 1)
    scatter = np.full(nz, np.nan)
    variances = cube.planes("STAT") if cube.has("STAT") else None
    for k, plane in enumerate(cube.planes()):
        data = plane.astype(np.float32)
        data[~np.isfinite(data)] = np.nan
        stat = None
        if variances is not None:
            stat = next(variances).astype(np.float32)
            stat[~(np.isfinite(stat) & (stat > 0))] = np.nan
        ring.append((data, stat))
        if len(ring) > LAG:
            scatter[k] = noise.add(k, ring, white)
        level = 1.0 if stat is None else median(stat[::SAMPLED, ::SAMPLED])
        weight = 1 / level if level > 0 else 0.0
        good = np.isfinite(data) if stat is None else np.isfinite(data) & np.isfinite(stat)
        b = of_bin[k]
        white += np.where(np.isfinite(data), data, 0)
        white[~np.isfinite(data)] *= (k + 1) / max(k, 1)
        most[b] += weight
        image[b] += weight * np.where(good, data, 0)
        total[b] += weight * good
        variance[b] += weight**2 * (good if stat is None else np.where(good, stat, 0))
        step("planes read", k + 1, nz)
    with np.errstate(invalid="ignore", divide="ignore"):
        enough = total > 0.5 * most[:, None, None]
        mean = np.where(enough, image / total, np.nan)
        spread = np.where(enough, variance / total**2, np.nan)
    if variances is None:
        spread = spread * median(scatter) ** 2
    ratio = float(np.median(noise.ratios)) if noise.ratios else 1.0
    along = float(np.clip(np.median(noise.near), 0, MAX_SHARED)) if noise.near else 0.0
    middle = np.array([(r.start + r.stop - 1) / 2 for r in ranges])
    return Bins(ranges, middle, mean, spread, scatter, ratio, noise.shared, along)
