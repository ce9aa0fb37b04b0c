"""Spectra of the stars of a cube: a table of stars and arrays of spectra, which write, read and show themselves."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.atomic import atomic_write
from muse_nb.core.errors import MuseError
from muse_nb.core.html import Shown, findings_html, table_html
from muse_nb.steps.look.headers import fits_unit
from muse_nb.steps.look.result import Extraction
from muse_nb.steps.stars import storage
from muse_nb.steps.stars.quality import words

if TYPE_CHECKING:
    from astropy.io.fits import Header
    from astropy.table import Table

__all__ = ["StarSpectra"]

Array = NDArray[np.float64]
Single = NDArray[np.float32]
SHOWN = 12  # stars in a notebook's table


@dataclass(frozen=True)
class StarSpectra(Shown):
    """Spectra of the stars of a cube.

    Attributes
    ----------
    cube : pathlib.Path
        The cube.
    stars : astropy.table.Table
        A row a star: number (from 1), id (the catalogue's, else the number), ra and dec [deg], x and y [pixel, FITS:
        from 1] in the middle of the wavelengths, mag_F and mag_err_F a filter F (AB), snr (median of the planes),
        fwhm [arcsec], quality (bits, see `muse_nb.steps.stars.quality`), group (stars that overlap share a number),
        neighbours (how many others it overlaps), crowding (its errors over those of the star alone), chi2 (of the fit's
        residuals in its core, median of the planes), common_error (that all planes share, over the flux; in mag_err,
        not in error) and rejected (share of the voxels in its core that were left out).
    wavelength : numpy.ndarray
        Of the planes [Angstrom], shape (planes,).
    flux, error : numpy.ndarray
        Total flux by plane, the profile to infinity, and its standard error, in `unit`, shape (stars, planes); error is
        NaN where the cube has no STAT, both are where the star has no data.
    mask : numpy.ndarray
        True where flux is not to be used, shape (stars, planes).
    chi2 : numpy.ndarray
        Residuals of the fit in the star's core over what the errors say, squared, mean; shape (stars, planes).
    psf : astropy.table.Table
        By wavelength [Angstrom]: fwhm [arcsec] and beta of the Moffat, dx and dy [pixel], by which all stars drift.
    unit : str
        BUNIT of the cube.
    medium : str
        ``air``, ``vacuum`` or ``unknown``: what the wavelengths are measured in.
    axis : astropy.io.fits.Header
        The wavelengths as a FITS axis.
    notes : tuple of str
        What to know of it, a sentence each.
    findings : tuple of str
        What was found wrong, a sentence each.

    Examples
    --------
    >>> found = muse_nb.extract_stars("CUBE.fits")
    >>> found.write("STARS.fits")
    PosixPath('STARS.fits')
    >>> muse_nb.StarSpectra.read("STARS.fits").flux.shape == found.flux.shape
    True
    """

    cube: Path
    stars: Table
    wavelength: Array
    flux: Single
    error: Single
    mask: NDArray[np.bool_]
    chi2: Single
    psf: Table
    unit: str
    medium: str
    axis: Header
    notes: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()

    def __len__(self) -> int:
        """How many stars."""
        return len(self.stars)

    def row(self, number: int) -> int:
        """Row of a star by its number.

        Raises
        ------
        MuseError
            There is no such star.
        """
        found = np.flatnonzero(np.asarray(self.stars["number"]) == number)
        if not len(found):
            raise MuseError(f"there is no star {number}: they are numbered 1 to {len(self)}")
        return int(found[0])

    def spectrum(self, number: int) -> Extraction:
        """The spectrum of one star, masked planes NaN; it writes itself as mpdaf and specutils read it.

        Raises
        ------
        MuseError
            There is no such star.
        """
        row = self.row(number)
        good = ~self.mask[row]
        star = self.stars[row]
        known = np.isfinite(self.error[row]).any()
        told = words(int(star["quality"]))
        return Extraction(
            cube=self.cube,
            wavelength=self.wavelength,
            flux=np.where(good, self.flux[row], np.nan).astype(float),
            error=np.where(good, self.error[row], np.nan).astype(float) if known else None,
            unit=self.unit,
            spaxels=float("nan"),
            ra=float(star["ra"]),
            dec=float(star["dec"]),
            how="psf of all stars",
            medium=self.medium,
            axis=self.axis,
            notes=(f"star {number}: {told}",) if told else (),
        )

    def near(self, x: float, y: float, within: float) -> int | None:
        """Number of the star nearest to a place [pixel from 0]; None where none lies within some pixels."""
        if not len(self):
            return None
        distance = np.hypot(np.asarray(self.stars["x"]) - 1 - x, np.asarray(self.stars["y"]) - 1 - y)
        nearest = int(np.argmin(distance))
        return int(self.stars["number"][nearest]) if distance[nearest] <= within else None

    def write(self, path: str | Path, *, force: bool = False) -> Path:
        """Write it as one FITS file, STARS, FLUX, ERROR, MASK, CHI2 and PSF; return the path.

        Raises
        ------
        MuseError
            The file is there already, or cannot be written.
        """
        unit = fits_unit(self.unit)
        with atomic_write(path, force=force, inputs=[self.cube]) as part:
            storage.write(part, vars(self) | {"unit": unit})
        return Path(path)

    def write_each(self, folder: str | Path, *, force: bool = False) -> list[Path]:
        """Write a FITS file a star into a folder, as mpdaf and specutils open it; return the paths.

        Raises
        ------
        MuseError
            A file is there already, or cannot be written.
        """
        numbers = [int(number) for number in self.stars["number"]]
        wide = len(str(max(numbers, default=1)))
        paths = [Path(folder) / f"star-{number:0{wide}d}.fits" for number in numbers]
        return [self.spectrum(k).write(path, force=force) for k, path in zip(numbers, paths, strict=True)]

    @classmethod
    def read(cls, path: str | Path) -> StarSpectra:
        """Read what `write` wrote.

        Raises
        ------
        MuseError
            The file cannot be read, or is none of them.
        """
        return cls(**storage.read(Path(path)))

    def summary(self) -> dict[str, Any]:
        """Everything but the spectra as plain numbers, as ``muse-nb stars --json`` prints it; NaN is None."""
        rows = [{name: _plain(row[name]) for name in self.stars.colnames} for row in self.stars]
        first, last = (float(self.wavelength[k]) for k in (0, -1))
        return {
            "cube": str(self.cube),
            "planes": len(self.wavelength),
            "range": [first, last],
            "medium": self.medium,
            "unit": self.unit,
            "stars": [row | {"told": words(row["quality"])} for row in rows],
            "notes": list(self.notes),
            "findings": list(self.findings),
        }

    def plot(self, number: int | None = None, axes: Any = None) -> Any:
        """Draw a star's spectrum with the residual of its fit; without a number, all stars by magnitude and S/N."""
        from muse_nb.steps.stars import figures

        if number is None:
            return figures.plot_stars(self.stars, axes)
        row = self.row(number)
        return figures.plot_star(
            self.wavelength, self.spectrum(number).flux, self.error[row], self.chi2[row], self.unit, self.medium, axes
        )

    def __str__(self) -> str:
        """Tell it in a few lines."""
        return "\n".join([self._first(), *self.findings, *self.notes])

    def _first(self) -> str:
        first, last = self.wavelength[0], self.wavelength[-1]
        return (
            f"{len(self)} star{'s' * (len(self) != 1)} in {len(self.wavelength)} planes, {first:.1f} to {last:.1f}"
            f" Angstrom ({self.medium}), in {self.unit or 'no unit'}"
        )

    def _repr_html_(self) -> str:
        head, rows = self._shown()
        more = len(self) - len(rows)
        tail = f"<p>and {more} more</p>" if more > 0 else ""
        text = "\n".join([self._first(), *self.notes])
        return f"<pre>{escape(text)}</pre>{findings_html(self.findings)}{table_html(head, rows)}{tail}"

    def _shown(self) -> tuple[list[str], list[list[str]]]:
        """Head and rows of the brightest stars."""
        filters = [name for name in self.stars.colnames if name.startswith("mag_") and not name.startswith("mag_err")]
        head = ["number", "RA [deg]", "Dec [deg]", *(f"{name[4:]} [mag]" for name in filters), "S/N", "neighbours", ""]
        order = np.argsort(-np.nan_to_num(np.asarray(self.stars["snr"], float)))[:SHOWN]
        rows = [
            [
                str(star["number"]),
                f"{star['ra']:.6f}",
                f"{star['dec']:.6f}",
                *(f"{star[name]:.2f}" for name in filters),
                f"{star['snr']:.1f}",
                str(star["neighbours"]),
                words(int(star["quality"])),
            ]
            for star in self.stars[order]
        ]
        return head, rows


def _plain(value: Any) -> Any:
    plain = value.item() if hasattr(value, "item") else value
    return None if isinstance(plain, float) and not np.isfinite(plain) else plain
