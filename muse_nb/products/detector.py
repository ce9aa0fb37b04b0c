"""Where the slices are on a detector and which wavelength falls where: TRACE_TABLE and WAVECAL_TABLE."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from muse_nb.core.errors import MuseError
from muse_nb.products.field import SLICES
from muse_nb.products.header import read_all

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["TraceTable", "WavecalTable", "by_ifu"]


@dataclass(frozen=True)
class TraceTable:
    """Edges of the slices of one IFU as polynomials of the detector row.

    Attributes
    ----------
    centre, left, right : numpy.ndarray
        Coefficients by rising power of y (1-based), shape (48, order + 1).
    """

    centre: NDArray[np.float64]
    left: NDArray[np.float64]
    right: NDArray[np.float64]

    @classmethod
    def open(cls, path: str | Path, hdu: int = 1) -> TraceTable:
        """Read a TRACE_TABLE, from the extension of one IFU where all IFUs are in one file.

        Raises
        ------
        MuseError
            The file is not readable or no TRACE_TABLE.
        """
        table = _table(path, "tc0_00", "TRACE_TABLE", hdu)
        order = len([name for name in table.colnames if re.fullmatch(r"tc0_\d\d", name)])
        parts = [
            np.stack([np.asarray(table[f"tc{part}_{power:02d}"], float) for power in range(order)], axis=1)
            for part in range(3)
        ]
        return cls(*parts)

    def edges(self, y: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the left and right edges [pixel, 1-based] of all slices at rows `y`, shape (48, *y.shape)."""
        rows = np.asarray(y, float)
        left, right = (np.asarray(np.polynomial.polynomial.polyval(rows, part.T)) for part in (self.left, self.right))
        return left, right

    def middle(self, y: ArrayLike) -> NDArray[np.float64]:
        """Return the centres [pixel, 1-based] of all slices at rows `y`, shape (48, *y.shape)."""
        return np.asarray(np.polynomial.polynomial.polyval(np.asarray(y, float), self.centre.T), float)

    def slice_at(self, x: float, y: float) -> int | None:
        """Return the slice (1 to 48) that holds a pixel (1-based), None in the gaps between slices."""
        left, right = self.edges(y)
        inside = np.flatnonzero((x >= left - 0.5) & (x <= right + 0.5))
        return int(inside[0]) + 1 if inside.size else None


@dataclass(frozen=True)
class WavecalTable:
    """Wavelengths of the slices of one IFU as polynomials of detector column and row.

    Attributes
    ----------
    coefficients : numpy.ndarray
        By slice, power of x and power of y (both 1-based), shape (48, nx + 1, ny + 1).
    """

    coefficients: NDArray[np.float64]

    @classmethod
    def open(cls, path: str | Path, hdu: int = 1) -> WavecalTable:
        """Read a WAVECAL_TABLE, from the extension of one IFU where all IFUs are in one file.

        Raises
        ------
        MuseError
            The file is not readable or no WAVECAL_TABLE.
        """
        table = _table(path, "wlc00", "WAVECAL_TABLE", hdu)
        powers = [(int(m[1]), int(m[2])) for name in table.colnames if (m := re.fullmatch(r"wlc(\d)(\d)", name))]
        shape = (max(p[0] for p in powers) + 1, max(p[1] for p in powers) + 1)
        coefficients = np.zeros((len(table), *shape))
        for i, j in powers:
            coefficients[:, i, j] = np.asarray(table[f"wlc{i}{j}"], float)
        return cls(coefficients)

    def wavelength(self, slice_number: int, x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
        """Return the wavelength [Angstrom] at pixels (1-based; `x` and `y` are broadcast) of a slice (1 to 48)."""
        polynomial = self.coefficients[slice_number - 1]
        columns, rows = np.broadcast_arrays(np.asarray(x, float), np.asarray(y, float))
        return np.asarray(np.polynomial.polynomial.polyval2d(columns, rows, polynomial))


Calibration = TypeVar("Calibration")


def by_ifu(
    paths: str | Path | Iterable[str | Path] | None, read: Callable[[str | Path], Calibration]
) -> dict[int, Calibration]:
    """Read calibration tables, in any order, by the IFU that each is for (EXTNAME CHANnn, else the file's name).

    Raises
    ------
    MuseError
        A file cannot be read, or does not say which IFU it is for.
    """
    paths = [] if paths is None else [paths] if isinstance(paths, str | Path) else paths
    return {_ifu(path): read(path) for path in paths}


def _ifu(path: str | Path) -> int:
    names = [str(header.get("EXTNAME", "")) for header in read_all(path)]
    found = next((m for name in names if (m := re.match(r"CHAN(\d\d)", name))), None)
    found = found or re.search(r"-(\d\d)\.fits", Path(path).name)
    if found is None:
        raise MuseError(f"{path} does not say which IFU it is for: EXTNAME should be CHANnn")
    return int(found[1])


def _table(path: str | Path, column: str, kind: str, hdu: int) -> Table:
    from astropy.table import Table

    headers = read_all(path)
    if len(headers) > hdu:
        try:
            table = Table.read(path, hdu=hdu, unit_parse_strict="silent")
        except Exception as error:
            raise MuseError(f"{path} cannot be read as a table ({error}): make it again") from error
        numbers = all(table[name].dtype.kind in "fiu" and table[name].ndim == 1 for name in table.colnames)
        if column in table.colnames and len(table) == SLICES and numbers:
            return table
    raise MuseError(f"{path} is no {kind}: it lacks the column {column} or a row for each of the {SLICES} slices")
