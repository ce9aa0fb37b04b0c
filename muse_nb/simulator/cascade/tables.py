"""Static calibrations of the cascade: arc lines, sky lines, fluxes of the standard, positions of the field's stars."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from astropy.io import fits

from muse_nb.simulator import spectra
from muse_nb.simulator.cascade.arcs import ELECTRONS, arc_lines
from muse_nb.simulator.cascade.stars import ASTROMETRIC_FIELD, STANDARD, STANDARD_MAGNITUDE, Field
from muse_nb.simulator.chips import Chips
from muse_nb.simulator.headers import calibration_header
from muse_nb.simulator.instrument import Instrument
from muse_nb.simulator.night_sky import emission_lines
from muse_nb.simulator.static import STATIC as SHARED
from muse_nb.simulator.static import table, write_static

__all__ = ["STATIC", "write_table"]

SPAXELS_IN_ARCSEC2 = 25.0
_PLAIN = ("GEOMETRY_TABLE", "BADPIX_TABLE", "ASTROMETRY_WCS", "EXTINCT_TABLE", "FILTER_LIST")


def write_table(tag: str, instrument: Instrument, fields: Mapping[str, Field], path: Path) -> None:
    """Write the static calibration `tag`, one of `STATIC`, to `path`; `fields` are what frames of stars look at."""
    if tag in SHARED:
        write_static(tag, Chips(instrument), path)
        return
    extension = _OWN[tag](instrument, fields)
    header = calibration_header(instrument.layout, tag, f"{tag}.fits")
    del header["PIPEFILE"]  # with it muse_wavecal takes the LINE_CATALOG for another IFU's
    if tag == "LINE_CATALOG":
        header["VERSION"] = 3  # muse_wavecal accepts no other
    fits.HDUList([fits.PrimaryHDU(header=header), extension]).writeto(path, overwrite=True)


def _line_catalogue(_: Instrument, __: Mapping[str, Field]) -> fits.BinTableHDU:
    """Lines of all lamps, ascending, their fluxes in the unit of the frames: the faintest sets what is detected."""
    lines = sorted(arc_lines(), key=lambda line: line.wavelength)
    return table(
        {
            "lambda": ("E", "Angstrom", [line.wavelength for line in lines]),
            "flux": ("E", "", [ELECTRONS * line.brightness for line in lines]),
            "ion": ("8A", "", [line.ion for line in lines]),
            "quality": ("J", "", [line.quality for line in lines]),
        }
    )


def _sky_lines(instrument: Instrument, _: Mapping[str, Field]) -> fits.BinTableHDU:
    lines = sorted(emission_lines(real=instrument.layout.real))
    groups = {name: number for number, name in enumerate(dict.fromkeys(name for _, _, name in lines))}
    extension = table(
        {
            "name": ("16A", "", [f"{name} {wavelength:.0f}" for wavelength, _, name in lines]),
            "group": ("J", "", [groups[name] for _, _, name in lines]),
            "lambda": ("D", "Angstrom", [wavelength for wavelength, _, _ in lines]),
            "flux": ("D", "10**(-20)*erg/(s cm^2 arcsec^2)", [SPAXELS_IN_ARCSEC2 * flux for _, flux, _ in lines]),
            "dq": ("J", "", np.zeros(len(lines), int)),
        }
    )
    extension.header["EXTNAME"] = "LINES"
    return extension


def _standard_fluxes(_: Instrument, fields: Mapping[str, Field]) -> fits.BinTableHDU:
    """Fluxes of the star that should be there; muse_standard takes the nearest within 60 arcsec of RA and DEC."""
    wavelength = np.arange(4000.0, 10000.0, 1.0)
    unit = "erg/s/cm**2/Angstrom"
    flux = spectra.warm_star(wavelength) * spectra.magnitude_to_flux(np.array(STANDARD_MAGNITUDE)) * spectra.FLUX_UNIT
    extension = table(
        {
            "lambda": ("D", "Angstrom", wavelength),
            "flux": ("D", unit, flux),
            "fluxerr": ("D", unit, flux * 0.001),
        }
    )
    extension.header["EXTNAME"] = STANDARD
    extension.header["RA"], extension.header["DEC"] = fields["STD"].pointing.ra, fields["STD"].pointing.dec
    return extension


def _reference(_: Instrument, fields: Mapping[str, Field]) -> fits.BinTableHDU:
    stars, pointing = fields["ASTROMETRY"].stars, fields["ASTROMETRY"].pointing
    extension = table(
        {
            "SourceID": ("10A", "", [f"star{number}" for number in stars["star"]]),
            "RA": ("D", "deg", stars["ra"]),
            "DEC": ("D", "deg", stars["dec"]),
            "filter": ("5A", "", ["R"] * len(stars)),
            "mag": ("D", "mag", stars["magnitude"]),
        }
    )
    extension.header["EXTNAME"] = ASTROMETRIC_FIELD
    extension.header["RA"], extension.header["DEC"] = pointing.ra, pointing.dec
    return extension


_OWN: dict[str, Callable[[Instrument, Mapping[str, Field]], fits.BinTableHDU]] = {
    "LINE_CATALOG": _line_catalogue,
    "SKY_LINES": _sky_lines,
    "STD_FLUX_TABLE": _standard_fluxes,
    "ASTROMETRY_REFERENCE": _reference,
}
STATIC = (*_PLAIN, *_OWN)
"""Tags of the static calibrations."""
