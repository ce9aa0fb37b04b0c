"""The derotator's wobble: a vector that turns with the rotator angle, fitted to measured offsets.

When the derotator's axis is not the field's centre, an exposure at rotator angle p is displaced by a vector of fixed
length that turns by -p (position angle = -POSANG). It explains the offsets and flags odd ones; it never replaces a
measurement, since pointing scatter of much the same size is on top.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from muse_nb.core.errors import MuseError
from muse_nb.core.html import Shown
from muse_nb.core.robust import SIGMA_OF_MAD
from muse_nb.steps.offsets.result import Offsets
from muse_nb.steps.offsets.starfit.arrays import Floats, Ints

if TYPE_CHECKING:
    from astropy.table import Table
    from matplotlib.axes import Axes

__all__ = ["Wobble", "fit_wobble"]

MAX_DEVIATION = 4.0  # of an exposure that is not odd, over the scatter
MIN_SCATTER, MIN_WIDTH = 1e-4, 1e-5  # arcsec: no offset is known better
CLIP = 3.0  # times the width: distances beyond count less
SIGMA_OF_DISTANCE = SIGMA_OF_MAD / 1.746  # standard deviation per axis over the median distance in the plane
MIN_SENSE_GAIN = 1.5  # times less scatter for a vector that turns the other way than MUSE's does
MEASURED = ("ra_offset", "dec_offset", "ra_error", "dec_error")


@dataclass(frozen=True)
class Wobble(Shown):
    """A turning vector and, for each pointing, the offset it turns about.

    Attributes
    ----------
    vector, vector_error : ndarray, shape (2,)
        East and north component at rotator angle 0, and their error [arcsec].
    sense : int
        -1 when the vector turns from north to west as POSANG grows, as MUSE's does; +1 the other way.
    centre : ndarray, shape (pointings, 2)
        [arcsec]
    scatter : float
        Rms of what is left, per axis [arcsec].
    table : astropy.table.Table
        date_obs, pointing, posang, offsets, model, residual, outlier.
    """

    vector: Floats
    vector_error: Floats
    sense: int
    centre: Floats
    scatter: float
    table: Table = field(repr=False)

    @property
    def findings(self) -> list[str]:
        """Nothing: what is odd stands in the table."""
        return []

    @property
    def length(self) -> float:
        """Length of the vector [arcsec]."""
        return float(np.hypot(*self.vector))

    @property
    def length_error(self) -> float:
        """Its error [arcsec]."""
        return float(np.hypot(*(self.vector * self.vector_error)) / max(self.length, 1e-12))

    def vector_at(self, posang: Floats) -> Floats:
        """East and north component at rotator angles [deg]; shape (n, 2)."""
        return np.asarray(np.einsum("nij,j->ni", _turns(np.asarray(posang, float), self.sense), self.vector))

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw measured offsets and the turning vector; return the axes."""
        from muse_nb.steps.offsets.figures import plot_wobble

        title = (
            f"Derotator wobble {1e3 * self.length:.0f} ± {1e3 * self.length_error:.0f} mas, "
            f"scatter {1e3 * self.scatter:.0f} mas per axis"
        )
        return plot_wobble(self.table, self.centre, self.vector_at, title, ax)

    def __str__(self) -> str:
        """The vector and what it does not explain, in a line."""
        odd = [str(name) for name in self.table["date_obs"][np.asarray(self.table["outlier"], bool)]]
        text = (
            f"Wobble {1e3 * self.length:.0f} ± {1e3 * self.length_error:.0f} mas, scatter {1e3 * self.scatter:.0f} mas "
            f"per axis, {len(self.table)} exposures in {len(self.centre)} pointing(s)"
        )
        return f"{text}; odd: {', '.join(odd)}" if odd else text

    def _repr_html_(self) -> str:
        return f"<p>{escape(str(self))}</p>"


def fit_wobble(offsets: Offsets | Sequence[Offsets], pointing: Sequence[int] | None = None) -> Wobble:
    """Fit the turning vector to measured offsets against ESO INS DROT POSANG, less what the rotator was off.

    Parameters
    ----------
    offsets
        Of at least three exposures at two rotator angles or more; of a night with several fields, one `Offsets` a
        field: the vector is common to all.
    pointing
        Number of each exposure's pointing, each of which has a centre of its own; default: one for each `Offsets`,
        and for each part of it that points more than half a field from the others.

    Raises
    ------
    MuseError
        Too few exposures or angles, or angles unknown.

    Examples
    --------
    >>> offsets = muse_nb.measure_offsets(muse_nb.survey("night").files_of("IMAGE_FOV"))
    >>> wobble = muse_nb.fit_wobble(offsets)
    >>> print(*[f"{value:.1f}" for value in wobble.vector])  # arcsec
    -0.1 0.2
    """
    from astropy.table import Table, vstack

    fields = [offsets] if isinstance(offsets, Offsets) else list(offsets)
    tables = [field.table[[*MEASURED, "date_obs", "posang", "pointing"]] for field in fields]
    table = vstack(tables, metadata_conflicts="silent")
    own = np.repeat(np.arange(len(tables)), [len(part) for part in tables]) * 1000 + np.asarray(table["pointing"])
    group = np.unique(own if pointing is None else np.asarray(pointing), return_inverse=True)[1]
    posang = np.asarray(table["posang"], float) - np.concatenate([field.turn for field in fields])
    accepted = np.concatenate([field.accepted for field in fields])
    use = accepted & np.isfinite(posang) & np.isfinite(np.asarray(table["ra_offset"], float))
    groups = np.unique(group[use])
    if use.sum() < 3 or 2 * use.sum() <= 2 + 2 * len(groups) or len(np.unique(np.round(posang[use]) % 360)) < 2:
        raise MuseError(
            f"{int(use.sum())} measured exposures with ESO INS DROT POSANG are too few to see a wobble: "
            "it takes three, at two rotator angles"
        )
    group = np.searchsorted(groups, group)
    measured = np.c_[table["ra_offset"], table["dec_offset"]].astype(float)
    trials = [_fit(measured[use], posang[use], group[use], len(groups), sense) for sense in (-1, 1)]
    best = trials[0] if trials[0][3] <= MIN_SENSE_GAIN * trials[1][3] else trials[1]
    solution, covariance, sense, scatter = best
    vector, centre = solution[:2], solution[2:].reshape(-1, 2)
    model = np.einsum("nij,j->ni", _turns(posang[use], sense), vector) + centre[group[use]]
    left = measured[use] - model
    result = Table(
        {
            "date_obs": [str(name) for name in table["date_obs"][use]],
            "pointing": group[use],
            "posang": posang[use],
            **{name: np.asarray(table[name], float)[use] for name in MEASURED},
            "ra_model": model[:, 0],
            "dec_model": model[:, 1],
            "ra_residual": left[:, 0],
            "dec_residual": left[:, 1],
            "outlier": np.hypot(*left.T) > MAX_DEVIATION * max(scatter, MIN_SCATTER),
        }
    )
    for name in result.colnames[3:-1]:
        result[name].unit = "arcsec"
    return Wobble(vector, np.sqrt(np.diag(covariance))[:2], sense, centre, scatter, result)


def _turns(posang: Floats, sense: int) -> Floats:
    """Rotation (n, 2, 2) of (east, north) by position angle sense * posang, from north towards east."""
    a = np.radians(sense * posang)
    return np.stack([np.stack([np.cos(a), np.sin(a)], -1), np.stack([-np.sin(a), np.cos(a)], -1)], -2)


def _fit(measured: Floats, posang: Floats, group: Ints, groups: int, sense: int) -> tuple[Floats, Floats, int, float]:
    """Least squares of vector and centres, exposures far off down-weighted; the pointing scatter sets the errors."""
    n = len(measured)
    design = np.zeros((n, 2, 2 + 2 * groups))
    design[:, :, :2] = _turns(posang, sense)
    for axis in range(2):
        design[np.arange(n), axis, 2 + 2 * group + axis] = 1
    weight = np.ones(n)
    for _ in range(20):
        rows = (design * weight[:, None, None]).reshape(2 * n, -1)
        inverse = np.linalg.pinv(rows.T @ design.reshape(2 * n, -1), hermitian=True)
        solution = inverse @ rows.T @ measured.ravel()
        left = np.hypot(*(measured - design @ solution).T)
        width = max(SIGMA_OF_DISTANCE * float(np.median(left)) * np.sqrt(n / max(n - 1 - groups, 1)), MIN_WIDTH)
        weight = 1 / np.maximum(1, left / (CLIP * width))
    freedom = max(2 * n - 2 - 2 * groups, 1)
    scatter = float(np.sqrt((weight * left**2).sum() / freedom))
    return np.asarray(solution), np.asarray(inverse * scatter**2, float), sense, scatter
