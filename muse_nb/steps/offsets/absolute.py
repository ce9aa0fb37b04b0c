"""Offsets on the positions of a catalogue, at the epoch of observation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from muse_nb.core.errors import MuseError
from muse_nb.core.robust import ERROR_OF_MEDIAN, SIGMA_OF_MAD
from muse_nb.steps.offsets.measurement import Measurement
from muse_nb.steps.offsets.result import Offsets
from muse_nb.steps.offsets.starfit.arrays import Floats
from muse_nb.steps.offsets.starfit.geometry import to_tangent
from muse_nb.steps.offsets.starfit.solve import Solution

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["onto_catalogue"]

MAX_POINTING_ERROR = 5.0  # arcsec
MAX_MATCH_DISTANCE = 0.3  # arcsec, about the common shift
FIELD_RADIUS = 180.0  # arcsec within which stars of the catalogue are looked at
MAX_STARS = 100  # of the images, the brightest
MIN_MATCHES = 2
_NAMES = {  # as VizieR writes them, the first that is there
    "ra": ("ra_icrs", "raj2000", "_raj2000", "_ra.icrs", "_ra_icrs", "_ra"),
    "dec": ("de_icrs", "dec_icrs", "dej2000", "decj2000", "_dej2000", "_de.icrs", "_de_icrs", "_de"),
    "pmdec": ("pmde",),
    "ref_epoch": ("epoch",),
}


def onto_catalogue(
    offsets: Offsets, measurement: Measurement, solution: Solution, catalogue: Table | str | Path
) -> Offsets:
    """Shift all offsets by one vector so that the stars lie where a catalogue has them.

    Raises
    ------
    MuseError
        The catalogue cannot be read, or fewer than two of its stars are recognized.
    """
    name = str(catalogue) if isinstance(catalogue, str | Path) else "the catalogue"
    table = _read(catalogue, name)
    if solution.fit is None:
        raise MuseError(f"{name} cannot be used: the images show no common stars")
    known = to_tangent(*_at_epoch(table, measurement.images[0].mjd_obs, name), measurement.origin)
    fit = solution.fit
    stars = fit.sky[solution.numbers >= 0]
    worth = np.array([f.amplitude / np.sqrt(f.floor) for f in fit.frames]).mean(0)[solution.numbers >= 0]
    bright = np.argsort(-worth)[:MAX_STARS]
    shift, error, count = _common_shift(stars[bright], known)
    if count < MIN_MATCHES:
        raise MuseError(
            f"only {count} star(s) of {name} are found within {MAX_POINTING_ERROR:g} arcsec of stars in the images: "
            "are its ra and dec in degrees, and of this field?"
        )
    out = offsets.table.copy()
    start = np.array([out["ra_offset"][solution.home], out["dec_offset"][solution.home]])
    for axis, column in enumerate(("ra", "dec")):
        out[f"{column}_offset"] += shift[axis] - start[axis]
        out[f"{column}_error"] = np.hypot(out[f"{column}_error"], error[axis])
        out[f"{column}_error"].unit = "arcsec"
    return replace(offsets, table=out, reference=f"{count} stars of {name}")


def _read(catalogue: Table | str | Path, name: str) -> Table:
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


def _at_epoch(table: Table, mjd: float, name: str) -> tuple[Floats, Floats]:
    """Positions [deg], moved to the epoch of observation where proper motions [mas/yr] and their epoch are known."""
    columns = {column.lower(): column for column in table.colnames}
    for ours, theirs in _NAMES.items():
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
    return ra[good], dec[good]


def _common_shift(stars: Floats, known: Floats) -> tuple[Floats, Floats, int]:
    """Vector that most pairs (measured - catalogue) agree on, its error, and how many pairs."""
    from scipy.spatial import cKDTree

    nothing = np.zeros(2), np.full(2, np.inf), 0
    near = known[np.hypot(*known.T) < FIELD_RADIUS]
    if not len(near) or not len(stars):
        return nothing
    pairs = cKDTree(stars).query_ball_point(near, MAX_POINTING_ERROR)
    differences = np.array([stars[i] - near[j] for j, found in enumerate(pairs) for i in found])
    if not len(differences):
        return nothing
    votes = [len(found) for found in cKDTree(differences).query_ball_point(differences, MAX_MATCH_DISTANCE / 2)]
    shift = differences[int(np.argmax(votes))]
    for _ in range(5):
        distance, index = cKDTree(stars).query(near + shift)
        matched = distance < MAX_MATCH_DISTANCE
        left = stars[index[matched]] - near[matched]
        shift = np.median(left, axis=0)
    count = len(left)
    deviation = np.median(np.abs(left - shift), axis=0)
    error = SIGMA_OF_MAD * ERROR_OF_MEDIAN * deviation / np.sqrt(max(count - 1, 1))
    return shift, error, count
