"""MASTER_BIAS: noise, level, columns and structure of every quadrant.

``arrays``: columns, rows [adu], the medians of the chip's columns (nx,) and rows (ny,).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.robust import ERROR_OF_MEDIAN, mad_sigma, median
from muse_nb.products.calibrations.masters import Master
from muse_nb.steps.masters.parts.measured import Array, Measured, Quantity, quadrants, running_median

__all__ = ["column_medians", "measure_bias", "structure"]

NEIGHBOURS = 25  # columns that one is held against
MIN_SIGMA, MIN_HEIGHT = 6.0, 1.0  # of a column that stands out [sigma of its median, adu]
RANGE_95 = 3.92  # standard deviations between the ends of the middle 95 % of normal values
NAMES = tuple(f"quadrant {n}" for n in range(1, 5))


def measure_bias(master: Master) -> Measured:
    """Measure a MASTER_BIAS.

    Parameters
    ----------
    master
        With DATA [adu], and DQ where it has one.
    """
    data = master.image("DATA")
    if data is None or data.ndim != 2:
        return Measured(master, (), notes=("has no image DATA: it was not judged",))
    flags = master.image("DQ")
    values = np.where(flags == 0, data, np.nan).astype(np.float32) if flags is not None else data.astype(np.float32)
    notes = [] if flags is not None else ["has no DQ: flagged pixels and columns are not told from good ones"]
    frames = master.number("ESO PRO DATANCOM")
    parts = quadrants(values)
    sigma = np.array([mad_sigma(part) for part in parts])
    noise = _of(master, "ESO QC BIAS MASTER{} RON")
    found = [Quantity.of("bias_noise", noise, NAMES)]
    if not np.isfinite(noise).any():
        notes.append("has no ESO QC BIAS MASTERi RON: the read-out noise was not judged")
    if not (sigma > 0).any():
        notes.append("has the same value in all pixels: levels, columns and structure were not judged")
        return Measured(master, tuple(found), notes=tuple(notes))
    if np.isfinite(frames) and frames > 1 and np.isfinite(noise).any():
        gain = _of(master, "ESO DET OUT{} GAIN")
        found.append(
            Quantity.of("bias_scatter", sigma * np.where(gain > 0, gain, np.nan) * np.sqrt(frames) / noise, NAMES)
        )
    else:
        notes.append("does not say of how many frames it is: its scatter was not held against the read-out noise")
    found.append(Quantity.of("bias_level", [median(part) for part in parts], NAMES))
    found.append(Quantity.of("bias_raw_level", _of(master, "ESO QC BIAS LEVEL{} MEDIAN"), NAMES))
    found.append(Quantity.of("bias_frames", _of(master, "ESO QC BIAS LEVEL{} STDEV"), NAMES))
    standing = [_standing(part, s) for part, s in zip(parts, sigma, strict=True)]
    found.append(Quantity.of("bias_columns", standing, NAMES))
    if flags is not None:
        found.append(Quantity.one("bias_flagged", float(np.count_nonzero(flags))))
    found.append(
        Quantity.of("bias_structure", [structure(part, s) for part, s in zip(parts, sigma, strict=True)], NAMES)
    )
    arrays = {"columns": column_medians(values), "rows": column_medians(values.T)}
    return Measured(master, tuple(found), arrays, tuple(notes))


def _of(master: Master, keyword: str) -> Array:
    return np.array([master.number(keyword.format(n)) for n in range(1, 5)])


def column_medians(values: NDArray[np.floating]) -> Array:
    """Median of every column; NaN of one whose pixels are all flagged."""
    found = np.full(values.shape[1], np.nan)
    number = np.count_nonzero(np.isfinite(values), axis=0)
    whole = number == values.shape[0]
    if whole.any():
        found[whole] = np.median(values[:, whole], axis=0)
    if (some := np.flatnonzero(~whole & (number > 0))).size:
        ordered = np.sort(np.where(np.isfinite(values[:, some]), values[:, some], np.nan), axis=0)  # NaN last
        ends = (number[some] - 1) // 2, number[some] // 2
        found[some] = (ordered[ends[0], np.arange(some.size)] + ordered[ends[1], np.arange(some.size)]) / 2
    return found


def structure(part: NDArray[np.floating], sigma: float) -> float:
    """Scatter of the medians of columns or rows of a quadrant beyond what its noise leaves, the larger of the two.

    It is a quarter of the range of the middle 95 %: the gaps between lit slices are a tenth of the columns.
    """
    found = []
    for array in (part, part.T):
        expected = ERROR_OF_MEDIAN * sigma / np.sqrt(max(1, array.shape[0]))
        medians = column_medians(array)
        ends = np.percentile(medians[np.isfinite(medians)], [2.5, 97.5]) if np.isfinite(medians).any() else [np.nan] * 2
        scatter = float(ends[1] - ends[0]) / RANGE_95
        found.append(float(np.sqrt(max(0.0, scatter**2 - expected**2))) if np.isfinite(scatter) else np.nan)
    return float(np.max(found))


def _standing(part: NDArray[np.floating], sigma: float) -> int:
    """Count the unflagged columns whose median stands out from that of their neighbours."""
    columns = column_medians(part)
    away = np.abs(columns - running_median(columns, NEIGHBOURS))
    limit = max(MIN_HEIGHT, MIN_SIGMA * ERROR_OF_MEDIAN * sigma / np.sqrt(part.shape[0]))
    return int(np.count_nonzero(away > limit))
