"""OBJECT_RED, PIXTABLE_REDUCED and IMAGE_FOV of one exposure, made from the raw frames without the recipes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.io import fits

from muse_nb.products.image_fov import write_image_fov
from muse_nb.products.object_red import write_object_red
from muse_nb.products.pixtable import write_pixtable
from muse_nb.simulator.chips import Chips
from muse_nb.simulator.detector import cosmic_rays
from muse_nb.simulator.drizzle import white_light
from muse_nb.simulator.flats import LAMP_FLUX
from muse_nb.simulator.instrument import Instrument
from muse_nb.simulator.layouts import SLICES, Layout
from muse_nb.simulator.motion import barycentric_velocity
from muse_nb.simulator.plan import Pointing
from muse_nb.simulator.product_headers import image_fov_header, object_red_header, pixel_table_header, product_files
from muse_nb.simulator.reduction import SATURATED, pixel_rows, reduce_frame, x_offset
from muse_nb.simulator.sky import subtract_sky

__all__ = ["wavelength_limits", "write_products"]

TRIM = 30.0  # at both ends of a short range, where the recipes extrapolate the flat field [Angstrom]
SHORT_RANGE = 3000.0
FLUX_UNIT = "10**(-20)*erg/s/cm**2/Angstrom"
UNITS = {"xpos": "rad", "ypos": "rad", "lambda": "Angstrom", "data": FLUX_UNIT, "stat": f"({FLUX_UNIT})**2"}


def wavelength_limits(instrument: Instrument) -> tuple[float, float]:
    """Wavelengths that the pixel tables keep [Angstrom]: all of the long ranges, short ones without their ends."""
    low, high = instrument.wavelengths
    return (low + TRIM, high - TRIM) if high - low < SHORT_RANGE else (low, high)


def write_products(
    folder: Path, chips: Chips, raw: dict[int, np.ndarray], pointing: Pointing, *, force: bool = False
) -> int:
    """Reduce one exposure and write what is missing in `folder`; return how many files were written.

    Parameters
    ----------
    folder
        ``reduced/<label>``.
    chips
        The instrument.
    raw
        Raw counts by IFU.
    pointing
        The exposure.
    force
        Write every file again.
    """
    layout = chips.instrument.layout
    files = product_files(folder, layout)
    missing = {path for paths in files.values() for path in paths if force or not path.exists()}
    if not missing:
        return 0
    parts, clean = [], []
    lamp, velocity, first = chips.lamp(), barycentric_velocity(pointing), chips.level(layout.ifus[0])
    for path, ifu in zip(files["OBJECT_RED"], layout.ifus, strict=True):
        chip = chips.chip(ifu)
        flat = chips.flat(ifu, chip)
        frame = reduce_frame(chip, flat, raw[ifu])
        if path in missing:
            saturated = int((raw[ifu] > SATURATED).sum())
            header = object_red_header(layout, pointing, ifu, frame.overscan, LAMP_FLUX * flat.level, saturated)
            write_object_red(path, header, frame.data, frame.dq, frame.stat, force=force)
        limits, scale = wavelength_limits(chips.instrument), flat.level / first
        rows = pixel_rows(chip, frame, pointing, limits=limits, scale=scale, lamp=lamp, velocity=velocity)
        parts.append(rows)
        clean.append(_free_of_cosmic_rays(chips.instrument, ifu, pointing, rows["origin"]))
    table, image = files["PIXTABLE_REDUCED"][0], files["IMAGE_FOV"][0]
    if {table, image} & missing:
        columns = {name: np.concatenate([part.pop(name) for part in parts]) for name in list(parts[0])}
        free = np.concatenate(clean)
        subtract_sky(columns, free, layout.spaxel / 3600)
        if table in missing:
            header = _table_header(chips.instrument, pointing, columns, velocity)
            write_pixtable(table, header, columns, UNITS, force=force)
        if image in missing:
            _write_image(image, layout, pointing, columns, free, force)
    return len(missing)


def _free_of_cosmic_rays(instrument: Instrument, ifu: int, pointing: Pointing, origin: np.ndarray) -> np.ndarray:
    """Which rows of a pixel table no cosmic ray has hit."""
    offset = np.array([x_offset(instrument, s) for s in range(1, SLICES + 1)])[(origin & 0x3F) - 1]
    hits = cosmic_rays(instrument, ifu, pointing.number, pointing.exptime)
    free: np.ndarray = hits[(origin >> 11 & 0x1FFF) - 1, (origin >> 24) + offset - 1] == 0
    return free


def _table_header(
    instrument: Instrument, pointing: Pointing, columns: dict[str, np.ndarray], velocity: float
) -> fits.Header:
    low, high = instrument.limits
    before = {"XLO": low[0], "XHI": high[0], "YLO": low[1], "YHI": high[1]}
    limits = {
        f"{axis} {end}": float(pick(columns[name]))
        for axis, name in (("X", "xpos"), ("Y", "ypos"), ("LAMBDA", "lambda"))
        for end, pick in (("LOW", np.min), ("HIGH", np.max))
    }
    offsets = [x_offset(instrument, s) for s in range(1, SLICES + 1)]
    return pixel_table_header(instrument.layout, pointing, limits, before, instrument.centre, velocity, offsets)


def _write_image(
    path: Path, layout: Layout, pointing: Pointing, columns: dict[str, np.ndarray], clean: np.ndarray, force: bool
) -> None:
    """Write the white-light image, its cosmic rays rejected as well as is possible: from the truth."""
    step = layout.spaxel / 3600
    data, crpix = white_light(columns["xpos"], columns["ypos"], columns["data"], clean & (columns["dq"] == 0), step)
    wcs = fits.Header([("INHERIT", True), ("EXTNAME", "DATA"), ("HDUCLASS", "ESO"), ("HDUDOC", "DICD")])
    wcs.update({"HDUVERS": "DICD version 6", "HDUCLAS1": "IMAGE", "HDUCLAS2": "DATA"})
    for axis, (kind, value, sign) in enumerate((("RA---TAN", pointing.ra, -1), ("DEC--TAN", pointing.dec, 1)), start=1):
        wcs[f"CRPIX{axis}"], wcs[f"CD{axis}_{axis}"] = crpix[axis - 1], sign * step
        wcs[f"CTYPE{axis}"], wcs[f"CUNIT{axis}"], wcs[f"CRVAL{axis}"] = kind, "deg", value
    wcs["CD1_2"], wcs["CD2_1"] = 0.0, 0.0
    wcs["BUNIT"] = FLUX_UNIT
    write_image_fov(path, image_fov_header(layout, pointing), wcs, data, force=force)
