"""Calibrations of each chip as the recipes make them: MASTER_BIAS, MASTER_FLAT, TRACE_TABLE and WAVECAL_TABLE."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.io import fits

from muse_nb.simulator.chips import Chips
from muse_nb.simulator.detector import GAIN, amplifiers
from muse_nb.simulator.flats import FLAT_VARIANCE, LAMP_FLUX, bias_variance
from muse_nb.simulator.headers import calibration_header, hierarch, of_run
from muse_nb.simulator.layouts import SLICES

__all__ = ["CHIP_CALIBRATIONS", "write_chip_calibration"]

TRACE_ORDERS, WAVE_X_ORDERS, WAVE_Y_ORDERS = 6, 3, 7


def write_chip_calibration(category: str, chips: Chips, ifu: int, path: Path) -> None:
    """Write the calibration `category` of one IFU to `path`."""
    header = calibration_header(chips.instrument.layout, category, f"{category}-{ifu:02d}.fits", ifu)
    CHIP_CALIBRATIONS[category](chips, ifu, header, path)


def _write_bias(chips: Chips, ifu: int, header: fits.Header, path: Path) -> None:
    # The recipes copy these from muse_bias and compare them with the science frame's.
    settings = {"nifu": str(ifu), "overscan": "vpoly", "ovscreject": "dcr", "ovscsigma": "30.", "ovscignore": "3"}
    for k, (name, value) in enumerate(settings.items(), start=1):
        of_run(header, 1, f"PARAM{k} NAME", name)
        of_run(header, 1, f"PARAM{k} VALUE", value)
    noise, bias = amplifiers(chips.instrument.layout, ifu)
    for k in range(4):
        hierarch(header, f"QC BIAS MASTER{k + 1} RON", noise[k])
        hierarch(header, f"QC BIAS MASTER{k + 1} MEAN", 0.0)
        hierarch(header, f"DRS MUSE OVSC{k + 1} MEAN", bias[k])  # before the overscan was subtracted
        hierarch(header, f"DRS MUSE OVSC{k + 1} STDEV", noise[k] / GAIN[k])
    variance = bias_variance(chips.instrument, ifu)
    zero = np.zeros_like(variance)
    _write_image(path, header, zero, zero.astype(np.int32), variance, "adu")


def _write_flat(chips: Chips, ifu: int, header: fits.Header, path: Path) -> None:
    flat = chips.flat(ifu)
    hierarch(header, "QC FLAT MASTER INTFLUX", LAMP_FLUX * flat.level)
    _write_image(path, header, flat.data, flat.dq, np.full_like(flat.data, FLAT_VARIANCE), "count")


def _write_trace(chips: Chips, ifu: int, header: fits.Header, path: Path) -> None:
    traces = np.array([chips.instrument.trace(s) for s in range(1, SLICES + 1)])  # slice, edge, coefficient
    columns = [
        fits.Column("SliceNo", "J", unit="No", array=np.arange(1, SLICES + 1)),
        fits.Column("Width", "E", unit="pix", array=traces[:, 2, 0] - traces[:, 1, 0]),
    ]
    for edge in range(3):
        for k in range(TRACE_ORDERS):
            columns.append(fits.Column(f"tc{edge}_{k:02d}", "D", unit="pix", array=traces[:, edge, k]))
        columns.append(fits.Column(f"MSE{edge}", "D", unit="pix", array=np.full(SLICES, 1e-4)))
    _write_table(path, header, columns)


def _write_wavecal(chips: Chips, ifu: int, header: fits.Header, path: Path) -> None:
    polys = np.array([chips.instrument.wavelength_polynomial(ifu, s) for s in range(1, SLICES + 1)])
    columns = [fits.Column("SliceNo", "J", unit="No", array=np.arange(1, SLICES + 1))]
    for x in range(WAVE_X_ORDERS):
        for y in range(WAVE_Y_ORDERS):
            columns.append(fits.Column(f"wlc{x}{y}", "D", unit="Angstrom", array=polys[:, x, y]))
    columns.append(fits.Column("MSE", "D", array=np.full(SLICES, 1e-3)))
    _write_table(path, header, columns)


def _write_table(path: Path, header: fits.Header, columns: list[fits.Column]) -> None:
    fits.HDUList([fits.PrimaryHDU(header=header), fits.BinTableHDU.from_columns(columns)]).writeto(path, overwrite=True)


def _write_image(
    path: Path, header: fits.Header, data: np.ndarray, dq: np.ndarray, stat: np.ndarray, unit: str
) -> None:
    """Write DATA, DQ and STAT as the pipeline arranges them."""
    extensions = [fits.PrimaryHDU(header=header)]
    for name, array, kind, word in (
        ("DATA", data, ">f4", "DATA"),
        ("DQ", dq, ">i4", "QUALITY"),
        ("STAT", stat, ">f4", "ERROR"),
    ):
        hdu = fits.ImageHDU(array.astype(kind))
        cards = {"EXTNAME": name, "HDUCLASS": "ESO", "HDUDOC": "DICD", "HDUVERS": "DICD version 6"}
        cards |= {"HDUCLAS1": "IMAGE", "HDUCLAS2": word}
        if name == "DATA":
            cards |= {"ERRDATA": "STAT", "QUALDATA": "DQ", "BUNIT": unit}
        elif name == "DQ":
            cards |= {"HDUCLAS3": "FLAG32BIT", "SCIDATA": "DATA", "ERRDATA": "STAT"}
        else:
            cards |= {"HDUCLAS3": "MSE", "SCIDATA": "DATA", "QUALDATA": "DQ", "BUNIT": f"({unit})**2"}
        hdu.header.update(cards)
        extensions.append(hdu)
    fits.HDUList(extensions).writeto(path, overwrite=True)


CHIP_CALIBRATIONS = {
    "MASTER_BIAS": _write_bias,
    "MASTER_FLAT": _write_flat,
    "TRACE_TABLE": _write_trace,
    "WAVECAL_TABLE": _write_wavecal,
}
