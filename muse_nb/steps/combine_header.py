"""Headers of combined cubes and their images: as the recipe writes them, made right where it is wrong."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from muse_nb import __version__
from muse_nb.products.errors import MuseError
from muse_nb.products.header import read
from muse_nb.resample.grid import CubeGrid
from muse_nb.resample.inputs import Inputs

if TYPE_CHECKING:
    from astropy.io.fits import Header

__all__ = ["image_headers", "layer_headers", "primary_header"]

_DROPPED = re.compile(  # of the first table: its own WCS, its rows' origins, what describes that file only
    r"(CRPIX|CRVAL|CTYPE|CUNIT|CD)\d|ESO DRS MUSE PIXTABLE |PIPEFILE|DATAMD5|CHECKSUM|DATASUM|DATE$|ESO PRO DATANCOM"
)


def primary_header(inputs: Inputs, catg: str, parameters: dict[str, Any]) -> Header:
    """Make the primary header of a product from the first exposure's.

    Parameters
    ----------
    inputs
        The exposures.
    catg
        PRO CATG of the product.
    parameters
        How it was made, for the PRO REC keywords.

    Returns
    -------
    astropy.io.fits.Header
        With EXPTIME summed, and each exposure's offset, weight, exposure time, angle and seeing.
    """
    first = inputs.exposures[0]
    header = read(first.table.path)
    for card in list(header.cards):
        if _DROPPED.match(card.keyword):
            header.remove(card.keyword, ignore_missing=True, remove_all=True)
    header["HIERARCH ESO PRO CATG"] = catg
    header["HIERARCH ESO PRO DATANCOM"] = len(inputs.exposures)
    header["EXPTIME"] = (sum(_number(e.table.header, "EXPTIME") for e in inputs.exposures), "[s] of all exposures")
    _add_recipe(header, inputs, parameters)
    for number, exposure in enumerate(inputs.exposures, 1):
        key = f"HIERARCH ESO DRS MUSE OFFSET{number} "
        header[key + "DRA"] = (exposure.offset[0], "[deg]")
        header[key + "DDEC"] = (exposure.offset[1], "[deg]")
        header[key + "DATE-OBS"] = exposure.date_obs
        key = f"HIERARCH ESO DRS MUSE EXP{number} "
        header[key + "WEIGHT"] = (float(exposure.weight), "relative to the first")
        header[key + "FLUX SCALE"] = (float(exposure.flux), "factor on the flux")
        for name, source in (("EXPTIME", "EXPTIME"), ("POSANG", "ESO INS DROT POSANG"), ("FWHM", "ESO TEL IA FWHM")):
            value = exposure.table.header.get(source)
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                header[key + name] = value
    return header


def _add_recipe(header: Header, inputs: Inputs, parameters: dict[str, Any]) -> None:
    numbers = [int(m[1]) for key in header if (m := re.match(r"ESO PRO REC(\d+) ID$", key))]
    key = f"HIERARCH ESO PRO REC{max(numbers, default=0) + 1} "
    header[key + "ID"] = "muse_nb_combine"
    header[key + "PIPE ID"] = f"muse_nb/{__version__}"
    for number, exposure in enumerate(inputs.exposures, 1):
        header[key + f"RAW{number} NAME"] = ascii_text(exposure.table.path.name)
        header[key + f"RAW{number} CATG"] = str(exposure.table.header.get("ESO PRO CATG") or "PIXTABLE_REDUCED")
    for number, (name, value) in enumerate(parameters.items(), 1):
        header[key + f"PARAM{number} NAME"] = name
        header[key + f"PARAM{number} VALUE"] = ascii_text(str(value))


def layer_headers(inputs: Inputs, grid: CubeGrid) -> dict[str, Header]:
    """Make the headers of a cube's DATA and STAT."""
    from astropy.io.fits import Header

    table = inputs.exposures[0].table
    units = {"DATA": table.columns["data"].unit, "STAT": table.columns["stat"].unit}
    target = ascii_text(str(table.header.get("OBJECT") or ""))
    headers = {}
    for name, unit in units.items():
        headers[name] = Header([("OBJECT", f"{target} ({name})"), *grid.cards()])
        if not unit:
            raise MuseError(f"{table.path}: BUNIT of {name.lower()} is missing: reduce the exposure again")
        headers[name]["BUNIT"] = unit
    return headers


def image_headers(inputs: Inputs, grid: CubeGrid, filter: str, parameters: dict[str, Any]) -> tuple[Header, Header]:
    """Make the primary and the data header of an IMAGE_FOV."""
    from astropy.io.fits import Header

    primary = primary_header(inputs, "IMAGE_FOV", parameters)
    primary["HIERARCH ESO DRS MUSE FILTER NAME"] = ascii_text(filter)
    sky = [card for card in grid.cards() if "3" not in card[0]]
    return primary, Header([*sky, ("BUNIT", inputs.exposures[0].table.columns["data"].unit)])


def ascii_text(text: str) -> str:
    """Make text fit for a header: what is not printable ASCII becomes a question mark."""
    return "".join(c if " " <= c <= "~" else "?" for c in text)


def _number(header: dict[str, object], keyword: str) -> float:
    value = header.get(keyword)
    return float(value) if isinstance(value, (int, float)) else 0.0
