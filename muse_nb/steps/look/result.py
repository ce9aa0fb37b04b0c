"""What looking at a cube gives: the spectrum of a region, the image of a band; each writes itself."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.atomic import atomic_write
from muse_nb.steps.look.headers import fits_unit

if TYPE_CHECKING:
    from astropy.io.fits import HDUList, Header
    from mpdaf.obj import Image, Spectrum

__all__ = ["Band", "Extraction"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Extraction:
    """Spectrum of a region of a cube.

    Attributes
    ----------
    cube : pathlib.Path
        The cube.
    wavelength : numpy.ndarray
        Of the planes [Angstrom], shape (nz,).
    flux : numpy.ndarray
        In `unit`, shape (nz,); NaN where the region holds no data.
    error : numpy.ndarray or None
        Standard error of it, with spaxels taken for independent; None where the cube has no STAT.
    unit : str
        BUNIT of the cube; of a sum, that of its spaxels added up.
    spaxels : float
        Area of the region; NaN where it has none.
    ra, dec : float
        Its centre [deg].
    how : str
        ``sum``, ``mean``, ``median``, ``psf``, or that of a star fitted with all others.
    medium : str
        ``air``, ``vacuum`` or ``unknown``: what the wavelengths are measured in.
    axis : astropy.io.fits.Header
        The wavelengths as a FITS axis.
    notes : tuple of str
        What to know of it, a sentence each.
    """

    cube: Path
    wavelength: Array
    flux: Array
    error: Array | None
    unit: str
    spaxels: float
    ra: float
    dec: float
    how: str
    medium: str
    axis: Header
    notes: tuple[str, ...] = ()

    def summary(self) -> dict[str, Any]:
        """Everything as plain numbers and lists, as ``muse-nb spectrum --json`` prints it; NaN is None."""
        return {
            "cube": str(self.cube),
            "wavelength": _plain(self.wavelength),
            "flux": _plain(self.flux),
            "error": None if self.error is None else _plain(self.error),
            "unit": self.unit,
            "spaxels": self.spaxels,
            "ra": self.ra,
            "dec": self.dec,
            "how": self.how,
            "medium": self.medium,
            "notes": list(self.notes),
        }

    def hdulist(self) -> HDUList:
        """DATA and STAT as FITS, as mpdaf's Spectrum and specutils (``wcs1d-fits``) read them."""
        from astropy.io import fits

        primary = fits.PrimaryHDU()
        facts = (("RA", self.ra, "[deg] centre of the region"), ("DEC", self.dec, "[deg] centre of the region"))
        primary.header.update({name: (value, text) for name, value, text in facts if np.isfinite(value)})
        if np.isfinite(self.spaxels):
            primary.header["HIERARCH MUSE_NB SPAXELS"] = (self.spaxels, "area of the region")
        primary.header["HIERARCH MUSE_NB HOW"] = (self.how, "what was made of its spaxels")
        header = self.axis.copy()
        header["BUNIT"] = fits_unit(self.unit)
        data = fits.ImageHDU(self.flux.astype(np.float64), header, name="DATA")
        hdus = [primary, data]
        if self.error is not None:
            header["BUNIT"] = fits_unit(f"({self.unit})**2" if self.unit else "")
            hdus.append(fits.ImageHDU(self.error**2, header, name="STAT"))
            header["BUNIT"] = fits_unit(self.unit)
            hdus.append(fits.ImageHDU(self.error, header, name="STD"))  # specutils looks for errors by this name
        return fits.HDUList(hdus)

    def mpdaf(self) -> Spectrum:
        """Return it as mpdaf's Spectrum: its variance is the error's square."""
        from mpdaf.obj import Spectrum, WaveCoord

        variance = None if self.error is None else self.error**2
        axis = WaveCoord(self.axis, shape=len(self.flux))
        made = Spectrum(data=self.flux.copy(), var=variance, wave=axis, unit=_unit(self.unit), copy=False)
        made.primary_header.update(self.hdulist()[0].header)
        return made

    def write(self, path: str | Path, *, force: bool = False) -> Path:
        """Write it as FITS, or as a table where the name ends in ``.ecsv`` or ``.csv``; return the path.

        Raises
        ------
        MuseError
            The file is there already, or cannot be written.
        """
        path = Path(path)
        with atomic_write(path, force=force, inputs=[self.cube]) as part:
            if path.suffix in (".ecsv", ".csv"):
                self._table().write(part, format=f"ascii.{path.suffix[1:]}", overwrite=True)
            else:
                self.hdulist().writeto(part, overwrite=True)
        return path

    def _table(self) -> Any:
        from astropy.table import Table

        table = Table({"wavelength": self.wavelength, "flux": self.flux}, units={"wavelength": "Angstrom"})
        if self.error is not None:
            table["error"] = self.error
        table.meta |= {"unit": self.unit, "ra": self.ra, "dec": self.dec, "spaxels": self.spaxels, "how": self.how}
        return table

    def plot(self, axes: Any = None) -> Any:
        """Draw the spectrum with its error band."""
        from muse_nb.steps.look.figures import plot_spectrum

        return plot_spectrum(self.wavelength, self.flux, self.error, self.unit, self.medium, axes)

    def __str__(self) -> str:
        """Tell it in a few lines."""
        good = np.isfinite(self.flux)
        first = (
            f"{self.how} over {self.spaxels:.1f} spaxels at RA {self.ra:.6f}, Dec {self.dec:.6f}:"
            f" {int(good.sum())} of {len(good)} planes, {self.wavelength[0]:.1f} to {self.wavelength[-1]:.1f} Angstrom"
            f" ({self.medium}), in {self.unit or 'no unit'}"
        )
        return "\n".join([first, *self.notes])

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"


@dataclass(frozen=True)
class Band:
    """Image of a range of wavelengths of a cube.

    Attributes
    ----------
    cube : pathlib.Path
        The cube.
    data : numpy.ndarray
        In `unit`, shape (ny, nx).
    error : numpy.ndarray or None
        Standard error of it; None where the cube has no STAT.
    unit : str
        BUNIT of the cube; of a sum, that times Angstrom.
    planes : int
        How many planes were taken.
    wcs : astropy.io.fits.Header
        The sky's axes.
    notes : tuple of str
        What to know of it, a sentence each.
    """

    cube: Path
    data: Array
    error: Array | None
    unit: str
    planes: int
    wcs: Header
    notes: tuple[str, ...] = ()

    def hdulist(self) -> HDUList:
        """DATA and STAT as FITS, as mpdaf's Image reads them."""
        from astropy.io import fits

        header = self.wcs.copy()
        header["BUNIT"] = fits_unit(self.unit)
        hdus = [fits.PrimaryHDU(), fits.ImageHDU(self.data.astype(np.float32), header, name="DATA")]
        if self.error is not None:
            header["BUNIT"] = fits_unit(f"({self.unit})**2" if self.unit else "")
            hdus.append(fits.ImageHDU((self.error**2).astype(np.float32), header, name="STAT"))
        return fits.HDUList(hdus)

    def mpdaf(self) -> Image:
        """Return it as mpdaf's Image: its variance is the error's square."""
        from mpdaf.obj import WCS, Image

        variance = None if self.error is None else self.error**2
        place = WCS(self.wcs, shape=self.data.shape)
        return Image(data=self.data.copy(), var=variance, wcs=place, unit=_unit(self.unit), copy=False)

    def summary(self) -> dict[str, Any]:
        """Say what it is in plain numbers, as ``muse-nb band --json`` prints it."""
        finite = self.data[np.isfinite(self.data)]
        return {
            "cube": str(self.cube),
            "shape": list(self.data.shape),
            "planes": self.planes,
            "unit": self.unit,
            "median": float(np.median(finite)) if finite.size else None,
            "nan": int(self.data.size - finite.size),
            "notes": list(self.notes),
        }

    def write(self, path: str | Path, *, force: bool = False) -> Path:
        """Write it as FITS; return the path.

        Raises
        ------
        MuseError
            The file is there already, or cannot be written.
        """
        with atomic_write(path, force=force, inputs=[self.cube]) as part:
            self.hdulist().writeto(part, overwrite=True)
        return Path(path)

    def __str__(self) -> str:
        """Tell it in a few lines."""
        ny, nx = self.data.shape
        return "\n".join([f"{nx} x {ny} spaxels from {self.planes} planes, in {self.unit or 'no unit'}", *self.notes])


def _unit(text: str) -> Any:
    """BUNIT as a unit of astropy, whatever it says."""
    import astropy.units as u

    return u.Unit(fits_unit(text), parse_strict="silent") if text else u.dimensionless_unscaled


def _plain(values: Array) -> list[float | None]:
    return [value if np.isfinite(value) else None for value in values.tolist()]
