"""What other masters of the same IFU tell: the chip's size and where its slices are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

from muse_nb.core.errors import MuseError
from muse_nb.products.calibrations.masters import Master
from muse_nb.products.detector import TraceTable
from muse_nb.steps.masters.parts.measured import Array

__all__ = ["Chips", "is_full_size", "rows_of"]

PITCH = 84.0  # distance of two slices on a real chip [pixel]
REAL_ROWS = 4112  # of a real chip
SAMPLED = 65  # rows on which polynomials are looked at


@dataclass(frozen=True)
class Chips:
    """The chips of a set of masters.

    Attributes
    ----------
    heights : dict of (folder, IFU) to int
        Rows of the trimmed chip, from images beside it.
    traces : dict of (folder, IFU) to TraceTable
        Beside it.
    """

    heights: dict[tuple[Path, int], int] = field(default_factory=dict)
    traces: dict[tuple[Path, int], TraceTable] = field(default_factory=dict)

    @classmethod
    def of(cls, masters: Iterable[Master]) -> Chips:
        """Look at the images' headers and read the TRACE_TABLEs that can be read."""
        found = cls()
        for master in masters:
            key = (master.path.parent, master.ifu)
            if len(shape := master.shape("DATA")) == 2 and master.ifu:
                found.heights.setdefault(key, shape[0])
            elif master.kind == "TRACE_TABLE":
                try:
                    trace = TraceTable.open(master.path, next(iter(master.extensions.values()), 1))
                except MuseError:  # told where it is judged itself
                    continue
                found.traces.setdefault(key, trace)
        return found

    def trace(self, master: Master) -> TraceTable | None:
        """Return the trace of a master's IFU: from its own folder, else the only one there is."""
        return _own_or_only(self.traces, master)

    def height(self, master: Master) -> int | None:
        """Return the rows of a master's chip, None where nothing tells."""
        outs = [master.number(f"ESO DET OUT{n} NY") for n in (1, 4)]
        if np.isfinite(outs).all():
            return int(sum(outs))
        if (binned := master.number("ESO DET OUT1 NY")) > 0:
            return 2 * int(binned)
        found = _own_or_only(self.heights, master)
        if found is None and self.heights:  # all chips of an instrument are alike
            every = {rows for (_, _), rows in self.heights.items()}
            found = every.pop() if len(every) == 1 else None
        trace = self.trace(master)
        return REAL_ROWS if found is None and trace is not None and is_full_size(trace) else found


Found = TypeVar("Found")


def _own_or_only(found: dict[tuple[Path, int], Found], master: Master) -> Found | None:
    own = found.get((master.path.parent, master.ifu))
    if own is not None:
        return own
    others = [value for (_, ifu), value in found.items() if ifu == master.ifu]
    return others[0] if len(others) == 1 else None


def is_full_size(trace: TraceTable) -> bool:
    """Tell a real chip's slices from those of a smaller, simulated one."""
    first = trace.centre[:, 0]
    steps = np.diff(first[np.isfinite(first)])
    return bool(steps.size) and abs(float(np.median(steps)) / PITCH - 1) < 0.1


def rows_of(height: int) -> Array:
    """Rows (1-based) on which polynomials are looked at, from the first to the last."""
    return np.linspace(1.0, height, SAMPLED)
