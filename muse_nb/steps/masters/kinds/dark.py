"""MASTER_DARK: level, flagged pixels and structure, in counts in an hour as the recipe normalises them.

``arrays``: columns, rows [count/h], the medians of the chip's columns (nx,) and rows (ny,).
"""

from __future__ import annotations

import numpy as np

from muse_nb.core.robust import mad_sigma, median
from muse_nb.products.calibrations.masters import Master
from muse_nb.products.history import history
from muse_nb.steps.masters.kinds.bias import NAMES, column_medians, structure
from muse_nb.steps.masters.parts.measured import Measured, Quantity, quadrants

__all__ = ["measure_dark"]

HOUR = 3600.0  # muse_dark's --normalize, where the header does not say


def measure_dark(master: Master) -> Measured:
    """Measure a MASTER_DARK with DATA [count], and DQ where it has one."""
    data = master.image("DATA")
    if data is None or data.ndim != 2:
        return Measured(master, (), notes=("has no image DATA: it was not judged",))
    seconds, notes = _normalised_to(master)
    flags = master.image("DQ")
    values = (np.where(flags == 0, data, np.nan) if flags is not None else data).astype(np.float32) * (HOUR / seconds)
    parts = quadrants(values)
    found = [
        Quantity.of("dark_level", [median(part) for part in parts], NAMES),
        Quantity.of("dark_structure", [structure(part, mad_sigma(part)) for part in parts], NAMES),
    ]
    if flags is not None:
        found.append(Quantity.one("dark_hot", 100 * float(np.count_nonzero(flags)) / flags.size))
    else:
        notes.append("has no DQ: hot pixels are not told")
    return Measured(
        master, tuple(found), {"columns": column_medians(values), "rows": column_medians(values.T)}, tuple(notes)
    )


def _normalised_to(master: Master) -> tuple[float, list[str]]:
    """Seconds that the counts are of, by the recipe's parameter; negative there means not normalised."""
    runs = history(master.header)
    try:
        told = float(str(runs[-1].parameters["normalize"])) if runs else HOUR
    except (KeyError, ValueError):
        told = HOUR
    if told > 0:
        return told, []
    exptime = master.number("EXPTIME")
    if exptime > 0:
        return exptime, []
    return HOUR, ["does not say how long it was exposed: its counts are taken for those of an hour"]
