"""What headers say of sky and wavelengths as astropy's WCS, for those who draw or hand over, without a warning."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from muse_nb.core.errors import MuseError
from muse_nb.products.axes.sky import SkyAxes
from muse_nb.products.spectral_axis import SpectralAxis

if TYPE_CHECKING:
    from astropy.io.fits import Header
    from astropy.wcs import WCS

__all__ = ["celestial_wcs", "full_wcs"]


def celestial_wcs(header: Header, path: str | Path) -> WCS:
    """Make astropy's WCS of the two celestial axes, without a word from wcslib.

    Raises
    ------
    MuseError
        As of `SkyAxes.of`, or wcslib does not know the projection.
    """
    return _made(_cleaned(header, path), path)


def full_wcs(header: Header, path: str | Path) -> WCS:
    """Make astropy's WCS of all axes of a cube, its wavelengths in m, without a word from wcslib.

    Raises
    ------
    MuseError
        As of `celestial_wcs` and `SpectralAxis.of`.
    """
    clean, axis = _cleaned(header, path), SpectralAxis.of(header, path)
    kind = {"air": "AWAV", "vacuum": "WAVE"}.get(axis.medium, "WAVE")
    clean["WCSAXES"] = 3
    clean["CTYPE3"], clean["CUNIT3"] = kind + ("-LOG" if axis.logarithmic else ""), "m"
    clean["CRPIX3"], clean["CRVAL3"], clean["CD3_3"] = axis.reference, 1e-10 * axis.start, 1e-10 * axis.step
    return _made(clean, path)


def _cleaned(header: Header, path: str | Path) -> Header:
    """Keep of a header what concerns the sky, in degrees and with a CD matrix."""
    axes = SkyAxes.of(header, path)
    clean = header.copy()
    gone = re.compile(
        r"(CTYPE|CUNIT|CRVAL|CRPIX|CDELT|CROTA|CNAME|CRDER|CSYER)[3-9]|(CD|PC|PV|PS)([3-9]_\d+|\d_[3-9])"
        r"|(CD|PC)\d_\d|CDELT\d|CROTA\d|CUNIT\d|NAXIS\d*|Z?NAXIS\d+|WCSAXES|DATE-OBS|MJD-OBS|SPECSYS|RESTWAV|RESTFRQ"
        r"|(CTYPE|CUNIT|CRVAL|CRPIX|CDELT|CD|PC|PV|PS|WCSNAME|WCSAXES)(\d*|\d_\d+)[A-Z]"
    )
    for key in {key for key in clean if gone.fullmatch(key)}:
        clean.remove(key, remove_all=True)
    swapped = str(clean["CTYPE1"]).strip().upper().startswith(("DEC", "GLAT", "ELAT", "HLAT", "SLAT"))
    rows = axes.matrix[::-1] if swapped else axes.matrix
    for (i, j), step in np.ndenumerate(rows):
        clean[f"CD{i + 1}_{j + 1}"] = float(step)
    values = (axes.dec, axes.ra) if swapped else (axes.ra, axes.dec)
    for axis, value in enumerate(values, 1):
        clean[f"CUNIT{axis}"], clean[f"CRVAL{axis}"] = "deg", value
    clean["WCSAXES"] = 2
    return clean


def _made(header: Header, path: str | Path) -> WCS:
    from astropy.wcs import WCS

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of dates and other keywords that the axes do without
        try:
            return WCS(header)
        except Exception as error:
            first = (str(error).strip().splitlines() or ["unknown"])[-1]
            raise MuseError(f"{path}: its WCS is unreadable ({first}): make the file again") from error
