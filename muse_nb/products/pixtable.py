"""Pixel tables: every detector pixel of an exposure with its position, wavelength, value and origin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from muse_nb.core.atomic import atomic_write
from muse_nb.core.errors import MuseError
from muse_nb.products.fits.blocks import Hdu, hdus
from muse_nb.products.header import need

if TYPE_CHECKING:
    from astropy.io.fits import Header

__all__ = [
    "COLUMNS",
    "Column",
    "PixelTable",
    "decode_origin",
    "detector_pixels",
    "encode_origin",
    "exposure_numbers",
    "frame_size",
    "write_pixtable",
]

COLUMNS = ("xpos", "ypos", "lambda", "data", "dq", "stat", "origin")
_KIND = {"pix": "pix", "pixel": "pix", "rad": "rad", "deg": "deg"}
_FORMAT = {"E": ">f4", "D": ">f8", "J": ">i4", "I": ">i2", "K": ">i8"}
_BITPIX = {-32: ">f4", -64: ">f8", 32: ">i4", 16: ">i2", 64: ">i8"}


@dataclass(frozen=True)
class Column:
    """Where a column is in the file.

    Attributes
    ----------
    offset : int
        Byte of the first row's value.
    stride : int
        Bytes from one row to the next.
    dtype : numpy.dtype
        As stored: big-endian.
    unit : str
    """

    offset: int
    stride: int
    dtype: np.dtype[Any]
    unit: str


@dataclass(frozen=True)
class PixelTable:
    """An opened pixel table; rows are read on request, never the whole file.

    Attributes
    ----------
    path : pathlib.Path
    header : dict
        Primary header: keyword to value, without the word ``HIERARCH``.
    nrow : int
    form : str
        ``image`` (an IMAGE extension a column) or ``bintable``.
    kind : str
        Unit of the positions: ``pix`` (PIXTABLE_OBJECT), ``rad`` (REDUCED) or ``deg`` (POSITIONED, COMBINED).
    columns : dict of str to Column

    Examples
    --------
    >>> table = muse_nb.PixelTable.open(muse_nb.survey("night").files_of("PIXTABLE_REDUCED")[0])
    >>> table.kind, list(table.columns)
    ('rad', ['xpos', 'ypos', 'lambda', 'data', 'dq', 'stat', 'origin'])
    >>> table.read("lambda", 0, 3).shape
    (3,)
    """

    path: Path
    header: dict[str, object]
    nrow: int
    form: str
    kind: str
    columns: dict[str, Column]

    @classmethod
    def open(cls, path: str | Path) -> PixelTable:
        """Open a PIXTABLE_OBJECT, _REDUCED, _POSITIONED or _COMBINED in either form.

        Raises
        ------
        MuseError
            The file is not readable, lacks a column, or its columns have different lengths.
        """
        path = Path(path)
        if path.suffix == ".gz":
            raise MuseError(f"{path} is gzipped, and its rows are read from all over it: unpack it with gunzip first")
        units = hdus(path)
        if len(units) < 2:
            raise MuseError(f"{path} has no extensions: is it a pixel table?")
        table = units[1].cards.get("XTENSION") == "BINTABLE"
        nrow, columns = _bintable(units[1], path) if table else _images(units[1:], path)
        missing = [name for name in COLUMNS if name not in columns]
        if missing:
            raise MuseError(
                f"{path} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}: is it a pixel table?"
            )
        wrong = [n for n, c in columns.items() if n in COLUMNS and (n in ("dq", "origin")) != (c.dtype.kind == "i")]
        if wrong:
            raise MuseError(f"{path}: the column {wrong[0]} holds {columns[wrong[0]].dtype}: is it a pixel table?")
        unit = columns["xpos"].unit
        if unit not in _KIND or columns["ypos"].unit != unit:
            raise MuseError(
                f"{path}: BUNIT of xpos and ypos is {unit!r} and {columns['ypos'].unit!r}, not pix, rad or deg:"
                " reduce the exposure again"
            )
        return cls(path, units[0].cards, nrow, "bintable" if table else "image", _KIND[unit], columns)

    def read(self, name: str, start: int = 0, stop: int | None = None) -> NDArray[Any]:
        """Read rows `start` to `stop` of a column, in the machine's byte order.

        Raises
        ------
        MuseError
            There is no such column, or the file cannot be read.
        """
        if name not in self.columns:
            raise MuseError(f"{self.path} has no column {name}")
        column = self.columns[name]
        stop = self.nrow if stop is None else min(stop, self.nrow)
        rows = max(stop - start, 0)
        try:
            with self.path.open("rb") as file:
                file.seek(column.offset + start * column.stride)
                raw = file.read(max(rows - 1, 0) * column.stride + column.dtype.itemsize * (rows > 0))
        except OSError as error:
            raise MuseError(f"{self.path} cannot be read: {error.strerror}") from error
        try:
            values = np.ndarray((rows,), column.dtype, raw, strides=(column.stride,))
        except TypeError as error:
            raise MuseError(f"{self.path} became shorter while it was read: make it again") from error
        return values.astype(column.dtype.newbyteorder("="))

    def xoffset(self, ifu: int, slice_number: int, exposure: int = 0) -> int:
        """Return the detector column that the x of `decode_origin` counts from.

        Parameters
        ----------
        ifu, slice_number
            1 to 24 and 1 to 48.
        exposure
            0 for a single exposure; of a combined table, the exposure's number (see its EXPn FIRST and LAST).

        Raises
        ------
        MuseError
            The header does not say.
        """
        keyword = f"ESO DRS MUSE PIXTABLE EXP{exposure} IFU{ifu:02d} SLICE{slice_number:02d} XOFFSET"
        value = need(self.header, keyword, self.path, "it is needed to find the detector column")
        if not isinstance(value, int):
            raise MuseError(f"{self.path}: {keyword} is {value!r}, not a whole number: reduce the exposure again")
        return value


def _images(units: list[Hdu], path: Path) -> tuple[int, dict[str, Column]]:
    columns, rows = {}, {}
    for unit in units:
        code = _BITPIX.get(int(str(unit.cards["BITPIX"])))
        if unit.cards.get("XTENSION") != "IMAGE" or len(unit.shape) != 2 or unit.shape[1] != 1 or code is None:
            continue  # PIXTABLE_FLAT_FIELD
        dtype = np.dtype(code)
        columns[unit.name] = Column(unit.offset, dtype.itemsize, dtype, str(unit.cards.get("BUNIT") or ""))
        rows[unit.name] = unit.shape[0]
    lengths = {rows[name] for name in COLUMNS if name in rows}
    if len(lengths) > 1:
        raise MuseError(f"{path}: its columns have different lengths ({sorted(lengths)}): reduce the exposure again")
    return (lengths.pop() if lengths else 0), columns


def _bintable(unit: Hdu, path: Path) -> tuple[int, dict[str, Column]]:
    columns, position = {}, unit.offset
    rows, stride = unit.shape if len(unit.shape) == 2 else (0, 0)
    fields = unit.cards.get("TFIELDS")
    for number in range(1, min(fields, 999) + 1 if isinstance(fields, int) else 0):
        form = str(unit.cards.get(f"TFORM{number}", "")).strip()
        repeat, letter = form[:-1] or "1", form[-1:]
        if letter not in _FORMAT or repeat != "1":
            raise MuseError(
                f"{path}: TFORM{number} is {form!r}, a pixel table has one number a cell: is it a pixel table?"
            )
        dtype = np.dtype(_FORMAT[letter])
        name = str(unit.cards.get(f"TTYPE{number}", "")).strip()
        columns[name] = Column(position, stride, dtype, str(unit.cards.get(f"TUNIT{number}") or "").strip())
        position += dtype.itemsize
    if position - unit.offset > stride:
        raise MuseError(f"{path}: its columns are wider than its rows: the table is damaged, make it again")
    return rows, columns


def decode_origin(origin: NDArray[np.integer]) -> tuple[NDArray[np.int32], ...]:
    """Split the origin column into IFU, slice, y and x.

    Parameters
    ----------
    origin
        ``((x - offset) << 24) | (y << 11) | (ifu << 6) | slice``, any shape.

    Returns
    -------
    ifu, slice, y, x : numpy.ndarray of int32
        1 to 24, 1 to 48, detector row (1-based) and detector column less `PixelTable.xoffset`.
    """
    bits = np.asarray(origin).astype(np.int64) & 0xFFFFFFFF
    parts = (bits >> 6 & 0x1F, bits & 0x3F, bits >> 11 & 0x1FFF, bits >> 24 & 0x7F)
    return tuple(part.astype(np.int32) for part in parts)


def encode_origin(ifu: ArrayLike, slice_number: ArrayLike, y: ArrayLike, x: ArrayLike) -> NDArray[np.int32]:
    """Pack IFU, slice, detector row and column less its offset into origins: the inverse of `decode_origin`."""
    bits = (np.asarray(x, np.int64) << 24) | (np.asarray(y, np.int64) << 11) | (np.asarray(ifu, np.int64) << 6)
    return np.asarray(bits | np.asarray(slice_number, np.int64)).astype(np.uint32).view(np.int32)


def detector_pixels(
    table: PixelTable, origin: NDArray[np.integer], row: NDArray[np.integer]
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64], NDArray[np.int32]]:
    """Find where on the detector some rows of a pixel table come from.

    Parameters
    ----------
    table
        The table.
    origin
        Their origins, shape (n,).
    row
        Their numbers in the table, from 0, shape (n,).

    Returns
    -------
    ifu, slice, x, y : numpy.ndarray
        1 to 24, 1 to 48, and the pixel (1-based) on the frame without its borders; x counts from an unknown column
        where the header has no XOFFSET.
    """
    ifu, slice_, y, x = decode_origin(origin)
    keys = exposure_numbers(table, row).astype(np.int64) << 16 | ifu.astype(np.int64) << 8 | slice_
    unique, inverse = np.unique(keys, return_inverse=True)
    offsets = [_known_xoffset(table, int(key >> 8 & 255), int(key & 255), int(key >> 16)) for key in unique]
    return ifu, slice_, x + np.array(offsets, np.int64)[inverse], y


def _known_xoffset(table: PixelTable, ifu: int, slice_number: int, exposure: int) -> int:
    try:
        return table.xoffset(ifu, slice_number, exposure)
    except MuseError:
        return 0  # only the detector column is then unknown


def exposure_numbers(table: PixelTable, row: NDArray[np.integer]) -> NDArray[np.int32]:
    """Return the exposure that each row is of: 0 in a table of one exposure, 1, 2, ... in a combined one."""
    numbers = np.zeros(len(row), np.int32)
    for number in range(1, 10000):
        first = table.header.get(f"ESO DRS MUSE PIXTABLE EXP{number} FIRST")
        last = table.header.get(f"ESO DRS MUSE PIXTABLE EXP{number} LAST")
        if first is None or last is None:
            break
        numbers[(row >= int(str(first))) & (row <= int(str(last)))] = number
    return numbers


def frame_size(table: PixelTable) -> tuple[int, int]:
    """Return (nx, ny) of the frame without its borders, by the header's sizes of the chip; else MUSE's own."""
    sizes = []
    for axis, usual in (("X", 4096), ("Y", 4112)):
        quadrant = table.header.get(f"ESO DET OUT1 N{axis}")
        chip = table.header.get(f"ESO DET CHIP N{axis}")
        sizes.append(2 * int(str(quadrant)) if quadrant else int(str(chip)) if chip else usual)
    return sizes[0], sizes[1]


def write_pixtable(
    path: str | Path,
    header: Header,
    columns: Mapping[str, NDArray[Any]],
    units: Mapping[str, str],
    *,
    force: bool = False,
) -> None:
    """Write a pixel table in the image form, the recipes' default.

    Parameters
    ----------
    path
        The file to make.
    header
        Primary header.
    columns
        Name to values, all of length nrow, written in this order: f4, and i4 for dq and origin.
    units
        BUNIT of the columns that have one.
    force
        Replace a file that is there.

    Raises
    ------
    MuseError
        The file is there, or cannot be written.
    """
    from astropy.io import fits

    parts = [fits.PrimaryHDU(header=header)]
    for name, values in columns.items():
        dtype = ">i4" if name in ("dq", "origin") else ">f4"
        unit = fits.ImageHDU(np.asarray(values).astype(dtype)[:, None])
        unit.header["EXTNAME"] = name  # the constructor's name= would write it in capitals
        if name in units:
            unit.header["BUNIT"] = units[name]
        parts.append(unit)
    with atomic_write(path, force=force) as part:
        fits.HDUList(parts).writeto(part, overwrite=True)
