"""Calibrations of the whole instrument: geometry, bad pixels, astrometry, fluxes, filters, twilight."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from astropy.io import fits

from muse_nb.products.dq import DQ
from muse_nb.simulator import spectra
from muse_nb.simulator.detector import Defect, chip_defects
from muse_nb.simulator.flats import LAMP_FLUX
from muse_nb.simulator.headers import calibration_header, eso, hierarch
from muse_nb.simulator.instrument import Instrument
from muse_nb.simulator.layouts import PRESCAN, SLICES, Layout

if TYPE_CHECKING:
    from muse_nb.simulator.chips import Chips

__all__ = ["STATIC", "over_zealous", "response_curve", "table", "write_static"]


def write_static(name: str, chips: Chips, path: Path) -> None:
    """Write the calibration file called `name` (without suffix) to `path`."""
    STATIC[name](chips, path)


def table(columns: Mapping[str, tuple[str, str, object]]) -> fits.BinTableHDU:
    """Binary table from {column: (format, unit, values)}."""
    return fits.BinTableHDU.from_columns(
        [fits.Column(name, form, unit=unit or None, array=array) for name, (form, unit, array) in columns.items()]
    )


def _write(path: Path, header: fits.Header, *extensions: fits.BinTableHDU | fits.ImageHDU) -> None:
    fits.HDUList([fits.PrimaryHDU(header=header), *extensions]).writeto(path, overwrite=True)


def _header(instrument: Instrument, category: str) -> fits.Header:
    return calibration_header(instrument.layout, category, f"{category}.fits")


def _geometry(chips: Chips, path: Path) -> None:
    rows = [s for ifu in range(1, 25) for s in chips.instrument.geometry[ifu]]
    columns: dict[str, tuple[str, str, object]] = {
        "SubField": ("J", "", [s.ifu for s in rows]),
        "SliceCCD": ("J", "", [s.slice for s in rows]),
        "SliceSky": ("J", "", [s.sky for s in rows]),
        "x": ("D", "pix", [s.x for s in rows]),
        "y": ("D", "pix", [s.y for s in rows]),
        "angle": ("D", "deg", [s.angle for s in rows]),
        "width": ("D", "pix", [s.width for s in rows]),
    }
    errors: dict[str, tuple[str, str, object]] = {
        f"{name}err": ("D", columns[name][1], np.full(len(rows), 0.01)) for name in ("x", "y", "angle", "width")
    }
    _write(path, _header(chips.instrument, "GEOMETRY_TABLE"), table(columns | errors))


def over_zealous(instrument: Instrument, ifu: int) -> list[Defect]:
    """What a careless bad-pixel search adds: a third of every fourth slice over most of its length, called dark."""
    layout = instrument.layout
    rows = int(0.2 * layout.ny), int(0.8 * layout.ny)
    starts = [layout.first_column + layout.pitch * k for k in range(SLICES) if k % 4 == (ifu + 1) % 4]
    return [Defect(DQ.DARKPIXEL, (int(x + 0.26 * layout.width), int(x + 0.60 * layout.width)), rows) for x in starts]


def _raw_position(trimmed: np.ndarray, half: int) -> np.ndarray:
    """Trimmed to raw pixel number, both 1-based: past the middle lie two more overscans."""
    return trimmed + PRESCAN + np.where(trimmed > half, 2 * PRESCAN, 0)


def _badpix_extension(layout: Layout, ifu: int, defects: list[Defect]) -> fits.BinTableHDU:
    x, y, status = [], [], []
    for defect in defects:
        columns, rows = np.meshgrid(np.arange(defect.x[0], defect.x[1] + 1), np.arange(defect.y[0], defect.y[1] + 1))
        x.append(columns.ravel())
        y.append(rows.ravel())
        status.append(np.full(columns.size, int(defect.status)))
    extension = table(
        {
            "xpos": ("J", "pix", _raw_position(np.concatenate(x), layout.quadrant[0])),
            "ypos": ("J", "pix", _raw_position(np.concatenate(y), layout.quadrant[1])),
            "status": ("J", "", np.concatenate(status)),
            "value": ("E", "count", np.zeros(sum(part.size for part in x), np.float32)),
        }
    )
    extension.header["EXTNAME"] = f"CHAN{ifu:02d}"
    return extension


def _badpix(chips: Chips, path: Path, *, zealous: bool = False) -> None:
    tables = [
        _badpix_extension(
            chips.instrument.layout,
            ifu,
            chip_defects(chips.instrument, ifu) + (over_zealous(chips.instrument, ifu) if zealous else []),
        )
        for ifu in chips.instrument.layout.ifus
    ]
    _write(path, _header(chips.instrument, "BADPIX_TABLE"), *tables)


def _badpix_zealous(chips: Chips, path: Path) -> None:
    _badpix(chips, path, zealous=True)


def _astrometry(chips: Chips, path: Path) -> None:
    """A perfect solution: the spaxels' size, no rotation, the derotator's axis in the centre of the field."""
    header = _header(chips.instrument, "ASTROMETRY_WCS")
    header["WCSAXES"] = 2
    step = chips.instrument.layout.spaxel / 3600
    for axis, (kind, scale) in enumerate((("RA---TAN", -step), ("DEC--TAN", step)), start=1):
        header[f"CRPIX{axis}"], header[f"CD{axis}_{axis}"] = 0.0, scale
        header[f"CTYPE{axis}"], header[f"CUNIT{axis}"] = kind, "deg"
    header["CD1_2"], header["CD2_1"] = 0.0, 0.0
    _write(path, header)


def _extinction(chips: Chips, path: Path) -> None:
    wavelength = np.arange(3200.0, 10500.0, 50.0)
    columns: dict[str, tuple[str, str, object]] = {
        "lambda": ("D", "Angstrom", wavelength),
        "extinction": ("D", "mag/airmass", spectra.extinction(wavelength)),
    }
    _write(path, _header(chips.instrument, "EXTINCT_TABLE"), table(columns))


def response_curve(instrument: Instrument, wavelength: np.ndarray) -> np.ndarray:
    """Electrons per second and Angstrom for 1 erg/s/cm**2/Angstrom, as fluxes are scaled to the first IFU's."""
    first = instrument.layout.ifus[0]
    curve: np.ndarray = spectra.sensitivity(wavelength) * instrument.throughput(first, np.arange(1, SLICES + 1)).mean()
    return curve


def _response(chips: Chips, path: Path) -> None:
    wavelength = np.arange(4000.0, 10000.0, 10.0)
    unit = "2.5*log10((count/s/Angstrom)/(erg/s/cm**2/Angstrom))"
    header = _header(chips.instrument, "STD_RESPONSE")
    hierarch(header, "DRS MUSE FLUX FFCORR", True)  # scipost multiplies by the flat-field spectrum
    columns: dict[str, tuple[str, str, object]] = {
        "lambda": ("D", "Angstrom", wavelength),
        "response": ("D", unit, 2.5 * np.log10(response_curve(chips.instrument, wavelength))),
        "resperr": ("D", unit, np.full(wavelength.size, 0.01)),
    }
    _write(path, header, table(columns))


def _telluric(chips: Chips, path: Path) -> None:
    wavelength = np.arange(6000.0, 10000.0, 2.0)
    header = _header(chips.instrument, "STD_TELLURIC")
    hierarch(header, "DRS MUSE FLUX FFCORR", True)
    columns: dict[str, tuple[str, str, object]] = {
        "lambda": ("D", "Angstrom", wavelength),
        "ftelluric": ("D", "", spectra.telluric(wavelength)),
        "ftellerr": ("D", "", np.full(wavelength.size, 0.01)),
    }
    _write(path, header, table(columns))


FILTERS = {"Johnson_V": (4900, 6200), "Cousins_R": (5700, 7200), "SDSS_r": (5450, 6950), "Cousins_I": (7100, 8800)}


def _filters(chips: Chips, path: Path) -> None:
    """Boxes with soft edges, near the passbands of the same names."""
    extensions = []
    for name, (low, high) in FILTERS.items():
        wavelength = np.arange(low - 50.0, high + 51.0, 10.0)
        throughput = np.clip((np.minimum(wavelength - low, high - wavelength) + 50) / 100, 0, 1)
        band = table({"lambda": ("D", "Angstrom", wavelength), "throughput": ("D", "", throughput)})
        band.header["EXTNAME"] = name  # upper case, as astropy's `name` would make it, is not found by the recipes
        band.header["ZP_VEGA"], band.header["ZP_AB"] = 0.0, 0.0
        extensions.append(band)
    _write(path, _header(chips.instrument, "FILTER_LIST"), *extensions)


def _twilight(chips: Chips, path: Path) -> None:
    """Even illumination, and every IFU's throughput."""
    header = eso(_header(chips.instrument, "TWILIGHT_CUBE"), INS_MODE=chips.instrument.layout.mode)
    for ifu in range(1, 25):
        flux = LAMP_FLUX * (chips.level(ifu) if ifu in chips.instrument.layout.ifus else 1.0)
        hierarch(header, f"DRS MUSE FLAT FLUX SKY{ifu}", flux)
    low, high = (np.floor(edge) for edge in chips.instrument.limits)
    wavelength = np.arange(chips.instrument.layout.lambda_first - 50, chips.instrument.layout.lambda_last + 300, 250.0)
    nx, ny = (int(n) + 3 for n in high - low)
    cube = fits.ImageHDU(np.ones((wavelength.size, ny, nx), ">f4"), name="DATA")
    cube.header["BUNIT"] = ""
    axes = (
        ("PIXEL", low[0] - 1, 1.0, "pixel"),
        ("PIXEL", low[1] - 1, 1.0, "pixel"),
        ("AWAV", wavelength[0], 250.0, "Angstrom"),
    )
    for axis, (kind, value, step, unit) in enumerate(axes, start=1):
        cube.header[f"CTYPE{axis}"], cube.header[f"CUNIT{axis}"] = kind, unit
        cube.header[f"CRPIX{axis}"], cube.header[f"CRVAL{axis}"] = 1.0, float(value)
        for other in range(1, 4):
            cube.header[f"CD{axis}_{other}"] = step if axis == other else 0.0
    _write(path, header, cube)


STATIC = {
    "GEOMETRY_TABLE": _geometry,
    "BADPIX_TABLE": _badpix,
    "BADPIX_TABLE_zealous": _badpix_zealous,
    "ASTROMETRY_WCS": _astrometry,
    "EXTINCT_TABLE": _extinction,
    "STD_RESPONSE": _response,
    "STD_TELLURIC": _telluric,
    "FILTER_LIST": _filters,
    "TWILIGHT_CUBE": _twilight,
}
