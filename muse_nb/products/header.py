"""Headers of MUSE files: read safely, missing keywords named, the facts of an exposure."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from muse_nb.core.errors import MuseError
from muse_nb.products.fits.blocks import CARD, hdus

if TYPE_CHECKING:
    from astropy.io.fits import Header

__all__ = ["ExposureHeader", "axes_of", "exposure", "label", "need", "number_of", "read", "read_all"]


@dataclass(frozen=True)
class ExposureHeader:
    """What the primary header says of an exposure; None where it says nothing.

    Attributes
    ----------
    date_obs : str
        DATE-OBS, the exposure's name throughout.
    mjd_obs : float or None
        MJD-OBS [d].
    ra, dec : float or None
        Telescope pointing [deg].
    posang : float or None
        ESO INS DROT POSANG [deg].
    exptime : float or None
        EXPTIME [s].
    ins_mode, object : str
        ESO INS MODE and OBJECT, empty where they are missing.
    """

    date_obs: str
    mjd_obs: float | None
    ra: float | None
    dec: float | None
    posang: float | None
    exptime: float | None
    ins_mode: str
    object: str

    @property
    def label(self) -> str:
        """Name of the exposure's folder."""
        return label(self.date_obs)


def read_all(path: str | Path) -> list[Header]:
    """Read the headers of all HDUs, after checking that the file is as long as they say.

    Raises
    ------
    MuseError
        The file cannot be read, is not FITS, or is truncated.
    """
    from astropy.io import fits

    headers = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for hdu in hdus(path):
            try:
                headers.append(fits.Header.fromstring("".join(_safe_cards(hdu.text))))
            except Exception as error:
                raise MuseError(
                    f"{path}: the header of {hdu.name} is unreadable ({error}): make the file again"
                ) from error
    return headers


_CARD = re.compile(
    r"(?:HIERARCH (?:[A-Z0-9_-]+ )+= ?|[A-Z0-9_-]{1,8} *= )"
    r" *(?:'(?:[^']|'')*'|[TF]|[+-]?\d+(?:\.\d*)?(?:[ED][+-]?\d+)?|) *(?:/.*)?$"
)


def _safe_cards(text: str) -> Iterator[str]:
    """Give a header's cards without what astropy would stumble over later, when a value is asked for or written."""
    from astropy.io import fits

    continues = False
    for start in range(0, len(text), CARD):
        card = text[start : start + CARD].ljust(CARD)
        if not (card.isascii() and card.isprintable()):
            card = re.sub(r"[^ -~]", "?", card)
        if card.startswith("CONTINUE") and not continues:
            card = "COMMENT " + card[8:]
        if not card.startswith(("COMMENT ", "HISTORY ", "CONTINUE", "        ", "END     ")) and not _CARD.match(card):
            try:
                read = fits.Card.fromstring(card)
                str(read.value), read.keyword, read.comment
            except Exception:  # whatever it is, the keyword counts as missing
                card = ("COMMENT " + card)[:CARD]
        continues = card.startswith("CONTINUE") or card.split("/")[0].rstrip().endswith("&'")
        yield card


def read(path: str | Path, ext: int | str = 0) -> Header:
    """Read one header of a FITS file.

    Parameters
    ----------
    path
        The file.
    ext
        Number of the HDU, or its EXTNAME (case counts).

    Raises
    ------
    MuseError
        The file cannot be read, is not FITS, is truncated, or has no such extension.
    """
    headers = read_all(path)
    if isinstance(ext, int):
        if ext < len(headers):
            return headers[ext]
    else:
        for header in headers:
            if header.get("EXTNAME") == ext:
                return header
    raise MuseError(f"{path} has no extension {ext}: is it the right kind of file?")


def need(header: Mapping[str, object], keyword: str, path: str | Path, remedy: str = "") -> Any:
    """Return the value of a keyword that must be there.

    Parameters
    ----------
    header
        A header or any mapping of keywords.
    keyword
        As in the header, without ``HIERARCH``.
    path
        The file, for the message.
    remedy
        What to do about it, for the message.

    Raises
    ------
    MuseError
        The keyword is missing or has no value.
    """
    value = header.get(keyword)
    if value is None or type(value).__name__ == "Undefined":
        raise MuseError(f"{path} lacks {keyword}: {remedy or 'reduce the exposure again from a complete raw file'}")
    return value


def number_of(value: object) -> float | None:
    """Return a header's value as a number, None where it is none: missing, text, a truth value, not finite."""
    good = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return float(cast(float, value)) if good else None


def axes_of(header: Mapping[str, object], prefix: str = "") -> list[int]:
    """Return the lengths of an image's axes, NAXIS1 first; empty where the cards are not numbers."""
    number = number_of(header.get(f"{prefix}NAXIS")) or 0
    lengths = [number_of(header.get(f"{prefix}NAXIS{n}")) for n in range(1, min(int(number), 999) + 1)]
    return [] if None in lengths else [int(length) for length in lengths if length is not None]


def exposure(header: Mapping[str, object], path: str | Path) -> ExposureHeader:
    """Read the facts of an exposure from a primary header.

    Raises
    ------
    MuseError
        DATE-OBS, by which exposures are told apart, is missing.
    """
    date = str(need(header, "DATE-OBS", path))

    def number(keyword: str) -> float | None:
        return number_of(header.get(keyword))

    return ExposureHeader(
        date_obs=date,
        mjd_obs=number("MJD-OBS"),
        ra=number("RA"),
        dec=number("DEC"),
        posang=number("ESO INS DROT POSANG"),
        exptime=number("EXPTIME"),
        ins_mode=str(header.get("ESO INS MODE") or ""),
        object=str(header.get("OBJECT") or ""),
    )


def label(date_obs: str) -> str:
    """Name an exposure's folder: DATE-OBS to the second, without the colons that some file systems refuse.

    Examples
    --------
    >>> label("2014-07-27T03:12:00.123")
    '2014-07-27T031200'
    """
    kept = [c for c in re.sub(r"\.\d*Z?\s*$", "", date_obs) if c.isalnum() or c in "-_"]
    return "".join(kept)
