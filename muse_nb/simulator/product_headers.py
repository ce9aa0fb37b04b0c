"""Primary headers of products written without the recipes: the keywords that the recipes' have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.io import fits

from muse_nb.simulator.detector import GAIN, amplifiers
from muse_nb.simulator.headers import chip_header, eso, hierarch, label, observation_header, of_run
from muse_nb.simulator.layouts import SLICES, Layout
from muse_nb.simulator.plan import Pointing

__all__ = ["FILES", "image_fov_header", "object_red_header", "pixel_table_header", "product_files"]

FILES = {
    "OBJECT_RED": "OBJECT_RED_0001-{ifu:02d}.fits",
    "PIXTABLE_REDUCED": "PIXTABLE_REDUCED_0001.fits",
    "IMAGE_FOV": "IMAGE_FOV_0001.fits",
}
MAKER = "muse_nb.simulate"


def product_files(folder: Path, layout: Layout) -> dict[str, list[Path]]:
    """Files of one exposure by category."""
    names = {category: [name] for category, name in FILES.items()}
    names["OBJECT_RED"] = [FILES["OBJECT_RED"].format(ifu=ifu) for ifu in layout.ifus]
    return {category: [folder / name for name in files] for category, files in names.items()}


def _product(layout: Layout, pointing: Pointing, category: str, name: str, ifu: int) -> fits.Header:
    header = observation_header(layout, pointing)
    header.rename_keyword("RADECSYS", "RADESYS")
    for keyword in [k for k in header if k.startswith("ESO DPR") or k == "ORIGFILE"]:
        del header[keyword]
    header["PIPEFILE"] = (name, "Filename of data product")
    chip = chip_header(layout, ifu, overscan=False)
    chip.remove("EXTNAME")
    header.update(chip)
    hierarch(header, "PRO ANCESTOR", header["ARCFILE"])
    hierarch(header, "PRO DID", "PRO-1.16", "Data dictionary for PRO")
    hierarch(header, "PRO CATG", category)
    hierarch(header, "PRO TYPE", "REDUCED", "Product type")
    hierarch(header, "PRO TECH", "IFU", "Observation technique")
    hierarch(header, "PRO SCIENCE", True, "Scientific product if T")
    _recipe(header, 1, {f"MUSE.{label(pointing.date_obs)}.fits": "OBJECT"}, _basic_calibrations(ifu))
    return header


def _basic_calibrations(ifu: int) -> dict[str, str]:
    common = {"BADPIX_TABLE.fits": "BADPIX_TABLE", "GEOMETRY_TABLE.fits": "GEOMETRY_TABLE"}
    own = ("MASTER_BIAS", "MASTER_FLAT", "TRACE_TABLE", "WAVECAL_TABLE")
    return common | {f"{category}-{ifu:02d}.fits": category for category in own}


def _recipe(header: fits.Header, number: int, raw: dict[str, str], calibrations: dict[str, str]) -> None:
    """Provenance, as the pipeline records it: file name -> category."""
    of_run(header, number, "ID", MAKER)
    of_run(header, number, "PIPE ID", "muse_nb")
    for kind, files in (("RAW", raw), ("CAL", calibrations)):
        for k, (file, category) in enumerate(files.items(), start=1):
            of_run(header, number, f"{kind}{k} NAME", file)
            of_run(header, number, f"{kind}{k} CATG", category)
    hierarch(header, "PRO DATANCOM", len(raw), "Number of combined frames")


def _post(header: fits.Header, layout: Layout) -> None:
    tables = {f"PIXTABLE_OBJECT_0001-{ifu:02d}.fits": "PIXTABLE_OBJECT" for ifu in layout.ifus}
    names = ("ASTROMETRY_WCS", "EXTINCT_TABLE", "STD_RESPONSE", "STD_TELLURIC")
    _recipe(header, 2, tables, {f"{name}.fits": name for name in names})


def object_red_header(
    layout: Layout, pointing: Pointing, ifu: int, overscan: tuple[float, ...], flux: float, saturated: int
) -> fits.Header:
    """Primary header of an OBJECT_RED; `flux` is the flat's, `overscan` the mean level of each quadrant."""
    header = _product(layout, pointing, "OBJECT_RED", FILES["OBJECT_RED"].format(ifu=ifu), ifu)
    header["EXTNAME"] = f"CHAN{ifu:02d}"
    hierarch(header, "QC SCIBASIC NSATURATED", saturated)
    for k, level in enumerate(overscan, start=1):
        hierarch(header, f"DRS MUSE OVSC{k} MEAN", round(level, 4))
        hierarch(header, f"DRS MUSE OVSC{k} STDEV", amplifiers(layout, ifu)[0][k - 1] / GAIN[k - 1])
    hierarch(header, "DRS MUSE FLAT FLUX LAMP", flux)
    return header


def pixel_table_header(
    layout: Layout,
    pointing: Pointing,
    limits: dict[str, float],
    before: dict[str, float],
    centre: np.ndarray,
    velocity: float,
    offsets: list[int],
) -> fits.Header:
    """Primary header of a PIXTABLE_REDUCED.

    Parameters
    ----------
    limits
        Extremes of the table: X LOW, X HIGH, Y LOW, Y HIGH, LAMBDA LOW, LAMBDA HIGH.
    before
        Extremes of the field before the refraction correction: XLO, XHI, YLO, YHI [spaxel].
    centre
        Reference pixel [spaxel].
    velocity
        Barycentric correction that was applied [km/s].
    offsets
        XOFFSET of every slice.
    """
    header = _product(layout, pointing, "PIXTABLE_REDUCED", FILES["PIXTABLE_REDUCED"], layout.ifus[0])
    _post(header, layout)
    angle, scale = np.radians(-pointing.posang), layout.spaxel / 3600
    cosine, sine = float(np.cos(angle)), float(np.sin(angle))
    for axis, kind in enumerate(("RA---TAN", "DEC--TAN"), start=1):
        header[f"CRPIX{axis}"] = float(centre[axis - 1])
        header[f"CTYPE{axis}"], header[f"CUNIT{axis}"] = kind, "deg"
    header["CD1_1"], header["CD1_2"] = -scale * cosine, -scale * sine
    header["CD2_1"], header["CD2_2"] = -scale * sine, scale * cosine
    header["SPECSYS"] = ("BARYCENT", "Spectral reference frame")
    count = len(layout.ifus)
    eso(header, DRS_MUSE_PIXTABLE_TYPE="GEOFULL", DRS_MUSE_PIXTABLE_FFCORR=count, DRS_MUSE_PIXTABLE_MERGED=count)
    hierarch(header, "DRS MUSE PIXTABLE DAR CORRECT", 7000.0, "[Angstrom] reference")
    for name, value in before.items():
        hierarch(header, f"DRS MUSE PIXTABLE PREDAR LIMITS {name}", value)
    hierarch(header, "DRS MUSE PIXTABLE FLUXCAL", True, "Pixel table was flux-calibrated")
    hierarch(header, "DRS MUSE PIXTABLE RVCORR", velocity, "[km/s] barycentric")
    for name, value in limits.items():
        hierarch(header, f"DRS MUSE PIXTABLE LIMITS {name}", value)
    hierarch(header, "DRS MUSE PIXTABLE LIMITS IFU LOW", min(layout.ifus))
    hierarch(header, "DRS MUSE PIXTABLE LIMITS IFU HIGH", max(layout.ifus))
    hierarch(header, "DRS MUSE PIXTABLE LIMITS SLICE LOW", 1)
    hierarch(header, "DRS MUSE PIXTABLE LIMITS SLICE HIGH", SLICES)
    hierarch(header, "DRS MUSE PIXTABLE WCS", "projected (intermediate)")
    for ifu in layout.ifus:
        for k, offset in enumerate(offsets, start=1):
            hierarch(header, f"DRS MUSE PIXTABLE EXP0 IFU{ifu:02d} SLICE{k:02d} XOFFSET", offset)
    return header


def image_fov_header(layout: Layout, pointing: Pointing) -> fits.Header:
    """Primary header of a white-light IMAGE_FOV."""
    header = _product(layout, pointing, "IMAGE_FOV", FILES["IMAGE_FOV"], layout.ifus[0])
    header["OBJECT"] = f"{header['OBJECT']} (white)"
    _post(header, layout)
    hierarch(header, "DRS MUSE FLUX FFCORR", True, "Data was flat-field spectrum corrected")
    hierarch(header, "DRS MUSE FILTER NAME", "white", "filter name used")
    covered = min(layout.lambda_last - 30, 9300) - max(layout.lambda_first, 4650)
    hierarch(header, "DRS MUSE FILTER FRACTION", round(100 * covered / (9300 - 4650), 4), "[%] of the filter covered")
    return header
