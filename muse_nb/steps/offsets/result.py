"""Offsets of exposures, with honest errors and a verdict for each: what they hold, and how they show and save it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from muse_nb.core.errors import MuseError, MuseWarning
from muse_nb.core.html import Shown, table_html
from muse_nb.core.text import signed
from muse_nb.products.offset_list import OffsetList
from muse_nb.steps.offsets.left_out import left_out
from muse_nb.steps.offsets.made_from import header_of, picks_mark, why_stale
from muse_nb.steps.offsets.measurement import Measurement
from muse_nb.steps.offsets.stamps import StarStamps, star_stamps
from muse_nb.steps.offsets.starfit.arrays import Bools, Floats
from muse_nb.steps.offsets.starfit.solve import Solution

if TYPE_CHECKING:
    from astropy.table import Table
    from matplotlib.axes import Axes

__all__ = ["OffsetRow", "Offsets"]


class OffsetRow(TypedDict):
    """Offset of one exposure, for JSON; None where it is not known."""

    date_obs: str
    ra_offset_arcsec: float | None
    dec_offset_arcsec: float | None
    ra_error_arcsec: float | None
    dec_error_arcsec: float | None
    n_stars: int
    chi2: float | None
    fwhm_arcsec: float | None
    flux: float | None
    rotation_deg: float | None
    rotation_error_deg: float | None
    turned: bool
    method: str
    verdict: str
    why: str


@dataclass(frozen=True)
class Offsets(Shown):
    """Offsets of exposures on the sky: where the header puts the stars minus where they are in the reference.

    An exposure whose rotator is off shows its field turned about the field's centre (the reference point of the image's
    WCS, which is the pointing), from north towards east where the rotation is positive, and then displaced by the
    offset. Both are what the header says less what is true; an OFFSET_LIST has the angle in ROTANGLE with the other
    sign.

    Attributes
    ----------
    table : astropy.table.Table
        One row an exposure, in time order: date_obs, mjd_obs, posang [deg], pointing (number), ra_offset (times
        cos dec), dec_offset and their errors [arcsec], n_stars, chi2 of the stars' cores, fwhm [arcsec], flux relative
        to the reference, rotation and its error [deg], turned (whether the offset is that of a field so turned),
        margin (ln L over any other offset), method, verdict (agree, check, refuse), why.
    residuals : astropy.table.Table
        One row a star and exposure: star, ra, dec [deg], date_obs, ra_residual, dec_residual and their errors [mas],
        deviation (in errors), outlier.
    reference : str
        DATE-OBS of the exposure with offset 0, or "mean".
    dec : float
        Declination of the field [deg].
    picks : astropy.table.Table or None
        Stars that they were measured on; None for all.
    """

    table: Table = field(repr=False)
    residuals: Table = field(repr=False)
    reference: str
    dec: float
    _fit: tuple[Measurement, Solution] | None = field(default=None, repr=False, compare=False)
    picks: Table | None = field(default=None, repr=False, compare=False)

    @property
    def findings(self) -> list[str]:
        """Nothing: the verdicts stand in the table."""
        return []

    @property
    def accepted(self) -> Bools:
        """Exposures that were not refused."""
        return np.array([verdict != "refuse" for verdict in self.table["verdict"]], bool)

    @property
    def turn(self) -> Floats:
        """Angle (n,) by which the header's is off, where that is in the offset, and 0 elsewhere [deg]."""
        if "turned" not in self.table.colnames:
            return np.zeros(len(self.table))
        return np.where(self.table["turned"], np.nan_to_num(np.asarray(self.table["rotation"], float)), 0.0)

    def offset_list(self, flux_scale: bool = False) -> OffsetList:
        """The offsets as muse_exp_combine takes them: degrees, RA without cos(dec), refused exposures left out.

        Parameters
        ----------
        flux_scale
            Also equalize the exposures' fluxes.

        Raises
        ------
        MuseError
            Every exposure was refused.
        """
        use = self.table[self.accepted]
        if not len(use):
            raise MuseError(f"no exposure could be measured ({self.table['why'][0]}): an OFFSET_LIST would be empty")
        missing = [str(name) for name in self.table["date_obs"][~self.accepted]]
        if missing:
            warnings.warn(
                f"no offset could be measured for {', '.join(missing)}: the list does not hold them, and a combine "
                "would leave them where they are",
                MuseWarning,
                stacklevel=2,
            )
        dec = np.asarray(use["dec_offset"]) / 3600
        ra = np.asarray(use["ra_offset"]) / 3600 / np.cos(np.radians(self.dec))
        scale = 1 / np.asarray(use["flux"]) if flux_scale else np.full(len(use), np.nan)
        dates = tuple(str(name) for name in use["date_obs"])
        columns = (np.asarray(use["mjd_obs"]), ra, dec, scale, 0.0 - self.turn[self.accepted])
        return OffsetList(dates, *(tuple(float(value) for value in column) for column in columns))

    def write(self, path: str | Path, force: bool = False, flux_scale: bool = False) -> None:
        """Write the OFFSET_LIST file.

        Raises
        ------
        MuseError
            It is there or is one of the images, cannot be written, or every exposure was refused.
        """
        images = self._fit[0].images if self._fit else []
        header = header_of(images, picks_mark(self.picks))
        files = [image.path for image in images]
        self.offset_list(flux_scale).write(path, header=header, force=force, inputs=files)

    def stale(self, path: str | Path) -> str:
        """Say why an OFFSET_LIST that is there is not what `write` would make now; empty where it is, or is not there.

        Raises
        ------
        MuseError
            The list cannot be read, or every exposure was refused.
        """
        path = Path(path)
        if not path.exists():
            return ""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MuseWarning)
            now = self.offset_list()
        return why_stale(path, now, self.dec, picks_mark(self.picks), self._fit[0].images if self._fit else ())

    def rows(self) -> list[OffsetRow]:
        """One dictionary an exposure, for JSON: NaN become None."""

        def number(value: float) -> float | None:
            return float(value) if np.isfinite(value) else None

        return [
            {
                "date_obs": str(row["date_obs"]),
                "ra_offset_arcsec": number(row["ra_offset"]),
                "dec_offset_arcsec": number(row["dec_offset"]),
                "ra_error_arcsec": number(row["ra_error"]),
                "dec_error_arcsec": number(row["dec_error"]),
                "n_stars": int(row["n_stars"]),
                "chi2": number(row["chi2"]),
                "fwhm_arcsec": number(row["fwhm"]),
                "flux": number(row["flux"]),
                "rotation_deg": number(row["rotation"]),
                "rotation_error_deg": number(row["rotation_error"]),
                "turned": bool(row["turned"]),
                "method": str(row["method"]),
                "verdict": str(row["verdict"]),
                "why": str(row["why"]),
            }
            for row in self.table
        ]

    def plot(self, ax: Axes | None = None) -> Axes:
        """Offsets on the sky with error bars, coloured by rotator angle; return the axes."""
        from muse_nb.steps.offsets.figures import plot_offsets

        return plot_offsets(self.table, ax)

    def plot_residuals(self, ax: Axes | None = None) -> Axes:
        """Residual of every star in every exposure [mas]; return the axes."""
        from muse_nb.steps.offsets.figures import plot_residuals

        return plot_residuals(self.residuals, [str(name) for name in self.table["date_obs"]], ax)

    def stamps(self, star: int) -> StarStamps:
        """Data, model and residual of a star (its number in `residuals`) in every exposure.

        Raises
        ------
        MuseError
            The star took no part in the fit.
        """
        if self._fit is None:
            raise MuseError("these offsets come without their fit: measure them again to see their stars")
        return star_stamps(*self._fit, star)

    def left_out(self) -> Table:
        """Stars that an exposure's offset goes without: star, ra, dec [deg], date_obs, why.

        Raises
        ------
        MuseError
            These offsets come without their fit.
        """
        if self._fit is None:
            raise MuseError("these offsets come without their fit: measure them again to see which stars are left out")
        return left_out(*self._fit)

    def _repr_html_(self) -> str:
        good = int(self.accepted.sum())
        head = f"<p><b>Offsets</b> of {good} of {len(self.table)} exposures, relative to {escape(self.reference)}</p>"
        names = ["exposure", "RA [mas]", "Dec [mas]", "rotation [°]", "stars", "χ²", "FWHM [″]", "flux", "verdict"]
        rows = [
            [
                str(row["date_obs"]),
                f"{signed(1e3 * row['ra_offset'])}\u00a0±\u00a0{1e3 * row['ra_error']:.1f}",
                f"{signed(1e3 * row['dec_offset'])}\u00a0±\u00a0{1e3 * row['dec_error']:.1f}",
                f"{signed(row['rotation'], 4)}\u00a0±\u00a0{row['rotation_error']:.4f}",
                str(row["n_stars"]),
                f"{row['chi2']:.2f}",
                f"{row['fwhm']:.2f}",
                f"{row['flux']:.3f}",
                f"{row['verdict']} {row['why']}".strip(),
            ]
            for row in self.table
        ]
        return head + table_html(names, rows, kind="judged")
