"""Calibrations of each chip as the recipes make them: MASTER_BIAS, MASTER_FLAT, TRACE_TABLE and WAVECAL_TABLE."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits

from muse_nb.products.dq import DQ
from muse_nb.simulator.detector import BIAS, GAIN, READ_NOISE, Chip, quadrant_slices
from muse_nb.simulator.headers import calibration_header, hierarch
from muse_nb.simulator.instrument import Instrument
from muse_nb.simulator.layouts import SLICES
from muse_nb.simulator.seeds import generator

__all__ = ["CHIP_CALIBRATIONS", "MasterFlat", "bias_variance", "master_flat", "write_chip_calibration"]

TRACE_ORDERS, WAVE_X_ORDERS, WAVE_Y_ORDERS = 6, 3, 7
LAMP_FLUX = 5e11  # ESO QC FLAT MASTER INTFLUX of an IFU with a mean flat of 1
FLAT_VARIANCE = 1e-6


@dataclass(frozen=True)
class MasterFlat:
    """Normalised flat field of one chip.

    Attributes
    ----------
    data, dq
        Trimmed images; the gaps between slices hold noise and are BADOTHER where it is not positive.
    level
        What the flat was divided by: the IFU's throughput.
    spectrum
        Two rows: wavelength [Angstrom] and the mean flat there, the lamp's spectrum as the instrument sees it.
    """

    data: np.ndarray
    dq: np.ndarray
    level: float
    spectrum: np.ndarray


def master_flat(chip: Chip) -> MasterFlat:
    """Make the noise-free master flat of one chip."""
    lamp = chip.lamp()
    inside = chip.map.inside
    level = float(lamp[inside].mean())
    data = chip.image(lamp / level)
    gap = data < 0.004
    noise = generator(chip.instrument.seed, "flat gaps", chip.ifu).normal(0, 6e-5, int(gap.sum())).astype(np.float32)
    data[gap] = np.where(noise == 0, np.float32(6e-5), noise)
    dq = np.where(data <= 0, int(DQ.BADOTHER), 0).astype(np.int32)
    wavelength = chip.map.wavelength[inside]
    edges = np.arange(wavelength.min(), wavelength.max() + 1.25, 1.25)
    count, _ = np.histogram(wavelength, edges)
    total, _ = np.histogram(wavelength, edges, weights=lamp[inside] / level)
    filled = count > 0
    spectrum = np.array([(edges[:-1] + 0.625)[filled], total[filled] / count[filled]])
    return MasterFlat(data, dq, level, spectrum)


def bias_variance(instrument: Instrument) -> np.ndarray:
    """Read-out variance of a trimmed frame [count**2]."""
    variance = np.empty((instrument.layout.ny, instrument.layout.nx), np.float32)
    for k, (trimmed, _) in enumerate(quadrant_slices(variance.shape)):
        variance[trimmed] = (READ_NOISE[k] / GAIN[k]) ** 2
    return variance


def write_chip_calibration(chip: Chip, category: str, path: Path) -> None:
    """Write one of CHIP_CALIBRATIONS to `path`."""
    header = calibration_header(chip.instrument.layout, category, f"{category}-{chip.ifu:02d}.fits", chip.ifu)
    CHIP_CALIBRATIONS[category](chip, header, path)


def _write_bias(chip: Chip, header: fits.Header, path: Path) -> None:
    # The recipes copy these from muse_bias and compare them with the science frame's.
    hierarch(header, "PRO REC1 PARAM1 NAME", "nifu")
    hierarch(header, "PRO REC1 PARAM1 VALUE", str(chip.ifu))
    settings = {"overscan": "vpoly", "ovscreject": "dcr", "ovscsigma": "30.", "ovscignore": "3"}
    for k, (name, value) in enumerate(settings.items(), start=2):
        hierarch(header, f"PRO REC1 PARAM{k} NAME", name)
        hierarch(header, f"PRO REC1 PARAM{k} VALUE", value)
    for k in range(4):
        hierarch(header, f"QC BIAS MASTER{k + 1} RON", READ_NOISE[k])
        hierarch(header, f"QC BIAS MASTER{k + 1} MEAN", 0.0)
        hierarch(header, f"DRS MUSE OVSC{k + 1} MEAN", BIAS[k])  # before the overscan was subtracted
        hierarch(header, f"DRS MUSE OVSC{k + 1} STDEV", READ_NOISE[k] / GAIN[k])
    zero = np.zeros(chip.shape, np.float32)
    _write_image(path, header, zero, zero.astype(np.int32), bias_variance(chip.instrument), "adu")


def _write_flat(chip: Chip, header: fits.Header, path: Path) -> None:
    flat = master_flat(chip)
    hierarch(header, "QC FLAT MASTER INTFLUX", LAMP_FLUX * flat.level)
    _write_image(path, header, flat.data, flat.dq, np.full(chip.shape, FLAT_VARIANCE, np.float32), "count")


def _write_trace(chip: Chip, header: fits.Header, path: Path) -> None:
    traces = np.array([chip.instrument.trace(s) for s in range(1, SLICES + 1)])  # slice, edge, coefficient
    columns = [
        fits.Column("SliceNo", "J", unit="No", array=np.arange(1, SLICES + 1)),
        fits.Column("Width", "E", unit="pix", array=traces[:, 2, 0] - traces[:, 1, 0]),
    ]
    for edge in range(3):
        for k in range(TRACE_ORDERS):
            columns.append(fits.Column(f"tc{edge}_{k:02d}", "D", unit="pix", array=traces[:, edge, k]))
        columns.append(fits.Column(f"MSE{edge}", "D", unit="pix", array=np.full(SLICES, 1e-4)))
    _write_table(path, header, columns)


def _write_wavecal(chip: Chip, header: fits.Header, path: Path) -> None:
    polys = np.array([chip.instrument.wavelength_polynomial(chip.ifu, s) for s in range(1, SLICES + 1)])
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
