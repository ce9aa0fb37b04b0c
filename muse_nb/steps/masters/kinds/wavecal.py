"""WAVECAL_TABLE: residuals, lines, resolution and dispersion by slice, and steps between neighbours.

``arrays``: rows (n,), x (48,) and wavelength (48, n) [Angstrom] on the slices' centres; dispersion (48,)
[Angstrom/pixel], fwhm (48,) [Angstrom].
"""

from __future__ import annotations

import re

import numpy as np

from muse_nb.core.errors import MuseError
from muse_nb.core.robust import median
from muse_nb.products.calibrations.masters import Master
from muse_nb.products.detector import TraceTable, WavecalTable
from muse_nb.products.field import SLICES
from muse_nb.steps.masters.parts.chip import is_full_size, rows_of
from muse_nb.steps.masters.parts.measured import Array, Measured, Quantity, slices

__all__ = ["along_slices", "measure_wavecal"]

LAMPS = {"3": "Ne", "4": "Xe", "5": "HgCd", "6": "Ne"}  # of the calibration unit, by number
NEIGHBOURS = 3  # on either side of a slice, whose run of wavelengths its own is held against
TOLD = {  # limit -> the recipe's own number
    "wave_lines": "FIT NLINES",
    "wave_detected": "LINES NDET",
    "wave_identified": "LINES NID",
    "wave_fwhm": "LINES FWHM MEAN",
    "wave_resolution": "RESOL",
}


def measure_wavecal(master: Master, trace: TraceTable | None, height: int | None) -> Measured:
    """Measure a WAVECAL_TABLE.

    Parameters
    ----------
    master
        The table.
    trace
        Where its slices are; without it wavelengths are not judged.
    height
        Rows of the chip, None where nothing tells.
    """
    try:
        table = WavecalTable.open(master.path, next(iter(master.extensions.values()), 1))
    except MuseError as error:
        return Measured(master, (), notes=(f"was not judged ({error})",))
    notes, found = [], [Quantity.of("wave_rms", _rms(master), slices())]
    for name, keyword in TOLD.items():
        told = _told(master, keyword)
        if np.isfinite(told).any():
            found.append(Quantity.of(name, told, slices()))
    if len(found) == 1:
        notes.append("has no ESO QC WAVECAL of its slices: lines, their widths and resolution were not judged")
    found += _saturated(master)
    if found[-1].name != "wave_saturated":
        notes.append("does not say how many pixels of its arcs are saturated")
    arrays = {"fwhm": _told(master, "LINES FWHM MEAN")}
    if trace is None or height is None:
        what = "TRACE_TABLE of its IFU" if trace is None else "image that tells the chip's height"
        notes.append(f"has no {what} beside it: wavelengths and dispersions were not judged")
        return Measured(master, tuple(found), arrays, tuple(notes))
    rows = rows_of(height)
    x, wavelength = along_slices(table, trace, rows)
    with np.errstate(invalid="ignore", divide="ignore"):
        more, dispersion = _solution(rows, wavelength, is_full_size(trace) and height > 4000)
        found += more
        left, right = trace.edges(rows)
        tilt = [
            _extreme(table.wavelength(n + 1, right[n], rows) - table.wavelength(n + 1, left[n], rows))
            for n in range(SLICES)
        ]
        found.append(Quantity.of("wave_tilt", tilt, slices()))
    arrays |= {"rows": rows, "x": x, "wavelength": wavelength, "dispersion": dispersion}
    return Measured(master, tuple(found), arrays, tuple(notes))


def along_slices(table: WavecalTable, trace: TraceTable, rows: Array) -> tuple[Array, Array]:
    """Wavelengths [Angstrom] of all slices on their centres, shape (48, rows), and the centres' columns in mid-row."""
    centre = trace.middle(rows)
    wavelength = np.array([table.wavelength(n + 1, centre[n], rows) for n in range(SLICES)])
    return centre[:, rows.size // 2], wavelength


def _solution(rows: Array, wavelength: Array, full_size: bool) -> tuple[list[Quantity], Array]:
    """Centre and dispersion of each slice, and how it differs from its neighbours."""
    dispersion = (wavelength[:, -1] - wavelength[:, 0]) / (rows[-1] - rows[0])
    found = []
    if full_size:
        found.append(Quantity.of("wave_centre", wavelength[:, rows.size // 2], slices()))
        found.append(Quantity.of("wave_dispersion", dispersion, slices()))
    local = np.gradient(wavelength, rows, axis=1) / dispersion[:, None]
    run = wavelength - wavelength.mean(axis=1, keepdims=True)
    steps = np.full(SLICES, np.nan)
    for n in range(SLICES):
        near = [k for k in range(max(0, n - NEIGHBOURS), min(SLICES, n + NEIGHBOURS + 1)) if k != n]
        beside = run[near][np.isfinite(run[near]).all(axis=1)]
        if len(beside):
            steps[n] = float(np.max(np.abs(run[n] - np.median(beside, axis=0))))
    found += [
        Quantity.of("wave_relative", dispersion / median(dispersion), slices()),
        Quantity.of("wave_slowest", [1 + _extreme(line - 1) for line in local], slices()),
        Quantity.of("wave_step", steps, slices()),
    ]
    return found, dispersion


def _extreme(values: Array) -> float:
    """Value that is farthest from 0, with its sign."""
    return float(values[np.argmax(np.abs(values))])


def _told(master: Master, keyword: str) -> Array:
    return np.array([master.number(f"ESO QC WAVECAL SLICE{n} {keyword}") for n in range(1, SLICES + 1)])


def _rms(master: Master) -> Array:
    """The recipe's rms of each slice [Angstrom], else the root of the table's MSE."""
    told = _told(master, "FIT RMS")
    if np.isfinite(told).any():
        return told
    try:
        (error,) = master.columns("MSE")
    except MuseError:
        return told
    return np.asarray(np.sqrt(np.where(error >= 0, error, np.nan)))


def _saturated(master: Master) -> list[Quantity]:
    """Saturated pixels by lamp."""
    keys = {m[1]: m[0] for key in master.header if (m := re.fullmatch(r"ESO QC WAVECAL NSATURATED LAMP(\d)", str(key)))}
    if not keys:
        return []
    names = [f"lamp {LAMPS.get(lamp, lamp)}" for lamp in keys]
    return [Quantity.of("wave_saturated", [master.number(key) for key in keys.values()], names)]
