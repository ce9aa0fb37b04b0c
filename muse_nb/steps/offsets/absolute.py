"""Offsets on the positions of a catalogue, at the epoch of observation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.errors import MuseError
from muse_nb.steps.offsets.measure import Offsets
from muse_nb.steps.offsets.measurement import Measurement
from muse_nb.steps.offsets.starfit.geometry import to_tangent
from muse_nb.steps.offsets.starfit.solve import Solution

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["onto_catalogue"]

RADIUS = 5.0  # arcsec, largest error of the pointing
MATCH = 0.3  # arcsec, about the common shift


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
    bright = np.argsort(-worth)[:100]
    shift, error, count = _common_shift(stars[bright], known)
    if count < 2:
        raise MuseError(
            f"only {count} star(s) of {name} are found within {RADIUS:g} arcsec of stars in the images: "
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


def _at_epoch(table: Table, mjd: float, name: str) -> tuple[NDArray, NDArray]:
    """Positions [deg], moved to the epoch of observation where proper motions [mas/yr] and their epoch are known."""
    columns = {column.lower(): column for column in table.colnames}
    missing = [column for column in ("ra", "dec") if column not in columns]
    if missing:
        raise MuseError(f"{name} lacks the column {' and '.join(missing)}: give ra and dec in degrees")

    def values(column: str, default: float) -> NDArray:
        if column not in columns:
            return np.full(len(table), default)
        try:
            array: NDArray = np.ma.filled(np.ma.asarray(table[columns[column]], float), np.nan)
        except (TypeError, ValueError) as error:
            raise MuseError(f"{name}: column {columns[column]} holds no numbers ({error})") from error
        return np.where(np.isfinite(array), array, default)

    year = 2000 + (mjd - 51544.5) / 365.25
    years = year - values("ref_epoch", 2016.0)  # Gaia DR3's epoch
    dec = values("dec", np.nan)
    ra = values("ra", np.nan) + values("pmra", 0.0) * years / 3.6e6 / np.cos(np.radians(dec))
    dec = dec + values("pmdec", 0.0) * years / 3.6e6
    good = np.isfinite(ra) & np.isfinite(dec)
    return ra[good], dec[good]


def _common_shift(stars: NDArray, known: NDArray) -> tuple[NDArray, NDArray, int]:
    """Vector that most pairs (measured - catalogue) agree on, its error, and how many pairs."""
    from scipy.spatial import cKDTree

    nothing = np.zeros(2), np.full(2, np.inf), 0
    near = known[np.hypot(*known.T) < 180]
    if not len(near) or not len(stars):
        return nothing
    pairs = cKDTree(stars).query_ball_point(near, RADIUS)
    differences = np.array([stars[i] - near[j] for j, found in enumerate(pairs) for i in found])
    if not len(differences):
        return nothing
    votes = [len(found) for found in cKDTree(differences).query_ball_point(differences, MATCH / 2)]
    shift = differences[int(np.argmax(votes))]
    for _ in range(5):
        distance, index = cKDTree(stars).query(near + shift)
        matched = distance < MATCH
        left = stars[index[matched]] - near[matched]
        shift = np.median(left, axis=0)
    count = len(left)
    error = 1.4826 * 1.253 * np.median(np.abs(left - shift), axis=0) / np.sqrt(max(count - 1, 1))
    return shift, error, count
