"""Spectra of stars as a FITS file: STARS and PSF are tables, FLUX, ERROR, MASK and CHI2 images of stars by planes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from muse_nb.core.errors import MuseError
from muse_nb.products.spectral_axis import SpectralAxis

__all__ = ["read", "write"]

_OURS = {"FLAG": "quality"}  # names in the file that are others in memory
_MAGNITUDES = ("mag_err_", "mag_")  # before the name of a filter, which keeps its capitals
_IMAGES = {"FLUX": "flux", "ERROR": "error", "MASK": "mask", "CHI2": "chi2"}


def write(path: Path, parts: dict[str, Any]) -> None:
    """Write the parts of a result, named as its attributes."""
    from astropy.io import fits

    primary = fits.PrimaryHDU()
    primary.header["HIERARCH MUSE_NB CUBE"] = (str(parts["cube"].name), "the cube")
    for kind in ("notes", "findings"):
        for number, text in enumerate(parts[kind], start=1):
            primary.header[f"HIERARCH MUSE_NB {kind.upper()[:-1]}{number}"] = _ascii(text)
    table = parts["stars"].copy()
    for name in list(table.colnames):
        table.rename_column(name, _in_file(name))
    hdus = [primary, fits.BinTableHDU(table, name="STARS")]
    for name, ours in _IMAGES.items():
        header = _axes(parts["axis"])
        if name in ("FLUX", "ERROR"):
            header["BUNIT"] = parts["unit"]
        array = parts[ours]
        hdus.append(fits.ImageHDU(array.astype(np.uint8) if name == "MASK" else array, header, name=name))
    hdus.append(fits.BinTableHDU(parts["psf"], name="PSF"))
    fits.HDUList(hdus).writeto(path, overwrite=True)


def _axes(wavelengths: Any) -> Any:
    """The wavelengths, and the stars' rows as a second axis."""
    header = wavelengths.copy()
    header["WCSAXES"] = 2
    for key, value in {"CTYPE2": "STAR", "CRPIX2": 1.0, "CRVAL2": 1.0, "CDELT2": 1.0, "CD2_2": 1.0}.items():
        header[key] = value
    header["CD1_2"] = header["CD2_1"] = 0.0
    return header


def read(path: Path) -> dict[str, Any]:
    """Read the parts of a result.

    Raises
    ------
    MuseError
        The file cannot be read, or is none of them.
    """
    from astropy.io import fits
    from astropy.table import Table

    try:
        with fits.open(path, memmap=False) as hdus:
            names = {hdu.name for hdu in hdus}
            missing = [name for name in ("STARS", "PSF", *_IMAGES) if name not in names]
            if missing:
                raise MuseError(f"{path} holds no {', '.join(missing)}: is it a file of muse-nb stars?")
            arrays = {ours: np.array(hdus[name].data) for name, ours in _IMAGES.items()}
            tables = {name.lower(): Table(hdus[name].data) for name in ("STARS", "PSF")}
            for name, table in tables.items():
                for column in hdus[name.upper()].columns:
                    table[column.name].unit = column.unit
            header, primary = hdus["FLUX"].header.copy(), hdus[0].header.copy()
    except OSError as error:
        raise MuseError(f"{path} cannot be read: {error.strerror or error}") from error
    stars = tables["stars"]
    for name in list(stars.colnames):
        stars.rename_column(name, _in_memory(name))
    axis, wavelength = _wavelengths(header, path)
    arrays = {name: array.astype(bool if name == "mask" else np.float32) for name, array in arrays.items()}
    return arrays | {
        "cube": Path(str(primary.get("MUSE_NB CUBE", ""))),
        "stars": stars,
        "psf": tables["psf"],
        "wavelength": wavelength,
        "unit": str(header.get("BUNIT") or ""),
        "medium": {"AWAV": "air", "WAVE": "vacuum"}.get(str(header["CTYPE1"])[:4], "unknown"),
        "axis": axis,
        "notes": _texts(primary, "NOTE"),
        "findings": _texts(primary, "FINDING"),
    }


def _in_file(name: str) -> str:
    """The name of a column in the file."""
    for start in _MAGNITUDES:
        if name.startswith(start):
            return start.upper() + name.removeprefix(start)
    return {ours: theirs for theirs, ours in _OURS.items()}.get(name, name.upper())


def _in_memory(name: str) -> str:
    """The name of a column of the file in memory."""
    for start in _MAGNITUDES:
        if name.startswith(start.upper()):
            return start + name.removeprefix(start.upper())
    return _OURS.get(name, name.lower())


def _wavelengths(header: Any, path: Path) -> tuple[Any, np.ndarray]:
    from astropy.io import fits

    axis = fits.Header([("WCSAXES", 1)])
    for key in ("CTYPE1", "CUNIT1", "CRPIX1", "CRVAL1", "CDELT1", "CD1_1"):
        if key in header:
            axis[key] = header[key]
    third = {key.replace("1", "3"): value for key, value in axis.items() if key != "CD1_1"}
    third["CD3_3"] = axis.get("CD1_1", axis.get("CDELT1"))
    return axis, SpectralAxis.of(third, path).wavelengths(int(header["NAXIS1"]))


def _texts(header: Any, kind: str) -> tuple[str, ...]:
    found: list[str] = []
    while (text := header.get(f"MUSE_NB {kind}{len(found) + 1}")) is not None:
        found.append(str(text))
    return tuple(found)


def _ascii(text: str) -> str:
    """What a FITS card may hold."""
    return "".join(c if " " <= c <= "~" else "?" for c in text)
