"""The blocks of a FITS file: where each HDU's header and data are, read without its data and without a FITS library.

The combine reads hundreds of gigabytes in a small process; importing a FITS library would cost it a quarter of its
memory. Everything else gets `astropy.io.fits.Header` objects from `muse_nb.products.header`, which checks the file
here first.
"""

from __future__ import annotations

import gzip
import math
import re
import stat
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from muse_nb.core.errors import MuseError

__all__ = ["Hdu", "card_value", "hdus", "open_bytes"]

BLOCK = 2880
CARD = 80
LONGEST_HEADER = 64 * 1024 * 1024  # bytes; a merged OBJECT_RED has less than one
# What unpacks to more is no detector's data but an attack: real frames compress two- to fivefold.
LARGEST_UNPACKED, LARGEST_RATIO = 2**30, 500


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
        return tuple(int(str(length)) for length in _axes(self.cards, "Z" if self.cards.get("ZIMAGE") is True else ""))


def hdus(path: str | Path) -> list[Hdu]:
    """Find every HDU of a file.

    Parameters
    ----------
    path
        A FITS file; of a gzipped one (.gz), the bytes are counted as in the unpacked file.

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
        state = path.stat()
        if not stat.S_ISREG(state.st_mode):  # a pipe would be waited for, for ever
            raise MuseError(f"{path} is not a file: check its name")
        packed = state.st_size
        with open_bytes(path) as file:
            found: list[Hdu] = []
            while not found or _another(file, path):
                hdu = _read_hdu(file, path, file.tell())
                found.append(hdu)
                _check_unpacked(hdu, path, packed)
                _skip(file, path, hdu, packed)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise MuseError(f"{path} cannot be unpacked ({error}): copy or make it again") from error
    except OSError as error:
        raise MuseError(f"{path} cannot be read: {error.strerror}") from error
    return found


def open_bytes(path: Path) -> IO[bytes]:
    """Open a FITS file to read its bytes, unpacked where it is gzipped."""
    return cast(IO[bytes], gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


def _another(file: IO[bytes], path: Path) -> bool:
    """Say whether one more HDU starts here; FITS allows special records behind the last."""
    position = file.tell()
    word = file.read(8)
    file.seek(position)
    if word and word != b"XTENSION" and b"XTENSION".startswith(word):
        raise MuseError(f"{path} is truncated: an extension starts at byte {position} and is cut; copy it again")
    return word == b"XTENSION"


def _skip(file: IO[bytes], path: Path, hdu: Hdu, packed: int) -> None:
    """Go to the byte behind an HDU, which must be there."""
    end = hdu.offset + hdu.size
    if path.suffix == ".gz":
        size = file.seek(end)
        short = size < end
    else:
        size = packed
        short = packed < end
    if short:
        raise MuseError(
            f"{path} is truncated: {hdu.name} should end at byte {end}, the file has {size}; copy or make it again"
        )
    file.seek(hdu.offset + -(-hdu.size // BLOCK) * BLOCK)


def _check_unpacked(hdu: Hdu, path: Path, packed: int) -> None:
    """Refuse what would fill the memory though the file is small."""
    size = hdu.offset + hdu.size if path.suffix == ".gz" else 0
    if hdu.cards.get("ZIMAGE") is True:
        bits = hdu.cards.get("ZBITPIX")
        numbers = [bits, *_axes(hdu.cards, "Z")]
        if not all(type(n) is int for n in numbers) or any(int(str(n)) < 0 for n in numbers[1:]):
            raise MuseError(f"{path}: the size of the compressed {hdu.name} is damaged: make the file again")
        size = abs(int(str(bits))) // 8 * math.prod(hdu.shape)
    if size > LARGEST_UNPACKED and size > LARGEST_RATIO * packed:
        raise MuseError(
            f"{path} has {packed} bytes and would unpack to {size}: it is damaged or an attack; make it again"
        )


def _axes(cards: dict[str, object], prefix: str) -> list[object]:
    axes = cards.get(f"{prefix}NAXIS")
    if isinstance(axes, bool) or not isinstance(axes, int) or not 0 <= axes <= 999:
        return [None]
    return [cards.get(f"{prefix}NAXIS{axis}") for axis in range(axes, 0, -1)]


def _read_hdu(file: IO[bytes], path: Path, start: int) -> Hdu:
    text = "".join(_header_blocks(file, path, start))
    cards: dict[str, object] = {}
    for keyword, value, continued in _parse(text):
        if continued or keyword not in cards:  # of a keyword that is there twice, the first counts
            cards[keyword] = value
    name = str(cards.get("EXTNAME") or "PRIMARY").strip()
    size = _data_size(cards, path, name)
    offset = start + -(-(len(text)) // BLOCK) * BLOCK
    last = text.rfind("END" + " " * 77)
    return Hdu(name, cards, text[: last + CARD], start, offset, size)


def _header_blocks(file: IO[bytes], path: Path, start: int) -> Iterator[str]:
    read = 0
    while True:
        block = file.read(BLOCK)
        if not read and not block:
            raise MuseError(f"{path} is empty, not a FITS file: copy or make it again")
        if not read and not block.startswith((b"SIMPLE  =", b"XTENSION")):
            raise MuseError(f"{path} is not a FITS file: byte {start} does not start a header; copy or make it again")
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


def _parse(text: str) -> Iterator[tuple[str, object, bool]]:
    """Give keyword and value of each card, and whether it continues the one before."""
    keyword: str = ""
    value: object = ""
    for start in range(0, len(text), CARD):
        card = text[start : start + CARD]
        if card.startswith("END     "):
            break
        if card.startswith("CONTINUE") and isinstance(value, str) and value.endswith("&"):
            more = card_value(card[8:])
            value = value[:-1] + (more if isinstance(more, str) else "")
            yield keyword, value, True
            continue
        if card.startswith("HIERARCH") and "=" in card:
            name, rest = card[9:].split("=", 1)
            keyword = " ".join(name.split())
        elif card[8:10] == "= ":
            keyword, rest = card[:8].rstrip(), card[10:]
        else:
            continue
        value = card_value(rest)
        yield keyword, value, False


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
