"""What can be measured in one frame: background, noise, flags, slices, stripes. Judges nothing (see `judge`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from muse_nb.core.robust import SIGMA_OF_MAD, mad_sigma, median
from muse_nb.kernels.frame_stats import PixelCounts, count_hits, count_pixels
from muse_nb.products.dq import DQ, names
from muse_nb.steps.inspect.field import picture_of_channel
from muse_nb.steps.inspect.lines import NO_LINES, line_spectra
from muse_nb.steps.inspect.raw import RawChannel
from muse_nb.steps.inspect.sample import QUADRANTS, Frame, Sample, take_sample
from muse_nb.steps.inspect.slices import ERROR_OF_MEDIAN, Slices, column_medians, find_slices

__all__ = ["CosmicRays", "FrameStatistics", "clipped_median", "frame_statistics", "noise_ratio"]

SATURATION = 60000.0  # electrons; a MUSE pixel holds about 65500 x 1.1
MEDIAN_VALUES = 20_000  # values for a median: it is then good to 1 % of their scatter
MIDDLE_ROWS = 16  # on either side of the middle, which are compared
DETECTOR_PIXEL = 15.0  # micrometres, where the header does not say
MAX_STAR_SHARPNESS = 1.0  # a column's excess over its neighbours', in units of their own: a star of 0.5" reaches 0.6
MIN_COLUMN_SIGMAS = 8.0  # by which a bad column stands out from both neighbours
MIN_ROW_PIXELS, MIN_ROWS = 100, 8  # good pixels of a row and such rows, to look for stripes
QUARTILE_OF_SIGMA = 1.1503  # three quarters of normal deviates are smaller than that, in sigma
MIN_LIT_SLICES = 0.9  # of the slices of a quadrant, with light, to compare it: of noise, half of the sums are positive
MIN_STEP_SLICES = 8  # with light, in either half of a frame, to compare its quadrants


@dataclass(frozen=True)
class CosmicRays:
    """Cosmic rays of a frame: hits (each may cover several pixels), where they were looked for, and for how long.

    Attributes
    ----------
    hits, pixels : int
        Number of hits and of the pixels they cover.
    area : float
        Of the slices, two pixels from their edges [cm^2].
    exptime : float
        EXPTIME [s]; NaN where the header has none.
    """

    hits: int
    pixels: int
    area: float
    exptime: float

    @property
    def rate(self) -> float:
        """Hits per cm^2 and second; NaN where time or area are not known."""
        seen = self.area * self.exptime
        return self.hits / seen if seen > 0 else float("nan")


@dataclass(frozen=True)
class FrameStatistics:
    """Statistics of one frame.

    Attributes
    ----------
    file, ifu, exposure, mjd_obs
        Where the frame comes from; `exposure` is DATE-OBS ("" when the header has none).
    exptime : float
        EXPTIME [s]; NaN where the header has none.
    posang : float
        Rotator angle ESO INS DROT POSANG [deg]; NaN where the header has none.
    shape, unit
        Shape of the data and their BUNIT.
    background : dict of str to float
        Clipped median of the good pixels of each quadrant, in the unit of the data.
    noise_ratio : float
        Noise between neighbouring rows over sqrt(STAT); 1 when STAT is honest, NaN without STAT.
    noise_ratios : dict of str to float
        The same for each quadrant.
    dq : dict of str to int or None
        Number of pixels with each DQ bit; None when the file has no DQ.
    flagged, nonfinite, high : int
        Pixels with any flag; not finite though dq = 0; dq = 0 but as high as a saturated pixel.
    usable : float
        Fraction of the pixels that are finite and have dq = 0.
    step : tuple of float
        Signal just above over just below the middle row, in the left and in the right half, and the error of each.
    stripe : float
        Scatter of the medians of rows over what the pixel noise explains.
    bad_columns : tuple of int
        0-based unflagged columns that stand out from both neighbours more sharply than any star.
    slices : Slices or None
        Slices found in the frame; None in a plain image or cube.
    lines : numpy.ndarray
        Some columns of the slices without continuum, see `lines.line_spectra`.
    cosmics : CosmicRays or None
        None without STAT, and in a plain image or cube.
    thumbnail : numpy.ndarray
        Small float32 picture of the frame, NaN where nothing is good.
    channel : numpy.ndarray
        Small float32 picture of the IFU's part of the field, see `field.picture_of_channel`.
    assumed : bool
        Whether it is taken for an OBJECT_RED by its extensions alone: it has no PRO CATG.
    no_variance : float
        Share of the good pixels looked at whose STAT is 0, negative or not finite; 0 without STAT.
    zeros : float
        Share of the good pixels looked at that are exactly 0; 0 for whole numbers, of which many are.
    raw : RawChannel or None
        What was measured of a raw frame's channel, without its pixels.
    """

    file: str
    ifu: int | None
    exposure: str
    mjd_obs: float
    exptime: float
    posang: float
    shape: tuple[int, ...]
    unit: str
    background: dict[str, float]
    noise_ratio: float
    noise_ratios: dict[str, float]
    dq: dict[str, int] | None
    flagged: int
    nonfinite: int
    high: int
    usable: float
    has_stat: bool
    step: tuple[float, float, float]
    stripe: float
    bad_columns: tuple[int, ...]
    slices: Slices | None
    lines: np.ndarray = field(repr=False)
    cosmics: CosmicRays | None
    thumbnail: np.ndarray = field(repr=False)
    channel: np.ndarray = field(repr=False)
    assumed: bool = False
    no_variance: float = 0.0
    zeros: float = 0.0
    raw: RawChannel | None = None

    @property
    def level(self) -> float:
        """Background of the frame: the median of its quadrants, NaN when none has a good pixel."""
        return median(list(self.background.values()))

    @property
    def sky(self) -> float:
        """Signal of the sky, that of the faintest slice; NaN where it is not known."""
        return self.slices.sky if self.slices is not None else float("nan")

    @property
    def saturated(self) -> int:
        """Pixels flagged SATURATED, or as high as that without a flag."""
        return (self.dq or {}).get("SATURATED", 0) + self.high


def frame_statistics(frame: Frame) -> FrameStatistics:
    """Measure an OBJECT_RED frame, an image or a cube: counts over all pixels, medians over a sample of them."""
    sample = take_sample(frame)
    counts = count_pixels(frame.data, frame.dq, frame.stat, SATURATION)
    red = frame.ifu is not None and frame.data.ndim == 2 and frame.raw is None
    total, ratios = noise_ratio(sample, lines=red)
    slices = find_slices(sample) if red else None
    header = frame.header
    return FrameStatistics(
        file=str(frame.path),
        ifu=frame.ifu,
        exposure=str(header.get("DATE-OBS", "")).strip(),
        mjd_obs=_number(header.get("MJD-OBS")),
        exptime=_number(header.get("EXPTIME")),
        posang=_number(header.get("ESO INS DROT POSANG")),
        shape=tuple(frame.data.shape),
        unit=frame.unit,
        background=_by_quadrant(sample.data, sample.good, sample, clipped_median),
        noise_ratio=total,
        noise_ratios=ratios,
        dq=None if frame.dq is None else _named(counts.bits, red),
        flagged=counts.flagged,
        nonfinite=counts.nonfinite_good,
        high=counts.high if frame.raw is None else frame.raw.saturated,
        usable=1 - (counts.flagged + counts.nonfinite_good) / max(1, frame.data.size),
        has_stat=frame.stat is not None,
        step=middle_step(frame, slices) if red else (float("nan"),) * 3,
        stripe=row_stripes(sample) if red else float("nan"),
        bad_columns=bad_columns(slices) if slices is not None and frame.stat is not None else (),
        slices=slices,
        lines=NO_LINES if slices is None else line_spectra(frame, slices),
        cosmics=cosmic_rays(frame, slices, counts) if red else None,
        thumbnail=thumbnail(sample),
        channel=picture_of_channel(sample, slices),
        assumed=frame.assumed,
        no_variance=_without_variance(sample),
        zeros=_zeros(frame, sample),
        raw=None
        if frame.raw is None
        else replace(frame.raw, trimmed=frame.data[:0] if frame.raw.trimmed is not None else None),
    )


def _zeros(frame: Frame, sample: Sample) -> float:
    """Share of the good pixels that are exactly 0; 0 for whole numbers, of which many are."""
    if frame.data.dtype.kind != "f":
        return 0.0
    return int(np.count_nonzero(sample.good & (sample.data == 0))) / max(1, int(np.count_nonzero(sample.good)))


def _without_variance(sample: Sample) -> float:
    """Share of the good pixels with data other than 0 whose variance is 0, negative or not finite."""
    if sample.stat is None:
        return 0.0
    good = sample.good & (sample.data != 0)
    bad = good & ~((sample.stat > 0) & np.isfinite(sample.stat))
    return int(np.count_nonzero(bad)) / max(1, int(np.count_nonzero(good)))


def _named(bits: np.ndarray, red: bool) -> dict[str, int]:
    """Numbers by name of the bit; a plain image's mask of 0 and 1 has no such names."""
    if not red and not bits[1:].any():
        return {"masked": int(bits[0])} if bits[0] else {}
    return {names(1 << bit)[0]: int(number) for bit, number in enumerate(bits) if number}


def _number(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return float("nan")


def cosmic_rays(frame: Frame, slices: Slices | None, counts: PixelCounts) -> CosmicRays | None:
    """Count the hits in the slices of a frame (in all of it where none was found); None without STAT."""
    if frame.stat is None:
        return None
    ny, nx = frame.data.shape
    columns = np.ones(nx, bool) if slices is None else slices.inside(nx, 1)
    flag = int(DQ.COSMICRAY).bit_length() - 1
    hits, pixels = count_hits(frame.data, frame.dq, frame.stat, columns, flags=bool(counts.bits[flag]))
    size = [_number(frame.header.get(f"ESO DET CHIP PSZ{axis}")) for axis in "XY"]
    across, along = (value if value > 0 else DETECTOR_PIXEL for value in size)
    area = columns.sum() * ny * (across * along * 1e-8)
    exptime = _number(frame.header.get("EXPTIME"))
    return CosmicRays(hits, pixels, float(area), exptime if exptime > 0 else float("nan"))


def _by_quadrant(
    values: np.ndarray, use: np.ndarray, sample: Sample, measure: Callable[[np.ndarray], float], cut: int = 0
) -> dict[str, float]:
    """Measure at most MEDIAN_VALUES evenly chosen values of each quadrant; the first and last `cut` columns lack."""
    quadrant = np.broadcast_to(sample.quadrant, sample.data.shape)[:, : values.shape[1]]
    quadrant = quadrant[..., cut : quadrant.shape[-1] - cut][use]
    kept = values[use]
    parts = (kept[quadrant == i] for i in range(len(QUADRANTS)))
    return {name: measure(part[:: 1 + part.size // MEDIAN_VALUES]) for name, part in zip(QUADRANTS, parts, strict=True)}


def clipped_median(values: np.ndarray, sigma: float = 3.0, rounds: int = 3) -> float:
    """Median of finite values after removing what is further than `sigma` robust deviations from it; NaN of none."""
    for _ in range(rounds):
        if values.size == 0:
            return float("nan")
        middle = np.median(values)
        deviation = np.abs(values - middle)
        limit = sigma * SIGMA_OF_MAD * np.median(deviation)
        if not limit:
            break
        values = values[deviation <= limit]
    return median(values)


def noise_ratio(sample: Sample, lines: bool = False) -> tuple[float, dict[str, float]]:
    """Noise over sqrt(STAT), of the whole frame and by quadrant; NaN without STAT.

    The noise is the robust scatter of d[y] - (d[y-1] + d[y+1]) / 2 in units of what STAT predicts for it: neighbouring
    rows see the same slice at nearly the same wavelength, so that what is left is noise. Where there may be `lines`
    along the rows, of the sky or of a nebula, the same difference is taken along them too: a line has the same shape in
    the next column.
    """
    nan = dict.fromkeys(QUADRANTS, float("nan"))
    if sample.stat is None or sample.data.shape[1] < 3:
        return float("nan"), nan
    good = sample.good & (sample.stat > 0) & np.isfinite(sample.stat)
    if lines:  # between the slices the variance is beyond measure, and without DQ nothing says so
        good = good & sample.quiet
    rows = slice(None, -2), slice(1, -1), slice(2, None)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        second, variance = (_second([part[:, row] for row in rows], *how) for part, how in _both(sample))
        use = np.logical_and.reduce([good[:, row] for row in rows])
        if lines:
            columns = slice(None, -2), slice(1, -1), slice(2, None)
            second = _second([second[..., column] for column in columns], 0.5, np.subtract)
            variance = _second([variance[..., column] for column in columns], 0.25, np.add)
            use = np.logical_and.reduce([use[..., column] for column in columns])
        second /= np.sqrt(variance)
    every = second[use]
    total = _scatter(every[:: 1 + every.size // (4 * MEDIAN_VALUES)])
    return total, _by_quadrant(second, use, sample, _scatter, 1 if lines else 0)


def _both(sample: Sample) -> tuple[tuple[np.ndarray, tuple[float, np.ufunc]], ...]:
    assert sample.stat is not None
    return (sample.data, (0.5, np.subtract)), (sample.stat, (0.25, np.add))


def _second(parts: list[np.ndarray], share: float, how: np.ufunc) -> np.ndarray:
    """Middle part minus half of its neighbours; of variances, plus a quarter."""
    before, middle, after = parts
    return np.asarray(how(middle, share * (before + after)))


def _scatter(values: np.ndarray) -> float:
    """Standard deviation of values about 0."""
    return SIGMA_OF_MAD * median(np.abs(values))


def middle_step(frame: Frame, slices: Slices | None) -> tuple[float, float, float]:
    """Signal just above over just below the middle row, in the left and in the right half, and the error of each.

    The ratio is that of the sums over the columns of a slice, and the median over slices is taken: a sky line stands
    on the middle rows of some of them, a star's line in fewer. NaN where too few slices have light to tell.
    """
    unknown = (float("nan"),) * 3
    ny, nx = frame.data.shape
    rows = min(MIDDLE_ROWS, ny // 2)
    if rows == 0 or slices is None:
        return unknown
    both = []
    for part in (slice(ny // 2, ny // 2 + rows), slice(ny // 2 - rows, ny // 2)):
        data = np.array(frame.data[part], dtype=np.float32)
        bad = ~np.isfinite(data) if frame.dq is None else (np.asarray(frame.dq[part]) != 0) | ~np.isfinite(data)
        both.append(column_medians(data, ~bad))
    above, below = (np.where(np.isfinite(both[0] + both[1]) & slices.inside(nx), one, 0) for one in both)
    starts, ends = (np.nan_to_num(edge).astype(int) for edge in (slices.left, slices.right + 1))
    sums = np.array([[part[lo:hi].sum() for lo, hi in zip(starts, ends, strict=True)] for part in (above, below)])
    with np.errstate(invalid="ignore", divide="ignore"):
        ratios = np.where(sums[1] > 0, sums[0] / sums[1], np.nan).reshape(2, -1)
    known = [ratio[np.isfinite(ratio)] for ratio in ratios]
    lit = [(part > 0).mean() > MIN_LIT_SLICES for side in sums for part in side.reshape(2, -1)]
    if min(map(len, known)) < MIN_STEP_SLICES or not all(lit):
        return unknown
    errors = [ERROR_OF_MEDIAN * mad_sigma(ratio) / np.sqrt(len(ratio)) for ratio in known]
    return median(known[0]), median(known[1]), float(max(errors))


def row_stripes(sample: Sample) -> float:
    """Scatter of the medians of rows against their neighbours, over what the pixel noise explains."""
    if sample.data.shape[1] < 3:
        return float("nan")
    data, good = sample.data[..., ::2], sample.good[..., ::2]
    second = data[:, 1:-1] - 0.5 * (data[:, :-2] + data[:, 2:])
    use = (good[:, 1:-1] & good[:, :-2] & good[:, 2:]).reshape(-1, second.shape[-1])
    rows = [row[keep] for row, keep in zip(second.reshape(use.shape), use, strict=True) if keep.sum() > MIN_ROW_PIXELS]
    if len(rows) < MIN_ROWS:
        return float("nan")
    middle = np.array([np.median(row) for row in rows])
    noise = median([_scatter(row) for row in rows[::4]])
    expected = ERROR_OF_MEDIAN * noise / np.sqrt(np.median([row.size for row in rows]))
    upper = np.percentile(np.abs(middle - np.median(middle)), 75)  # sky lines are in the last quarter
    return float(upper / (QUARTILE_OF_SIGMA * expected)) if expected > 0 else float("nan")


def bad_columns(slices: Slices) -> tuple[int, ...]:
    """Columns (0-based) in slices that stand out from both neighbours, more sharply than a star can."""
    medians = slices.columns
    inside = slices.inside(len(medians))
    level = median(medians[inside]) if inside.any() else 0.0
    excess = np.abs(medians - level)
    neighbours = np.maximum(np.roll(excess, 1), np.roll(excess, -1))
    second = np.abs(medians - 0.5 * (np.roll(medians, 1) + np.roll(medians, -1)))
    sigma = _scatter(second[inside]) if inside.any() else 0.0
    odd = (second > MIN_COLUMN_SIGMAS * sigma) & (excess > (1 + MAX_STAR_SHARPNESS) * neighbours)
    return tuple(int(x) for x in np.flatnonzero(odd & inside))


def thumbnail(sample: Sample, width: int = 96) -> np.ndarray:
    """Small picture: the mean of the good pixels of the sample in about `width` columns and one row a block."""
    data, good = (sample.data, sample.good & sample.quiet) if sample.data.ndim == 3 else _planes_as_rows(sample)
    nx = data.shape[-1]
    edges = np.unique(np.linspace(0, nx, min(width, nx) + 1).astype(int))[:-1]
    values = np.where(good, data, 0).sum(axis=1, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.add.reduceat(values, edges, axis=-1) / np.add.reduceat(good.sum(axis=1), edges, axis=-1)
    return mean.astype(np.float32)


def _planes_as_rows(sample: Sample) -> tuple[np.ndarray, np.ndarray]:
    """A cube's sample, (nblock, run, ny, nx), as (ny, planes, nx): its picture is the mean over wavelength."""
    ny, nx = sample.data.shape[2:]
    return (np.moveaxis(array.reshape(-1, ny, nx), 1, 0) for array in (sample.data, sample.good))  # type: ignore[return-value]
