"""Pixel tables made ready for resampling: opened, offsets applied, their extent measured."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from copy import copy
from dataclasses import dataclass, field
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.errors import MuseError
from muse_nb.kernels.stream import scan
from muse_nb.kernels.structs import COLUMNS, Exposure
from muse_nb.products.header import need, number_of
from muse_nb.products.offset_list import OffsetList
from muse_nb.products.pixtable import PixelTable

__all__ = ["Input", "Inputs", "applied", "nearest_turn"]

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
        RA_OFFSET and DEC_OFFSET [deg] that were applied; of a field that is turned, after its turn.
    weight, flux : float
        Relative to the first exposure; factor on the flux.
    kernel : muse_nb.kernels.structs.Exposure
    first : int
        Its first row in the table: above 0 in a PIXTABLE_COMBINED only.
    date_obs : str
    angle : float
        ROTANGLE [deg] by which the field is turned about its centre, from north towards east.
    index : numpy.ndarray
        Smallest and largest wavelength of each block of rows, shape (blocks, 2), which the kernel looks at; empty until
        the rows are scanned.
    """

    table: PixelTable
    ra: float
    dec: float
    offset: tuple[float, float]
    weight: float
    flux: float
    kernel: Exposure
    first: int
    date_obs: str
    angle: float = 0.0
    index: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 2), np.float32))

    @classmethod
    def open(
        cls,
        table: PixelTable,
        pointing: tuple[float, float],
        offset: tuple[float, float],
        weight: float,
        flux: float,
        rows: range,
        date_obs: str,
        angle: float = 0.0,
    ) -> Input:
        """Open the file for the kernels; rows that are not scanned yet have no index.

        Raises
        ------
        MuseError
            The file cannot be opened.
        """
        ra, dec = pointing
        try:
            fd = os.open(table.path, os.O_RDONLY)
        except OSError as error:
            raise MuseError(f"{table.path} cannot be read: {error.strerror}") from error
        x, y = across_slices(table.header.get("ESO INS DROT POSANG"))
        kernel = Exposure(
            fd=fd,
            kind=_KINDS[table.kind],
            nrow=len(rows),
            sin_dec=math.sin(math.radians(dec)),
            cos_dec=math.cos(math.radians(dec)),
            weight=weight,
            flux=flux,
            across_x=x,
            across_y=y,
            turn=-math.radians(angle),  # native longitudes run from south over east
        )
        columns = [table.columns[name] for name in COLUMNS]
        kernel.offset[:] = [column.offset + rows.start * column.stride for column in columns]
        kernel.stride[:] = [column.stride for column in columns]
        return cls(table, ra, dec, offset, weight, flux, kernel, rows.start, date_obs, angle)

    def scan(self, low: float, high: float, threads: int) -> None:
        """Index the wavelengths and find the extent.

        Raises
        ------
        MuseError
            The table cannot be read, or has no row between the wavelengths.
        """
        try:
            self.index = scan(self.kernel, low, high, threads)
        except OSError as error:
            raise MuseError(f"{self.table.path} cannot be read to its end: copy or make it again") from error
        if not math.isfinite(self.kernel.limit[4]):
            raise MuseError(f"{self.table.path} has no row between {low:g} and {high:g} Angstrom: widen the limits")

    def check_size(self) -> None:
        """Refuse a file that has become too short for its rows since it was opened.

        Raises
        ------
        MuseError
            It has.
        """
        columns = [self.table.columns[name] for name in COLUMNS]
        rows = self.first + self.kernel.nrow
        end = max(column.offset + (rows - 1) * column.stride + column.dtype.itemsize for column in columns)
        if os.fstat(self.kernel.fd).st_size < end:
            raise MuseError(f"{self.table.path} became shorter while it was read: copy or make it again")

    def fingerprint(self) -> list[object]:
        """List what the exposure's part in a cube depends on."""
        state = self.table.path.stat()
        file = [str(self.table.path.absolute()), state.st_size, state.st_mtime_ns, self.first]
        return [*file, self.ra, self.dec, self.weight, self.flux, *([self.angle] if self.angle else [])]


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
                for exposure in _exposures(table, offsets, weight):
                    self.exposures.append(exposure)
                    exposure.scan(low, high, threads)
        except BaseException:
            self.close()
            raise
        self.refer_to(self.exposures[0].ra, self.exposures[0].dec)

    @classmethod
    def of(cls, exposures: Iterable[Input]) -> Inputs:
        """Take exposures that are ready; they are closed with these inputs."""
        made = cls.__new__(cls)
        made.exposures = []
        try:
            made.exposures.extend(exposures)
        except BaseException:
            made.close()
            raise
        return made

    def refer_to(self, ra: float, dec: float) -> None:
        """Give positions relative to a point [deg]: the first pointing, or the reference of a grid that is given."""
        for exposure in self.exposures:
            exposure.kernel.d_ra = nearest_turn(exposure.ra - ra)
            exposure.kernel.d_dec = exposure.dec - dec

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
        return sum(exposure.kernel.nrow for exposure in self.exposures)


def across_slices(posang: object) -> tuple[int, int]:
    """Find the step from a spaxel to the next across the slices.

    Parameters
    ----------
    posang
        ESO INS DROT POSANG [deg]; 0 where there is none.

    Returns
    -------
    x, y
        The nearest of the eight, each -1, 0 or 1, in a cube with north up, where the field's y axis points (-sin, cos).
    """
    angle = math.radians(float(posang)) if isinstance(posang, (int, float)) else 0.0
    largest = max(abs(math.sin(angle)), abs(math.cos(angle)))
    return round(-math.sin(angle) / largest * 0.99), round(math.cos(angle) / largest * 0.99)


def applied(table: PixelTable, exposure: int = 1) -> tuple[float, float]:
    """Return the offset in RA and DEC [deg] that a PIXTABLE_POSITIONED or _COMBINED has in its positions already."""
    if table.kind != "deg":
        return 0.0, 0.0
    d_ra, d_dec = (number_of(table.header.get(f"ESO DRS MUSE OFFSET{exposure} {key}")) for key in ("DRA", "DDEC"))
    return d_ra or 0.0, d_dec or 0.0


def nearest_turn(angle: float) -> float:
    """Bring a difference of right ascensions to -180 .. 180 [deg]."""
    return angle - 360 if angle > 180 else angle + 360 if angle < -180 else angle


def _exposures(table: PixelTable, offsets: OffsetList | None, weight: float) -> Iterator[Input]:
    """Open the exposure of a table, or each of those in a PIXTABLE_COMBINED."""
    if table.kind not in _KINDS:
        raise MuseError(
            f"{table.path} has positions in pixels: reduce it with muse_scipost to a PIXTABLE_REDUCED first"
        )
    for name in COLUMNS:
        if table.columns[name].dtype.itemsize != 4:
            raise MuseError(f"{table.path}: column {name} is not of 4 bytes: make the table again")
    sky = ("CRVAL1", "CRVAL2") if table.kind == "deg" and "CRVAL1" in table.header else ("RA", "DEC")
    ra, dec = (float(need(table.header, key, table.path, "its place on the sky is unknown")) for key in sky)
    if "weight" in table.columns:  # combined: offsets, and factors on the flux, are in its columns already
        for number, rows in enumerate(_rows_of_exposures(table), 1):
            own = float(table.read("weight", rows.start, rows.start + 1)[0])
            date = str(table.header.get(f"ESO DRS MUSE OFFSET{number} DATE-OBS", f"exposure {number}"))
            yield Input.open(table, (ra, dec), applied(table, number), weight * own, 1.0, rows, date)
        return
    date = str(table.header.get("DATE-OBS"))
    if any(applied(table)):
        yield Input.open(table, (ra, dec), applied(table), weight, 1.0, range(table.nrow), date)
        return
    d_ra, d_dec, scale = (offsets.of(date) if offsets else None) or (0.0, 0.0, math.nan)
    flux = scale if math.isfinite(scale) and scale else 1.0
    angle = offsets.angle_of(date) if offsets else 0.0
    if angle:
        if table.kind == "deg":
            raise MuseError(
                f"{table.path} has RA and DEC for its positions, which a ROTANGLE of {angle:g} deg cannot turn: combine"
                " its PIXTABLE_REDUCED"
            )
        d_ra, d_dec = _turned(d_ra, d_dec, angle, dec)
    pointing = ra - d_ra, dec - d_dec
    yield Input.open(table, pointing, (d_ra, d_dec), weight, flux, range(table.nrow), date, angle)


def _turned(d_ra: float, d_dec: float, angle: float, dec: float) -> tuple[float, float]:
    """Turn an offset as the field that it was given for."""
    cosine, sine, scale = math.cos(math.radians(angle)), math.sin(math.radians(angle)), math.cos(math.radians(dec))
    east = d_ra * scale
    return (cosine * east + sine * d_dec) / scale, cosine * d_dec - sine * east


def _rows_of_exposures(table: PixelTable) -> list[range]:
    """Rows of each exposure of a PIXTABLE_COMBINED, whose weight is the same for all of an exposure's rows."""
    found: list[range] = []
    start = "ESO DRS MUSE PIXTABLE EXP"
    while f"{start}{len(found) + 1} FIRST" in table.header:
        first, last = (table.header.get(f"{start}{len(found) + 1} {end}") for end in ("FIRST", "LAST"))
        begin = found[-1].stop if found else 0
        if not (isinstance(first, int) and isinstance(last, int) and begin == first <= last < table.nrow):
            raise MuseError(
                f"{table.path}: {start}{len(found) + 1} FIRST and LAST are {first!r} and {last!r}, no rows that follow"
                " on the exposure before: combine again from the PIXTABLE_REDUCEDs"
            )
        found.append(range(first, last + 1))
    if found and found[-1].stop != table.nrow:
        raise MuseError(f"{table.path} has rows of no exposure: combine again from the PIXTABLE_REDUCEDs")
    return found or [range(table.nrow)]
