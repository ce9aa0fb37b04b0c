"""OFFSET_LIST: how far each exposure's header is off, in the recipes' own sign and units."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from muse_nb.core.atomic import atomic_write
from muse_nb.core.errors import MuseError
from muse_nb.products.fits.bintable import read_table
from muse_nb.products.fits.blocks import hdus

if TYPE_CHECKING:
    from astropy.io.fits import Header

__all__ = ["MATCHED", "OffsetList"]

_COLUMNS = ("DATE_OBS", "MJD_OBS", "RA_OFFSET", "DEC_OFFSET", "FLUX_SCALE", "ROTANGLE")
_UNITS = ("s", "deg", "deg", None, "deg")  # "s" is what the recipe says of days
MATCHED = 23  # characters of DATE-OBS that muse_exp_combine compares


@dataclass(frozen=True)
class OffsetList:
    """Offsets of a set of exposures.

    Attributes
    ----------
    date_obs : tuple of str
        DATE-OBS of the exposures.
    mjd_obs : tuple of float
        [d].
    ra_offset, dec_offset : tuple of float
        Position that the header assigns less the true one [deg]; RA_OFFSET is a difference of right ascensions, without
        cos(dec). muse_exp_combine subtracts them.
    flux_scale : tuple of float
        Factor on the flux; NaN or 0 leaves it as it is.
    rotangle : tuple of float
        Position angle of the field, from north towards east, less the one that the header assigns [deg], as pymusepipe
        has it: what must be added to ESO INS DROT POSANG. The field is turned about its centre, RA and DEC of the
        header, and then displaced by the offset. muse_exp_combine does not know the column. Zeros by default.

    Examples
    --------
    >>> offsets = muse_nb.OffsetList.read("OFFSET_LIST.fits")
    >>> offsets.missing(exposure.date_obs for exposure in muse_nb.survey("night").exposures)
    []
    """

    date_obs: tuple[str, ...]
    mjd_obs: tuple[float, ...]
    ra_offset: tuple[float, ...]
    dec_offset: tuple[float, ...]
    flux_scale: tuple[float, ...]
    rotangle: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Refuse columns of different lengths and exposures named twice."""
        if not self.rotangle:
            object.__setattr__(self, "rotangle", (0.0,) * len(self.date_obs))
        if len({len(getattr(self, name.lower())) for name in _COLUMNS}) != 1:
            raise MuseError("the columns of an offset list must have the same length")
        twice = {date for date in self.date_obs if self.date_obs.count(date) > 1}
        if twice:
            raise MuseError(f"an offset list names {min(twice)} twice: muse_exp_combine would use the first row only")

    @classmethod
    def read(cls, path: str | Path) -> OffsetList:
        """Read an OFFSET_LIST written by muse_exp_align, by `write`, or by other tools such as pymusepipe.

        Raises
        ------
        MuseError
            The file is not readable or has not the form that muse_exp_combine takes, and would be ignored by it.
        """
        path = Path(path)
        units = hdus(path)
        if len(units) < 2 or units[1].cards.get("XTENSION") not in ("BINTABLE", "TABLE"):
            raise MuseError(
                f"{path} has no table in its first extension: muse_exp_combine would ignore it; write it again"
            )
        table = read_table(path, units[1])
        missing = [name for name in _COLUMNS[:4] if name not in table]
        if missing:
            raise MuseError(f"{path} lacks {', '.join(missing)}: muse_exp_combine would ignore it; write it again")
        for name in ("RA_OFFSET", "DEC_OFFSET", "ROTANGLE"):
            if name in table and table[name].unit.strip().lower() not in ("", "deg", "degree", "degrees"):
                raise MuseError(f"{path}: {name} is in {table[name].unit}, must be in deg: convert it")
        rows = len(table["DATE_OBS"].values)
        numbers = []
        for name in _COLUMNS[1:]:
            values = table[name].values if name in table else [math.nan] * rows
            if not all(isinstance(value, (int, float)) for value in values):
                raise MuseError(f"{path}: {name} holds no numbers: write it again")
            numbers.append(tuple(float(value) for value in values))  # type: ignore[arg-type]
        mjd, ra, dec, scale, angle = numbers
        if not all(math.isfinite(value) for value in (*ra, *dec)):
            raise MuseError(f"{path} has offsets that are not finite: measure them again")
        if any(math.isinf(value) for value in angle):
            raise MuseError(f"{path} has a ROTANGLE that is not finite: measure it again")
        angle = tuple(0.0 if math.isnan(value) else value for value in angle)  # as pymusepipe reads them
        return cls(tuple(str(value) for value in table["DATE_OBS"].values), mjd, ra, dec, scale, angle)

    def write(
        self,
        path: str | Path,
        *,
        header: Header | None = None,
        force: bool = False,
        inputs: Iterable[str | Path] = (),
    ) -> None:
        """Write the list in the form that muse_exp_combine takes.

        Parameters
        ----------
        path
            The file to make.
        header
            Further keywords for its primary header.
        force
            Replace a file that is there.
        inputs
            Files that are not replaced even then.

        Raises
        ------
        MuseError
            The file is there, or cannot be written.
        """
        from astropy.io import fits

        primary = fits.PrimaryHDU(header=header)
        primary.header["INSTRUME"] = "MUSE"
        primary.header["HIERARCH ESO PRO CATG"] = "OFFSET_LIST"
        columns = [fits.Column("DATE_OBS", f"{MATCHED}A", array=[date[:MATCHED] for date in self.date_obs])]
        for name, unit in zip(_COLUMNS[1:], _UNITS, strict=True):
            columns.append(fits.Column(name, "D", unit=unit, array=getattr(self, name.lower())))
        with atomic_write(path, force=force, inputs=inputs) as part:
            fits.HDUList([primary, fits.BinTableHDU.from_columns(columns)]).writeto(part, overwrite=True)

    def of(self, date_obs: str) -> tuple[float, float, float] | None:
        """Return RA_OFFSET, DEC_OFFSET [deg] and FLUX_SCALE of an exposure, None where the list has no row for it."""
        for row, date in enumerate(self.date_obs):
            if date[:MATCHED] == date_obs[:MATCHED]:
                return self.ra_offset[row], self.dec_offset[row], self.flux_scale[row]
        return None

    def angle_of(self, date_obs: str) -> float:
        """Return ROTANGLE [deg] of an exposure, 0 where the list has no row for it."""
        for date, angle in zip(self.date_obs, self.rotangle, strict=True):
            if date[:MATCHED] == date_obs[:MATCHED]:
                return angle
        return 0.0

    def missing(self, dates: Iterable[str]) -> list[str]:
        """Name the exposures that the list has no row for."""
        return [date for date in dates if self.of(date) is None]

    def with_zeros_for(self, dates: Iterable[str]) -> OffsetList:
        """Add a row without an offset for exposures that have none: the recipe is told, not left to guess."""
        added = self.missing(dates)
        zeros, unknown = (0.0,) * len(added), (math.nan,) * len(added)
        place = (self.mjd_obs + unknown, self.ra_offset + zeros, self.dec_offset + zeros)
        return OffsetList(self.date_obs + tuple(added), *place, self.flux_scale + unknown, self.rotangle + zeros)
