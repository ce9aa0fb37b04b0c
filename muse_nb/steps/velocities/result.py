"""Velocities of stars: a table that shows itself, writes itself and tells what is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from muse_nb.core.atomic import write_table
from muse_nb.core.html import Shown, findings_html, table_html
from muse_nb.core.robust import mad_sigma, median
from muse_nb.steps.velocities.groups import Group
from muse_nb.steps.velocities.quality import words

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["Velocities"]

SHOWN = 12
MIN_SNR = 10.0  # of stars that the summary is made of


@dataclass(frozen=True)
class Velocities(Shown):
    """Radial velocities of stars.

    Attributes
    ----------
    table : astropy.table.Table
        A row a star: number, ra, dec [deg], x, y [pixel, from 1], snr, velocity and velocity_err [km/s], teff of
        the best template [K], strength of its lines, significance of the peak, second of the next one, scatter
        (root of chi2 by degree of freedom), quality (bits, 0 where all is well) and group (its IFU, -1 where unknown).
    zero_point, zero_point_err : float
        Velocity of the sky lines in the cube [km/s], the observer's motion taken out; NaN where none was measured.
    subtracted : bool
        Whether it was taken off the velocities.
    shared : float
        Factor on the errors for the noise that planes share.
    groups : tuple of Group
        IFUs against all others.
    notes : tuple of str
        What to know of it, a sentence each.
    """

    table: Table
    zero_point: float
    zero_point_err: float
    subtracted: bool
    shared: float
    groups: tuple[Group, ...] = ()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """How many stars."""
        return len(self.table)

    @property
    def good(self) -> np.ndarray:
        """Stars whose velocity nothing speaks against, shape (stars,)."""
        return np.asarray(self.table["quality"]) == 0

    @property
    def sure(self) -> np.ndarray:
        """Those of them with S/N above 10, shape (stars,)."""
        return self.good & (np.asarray(self.table["snr"], float) > MIN_SNR)

    @property
    def systemic(self) -> float:
        """Median velocity of the sure stars [km/s]."""
        return median(np.asarray(self.table["velocity"], float)[self.sure])

    @property
    def dispersion(self) -> float:
        """Scatter of the sure stars less their errors [km/s]; field stars hardly move it."""
        values = np.asarray(self.table["velocity"], float)[self.sure]
        errors = np.asarray(self.table["velocity_err"], float)[self.sure]
        return float(np.sqrt(max(0.0, mad_sigma(values) ** 2 - median(errors**2)))) if values.size else float("nan")

    @property
    def findings(self) -> tuple[str, ...]:
        """What is wrong with the wavelengths, a sentence each."""
        told = []
        for group in self.groups:
            if group.off:
                told.append(
                    f"the {group.stars} stars of IFU {group.name} move by {group.velocity:+.1f} +- {group.error:.1f}"
                    " km/s against all others: its wavelengths are off"
                )
        if abs(self.zero_point) > 3 * self.zero_point_err and not self.subtracted:
            told.append(
                f"the sky lines lie at {self.zero_point:+.1f} +- {self.zero_point_err:.1f} km/s, where they should be"
                " at 0: take that off (zero='sky')"
            )
        return tuple(told)

    def summary(self) -> dict[str, Any]:
        """Everything as plain numbers; NaN is None."""
        rows = [{name: _plain(row[name]) for name in self.table.colnames} for row in self.table]
        return {
            "stars": [row | {"told": words(int(row["quality"] or 0))} for row in rows],
            "systemic": _plain(self.systemic),
            "dispersion": _plain(self.dispersion),
            "zero_point": _plain(self.zero_point),
            "zero_point_err": _plain(self.zero_point_err),
            "subtracted": self.subtracted,
            "groups": [vars(group) | {"off": group.off} for group in self.groups],
            "notes": list(self.notes),
            "findings": list(self.findings),
        }

    def write(self, path: str | Path, *, force: bool = False) -> Path:
        """Write the table as CSV, or in any form that astropy knows by the ending of the name; return the path.

        Raises
        ------
        MuseError
            The file is there already, or cannot be written.
        """
        return write_table(self.table, path, force=force)

    def plot(self, axes: Any = None) -> Any:
        """Draw the stars' velocities: how many of each, and where on the sky; return the axes."""
        from muse_nb.steps.velocities.figures import plot_velocities

        return plot_velocities(self.table, self.sure, self.systemic, self.groups, axes)

    def __str__(self) -> str:
        """Tell it in a few lines."""
        sure = int(self.sure.sum())
        lines = [f"{len(self)} stars, {int(self.good.sum())} with a velocity, {sure} of S/N above {MIN_SNR:g}"]
        if sure:
            lines[0] += f": median {self.systemic:+.1f} km/s, dispersion {self.dispersion:.1f} km/s"
        return "\n".join([*lines, *self.findings, *self.notes])

    def _repr_html_(self) -> str:
        head = ("number", "S/N", "velocity [km/s]", "error", "template [K]", "")
        order = np.argsort(-np.nan_to_num(np.asarray(self.table["snr"], float)))[:SHOWN]
        rows = [
            (
                row["number"],
                f"{row['snr']:.1f}",
                f"{row['velocity']:+.1f}",
                f"{row['velocity_err']:.1f}",
                f"{row['teff']:.0f}",
                words(int(row["quality"])),
            )
            for row in self.table[order]
        ]
        more = len(self) - len(rows)
        tail = f"<p>and {more} more</p>" if more > 0 else ""
        return f"<pre>{escape(str(self))}</pre>{findings_html(self.findings)}{table_html(head, rows)}{tail}"


def _plain(value: Any) -> Any:
    plain = value.item() if hasattr(value, "item") else value
    return None if isinstance(plain, float) and not np.isfinite(plain) else plain
