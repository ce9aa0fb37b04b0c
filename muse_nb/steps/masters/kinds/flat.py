"""MASTER_FLAT: level of the lamp, of its frames and of the slices, saturated and flagged pixels.

``arrays``: slices (48,), the level of each slice over the median of all.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.robust import median
from muse_nb.products.calibrations.masters import Master
from muse_nb.products.detector import TraceTable
from muse_nb.products.field import SLICES
from muse_nb.steps.masters.parts.measured import Array, Measured, Quantity, slices

__all__ = ["lamp_flux", "measure_flat"]

SAMPLED_ROWS = 200  # on which a slice's level and flags are measured
INSET = 2.0  # pixels from the traced edges


def measure_flat(master: Master, trace: TraceTable | None) -> Measured:
    """Measure a MASTER_FLAT.

    Parameters
    ----------
    master
        With DATA normalised to 1, and DQ where it has one.
    trace
        Where its slices are; without it the recipe's own numbers tell their levels.
    """
    notes, found = [], []
    told = np.array([master.number(f"ESO QC FLAT MASTER SLICE{n} MEAN") for n in range(1, SLICES + 1)])
    mean = master.number("ESO QC FLAT MASTER MEAN")
    if np.isfinite(mean):
        found += [Quantity.one("flat_level", mean), Quantity.of("flat_slice_level", told, slices())]
    else:
        notes.append("has no ESO QC FLAT MASTER MEAN: the lamp's level was not judged")
    found += _frames(master)
    level = told / median(told) if np.isfinite(told).any() else told
    data, flags = master.image("DATA"), master.image("DQ")
    if data is None or data.ndim != 2:
        notes.append("has no image DATA: its slices were judged by the recipe's numbers alone")
    elif trace is None:
        notes.append("has no TRACE_TABLE of its IFU beside it: flagged pixels inside the slices were not counted")
    else:
        level, flagged = _inside(data, flags, trace)
        if flags is not None:
            found.append(Quantity.one("flat_flagged", flagged))
        else:
            notes.append("has no DQ: flagged pixels are not told")
    if np.isfinite(level).any():
        found.append(Quantity.of("flat_slice", level, slices()))
    return Measured(master, tuple(found), {"slices": level}, tuple(notes))


def lamp_flux(master: Master) -> float:
    """Light of the lamp integrated over the chip [count], NaN where the header does not say."""
    return master.number("ESO QC FLAT MASTER INTFLUX")


def _frames(master: Master) -> list[Quantity]:
    """Levels of the raw frames against each other, and their saturated pixels."""
    numbers = sorted(
        int(m[1]) for key in master.header if (m := re.fullmatch(r"ESO QC FLAT INPUT(\d+) MEAN", str(key)))
    )
    if not numbers:
        return []
    names = [f"frame {n}" for n in numbers]
    levels = np.array([master.number(f"ESO QC FLAT INPUT{n} MEAN") for n in numbers])
    saturated = [master.number(f"ESO QC FLAT INPUT{n} NSATURATED") for n in numbers]
    return [
        Quantity.of("flat_frames", levels / median(levels), names),
        Quantity.of("flat_saturated", saturated, names),
    ]


def _inside(data: NDArray[np.floating], flags: NDArray[np.integer] | None, trace: TraceTable) -> tuple[Array, float]:
    """Level of each slice over the median of all, and the share of flagged pixels inside them [%]."""
    ny, nx = data.shape
    rows = np.unique(np.linspace(0, ny - 1, min(ny, SAMPLED_ROWS)).astype(int))
    left, right = trace.edges(rows + 1.0)
    levels, flagged, counted = np.full(SLICES, np.nan), 0, 0
    for number in range(SLICES):
        values = []
        for row, first, last in zip(rows, left[number] + INSET, right[number] - INSET, strict=True):
            if not (np.isfinite(first) and np.isfinite(last)):
                continue
            start, stop = max(0, int(np.ceil(first)) - 1), min(nx, int(last))
            if stop <= start:
                continue
            inside = data[row, start:stop]
            values.append(inside[np.isfinite(inside)])  # flagged ones too: a slice without light is flagged
            counted += inside.size
            flagged += 0 if flags is None else int(np.count_nonzero(flags[row, start:stop]))
        levels[number] = median(np.concatenate(values)) if values else np.nan
    middle = median(levels)
    return levels / middle if middle else levels, 100 * flagged / max(1, counted)
