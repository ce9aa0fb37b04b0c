"""Headers of MUSE files: read safely, missing keywords named, the facts of an exposure."""

from __future__ import annotations

import gzip
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from muse_nb.products.blocks import hdus
from muse_nb.products.errors import MuseError

if TYPE_CHECKING:
    from astropy.io.fits import Header

__all__ = ["Exposure", "exposure", "label", "need", "read", "read_all"]


@dataclass(frozen=True)
class Exposure:
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

    path = Path(path)
    if path.suffix == ".gz":
        return _read_gzipped(path)
    headers = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # untrusted text: non-ASCII and odd cards are kept as they are
        for hdu in hdus(path):
            try:
                headers.append(fits.Header.fromstring(hdu.text))
            except Exception as error:
                raise MuseError(
                    f"{path}: the header of {hdu.name} is unreadable ({error}): make the file again"
                ) from error
    return headers


def _read_gzipped(path: Path) -> list[Header]:
    from astropy.io import fits

    try:
        with gzip.open(path, "rb") as file, fits.open(file) as opened:
            return [hdu.header.copy() for hdu in opened]
    except (OSError, EOFError, ValueError) as error:
        raise MuseError(f"{path} cannot be read as gzipped FITS ({error}): unpack it with gunzip and see") from error


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


def need(header: Any, keyword: str, path: str | Path, remedy: str = "") -> Any:
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


def exposure(header: Any, path: str | Path) -> Exposure:
    """Read the facts of an exposure from a primary header.

    Raises
    ------
    MuseError
        DATE-OBS, by which exposures are told apart, is missing.
    """
    date = str(need(header, "DATE-OBS", path))

    def number(keyword: str) -> float | None:
        value = header.get(keyword)
        return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None

    return Exposure(
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
    kept = [c for c in date_obs.split(".")[0] if c.isalnum() or c in "-_"]
    return "".join(kept)
