"""What muse_scibasic and muse_scipost do to a frame, for machines without them.

The steps and their order are the recipes'; where they fit noise (the overscan, the flat-field spectrum) the results
agree within the noise, elsewhere to the last digits of a float.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from muse_nb.products.dq import DQ
from muse_nb.simulator import spectra
from muse_nb.simulator.atmosphere import refraction_shift
from muse_nb.simulator.detector import GAIN, QUADRANTS, Chip, chip_defects, quadrant_slices
from muse_nb.simulator.flats import FLAT_VARIANCE, MasterFlat, bias_variance
from muse_nb.simulator.instrument import Instrument
from muse_nb.simulator.layouts import PRESCAN
from muse_nb.simulator.plan import Pointing
from muse_nb.simulator.static import response_curve

__all__ = ["ReducedFrame", "native_spherical", "pixel_rows", "reduce_frame"]

OVERSCAN_IGNORED = 3  # columns next to the data, where charge leaks [pix]
OVERSCAN_ORDER = 5
SATURATED = 65500
RESPONSE_ERROR = 0.01 * np.log(10) / 2.5  # of the response curve, as in STD_RESPONSE
DISPERSION_ERROR = 0.02 / 1.25  # what the recipe assumes for the width of a pixel
NOMINAL = {"N": (4750.0, 9350.0), "E": (4600.0, 9350.0)}  # muse_scibasic crops pixel tables to this [Angstrom]


@dataclass(frozen=True)
class ReducedFrame:
    """An OBJECT_RED: electrons, flags and variance on the trimmed chip."""

    data: np.ndarray
    dq: np.ndarray
    stat: np.ndarray
    overscan: tuple[float, ...]


def reduce_frame(chip: Chip, flat: MasterFlat, raw: np.ndarray) -> ReducedFrame:
    """Subtract the overscan, trim, convert to electrons, divide by the flat, flag the true bad pixels."""
    data = np.empty(chip.shape, np.float32)
    stat = np.empty(chip.shape, np.float32)
    dq = flat.dq.copy()
    read_variance = bias_variance(chip.instrument, chip.ifu)
    levels = []
    for k, (trimmed, place) in enumerate(quadrant_slices(chip.shape)):
        overscan = _overscan(raw, *QUADRANTS[k])
        levels.append(float(overscan.mean()))
        counts = raw[place] - overscan[_rows_of(place[0], raw.shape[0]), None].astype(np.float32)
        photon = np.maximum(counts / np.float32(GAIN[k]), np.finfo(np.float32).tiny)
        data[trimmed] = counts * np.float32(GAIN[k])
        stat[trimmed] = (photon + read_variance[trimmed]) * np.float32(GAIN[k] ** 2)
        dq[trimmed][(raw[place] > SATURATED) | (raw[place] == 0)] |= int(DQ.SATURATED)
    for defect in chip_defects(chip.instrument, chip.ifu):
        dq[defect.box] |= int(defect.status)
    with np.errstate(over="ignore"):  # between the slices the flat is noise about zero
        stat = (stat + data**2 * np.float32(FLAT_VARIANCE) / flat.data**2) / flat.data**2
        return ReducedFrame(data / flat.data, dq, stat, tuple(levels))


def _rows_of(rows: slice, height: int) -> slice:
    """Rows of a raw frame, counted within their half of it."""
    start = height // 2 if rows.start >= height // 2 else 0
    return slice(rows.start - start, rows.stop - start)


def _overscan(raw: np.ndarray, right: int, top: int) -> np.ndarray:
    """Smooth bias level along the rows of a quadrant, from its vertical overscan."""
    half_y, half_x = raw.shape[0] // 2, raw.shape[1] // 2
    first = half_x if right else half_x - PRESCAN + OVERSCAN_IGNORED
    columns = slice(first, first + PRESCAN - OVERSCAN_IGNORED)
    level = raw[top * half_y : (top + 1) * half_y, columns].mean(axis=1, dtype=float)
    y = np.linspace(-1, 1, half_y)
    return np.polynomial.chebyshev.chebval(y, np.polynomial.chebyshev.chebfit(y, level, OVERSCAN_ORDER))


def pixel_rows(
    chip: Chip,
    frame: ReducedFrame,
    pointing: Pointing,
    *,
    limits: tuple[float, float],
    scale: float,
    lamp: np.ndarray,
    velocity: float,
) -> dict[str, np.ndarray]:
    """Rows of a flux-calibrated pixel table from one chip, in the recipes' order.

    Parameters
    ----------
    limits
        Wavelengths to keep, before the correction to the barycentre [Angstrom].
    scale
        Flat level of this IFU relative to the first.
    lamp
        As from `flat_spectrum`.
    velocity
        Barycentric correction [km/s].

    Returns
    -------
    dict
        xpos, ypos (native angles, refraction corrected), lambda, data, dq, stat, origin.
    """
    pixels = chip.map
    nominal = NOMINAL[chip.instrument.layout.mode[-1]]
    keep = pixels.inside & (pixels.wavelength >= max(limits[0], nominal[0]))
    keep &= pixels.wavelength <= min(limits[1], nominal[1])
    row, column = pixels.row[keep], pixels.column[keep]
    wavelength = (pixels.wavelength[keep] - pointing.drift).astype(np.float32)  # the sky lines tell the recipe
    x, y = (position[keep] for position in chip.instrument.field_position(chip.ifu, pixels))
    shift_x, shift_y = refraction_shift(wavelength.astype(float), pointing, chip.instrument.layout.spaxel)
    factor = _flux_factor(chip.instrument, wavelength.astype(float), pointing) / scale
    factor *= np.interp(wavelength, *lamp)
    data = frame.data[row, column] * factor
    stat = frame.stat[row, column] * factor**2 + data**2 * (RESPONSE_ERROR**2 + DISPERSION_ERROR**2)
    phi, theta = native_spherical(
        (x - shift_x).astype(np.float32),
        (y - shift_y).astype(np.float32),
        chip.instrument.centre,
        pointing.posang,
        chip.instrument.layout.spaxel,
    )
    doppler = np.sqrt((1 + velocity / 299792.458) / (1 - velocity / 299792.458))
    offset = np.array([x_offset(chip.instrument, s) for s in range(1, 49)])[pixels.slice[keep] - 1]
    origin = (column + 1 - offset) << 24 | (row + 1) << 11 | chip.ifu << 6 | pixels.slice[keep]
    return {
        "xpos": phi,
        "ypos": theta,
        "lambda": (wavelength * doppler).astype(np.float32),
        "data": data.astype(np.float32),
        "dq": frame.dq[row, column] | spectra.notched(wavelength, chip.instrument.layout.mode) * int(DQ.NOTCH_NAD),
        "stat": stat.astype(np.float32),
        "origin": origin.astype(np.int32),
    }


def x_offset(instrument: Instrument, slice_: int) -> int:
    """XOFFSET of a slice: a little left of its trace's lower end [pix]."""
    _, left, _ = instrument.trace(slice_)
    return int(np.floor(np.polynomial.polynomial.polyval(1.0, left))) - 20


def _flux_factor(instrument: Instrument, wavelength: np.ndarray, pointing: Pointing) -> np.ndarray:
    """Electrons in a pixel to 1e-20 erg/s/cm**2/Angstrom above the atmosphere."""
    air = 10 ** (0.4 * pointing.airmass * spectra.extinction(wavelength))
    bands = spectra.telluric(wavelength) ** -pointing.airmass
    electrons = response_curve(instrument, wavelength) * spectra.FLUX_UNIT * pointing.exptime * 1.25
    return air * bands / electrons


def native_spherical(
    x: np.ndarray, y: np.ndarray, centre: np.ndarray, posang: float, spaxel: float = 0.2
) -> tuple[np.ndarray, np.ndarray]:
    """Field positions [spaxel] to the native angles phi and theta - pi/2 of a PIXTABLE_REDUCED [rad], float32.

    Calabretta & Greisen 2002, A&A 395, 1077, equations 14, 15 and 55 (TAN).
    """
    angle, scale = np.radians(-posang), spaxel / 3600
    dx, dy = x.astype(float) - centre[0], y.astype(float) - centre[1]
    plane_x = scale * (-np.cos(angle) * dx - np.sin(angle) * dy)
    plane_y = scale * (-np.sin(angle) * dx + np.cos(angle) * dy)
    phi = np.arctan2(plane_x, -plane_y)
    phi[phi < 0] += 2 * np.pi
    theta = np.arctan(np.degrees(1) / np.hypot(plane_x, plane_y))
    return phi.astype(np.float32), (theta - np.pi / 2).astype(np.float32)
