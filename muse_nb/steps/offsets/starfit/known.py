"""Tables of stars with known places: Gaia's, VizieR's, one's own; moved to the epoch of an observation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from muse_nb.core.errors import MuseError
from muse_nb.steps.offsets.starfit.arrays import Bools, Floats

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["NAMES", "at_epoch", "read_catalogue"]

NAMES = {  # as VizieR writes them, the first that is there
    "ra": ("ra_icrs", "raj2000", "_raj2000", "_ra.icrs", "_ra_icrs", "_ra"),
    "dec": ("de_icrs", "dec_icrs", "dej2000", "decj2000", "_dej2000", "_de.icrs", "_de_icrs", "_de"),
    "pmdec": ("pmde",),
    "ref_epoch": ("epoch",),
}


def read_catalogue(catalogue: Table | str | Path, name: str) -> Table:
    """Read a table of stars in any form that astropy knows; one that is a table already is returned.

    Raises
    ------
    MuseError
        It cannot be read.
    """
    from astropy.table import Table

    if not isinstance(catalogue, str | Path):
        return catalogue
    try:
        return Table.read(catalogue)
    except OSError as error:
        raise MuseError(f"{name} cannot be read: {error.strerror or error}") from error
    except Exception as error:
        first = (str(error).splitlines() or ["unknown format"])[0]
        raise MuseError(f"{name} is no table astropy can read ({first}): give an ECSV or FITS file") from error


def at_epoch(table: Table, mjd: float, name: str) -> tuple[Floats, Floats, Bools]:
    """Move stars to the epoch of an observation, where proper motions [mas/yr] and their epoch are known.

    Parameters
    ----------
    table
        With ra and dec [deg], and pmra, pmdec and ref_epoch where they are known; VizieR's names too.
    mjd
        Of the observation.
    name
        Of the table, for the message.

    Returns
    -------
    ra, dec : ndarray
        Of the rows that have both [deg].
    rows : ndarray of bool
        Which these are.

    Raises
    ------
    MuseError
        A column is missing, holds no numbers, or is not in degrees.
    """
    columns = {column.lower(): column for column in table.colnames}
    for ours, theirs in NAMES.items():
        found = next((columns[name] for name in (ours, *theirs) if name in columns), None)
        columns |= {} if found is None else {ours: found}
    missing = [column for column in ("ra", "dec") if column not in columns]
    if missing:
        raise MuseError(f"{name} lacks the column {' and '.join(missing)}: give ra and dec in degrees")
    for column in ("ra", "dec"):
        if str(table[columns[column]].unit or "deg") not in ("deg", "degree", "degrees"):
            raise MuseError(f"{name}: {columns[column]} is in {table[columns[column]].unit}: give it in degrees")

    def values(column: str, default: float) -> Floats:
        if column not in columns:
            return np.full(len(table), default)
        try:
            array: Floats = np.ma.filled(np.ma.asarray(table[columns[column]], float), np.nan)
        except (TypeError, ValueError) as error:
            raise MuseError(f"{name}: column {columns[column]} holds no numbers ({error})") from error
        return np.where(np.isfinite(array), array, default)

    year = 2000 + (mjd - 51544.5) / 365.25
    of_2000 = "j2000" in columns["ra"].lower()
    years = year - values("ref_epoch", 2000.0 if of_2000 else 2016.0)  # else Gaia DR3's epoch
    dec = values("dec", np.nan)
    ra = values("ra", np.nan) + values("pmra", 0.0) * years / 3.6e6 / np.cos(np.radians(dec))
    dec = dec + values("pmdec", 0.0) * years / 3.6e6
    good = np.isfinite(ra) & np.isfinite(dec)
    return ra[good], dec[good], good
