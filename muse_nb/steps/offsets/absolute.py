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
from muse_nb.steps.offsets.starfit.known import at_epoch, read_catalogue
from muse_nb.steps.offsets.starfit.solve import Solution

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["common_shift", "onto_catalogue"]

MAX_POINTING_ERROR = 5.0  # arcsec
MAX_MATCH_DISTANCE = 0.3  # arcsec, about the common shift
FIELD_RADIUS = 180.0  # arcsec within which stars of the catalogue are looked at
MAX_STARS = 100  # of the images, the brightest
MIN_MATCHES = 2


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
    table = read_catalogue(catalogue, name)
    if solution.fit is None:
        raise MuseError(f"{name} cannot be used: the images show no common stars")
    known = to_tangent(*at_epoch(table, measurement.images[0].mjd_obs, name)[:2], measurement.origin)
    fit = solution.fit
    stars = fit.sky[solution.numbers >= 0]
    worth = np.array([f.amplitude / np.sqrt(f.floor) for f in fit.frames]).mean(0)[solution.numbers >= 0]
    bright = np.argsort(-worth)[:MAX_STARS]
    shift, error, count = common_shift(stars[bright], known)
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


def common_shift(stars: Floats, known: Floats) -> tuple[Floats, Floats, int]:
    """Find the vector that most pairs of stars (measured - known) agree on.

    Parameters
    ----------
    stars, known : ndarray, shapes (n, 2), (m, 2)
        Places on a tangent plane [arcsec].

    Returns
    -------
    shift, error : ndarray, shape (2,)
        [arcsec]
    count : int
        Pairs that agree; 0 where there is none.
    """
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
