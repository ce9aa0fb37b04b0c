"""A cube read once or twice, plane by plane: what all checks need of it, in memory that does not grow with the cube."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.progress import Progress
from muse_nb.core.robust import mad_sigma
from muse_nb.products.cube_file import CubeFile
from muse_nb.products.spectral_axis import SpectralAxis
from muse_nb.steps.judge.parts.lines import SkyLine, lines_within

__all__ = ["Sample", "Spike", "finite_mean", "read_sample"]

Array = NDArray[np.float64]
FAINT = 30.0  # percent of the spaxels that count as empty
BINS, MIN_BIN = 8, 16  # images over the wavelengths; planes in one at least
WINDOW = 13.0  # Angstrom on either side of a sky line
MOST_LINES = 6  # whose planes are kept
LAG = 2  # planes apart whose noise is compared: next planes share some after resampling
SHARP, HIGH, SHARE = 2, 10.0, 0.75  # spike: voxels to its neighbours, sigma above all of them, share of its height
PAIRS = 300  # of planes in which neighbours are compared
MOST_SPIKES = 4000  # that are kept with their place


@dataclass(frozen=True)
class Spike:
    """A voxel higher than a star or a line can be: place from 0, height [sigma] above its neighbours, value."""

    plane: int
    y: int
    x: int
    sigma: float
    value: float


@dataclass
class Sample:
    """What was read of a cube; arrays by spaxel (ny, nx) or by plane (nz,).

    Attributes
    ----------
    white, count, first, last : numpy.ndarray
        Mean over the wavelengths, planes with data, the first and last of them.
    level, scatter, expected : numpy.ndarray
        Median and standard deviation of the empty spaxels, and the root of their mean STAT (NaN without).
    noise : numpy.ndarray
        Scatter of a voxel by plane, from differences of planes, and `ratio` the same over what STAT says.
    covariance : numpy.ndarray
        Correlation of neighbours in x, y and wavelength.
    images, variances : numpy.ndarray
        Means over bins of wavelength, shape (bins, ny, nx); `centres` are theirs [Angstrom].
    windows : dict
        Planes of a sky line: their numbers, DATA and STAT (or None), shape (planes, ny, nx).
    """

    cube: CubeFile
    axis: SpectralAxis
    wavelength: Array
    white: Array
    count: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    infinite: int
    faint: NDArray[np.bool_]
    level: Array
    scatter: Array
    expected: Array
    noise: Array
    ratio: Array
    covariance: Array
    centres: Array
    images: Array
    variances: Array
    bins: list[range]
    windows: dict[str, tuple[SkyLine, range, NDArray[np.float32], NDArray[np.float32] | None]]
    spikes: list[Spike] = field(default_factory=list)
    number_of_spikes: int = 0

    @property
    def has_stat(self) -> bool:
        """Whether there is a variance that says something."""
        return self.cube.has("STAT") and bool(np.isfinite(self.expected).any())

    @cached_property
    def voxel_noise(self) -> float:
        """Scatter of a voxel, the median over all planes."""
        good = self.noise[np.isfinite(self.noise) & (self.noise > 0)]
        return float(np.median(good)) if good.size else float("nan")

    @cached_property
    def shared_noise(self) -> float:
        """How many times larger the noise of a mean over many spaxels of a plane is than of independent ones."""
        x, y = np.clip(np.nan_to_num(self.covariance[:2]), 0, 0.5)
        return float(np.sqrt((1 + 2 * x) * (1 + 2 * y)))

    @cached_property
    def step(self) -> float:
        """Angstrom from plane to plane in the middle."""
        return float(np.median(np.abs(np.diff(self.wavelength)))) if len(self.wavelength) > 1 else abs(self.axis.step)

    @cached_property
    def scale(self) -> float:
        """Size of a spaxel [arcsec]; NaN where the header does not say."""
        try:
            matrix = self.cube.wcs.celestial.pixel_scale_matrix
        except Exception:  # no celestial axes
            return float("nan")
        return float(np.sqrt(abs(np.linalg.det(matrix))) * 3600) if matrix.shape == (2, 2) else float("nan")

    def sky(self, x: float, y: float) -> tuple[float, float]:
        """RA and Dec [deg] of a spaxel counted from 0; NaN where the header does not say."""
        try:
            ra, dec = self.cube.wcs.celestial.pixel_to_world_values(x, y)
            return float(ra), float(dec)
        except Exception:
            return float("nan"), float("nan")


def finite_mean(values: Array) -> Array:
    """Mean of the finite values along the first axis, NaN where there is none."""
    good = np.isfinite(values)
    number = good.sum(axis=0)
    total = np.where(good, values, 0.0).sum(axis=0)
    return np.asarray(np.where(number > 0, total / np.maximum(number, 1), np.nan), float)


def read_sample(cube: CubeFile, axis: SpectralAxis, step: Progress) -> Sample:
    """Read a cube twice: for its white light, which tells the empty spaxels, and for all else.

    Raises
    ------
    MuseError
        It cannot be read, or the work was cancelled.
    """
    nz, ny, nx = cube.shape
    wavelength = axis.wavelengths(nz)
    total, count = np.zeros((ny, nx)), np.zeros((ny, nx), np.int64)
    first, last, infinite = np.full((ny, nx), nz), np.full((ny, nx), -1), 0
    for k, plane in enumerate(cube.planes()):
        good = np.isfinite(plane)
        infinite += int(np.isinf(plane).sum())
        total[good] += plane[good]
        count += good
        first[good & (first == nz)] = k
        last[good] = k
        step("white light", k + 1, nz)
    with np.errstate(invalid="ignore", divide="ignore"):
        white = np.where(count > 0, total / count, np.nan)
    full = count > 0.5 * count.max(initial=0) if count.any() else np.zeros((ny, nx), bool)
    faint = np.zeros((ny, nx), bool)
    if full.any():
        faint = full & (white <= np.percentile(white[full], FAINT))
    lines = lines_within(float(wavelength.min()), float(wavelength.max()), axis.medium)
    level, scatter, expected, noise, ratio = (np.full(nz, np.nan) for _ in range(5))
    centres, images, variances, bins = _bins(wavelength, ny, nx)
    sample = Sample(
        cube=cube,
        axis=axis,
        wavelength=wavelength,
        white=white,
        count=count,
        first=first,
        last=last,
        infinite=infinite,
        faint=faint,
        level=level,
        scatter=scatter,
        expected=expected,
        noise=noise,
        ratio=ratio,
        covariance=np.full(3, np.nan),
        centres=centres,
        images=images,
        variances=variances,
        bins=bins,
        windows={},
    )
    for line in _spread(lines):
        near = axis.within(line.at - WINDOW, line.at + WINDOW, nz)
        data = np.full((len(near), ny, nx), np.nan, np.float32)
        sample.windows[line.name] = (line, near, data, data.copy() if cube.has("STAT") else None)
    _second(sample, step)
    return sample


def _bins(wavelength: Array, ny: int, nx: int) -> tuple[Array, Array, Array, list[range]]:
    nz = len(wavelength)
    number = max(1, min(BINS, nz // MIN_BIN))
    edges = np.linspace(0, nz, number + 1).astype(int)
    bins = [range(a, b) for a, b in pairwise(edges)]
    centres = np.array([wavelength[b.start : b.stop].mean() for b in bins])
    return centres, np.zeros((number, ny, nx)), np.zeros((number, ny, nx)), bins


def _spread(lines: list[SkyLine]) -> list[SkyLine]:
    """The strongest lines, spread over the wavelengths: no window is kept twice."""
    chosen: list[SkyLine] = []
    for line in sorted(lines, key=lambda line: -line.flux):
        if all(abs(line.at - other.at) > WINDOW for other in chosen) and len(chosen) < MOST_LINES:
            chosen.append(line)
    return sorted(chosen, key=lambda line: line.at)


def _pairs(cube: CubeFile) -> Iterator[tuple[Array, Array | None]]:
    """DATA and STAT of each plane as float64, NaN where they are no use."""
    variances = cube.planes("STAT") if cube.has("STAT") else None
    for plane in cube.planes():
        data = np.where(np.isfinite(plane), plane, np.nan).astype(float)
        if variances is None:
            yield data, None
            continue
        stat = next(variances).astype(float)
        yield data, np.where(np.isfinite(stat) & (stat > 0), stat, np.nan)


class _Correlation:
    """Sums of products of neighbours' noise."""

    def __init__(self) -> None:
        self.sums, self.squares = np.zeros(3), np.zeros(3)

    def add(self, difference: Array) -> None:
        """Take in a difference of planes in units of its own noise: neighbours in x and y."""
        clipped = np.where(np.abs(difference) < 5, difference, np.nan)
        for axis, (one, other) in enumerate(((clipped[:, 1:], clipped[:, :-1]), (clipped[1:], clipped[:-1]))):
            both = np.isfinite(one) & np.isfinite(other)
            self.sums[axis] += float((one[both] * other[both]).sum())
            self.squares[axis] += float((one[both] ** 2).sum() / 2 + (other[both] ** 2).sum() / 2)

    def add_next(self, near: float, far: float) -> None:
        """Take in the variance of differences of next planes and of planes further apart."""
        if np.isfinite(near) and np.isfinite(far) and far > 0:
            self.sums[2] += 1 - near / far
            self.squares[2] += 1

    @property
    def values(self) -> Array:
        """Correlation in x, y and wavelength."""
        return np.where(self.squares > 0, self.sums / np.where(self.squares > 0, self.squares, 1), np.nan)


def _second(sample: Sample, step: Progress) -> None:
    nz = len(sample.wavelength)
    counts = np.zeros(sample.images.shape, np.int64)
    ring: deque[tuple[int, Array, Array | None]] = deque(maxlen=2 * SHARP + 1)
    correlation = _Correlation()
    of_bin = np.repeat(np.arange(len(sample.bins)), [len(b) for b in sample.bins])
    for k, (data, stat) in enumerate(_pairs(sample.cube)):
        ring.append((k, data, stat))
        b = of_bin[k]
        good = np.isfinite(data)
        sample.images[b][good] += data[good]
        counts[b] += good
        if stat is not None:
            sample.variances[b] += np.where(good & np.isfinite(stat), stat, 0.0)
        _of_faint(sample, k, data, stat)
        for _, planes, kept, kept_stat in sample.windows.values():
            if k in planes:
                kept[k - planes.start] = data
                if kept_stat is not None and stat is not None:
                    kept_stat[k - planes.start] = stat
        if len(ring) > LAG:
            _noise(sample, ring, correlation)
        if len(ring) == ring.maxlen:
            _spikes(sample, ring)
        step("planes looked at", k + 1, nz)
    with np.errstate(invalid="ignore", divide="ignore"):
        sample.images[:] = np.where(counts > 0, sample.images / counts, np.nan)
        sample.variances[:] = np.where(
            (counts > 0) & (sample.variances > 0), sample.variances / counts.astype(float) ** 2, np.nan
        )
    sample.covariance = correlation.values
    sample.spikes.sort(key=lambda spike: -abs(spike.sigma))


def _of_faint(sample: Sample, k: int, data: Array, stat: Array | None) -> None:
    """Level and scatter of the empty spaxels in a plane."""
    values = data[sample.faint]
    values = values[np.isfinite(values)]
    if values.size:
        sample.level[k], sample.scatter[k] = np.median(values), np.std(values)
    if stat is not None:
        told = stat[sample.faint]
        told = told[np.isfinite(told)]
        if told.size:
            sample.expected[k] = np.sqrt(told.mean())


def _noise(sample: Sample, ring: deque[tuple[int, Array, Array | None]], correlation: _Correlation) -> None:
    """Scatter from plane to plane, which light that changes slowly with the wavelength leaves alone."""
    k, data, stat = ring[-1]
    _, before, before_stat = ring[-1 - LAG]
    _, between, _ = ring[-2]
    difference = data - before
    here = difference[sample.faint]
    if np.isfinite(here).sum() < 4:
        return
    sigma = mad_sigma(here) / np.sqrt(2)
    sample.noise[k] = sigma
    if stat is not None and before_stat is not None:
        with np.errstate(invalid="ignore"):
            both = np.sqrt(stat + before_stat)
        sample.ratio[k] = mad_sigma((difference / both)[sample.faint])
        unit = difference / both
    else:
        unit = difference / (sigma * np.sqrt(2)) if sigma > 0 else np.full_like(difference, np.nan)
    if k % max(1, len(sample.wavelength) // PAIRS) == 0:
        correlation.add(unit)
    near = mad_sigma((data - between)[sample.faint])
    correlation.add_next(near**2, mad_sigma(here) ** 2)


def _spikes(sample: Sample, ring: deque[tuple[int, Array, Array | None]]) -> None:
    """Voxels of the middle plane that stand out above all their neighbours: no star and no line is that sharp."""
    k, data, stat = ring[SHARP]
    padded = np.pad(data, SHARP, constant_values=np.nan)
    ny, nx = data.shape
    shifted = [
        padded[SHARP + dy : SHARP + dy + ny, SHARP + dx : SHARP + dx + nx]
        for dy, dx in ((SHARP, 0), (-SHARP, 0), (0, SHARP), (0, -SHARP))
    ]
    others = [*shifted, ring[0][1], ring[-1][1]]
    sigma = np.sqrt(stat) if stat is not None else np.full(data.shape, sample.noise[k])
    up, down = data - others[0], others[0] - data
    for other in others[1:]:  # NaN beside it leaves a voxel out
        np.minimum(up, data - other, out=up)
        np.minimum(down, other - data, out=down)
    with np.errstate(invalid="ignore"):
        height = np.where(up > 0, up, -down)
        found = np.maximum(up, down) > HIGH * sigma
    for y, x in np.argwhere(found).tolist():
        level = float(np.median([other[y, x] for other in others]))
        if abs(height[y, x]) < SHARE * max(abs(data[y, x] - level), abs(level)):
            continue  # the top of a star
        sample.number_of_spikes += 1
        if len(sample.spikes) < MOST_SPIKES:
            sample.spikes.append(Spike(k, y, x, float(height[y, x] / sigma[y, x]), float(data[y, x])))
