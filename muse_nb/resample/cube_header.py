"""The headers of a cube and of its images: as the recipes write them, and right where the recipes leave them wrong."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime

from muse_nb import __version__
from muse_nb.products.dq import NO_ROW, NOT_FINITE, REJECTED
from muse_nb.products.fits.blocks import hdus
from muse_nb.products.fits.cards import card, keyword_of, split
from muse_nb.products.fits.fingerprint import fingerprint
from muse_nb.products.history import RecipeRun, history_cards, next_number
from muse_nb.resample.grid import CubeGrid
from muse_nb.resample.inputs import Input

__all__ = ["CAUSES", "EXPOSURE", "OFFSET", "extension", "primary"]

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
_BITPIX = {"DQ": 32, "EXPMAP": 16}
_CONTENT = {"DATA": "data values", "STAT": "data variance", "DQ": "bad pixel status", "EXPMAP": "exposure counts"}
OFFSET, EXPOSURE = "ESO DRS MUSE OFFSET", "ESO DRS MUSE EXP"  # their numbers follow: recipe's keywords, and ours
CAUSES = "ESO DRS MUSE DQ CAUSES"  # in the DQ of a cube whose DQ says why a voxel is NaN
_WHY = {
    "NONE": (NO_ROW, "no pixel"),
    "INFINITE": (NOT_FINITE, "not finite"),
    "REJECTED": (REJECTED, "cosmic rays"),
}


def primary(
    exposures: list[Input],
    name: str,
    category: str,
    parameters: Mapping[str, object],
    calibrations: Iterable[tuple[str, str]] = (),
    through: str = "",
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
    calibrations
        Name and ESO PRO CATG of what else went in, the OFFSET_LIST and the like.
    through
        Filter of an image.
    """
    first = exposures[0].table
    target = str(first.header.get("OBJECT", ""))
    cards = [
        card("SIMPLE", True, "file does conform to FITS standard"),
        card("BITPIX", 8, "number of bits per data pixel"),
        card("NAXIS", 0, "number of data axes"),
        card("EXTEND", True, "FITS dataset may contain extensions"),
        card("DATE", datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S"), "file creation date (YYYY-MM-DDThh:mm:ss UT)"),
        card("EXPTIME", float(sum(_number(e, "EXPTIME", 0.0) for e in exposures)), "[s] sum over the exposures"),
        card("OBJECT", f"{target} ({through})" if through else target),
        card("PIPEFILE", name, "Filename of data product"),
    ]
    kept = [line for line in split(hdus(first.path)[0].text) if not _replaced(keyword_of(line))]
    kept = [line for line in kept if not (through and keyword_of(line) == "SPECSYS")]
    cards += kept
    cards += [
        card("ESO PRO CATG", category, "Category of pipeline product frame"),
        card("ESO PRO DATANCOM", len(exposures), "Number of combined frames"),
        *_provenance(exposures, kept, parameters, calibrations),
    ]
    for number, exposure in enumerate(exposures, 1):
        cards += _exposure(number, exposure)
    if "ESO DRS MUSE PIXTABLE FFCORR" in first.header:
        cards.append(card("ESO DRS MUSE FLUX FFCORR", True, "Data was flat-field spectrum corrected"))
    return cards


def _replaced(keyword: str) -> bool:
    return keyword in _OURS or keyword.startswith(_WCS) or keyword.startswith(_TABLE)


def _provenance(
    exposures: list[Input], kept: list[str], parameters: Mapping[str, object], calibrations: Iterable[tuple[str, str]]
) -> list[str]:
    """This combine, behind what the first exposure's history says."""
    tables = [exposure.table for exposure in exposures]
    raw = tuple((table.path.name, str(table.header.get("ESO PRO CATG", "PIXTABLE_REDUCED"))) for table in tables)
    ours = RecipeRun("muse_nb", f"muse_nb/{__version__}", parameters, raw, tuple(calibrations))
    return history_cards(next_number(keyword_of(line) for line in kept), ours)


def _exposure(number: int, exposure: Input) -> list[str]:
    start, ours = f"{OFFSET}{number}", f"{EXPOSURE}{number}"
    d_ra, d_dec = exposure.offset
    cards = [
        card(f"{start} DRA", d_ra, f"[deg] (= {3600 * d_ra:.6f} arcsec) RA offset applied"),
        card(f"{start} DDEC", d_dec, f"[deg] (= {3600 * d_dec:.6f} arcsec) DEC offset applied"),
        card(f"{start} DATE-OBS", exposure.date_obs, f"offset {number} applied to this exposure"),
        *([card(f"{start} ROTANGLE", exposure.angle, "[deg] turned by, N to E")] if exposure.angle else []),
        *(
            [card(f"ESO DRS MUSE FLUX SCALE{number}", exposure.flux, "factor on the flux")]
            if exposure.flux != 1
            else []
        ),
        card(f"{ours} DATE-OBS", exposure.date_obs),
        card(f"{ours} SUM", fingerprint(exposure.table.path), "mark of its pixel table's data"),
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


def extension(
    name: str, shape: tuple[int, ...], grid: CubeGrid, unit: str, object_name: str, more: Collection[str] = ()
) -> list[str]:
    """Write the cards of an extension of a cube (3 axes) or an image (2).

    Parameters
    ----------
    name
        ``DATA``, ``STAT``, ``DQ`` or ``EXPMAP``.
    shape
        In Python's order.
    grid
        The cube's.
    unit
        BUNIT.
    object_name
        OBJECT of the first exposure.
    more
        Extensions that the file has beside DATA and STAT.
    """
    axes = len(shape)
    cards = [
        card("XTENSION", "IMAGE", "IMAGE extension"),
        card("BITPIX", _BITPIX.get(name, -32), "number of bits per data pixel"),
        card("NAXIS", axes, "number of data axes"),
        *(card(f"NAXIS{n}", length, f"length of data axis {n}") for n, length in enumerate(reversed(shape), 1)),
        card("PCOUNT", 0, "required keyword; must = 0"),
        card("GCOUNT", 1, "required keyword; must = 1"),
        card("OBJECT", f"{object_name} ({name})"),
        *(card(key, value) for key, value in grid.cards() if axes == 3 or "3" not in key),
        card("EXTNAME", name, f"This extension contains {_CONTENT[name]}"),
        card("HDUCLASS", "ESO", "class name (ESO format)"),
        card("HDUDOC", "DICD", "document with class description"),
        card("HDUVERS", "DICD version 6", "version number (according to spec v2.5.1)"),
        card("HDUCLAS1", "IMAGE", "Image data format"),
    ]
    if name == "EXPMAP":
        return [*cards, card("SCIDATA", "DATA", "pointer to the data extension"), card("BUNIT", "", "a number")]
    if name == "DQ":
        return [*cards, *_quality()]
    if name == "STAT":
        cards += [
            card("HDUCLAS2", "ERROR", "this extension contains variance"),
            card("HDUCLAS3", "MSE", "the extension contains variances (sigma**2)"),
            card("SCIDATA", "DATA", "pointer to the data extension"),
        ]
    else:
        cards.append(card("HDUCLAS2", "DATA", "this extension contains the data itself"))
        if axes == 2:
            cards.append(card("INHERIT", True, "the primary header holds, too"))
        if axes == 3:
            cards.append(card("ERRDATA", "STAT", "pointer to the variance extension"))
    if "DQ" in more:
        cards.append(card("QUALDATA", "DQ", "pointer to the extension that says why voxels are NaN"))
    return [*cards, card("BUNIT", unit)]


def _quality() -> list[str]:
    """Cards of DQ: what its values mean, so that a reader needs no other source."""
    return [
        card("HDUCLAS2", "QUALITY", "this extension contains bad pixel mask"),
        card("HDUCLAS3", "FLAG32BIT", "extension contains 32bit Euro3D flags"),
        card("SCIDATA", "DATA", "pointer to the data extension"),
        card("ERRDATA", "STAT", "pointer to the variance extension"),
        card(CAUSES, True, "why a voxel is NaN; 0: it is not"),
        *(card(f"{CAUSES} {name}", _signed(value), why) for name, (value, why) in _WHY.items()),
        "COMMENT Other values: the flags (OR) of its pixels, all of which are flagged.",
    ]


def _signed(value: int) -> int:
    """Bit 31 is the sign of what FITS stores."""
    return value - (1 << 32) if value >> 31 else value


def _number(exposure: Input, keyword: str, default: float) -> float:
    value = exposure.table.header.get(keyword)
    return float(value) if isinstance(value, (int, float)) else default
