"""Flat fields: what divides out of a frame, and the lamp's spectrum that is put back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from muse_nb.products.dq import DQ
from muse_nb.simulator.detector import GAIN, Chip, amplifiers, quadrant_slices
from muse_nb.simulator.instrument import Instrument
from muse_nb.simulator.seeds import generator

__all__ = ["FLAT_VARIANCE", "LAMP_FLUX", "MasterFlat", "bias_variance", "flat_spectrum", "master_flat"]

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


def bias_variance(instrument: Instrument, ifu: int) -> np.ndarray:
    """Read-out variance of a trimmed frame [count**2]."""
    noise, _ = amplifiers(instrument.layout, ifu)
    variance = np.empty((instrument.layout.ny, instrument.layout.nx), np.float32)
    for k, (trimmed, _) in enumerate(quadrant_slices(variance.shape)):
        variance[trimmed] = (noise[k] / GAIN[k]) ** 2
    return variance


def flat_spectrum(flats: list[np.ndarray]) -> np.ndarray:
    """Mean spectrum of the lamp over all IFUs: rows of wavelength [Angstrom] and smooth relative flux."""
    low = max(spectrum[0, 0] for spectrum in flats)
    high = min(spectrum[0, -1] for spectrum in flats)
    wavelength = np.arange(low, high, 1.25)
    mean = np.mean([np.interp(wavelength, *spectrum) for spectrum in flats], axis=0)
    fit = np.polynomial.Chebyshev.fit(wavelength, mean, 7 if high - low > 1000 else 3)
    return np.array([wavelength, fit(wavelength)])
