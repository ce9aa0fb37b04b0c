"""Pixel tables made ready for resampling: opened, offsets applied, their extent measured."""

from __future__ import annotations

import math
import os
from copy import copy
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from muse_nb.kernels.stream import COLUMNS, Exposure, scan
from muse_nb.products.errors import MuseError
from muse_nb.products.header import need
from muse_nb.products.offset_list import OffsetList
from muse_nb.products.pixtable import PixelTable

__all__ = ["Input", "Inputs"]

_KINDS = {"rad": 0, "deg": 1}


@dataclass
class Input:
    """One exposure.

    Attributes
    ----------
    table : PixelTable
    ra, dec : float
        Pointing with its offset applied [deg].
    offset : tuple of float
        RA_OFFSET and DEC_OFFSET [deg] that were applied.
    weight, flux : float
        Relative to the first exposure; factor on the flux.
    kernel : muse_nb.kernels.stream.Exposure
    """

    table: PixelTable
    ra: float
    dec: float
    offset: tuple[float, float]
    weight: float
    flux: float
    kernel: Exposure
    _index: Any = None

    @property
    def date_obs(self) -> str:
        """DATE-OBS of the exposure."""
        return str(self.table.header["DATE-OBS"])

    def fingerprint(self) -> list[object]:
        """List what the exposure's part in a cube depends on."""
        state = self.table.path.stat()
        file = [str(self.table.path.absolute()), state.st_size, state.st_mtime_ns]
        return [*file, self.ra, self.dec, self.weight, self.flux]


class Inputs:
    """All exposures of a combine, their files open.

    Parameters
    ----------
    tables
        PIXTABLE_REDUCED, _POSITIONED or _COMBINED.
    offsets
        OFFSET_LIST, or None.
    weights
        One for each table; see `muse_nb.resample.weights`.
    low, high
        Wavelength limits [Angstrom].
    threads
        How many.

    Raises
    ------
    MuseError
        A table is not of a kind that has sky positions, lacks a keyword, or cannot be read.
    """

    def __init__(
        self,
        tables: list[PixelTable],
        offsets: OffsetList | None,
        weights: list[float],
        low: float,
        high: float,
        threads: int,
    ) -> None:
        self.exposures: list[Input] = []
        try:
            for table, weight in zip(tables, weights, strict=True):
                self.exposures.append(_prepare(table, offsets, weight, low, high, threads))
        except BaseException:
            self.close()
            raise
        first = self.exposures[0]
        for exposure in self.exposures:
            exposure.kernel.d_ra = exposure.ra - first.ra
            exposure.kernel.d_dec = exposure.dec - first.dec

    def __enter__(self) -> Inputs:
        """Use as a context, which closes the files."""
        return self

    def __exit__(self, kind: type | None, value: BaseException | None, trace: TracebackType | None) -> None:
        """Close the files."""
        self.close()

    def close(self) -> None:
        """Close the files."""
        for exposure in self.exposures:
            os.close(exposure.kernel.fd)
        self.exposures = []

    def only(self, number: int) -> Inputs:
        """One of the exposures, where it lies among all; its file is closed with theirs."""
        one = copy(self)
        one.exposures = [self.exposures[number]]
        return one

    @property
    def rows(self) -> int:
        """Rows of all tables."""
        return sum(exposure.table.nrow for exposure in self.exposures)


def _prepare(
    table: PixelTable, offsets: OffsetList | None, weight: float, low: float, high: float, threads: int
) -> Input:
    if table.kind not in _KINDS:
        raise MuseError(
            f"{table.path} has positions in pixels: reduce it with muse_scipost to a PIXTABLE_REDUCED first"
        )
    for name in COLUMNS:
        if table.columns[name].dtype.itemsize != 4:
            raise MuseError(f"{table.path}: column {name} is not of 4 bytes: make the table again")
    sky = ("CRVAL1", "CRVAL2") if table.kind == "deg" and "CRVAL1" in table.header else ("RA", "DEC")
    ra, dec = (float(need(table.header, key, table.path, "its place on the sky is unknown")) for key in sky)
    found = offsets.of(str(table.header.get("DATE-OBS"))) if offsets else None
    d_ra, d_dec, scale = found or (0.0, 0.0, math.nan)
    ra, dec = ra - d_ra, dec - d_dec
    flux = scale if math.isfinite(scale) and scale else 1.0
    kernel = Exposure(
        fd=os.open(table.path, os.O_RDONLY),
        kind=_KINDS[table.kind],
        nrow=table.nrow,
        sin_dec=math.sin(math.radians(dec)),
        cos_dec=math.cos(math.radians(dec)),
        weight=weight,
        flux=flux,
    )
    kernel.offset[:] = [table.columns[name].offset for name in COLUMNS]
    kernel.stride[:] = [table.columns[name].stride for name in COLUMNS]
    try:
        index = scan(kernel, low, high, threads)
    except OSError as error:
        os.close(kernel.fd)
        raise MuseError(f"{table.path} cannot be read to its end: copy or make it again") from error
    if not math.isfinite(kernel.limit[4]):
        os.close(kernel.fd)
        raise MuseError(f"{table.path} has no row between {low:g} and {high:g} Angstrom: widen the limits")
    return Input(table, ra, dec, (d_ra, d_dec), weight, flux, kernel, index)
