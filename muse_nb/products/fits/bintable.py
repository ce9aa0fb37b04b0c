"""Small tables, binary or ASCII, read without a FITS library: the combine needs its OFFSET_LIST in a small process."""

from __future__ import annotations

import math
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from muse_nb.core.errors import MuseError
from muse_nb.products.fits.blocks import Hdu, open_bytes

__all__ = ["TableColumn", "read_table"]

_CODES = {"L": "c", "B": "B", "I": "h", "J": "i", "K": "q", "E": "f", "D": "d", "A": "s"}
_INTEGERS = "BIJK"


@dataclass(frozen=True)
class TableColumn:
    """A column.

    Attributes
    ----------
    unit : str
        TUNIT, empty where there is none.
    values : list
        Numbers (NaN for a null), text, or tuples where a cell holds several numbers.
    """

    unit: str
    values: list[object]


def read_table(path: Path, hdu: Hdu) -> dict[str, TableColumn]:
    """Read a binary table (BINTABLE) or an ASCII table (TABLE).

    Parameters
    ----------
    path
        The file.
    hdu
        The table's, from `muse_nb.products.fits.blocks.hdus`.

    Raises
    ------
    MuseError
        The table has cells of variable length or of another unusual form, or does not fit its own description.
    """
    rows, width = hdu.shape if len(hdu.shape) == 2 else (0, 0)
    if not width:
        raise MuseError(f"{path}: its table has no columns: make it again")
    with open_bytes(path) as file:
        file.seek(hdu.offset)
        content = file.read(rows * width)
    if hdu.cards.get("XTENSION") == "TABLE":
        return _ascii(path, hdu, [content[row * width : (row + 1) * width] for row in range(rows)])
    columns, position = {}, 0
    fields = hdu.cards.get("TFIELDS")
    for number in range(1, min(fields, 999) + 1 if isinstance(fields, int) else 0):
        form = str(hdu.cards.get(f"TFORM{number}", "")).strip()
        digits = form[: len(form) - len(form.lstrip("0123456789"))]
        letter, repeat = form[len(digits) : len(digits) + 1], int(digits or 1)
        if letter not in _CODES:
            raise MuseError(f"{path}: TFORM{number} is {form!r}, which this table should not have: write it again")
        if position + repeat * struct.calcsize(f">{_CODES[letter]}") > width:
            raise MuseError(f"{path}: its columns are wider than its rows: the table is damaged, make it again")
        code = struct.Struct(f">{repeat}{_CODES[letter]}")
        cells = [code.unpack_from(content, row * width + position) for row in range(rows)]
        null = hdu.cards.get(f"TNULL{number}")
        name = str(hdu.cards.get(f"TTYPE{number}", "")).strip()
        columns[name] = TableColumn(
            str(hdu.cards.get(f"TUNIT{number}") or "").strip(), [_value(cell, letter, null) for cell in cells]
        )
        position += code.size
    return columns


def _ascii(path: Path, hdu: Hdu, lines: list[bytes]) -> dict[str, TableColumn]:
    """Columns of an ASCII table: the FITS standard 4.0, section 7.2."""
    columns, fields = {}, hdu.cards.get("TFIELDS")
    for number in range(1, min(fields, 999) + 1 if isinstance(fields, int) else 0):
        form, first = str(hdu.cards.get(f"TFORM{number}", "")).strip().upper(), hdu.cards.get(f"TBCOL{number}")
        found = re.fullmatch(r"([AIFED])(\d+)(?:\.\d+)?", form)
        if found is None or type(first) is not int or first < 1:
            raise MuseError(f"{path}: TFORM{number} is {form!r}, TBCOL{number} {first!r}: the table is damaged")
        cut = slice(first - 1, first - 1 + int(found[2]))
        cells = [line[cut].decode("latin-1").strip() for line in lines]
        null = str(hdu.cards.get(f"TNULL{number}") or "").strip()
        text = found[1] == "A"
        values: list[object] = [cell if text else math.nan if cell in ("", null) else _number(cell) for cell in cells]
        unit = str(hdu.cards.get(f"TUNIT{number}") or "").strip()
        columns[str(hdu.cards.get(f"TTYPE{number}", "")).strip()] = TableColumn(unit, values)
    return columns


def _number(cell: str) -> object:
    """Number in a cell; the text itself where it is none."""
    try:
        return float(cell.upper().replace("D", "E"))
    except ValueError:
        return cell


def _value(cell: tuple[Any, ...], letter: str, null: object) -> object:
    if letter == "A":
        return cell[0].split(b"\0")[0].decode("latin-1").strip()
    if letter in _INTEGERS and null is not None and cell == (null,):
        return math.nan
    return cell[0] if len(cell) == 1 else cell
