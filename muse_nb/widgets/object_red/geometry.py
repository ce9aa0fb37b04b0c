"""Where the slices of an IFU lie on its detector, and which wavelength falls where, as a viewer needs it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from muse_nb.core.errors import MuseError
from muse_nb.products.detector import TraceTable, WavecalTable, by_ifu

__all__ = ["Geometry", "geometry_by_ifu"]

BORDER_ROWS = 25  # points a border is drawn with
Paths = str | Path | Iterable[str | Path]


@dataclass(frozen=True)
class Geometry:
    """Slices of one IFU and, where a WAVECAL_TABLE is there, their wavelengths; pixels are 0-based here."""

    trace: TraceTable
    wavecal: WavecalTable | None = None

    def at(self, x: int, y: int) -> dict[str, Any]:
        """Slice and wavelength [Angstrom] of a pixel, as far as they are known; nothing in the gaps."""
        number = self.trace.slice_at(x + 1, y + 1)
        if number is None:
            return {"slice": None}
        if self.wavecal is None:
            return {"slice": number}
        return {"slice": number, "wavelength": float(self.wavecal.wavelength(number, x + 1, y + 1))}

    def borders(self, ny: int) -> bytes:
        """Number of rows, then x of the left and right border on each of them, slice by slice; float32."""
        left, right = self.trace.edges(np.linspace(1, ny, BORDER_ROWS))
        pairs = np.stack([left - 1.5, right - 0.5], axis=-1)  # to 0-based, and to the outer sides of the pixels
        return np.concatenate([[BORDER_ROWS], pairs.ravel()]).astype("<f4").tobytes()


def geometry_by_ifu(trace: Paths | None, wavecal: Paths | None) -> dict[int, Geometry]:
    """TRACE_TABLE and WAVECAL_TABLE files, in any order, by the IFU that each names.

    Raises
    ------
    MuseError
        A file is no such table or does not say which IFU it is for; or there are WAVECAL_TABLEs but no TRACE_TABLE.
    """
    traces, wavecals = by_ifu(trace, TraceTable.open), by_ifu(wavecal, WavecalTable.open)
    if wavecals and not traces:
        raise MuseError("a WAVECAL_TABLE was given without a TRACE_TABLE: wavelengths are told by slice, give both")
    return {ifu: Geometry(table, wavecals.get(ifu)) for ifu, table in traces.items()}
