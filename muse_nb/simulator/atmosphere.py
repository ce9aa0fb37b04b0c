"""Differential refraction: by how much the field lies elsewhere in other colours."""

from __future__ import annotations

import numpy as np

from muse_nb.simulator.plan import Pointing

__all__ = ["HUMIDITY", "PRESSURE", "TEMPERATURE", "refraction_shift"]

TEMPERATURE, HUMIDITY, PRESSURE = 12.0, 15.0, 743.0  # [deg C], [%], [mbar]
LAMBDA_REFERENCE = 7000.0  # muse_scipost's: positions are true there [Angstrom]


def refractive_index(wavelength: np.ndarray) -> np.ndarray:
    """Return n - 1 of Paranal's air (Filippenko 1982, PASP 94, 715), wavelength in Angstrom."""
    inverse = (1e4 / np.asarray(wavelength)) ** 2
    mmhg = PRESSURE * 0.750062
    kelvin = TEMPERATURE + 273.15
    saturation = -10474.0 + 116.43 * kelvin - 0.43284 * kelvin**2 + 0.0005384 * kelvin**3  # [mbar], Owens 1967
    vapour = HUMIDITY / 100 * saturation * 0.750062
    index = 64.328 + 29498.1 / (146 - inverse) + 255.4 / (41 - inverse)
    index = index * mmhg / 720.883 * (1 + (1.049 - 0.0157 * TEMPERATURE) * 1e-6 * mmhg) / (1 + 0.003661 * TEMPERATURE)
    return (index - (0.0624 - 0.00068 * inverse) / (1 + 0.003661 * TEMPERATURE) * vapour) * 1e-6


def refraction_shift(wavelength: np.ndarray, pointing: Pointing, spaxel: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
    """Shift in the field of light of `wavelength` against 7000 Angstrom, (x, y) in spaxels of that many arcsec."""
    zenith = np.arccos(1 / pointing.airmass)
    size = np.degrees(refractive_index(wavelength) - refractive_index(np.array(LAMBDA_REFERENCE))) * 3600
    size = size * np.tan(zenith) / spaxel
    direction = np.radians(pointing.parang - pointing.posang)
    return -np.sin(direction) * size, np.cos(direction) * size
