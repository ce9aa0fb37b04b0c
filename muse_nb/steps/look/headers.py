"""Headers of what is taken from a cube: its sky without wavelengths, its wavelengths without a sky."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from astropy.io.fits import Header

    from muse_nb.products.cube_file import CubeFile
    from muse_nb.products.spectral_axis import SpectralAxis

__all__ = ["fits_unit", "sky_axes", "unit_of", "wavelength_axis"]

_CTYPE = {"air": "AWAV", "vacuum": "WAVE", "unknown": "LINEAR"}


def wavelength_axis(axis: SpectralAxis) -> Header:
    """Write a cube's third axis as the only one of a spectrum [Angstrom]."""
    from astropy.io import fits

    header = fits.Header()
    header["WCSAXES"] = 1
    header["CTYPE1"] = _CTYPE[axis.medium] + ("-LOG" if axis.logarithmic else "")
    header["CUNIT1"] = "Angstrom"
    header["CRPIX1"] = axis.reference
    header["CRVAL1"] = axis.start
    header["CDELT1"] = header["CD1_1"] = axis.step
    return header


def sky_axes(cube: CubeFile) -> Header:
    """Write a cube's celestial axes as those of an image, with its OBJECT and DATE-OBS."""
    header = cube.celestial.to_header()
    matrix = cube.celestial.pixel_scale_matrix
    for key in [key for key in header if key.startswith(("PC", "CDELT"))]:
        del header[key]
    for (i, j), value in np.ndenumerate(matrix):
        header[f"CD{i + 1}_{j + 1}"] = float(value)
    for key in ("OBJECT", "DATE-OBS", "EXPTIME", "ESO OBS NAME"):
        if key in cube.primary:
            header[f"HIERARCH {key}" if key.startswith("ESO ") else key] = cube.primary[key]
    return header


def unit_of(cube: CubeFile) -> str:
    """BUNIT of the cube, empty where it has none."""
    return str(cube.header.get("BUNIT") or "").strip()


def fits_unit(text: str) -> str:
    """Write a unit as the FITS standard has it, which every reader takes; as it is where astropy does not know it."""
    import astropy.units as u

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of more than one slash, as the recipes write
        try:
            return str(u.Unit(text).to_string("fits")) if text else ""
        except ValueError:
            return text
