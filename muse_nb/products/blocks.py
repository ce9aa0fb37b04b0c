"""The blocks of a FITS file: where each HDU's header and data are, read without its data and without a FITS library.

The combine reads hundreds of gigabytes in a small process; importing a FITS library would cost it a quarter of its
memory. Everything else gets `astropy.io.fits.Header` objects from `muse_nb.products.header`, which checks the file
here first.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from muse_nb.products.errors import MuseError

__all__ = ["Hdu", "card_value", "hdus"]

BLOCK = 2880
CARD = 80
LONGEST_HEADER = 64 * 1024 * 1024  # bytes; a merged OBJECT_RED has less than one


@dataclass(frozen=True)
class Hdu:
    """One header-data unit.

    Attributes
    ----------
    name : str
        EXTNAME as it is written (its case counts), or ``PRIMARY``.
    cards : dict
        Keyword to value; ``HIERARCH`` keywords without that word, as in ``ESO INS MODE``.
    text : str
        The header as it is in the file, without its padding.
    start, offset, size : int
        First byte of the header, first byte of the data, bytes of data without padding.
    """

    name: str
    cards: dict[str, object]
    text: str
    start: int
    offset: int
    size: int

    @property
    def shape(self) -> tuple[int, ...]:
        """The array's shape in Python's order; of a compressed image, the image's."""
        prefix = "Z" if self.cards.get("ZIMAGE") is True else ""
        axes = int(str(self.cards.get(f"{prefix}NAXIS", 0)))
        return tuple(int(str(self.cards[f"{prefix}NAXIS{axis}"])) for axis in range(axes, 0, -1))


def hdus(path: str | Path) -> list[Hdu]:
    """Find every HDU of a file.

    Parameters
    ----------
    path
        A FITS file, not gzipped.

    Returns
    -------
    list of Hdu
        In the order of the file; the data are not touched.

    Raises
    ------
    MuseError
        The file is not there, is no FITS file, or ends before its headers say so.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            end = os.fstat(file.fileno()).st_size
            found: list[Hdu] = []
            position = 0
            while position < end:
                if found and not _starts_an_hdu(file.read(8)):
                    break  # FITS allows special records behind the last HDU
                file.seek(position)
                hdu = _read_hdu(file, path, position)
                found.append(hdu)
                if hdu.offset + hdu.size > end:
                    raise MuseError(
                        f"{path} is truncated: {hdu.name} should end at byte {hdu.offset + hdu.size}, the file has"
                        f" {end}; copy or make it again"
                    )
                position = hdu.offset + -(-hdu.size // BLOCK) * BLOCK
                file.seek(position)
    except OSError as error:
        raise MuseError(f"{path} cannot be read: {error.strerror}") from error
    if not found:
        raise MuseError(f"{path} is empty, not a FITS file: copy or make it again")
    return found


def _starts_an_hdu(word: bytes) -> bool:
    return word == b"XTENSION"


def _read_hdu(file: BinaryIO, path: Path, start: int) -> Hdu:
    text = ""
    for block in _header_blocks(file, path, start):
        text += block
    cards = dict(_parse(text))
    name = str(cards.get("EXTNAME") or "PRIMARY").strip()
    size = _data_size(cards, path, name)
    offset = start + -(-(len(text)) // BLOCK) * BLOCK
    last = text.rfind("END" + " " * 77)
    return Hdu(name, cards, text[: last + CARD], start, offset, size)


def _header_blocks(file: BinaryIO, path: Path, start: int) -> Iterator[str]:
    read = 0
    while True:
        block = file.read(BLOCK)
        if not read and not block.startswith((b"SIMPLE  =", b"XTENSION")):
            raise MuseError(f"{path} is not a FITS file: byte {start} does not start a header")
        if len(block) < BLOCK or read > LONGEST_HEADER:
            raise MuseError(f"{path} is truncated: the header that starts at byte {start} has no END; make it again")
        read += BLOCK
        text = block.decode("latin-1")
        yield text
        if any(text[i : i + 8] == "END     " for i in range(0, BLOCK, CARD)):
            return


_STRING = re.compile(r"\s*'((?:[^']|'')*)'")


def card_value(text: str) -> object:
    """Read the value of a card, the text behind its ``=``; an unreadable one comes back as text."""
    if found := _STRING.match(text):
        return found[1].replace("''", "'").rstrip()
    word = text.split("/", 1)[0].strip()
    if word in ("T", "F"):
        return word == "T"
    try:
        return int(word)
    except ValueError:
        pass
    try:
        return float(word.replace("D", "E").replace("d", "e"))
    except ValueError:
        return word or None


def _parse(text: str) -> Iterator[tuple[str, object]]:
    keyword, value = "", ""
    for start in range(0, len(text), CARD):
        card = text[start : start + CARD]
        if card.startswith("END     "):
            break
        if card.startswith("CONTINUE") and isinstance(value, str) and value.endswith("&"):
            more = card_value(card[8:])
            value = value[:-1] + (more if isinstance(more, str) else "")
            yield keyword, value
            continue
        if card.startswith("HIERARCH") and "=" in card:
            name, rest = card[9:].split("=", 1)
            keyword = " ".join(name.split())
        elif card[8:10] == "= ":
            keyword, rest = card[:8].rstrip(), card[10:]
        else:
            continue
        value = card_value(rest)  # type: ignore[assignment]
        yield keyword, value


def _data_size(cards: dict[str, object], path: Path, name: str) -> int:
    def number(keyword: str, default: int | None = None) -> int:
        value = cards.get(keyword, default)
        if isinstance(value, bool) or not isinstance(value, int) or (value < 0 and keyword != "BITPIX"):
            raise MuseError(
                f"{path}: {keyword} of {name} is {value!r}, not a whole number: the file is damaged, make it again"
            )
        return value

    axes = number("NAXIS")
    bits = number("BITPIX")
    if abs(bits) not in (8, 16, 32, 64) or axes > 999:
        raise MuseError(
            f"{path}: BITPIX {bits} with NAXIS {axes} in {name} is not FITS: the file is damaged, make it again"
        )
    if not axes:
        return 0
    elements = math.prod(number(f"NAXIS{axis}") for axis in range(1, axes + 1))
    return abs(bits) // 8 * number("GCOUNT", 1) * (number("PCOUNT", 0) + elements)
