"""Broadband filters: the throughput that turns a cube into an image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from muse_nb.core.errors import MuseError

__all__ = ["NAMES", "Filter", "covered", "read_filter_list", "throughput"]


# Wavelength [Angstrom] and throughput, after Bessell 1990 (PASP 102, 1181), table 2, every 200 A.
_CURVES: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "Johnson_V": (
        (4700, 4800, 5000, 5200, 5400, 5600, 5800, 6000, 6200, 6400, 6600, 6800, 7000),
        (0.0, 0.03, 0.458, 0.967, 0.974, 0.818, 0.61, 0.401, 0.218, 0.108, 0.045, 0.017, 0.0),
    ),
    "Cousins_R": (
        (5500, 5600, 5800, 6000, 6200, 6400, 6600, 6800, 7000, 7500, 8000, 8500, 9000),
        (0.0, 0.23, 0.91, 1.0, 0.955, 0.89, 0.8, 0.715, 0.65, 0.4, 0.185, 0.09, 0.0),
    ),
    "Cousins_I": (
        (7000, 7100, 7200, 7400, 7600, 7800, 8000, 8200, 8400, 8600, 8800, 9000, 9200),
        (0.0, 0.09, 0.23, 0.61, 0.87, 0.965, 0.99, 0.985, 0.95, 0.82, 0.525, 0.2, 0.0),
    ),
}
_SHORT = {"V": "Johnson_V", "R": "Cousins_R", "I": "Cousins_I"}
NAMES = ("white", "V", "R", "I")
_WHITE = (4650.0, 9300.0)  # Angstrom

Filter = tuple[NDArray[np.float64], NDArray[np.float64]]


def throughput(name: str, wavelength: ArrayLike, filters: dict[str, Filter] | None = None) -> NDArray[np.float64]:
    """Return a filter's throughput at the given wavelengths.

    Parameters
    ----------
    name
        ``white`` (1 everywhere), ``V``, ``R``, ``I`` (Bessell 1990), or a name in `filters`.
    wavelength
        [Angstrom], any shape.
    filters
        Curves of a FILTER_LIST, from `read_filter_list`; they come before our own.

    Returns
    -------
    numpy.ndarray
        0 to 1, the shape of `wavelength`; 0 outside the curve.

    Raises
    ------
    MuseError
        There is no such filter.
    """
    values = np.asarray(wavelength, float)
    filters = filters or {}
    for key in (name, _SHORT.get(name, name)):
        if key in filters:
            return np.asarray(np.interp(values, *filters[key], left=0.0, right=0.0))
    if name == "white":
        return np.ones_like(values)
    curve = _CURVES.get(_SHORT.get(name, name))
    if curve is None:
        known = sorted({*NAMES, *_CURVES, *filters})
        raise MuseError(
            f"there is no filter {name!r}: choose from {', '.join(known)}, or give a FILTER_LIST that has it"
        )
    return np.asarray(np.interp(values, *curve, left=0.0, right=0.0))


def covered(name: str, first: float, last: float, filters: dict[str, Filter] | None = None) -> float:
    """Return how much of a filter lies between two wavelengths [Angstrom], in percent of its integral.

    Raises
    ------
    MuseError
        There is no such filter.
    """
    own = _CURVES.get(_SHORT.get(name, name), (_WHITE, ()))[0]
    curve = next(((filters or {})[key][0] for key in (name, _SHORT.get(name, name)) if key in (filters or {})), own)
    wavelength = np.arange(min(curve), max(curve))  # in steps of 1 Angstrom, as the recipes
    through = throughput(name, wavelength, filters)
    inside = (wavelength >= first) & (wavelength <= last)
    return 100 * float(through[inside].sum() / through.sum()) if through.sum() > 0 else 0.0


def read_filter_list(path: str | Path) -> dict[str, Filter]:
    """Read the curves of a FILTER_LIST.

    Returns
    -------
    dict
        EXTNAME to (wavelength [Angstrom], throughput).

    Raises
    ------
    MuseError
        The file is not readable, or holds no filter.
    """
    from astropy.table import Table

    from muse_nb.products.header import read_all

    found = {}
    try:
        for number, header in enumerate(read_all(path)):
            if header.get("XTENSION", "").strip() != "BINTABLE":
                continue
            table = Table.read(path, hdu=number, unit_parse_strict="silent")
            names = {name.lower(): name for name in table.colnames}
            if {"lambda", "throughput"} <= set(names):
                wave, through = (np.array(table[names[key]], float) for key in ("lambda", "throughput"))
                good = np.isfinite(wave) & np.isfinite(through)
                order = np.argsort(wave[good])
                found[str(header.get("EXTNAME", ""))] = (wave[good][order], through[good][order])
    except MuseError:
        raise
    except Exception as error:  # a damaged file can make astropy raise anything
        raise MuseError(f"{path} cannot be read as a FILTER_LIST ({error}): make it again") from error
    if not found:
        raise MuseError(f"{path} holds no table with lambda and throughput: is it a FILTER_LIST?")
    return found
