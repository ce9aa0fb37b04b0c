"""Maps of a line in a cube: what `line_map` returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.atomic import atomic_write
from muse_nb.steps.look.headers import fits_unit

if TYPE_CHECKING:
    from astropy.io.fits import HDUList, Header

__all__ = ["LineFit", "LineMaps"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class LineFit:
    """A line in one spaxel.

    Attributes
    ----------
    line : str
        Name of the line.
    expected : float
        Wavelength of velocity 0 [Angstrom, in the cube's medium].
    wavelength, curve : numpy.ndarray
        What was fitted; NaN where no fit was found.
    told : dict of str to float
        FLUX, VELOCITY and DISPERSION [km/s], CONTINUUM, and the errors of the first three, as in `LineMaps`.
    """

    line: str
    expected: float
    wavelength: Array
    curve: Array
    told: dict[str, float]


@dataclass(frozen=True)
class LineMaps:
    """A line in every spaxel.

    Attributes
    ----------
    cube : pathlib.Path
        The cube.
    line : str
        Name of the line.
    expected : float
        Wavelength of velocity 0 [Angstrom, in the cube's medium].
    redshift : float
        That it was expected at.
    method : str
        ``gauss`` or ``moments``.
    maps : dict of str to numpy.ndarray
        FLUX, CONTINUUM, VELOCITY and DISPERSION [km/s], and FLUX_ERR, VELOCITY_ERR, DISPERSION_ERR, shape (ny, nx).
    unit : str
        Of the continuum; of the flux, that times Angstrom.
    wcs : astropy.io.fits.Header
        The sky's axes.
    notes : tuple of str
        What to know of it, a sentence each.
    """

    cube: Path
    line: str
    expected: float
    redshift: float
    method: str
    maps: dict[str, Array] = field(repr=False)
    unit: str
    wcs: Header = field(repr=False)
    notes: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Array:
        """Return a map by its name."""
        return self.maps[name]

    def units(self) -> dict[str, str]:
        """Units of the maps."""
        flux = f"{self.unit} Angstrom".strip()
        own = {"FLUX": flux, "FLUX_ERR": flux, "CONTINUUM": self.unit}
        return {name: own.get(name, "km/s") for name in self.maps}

    def hdulist(self) -> HDUList:
        """Each map as an extension of FITS."""
        from astropy.io import fits

        primary = fits.PrimaryHDU()
        primary.header["HIERARCH MUSE_NB LINE"] = (self.line, "what is mapped")
        primary.header["HIERARCH MUSE_NB LAMBDA"] = (self.expected, "[Angstrom] of velocity 0")
        primary.header["HIERARCH MUSE_NB REDSHIFT"] = (self.redshift, "of velocity 0")
        primary.header["HIERARCH MUSE_NB METHOD"] = self.method
        hdus = [primary]
        for name, unit in self.units().items():
            header = self.wcs.copy()
            header["BUNIT"] = fits_unit(unit)
            hdus.append(fits.ImageHDU(self.maps[name].astype(np.float32), header, name=name))
        return fits.HDUList(hdus)

    def write(self, path: str | Path, *, force: bool = False) -> Path:
        """Write all maps as one FITS file; return its path.

        Raises
        ------
        MuseError
            The file is there already, or cannot be written.
        """
        with atomic_write(path, force=force, inputs=[self.cube]) as part:
            self.hdulist().writeto(part, overwrite=True)
        return Path(path)

    def summary(self) -> dict[str, Any]:
        """Say what was found in plain numbers, as ``muse-nb lines --json`` prints it."""
        velocity = self.maps["VELOCITY"][np.isfinite(self.maps["VELOCITY"])]
        flux = self.maps["FLUX"][np.isfinite(self.maps["VELOCITY"])]
        return {
            "cube": str(self.cube),
            "line": self.line,
            "expected": self.expected,
            "redshift": self.redshift,
            "method": self.method,
            "spaxels": int(velocity.size),
            "flux": float(flux.sum()) if flux.size else None,
            "velocity_median": float(np.median(velocity)) if velocity.size else None,
            "units": self.units(),
            "notes": list(self.notes),
        }

    def plot(self) -> Any:
        """Draw flux, velocity and dispersion side by side; return the figure."""
        from muse_nb.steps.look.figures import plot_line_maps

        return plot_line_maps(self.maps, self.units(), self.wcs, f"{self.line} at {self.expected:.1f} Angstrom")

    def __str__(self) -> str:
        """Tell it in a few lines."""
        told = self.summary()
        size = self.maps["FLUX"].size
        first = f"{self.line} at {self.expected:.2f} Angstrom: measured in {told['spaxels']} of {size} spaxels"
        if told["spaxels"]:
            first += f", velocity {told['velocity_median']:+.1f} km/s (median)"
        return "\n".join([first, *self.notes])
