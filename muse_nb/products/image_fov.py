"""IMAGE_FOV: a broadband image of the field of view, the ground on which stars are measured."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.atomic import atomic_write
from muse_nb.core.errors import MuseError
from muse_nb.products.axes.wcs import celestial_wcs
from muse_nb.products.fits.planes import read_image
from muse_nb.products.header import axes_of, need, number_of, read_all

if TYPE_CHECKING:
    from astropy.io.fits import Header
    from astropy.wcs import WCS

__all__ = ["ImageFov", "write_image_fov"]

_NOT_IMAGES = ("STAT", "DQ", "EXP", "WEIGHT")


@dataclass(frozen=True)
class ImageFov:
    """One image of one exposure; its pixels are read when they are first asked for.

    Attributes
    ----------
    path : pathlib.Path
    primary, header : astropy.io.fits.Header
        Of the file, and of the image (with its WCS).
    extension : int
        Number of the image's HDU.
    shape : tuple of int
        (ny, nx).

    Examples
    --------
    >>> image = muse_nb.ImageFov.open(muse_nb.survey("night").files_of("IMAGE_FOV")[0])
    >>> image.date_obs, image.posang, image.shape
    ('2014-07-27T03:12:00.417', 0.0, (75, 76))
    """

    path: Path
    primary: Header
    header: Header
    extension: int
    shape: tuple[int, int]

    @classmethod
    def open(cls, path: str | Path, filter: str | None = None) -> ImageFov:
        """Open an IMAGE_FOV, or any FITS file with one image that has a celestial WCS.

        Parameters
        ----------
        path
            The file.
        filter
            Where the file holds images in several filters: which (EXTNAME, or the recipe's DRS filter name). By default
            DATA, or else the first image.

        Raises
        ------
        MuseError
            The file is not readable, or holds no such image.
        """
        path = Path(path)
        headers = read_all(path)
        found = [(n, header, shape) for n, header in enumerate(headers) if (shape := _image_shape(header))]
        found = [f for f in found if str(f[1].get("EXTNAME", "")).strip().upper() not in _NOT_IMAGES]
        if filter is not None:
            found = [f for f in found if filter in _filter_names(headers[0], f[1])]
        else:
            found.sort(key=lambda f: str(f[1].get("EXTNAME", "")).strip() != "DATA")
        if not found:
            raise MuseError(f"{path} holds no image{f' in {filter}' if filter else ''}: is it an IMAGE_FOV?")
        number, header, shape = found[0]
        return cls(path, headers[0], header, number, shape)

    @cached_property
    def data(self) -> NDArray[np.float32]:
        """Brightness in the unit of BUNIT, shape (ny, nx), NaN where there are no data."""
        array = read_image(self.path, self.extension, "the image")
        if array.size != self.shape[0] * self.shape[1]:
            raise MuseError(f"{self.path}: the image has shape {array.shape}, not {self.shape}: make the file again")
        return array.astype(np.float32, copy=False).reshape(self.shape)

    @cached_property
    def wcs(self) -> WCS:
        """Celestial WCS of the image.

        Raises
        ------
        MuseError
            The header has none.
        """
        return celestial_wcs(self.header, self.path)

    @property
    def date_obs(self) -> str:
        """DATE-OBS of the exposure.

        Raises
        ------
        MuseError
            The header does not say.
        """
        return str(need(self._both, "DATE-OBS", self.path, "it tells exposures apart; make the image again"))

    @property
    def mjd_obs(self) -> float:
        """MJD-OBS [d]; from DATE-OBS where it is missing."""
        value = number_of(self._both.get("MJD-OBS"))
        if value is not None:
            return value
        from astropy.time import Time

        try:
            return float(Time(self.date_obs, scale="utc").mjd)
        except ValueError as error:
            raise MuseError(f"{self.path}: DATE-OBS {self.date_obs!r} is not a date: make the image again") from error

    @property
    def posang(self) -> float | None:
        """ESO INS DROT POSANG [deg], None where the header does not say."""
        return number_of(self._both.get("ESO INS DROT POSANG"))

    @property
    def exptime(self) -> float | None:
        """EXPTIME [s], None where the header does not say."""
        return number_of(self._both.get("EXPTIME"))

    @cached_property
    def _both(self) -> dict[str, object]:
        keys = ("DATE-OBS", "MJD-OBS", "EXPTIME", "ESO INS DROT POSANG")
        return {key: self.primary.get(key, self.header.get(key)) for key in keys}


def _image_shape(header: Header) -> tuple[int, int] | None:
    prefix = "Z" if header.get("ZIMAGE") else ""
    if str(header.get("XTENSION", "IMAGE")).strip() != "IMAGE" and not prefix:
        return None
    axes = axes_of(header, prefix)
    if len(axes) < 2 or any(n != 1 for n in axes[2:]) or 0 in axes:
        return None
    return axes[1], axes[0]


def _filter_names(primary: Header, header: Header) -> set[str]:
    keys = ("ESO DRS MUSE FILTER NAME", "FILTER")
    names = (
        {str(h.get(key)) for h in (primary, header) for key in keys if h.get(key)}
        if header.get("EXTNAME") == "DATA"
        else set()
    )
    return names | {str(header.get("EXTNAME", "")).strip()}


def write_image_fov(
    path: str | Path, primary: Header, header: Header, data: NDArray[np.floating], *, force: bool = False
) -> None:
    """Write an IMAGE_FOV as the recipes do: a header-only primary and DATA (f4).

    Parameters
    ----------
    path
        The file to make.
    primary, header
        Headers of the file and of the image; BUNIT must be in the latter or muse_exp_align refuses the image.
    data
        Shape (ny, nx).
    force
        Replace a file that is there.

    Raises
    ------
    MuseError
        BUNIT is missing, or the file is there or cannot be written.
    """
    from astropy.io import fits

    need(header, "BUNIT", path, "muse_exp_align refuses images without it")
    unit = fits.ImageHDU(np.asarray(data).astype(">f4"), header=header)
    unit.header["EXTNAME"] = "DATA"
    with atomic_write(path, force=force) as part:
        fits.HDUList([fits.PrimaryHDU(header=primary), unit]).writeto(part, overwrite=True)
