"""TRACE_TABLE: widths, gaps, steps and smoothness of the slices.

``arrays``: rows (n,), centre, left, right (48, n), the traced positions [pixel] at these rows.
"""

from __future__ import annotations

import numpy as np

from muse_nb.core.errors import MuseError
from muse_nb.core.robust import median
from muse_nb.products.calibrations.masters import Master
from muse_nb.products.detector import TraceTable
from muse_nb.products.field import SLICES
from muse_nb.steps.masters.parts.chip import is_full_size, rows_of
from muse_nb.steps.masters.parts.measured import Array, Measured, Quantity, slices

__all__ = ["measure_trace"]


def measure_trace(master: Master, height: int | None) -> Measured:
    """Measure a TRACE_TABLE.

    Parameters
    ----------
    master
        The table.
    height
        Rows of the chip; None where nothing tells: it is then judged in the first row alone.
    """
    try:
        trace = TraceTable.open(master.path, next(iter(master.extensions.values()), 1))
    except MuseError as error:
        return Measured(master, (Quantity.one("trace_missing", float(SLICES)),), notes=(f"was not judged ({error})",))
    notes = [] if height else ["is of a chip whose height nothing tells: it was judged in the first row alone"]
    rows = rows_of(height) if height else np.ones(1)
    left, right = trace.edges(rows)
    centre = trace.middle(rows)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = _across(left, right, centre, is_full_size(trace))
        if height:
            found += _along(rows, left, right, centre)
    scatter = _scatter(master)
    if np.isfinite(scatter).any():
        found.append(Quantity.of("trace_rms", scatter, slices()))
    else:
        notes.append("has no MSE: how well the edges follow their polynomials was not judged")
    lost = ~np.isfinite(left + right + centre).all(axis=1)
    found.append(Quantity.one("trace_missing", float(np.count_nonzero(lost))))
    return Measured(master, tuple(found), {"rows": rows, "centre": centre, "left": left, "right": right}, tuple(notes))


def _across(left: Array, right: Array, centre: Array, full_size: bool) -> list[Quantity]:
    """Widths, gaps and steps from slice to slice; pixels only on a real chip."""
    width = np.mean(right - left, axis=1)
    between = tuple(f"slices {n} and {n + 1}" for n in range(1, SLICES))
    middle = centre[:, centre.shape[1] // 2]
    step = np.diff(middle)
    pitch = median(step)
    gap = np.min(left[1:] - right[:-1], axis=1) / pitch
    found = [Quantity.of("trace_width", width, slices())] if full_size else []
    return [
        *found,
        Quantity.of("trace_relative", width / median(width), slices()),
        Quantity.of("trace_gap", gap, between),
        Quantity.of("trace_step", step / pitch, between),
    ]


def _along(rows: Array, left: Array, right: Array, centre: Array) -> list[Quantity]:
    """How the traces run from the bottom to the top."""
    slope = np.max(np.abs(np.gradient(centre, rows, axis=1)), axis=1)
    breathing = np.ptp(right - left, axis=1)
    return [
        Quantity.of("trace_lean", slope * rows[-1], slices()),
        Quantity.of("trace_breathing", breathing, slices()),
    ]


def _scatter(master: Master) -> Array:
    """Root of the largest mean square error of a slice's three polynomials [pixel]."""
    try:
        errors = np.stack(master.columns("MSE0", "MSE1", "MSE2"))
    except MuseError:
        return np.full(SLICES, np.nan)
    worst = np.max(np.where(errors >= 0, errors, np.nan), axis=0)
    return np.asarray(np.sqrt(worst)) if worst.shape == (SLICES,) else np.full(SLICES, np.nan)
