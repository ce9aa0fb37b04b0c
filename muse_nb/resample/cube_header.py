"""The headers of a cube and of its images: as the recipes write them, and right where the recipes leave them wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from muse_nb import __version__
from muse_nb.products.blocks import hdus
from muse_nb.products.cards import card, keyword_of, split
from muse_nb.resample.grid import CubeGrid
from muse_nb.resample.inputs import Input

__all__ = ["extension", "primary"]

_OURS = {
    *(
        "SIMPLE",
        "BITPIX",
        "NAXIS",
        "EXTEND",
        "DATE",
        "EXPTIME",
        "PIPEFILE",
        "DATAMD5",
        "CHECKSUM",
        "DATASUM",
        "INHERIT",
    ),
    *("OBJECT", "EXTNAME", "ESO PRO CATG", "ESO PRO DATANCOM"),
}
_WCS = ("CRPIX", "CRVAL", "CTYPE", "CUNIT", "CDELT", "CD1_", "CD2_", "CD3_", "WCSAXES")
_TABLE = ("ESO DRS MUSE PIXTABLE ", "ESO QC ")


def primary(
    exposures: list[Input], name: str, category: str, parameters: Mapping[str, object], extra: Iterable[str] = ()
) -> list[str]:
    """Write the primary header's cards.

    What the first exposure's header says is kept, as the recipes do. EXPTIME is the sum over the exposures, and each
    exposure's offset, weight, flux scale, exposure time, seeing and rotator angle are put down.

    Parameters
    ----------
    exposures
        What is combined.
    name
        Of the file.
    category
        ESO PRO CATG.
    parameters
        Of the combine, put down in the recipes' manner.
    extra
        Further cards.
    """
    first = exposures[0].table
    cards = [
        card("SIMPLE", True, "file does conform to FITS standard"),
        card("BITPIX", 8, "number of bits per data pixel"),
        card("NAXIS", 0, "number of data axes"),
        card("EXTEND", True, "FITS dataset may contain extensions"),
        card("DATE", datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S"), "file creation date (YYYY-MM-DDThh:mm:ss UT)"),
        card("EXPTIME", float(sum(_number(e, "EXPTIME", 0.0) for e in exposures)), "[s] sum over the exposures"),
        card("OBJECT", str(first.header.get("OBJECT", ""))),
        card("PIPEFILE", name, "Filename of data product"),
    ]
    kept = [line for line in split(hdus(first.path)[0].text) if not _replaced(keyword_of(line))]
    cards += kept
    cards += [
        card("ESO PRO CATG", category, "Category of pipeline product frame"),
        card("ESO PRO DATANCOM", len(exposures), "Number of combined frames"),
        *_provenance(exposures, kept, parameters),
    ]
    for number, exposure in enumerate(exposures, 1):
        cards += _exposure(number, exposure)
    if "ESO DRS MUSE PIXTABLE FFCORR" in first.header:
        cards.append(card("ESO DRS MUSE FLUX FFCORR", True, "Data was flat-field spectrum corrected"))
    return [*cards, *extra]


def _replaced(keyword: str) -> bool:
    return keyword in _OURS or keyword.startswith(_WCS) or keyword.startswith(_TABLE)


def _provenance(exposures: list[Input], kept: list[str], parameters: Mapping[str, object]) -> list[str]:
    """PRO REC keywords of the next free number."""
    there = [keyword_of(line) for line in kept]
    numbers = [int(k[11:].split()[0]) for k in there if k.startswith("ESO PRO REC") and k[11:].split()[0].isdigit()]
    start = f"ESO PRO REC{max(numbers, default=0) + 1}"
    cards = [
        card(f"{start} ID", "muse_nb", "What made this file"),
        card(f"{start} PIPE ID", f"muse_nb/{__version__}", "Its version"),
    ]
    for number, exposure in enumerate(exposures, 1):
        cards.append(card(f"{start} RAW{number} NAME", exposure.table.path.name, "File name of raw frame"))
        category = exposure.table.header.get("ESO PRO CATG", "PIXTABLE_REDUCED")
        cards.append(card(f"{start} RAW{number} CATG", str(category), "Category of raw frame"))
    for number, (name, value) in enumerate(parameters.items(), 1):
        cards.append(card(f"{start} PARAM{number} NAME", name))
        cards.append(card(f"{start} PARAM{number} VALUE", str(value)))
    return cards


def _exposure(number: int, exposure: Input) -> list[str]:
    start, ours = f"ESO DRS MUSE OFFSET{number}", f"ESO DRS MUSE EXP{number}"
    d_ra, d_dec = exposure.offset
    cards = [
        card(f"{start} DRA", d_ra, f"[deg] (= {3600 * d_ra:.6f} arcsec) RA offset applied"),
        card(f"{start} DDEC", d_dec, f"[deg] (= {3600 * d_dec:.6f} arcsec) DEC offset applied"),
        card(f"{start} DATE-OBS", exposure.date_obs, f"offset {number} applied to this exposure"),
        card(f"{ours} DATE-OBS", exposure.date_obs),
        card(f"{ours} WEIGHT", float(exposure.weight), "weight relative to exposure 1"),
        card(f"{ours} FLUX SCALE", float(exposure.flux), "factor on the flux"),
    ]
    for name, keyword, unit in (
        ("EXPTIME", "EXPTIME", "[s]"),
        ("POSANG", "ESO INS DROT POSANG", "[deg] rotator angle"),
        ("SEEING", "ESO TEL IA FWHM", "[arcsec] seeing, active optics"),
        ("DIMM", "ESO TEL AMBI FWHM START", "[arcsec] seeing, DIMM at its start"),
    ):
        value = exposure.table.header.get(keyword)
        if isinstance(value, (int, float)):
            cards.append(card(f"{ours} {name}", float(value), unit))
    return cards


def extension(name: str, shape: tuple[int, ...], grid: CubeGrid, unit: str, object_name: str) -> list[str]:
    """Write the cards of a DATA or STAT extension of a cube (3 axes) or an image (2).

    Parameters
    ----------
    name
        ``DATA`` or ``STAT``.
    shape
        In Python's order.
    grid
        The cube's.
    unit
        BUNIT.
    object_name
        OBJECT of the first exposure.
    """
    axes = len(shape)
    cards = [
        card("XTENSION", "IMAGE", "IMAGE extension"),
        card("BITPIX", -32, "number of bits per data pixel"),
        card("NAXIS", axes, "number of data axes"),
        *(card(f"NAXIS{n}", length, f"length of data axis {n}") for n, length in enumerate(reversed(shape), 1)),
        card("PCOUNT", 0, "required keyword; must = 0"),
        card("GCOUNT", 1, "required keyword; must = 1"),
        card("OBJECT", f"{object_name} ({name})"),
        *(card(key, value) for key, value in grid.cards() if axes == 3 or "3" not in key),
        card("EXTNAME", name, f"This extension contains data {'values' if name == 'DATA' else 'variance'}"),
        card("HDUCLASS", "ESO", "class name (ESO format)"),
        card("HDUDOC", "DICD", "document with class description"),
        card("HDUVERS", "DICD version 6", "version number (according to spec v2.5.1)"),
        card("HDUCLAS1", "IMAGE", "Image data format"),
    ]
    if name == "STAT":
        cards += [
            card("HDUCLAS2", "ERROR", "this extension contains variance"),
            card("HDUCLAS3", "MSE", "the extension contains variances (sigma**2)"),
            card("SCIDATA", "DATA", "pointer to the data extension"),
        ]
    else:
        cards.append(card("HDUCLAS2", "DATA", "this extension contains the data itself"))
        if axes == 3:
            cards.append(card("ERRDATA", "STAT", "pointer to the variance extension"))
    return [*cards, card("BUNIT", unit)]


def _number(exposure: Input, keyword: str, default: float) -> float:
    value = exposure.table.header.get(keyword)
    return float(value) if isinstance(value, (int, float)) else default
