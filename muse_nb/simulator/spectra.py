"""Spectra of what the simulated MUSE looks at and through: stars, night sky, atmosphere, mirrors and detectors.

Wavelengths in Angstrom (air), fluxes in 1e-20 erg/s/cm**2/Angstrom, the unit of the recipes' cubes.
"""

from __future__ import annotations

import numpy as np

from muse_nb.products.dq import NOTCH
from muse_nb.products.light.star_lines import COOL, WARM, absorption

__all__ = [
    "C_KM_S",
    "FLUX_UNIT",
    "LSF",
    "REFERENCE",
    "cool_star",
    "emitting_disc",
    "extinction",
    "line",
    "magnitude_to_flux",
    "nebula",
    "notched",
    "sensitivity",
    "sky_continuum",
    "sky_lines",
    "telluric",
    "temperature",
    "warm_star",
]

FLUX_UNIT = 1e-20
C_KM_S = 299792.458
REFERENCE = 6500.0  # where the templates are 1 and magnitudes are defined [Angstrom]
ZERO_POINT = 2.18e-9  # R = 0 [erg/s/cm**2/Angstrom]
LSF = 2.5  # FWHM of the line spread function [Angstrom]
SPAXEL_AREA = 0.04  # [arcsec**2]

# Night-sky emission: wavelength [Angstrom] -> flux [1e-20 erg/s/cm**2 in a spaxel], rounded from Paranal's sky.
SKY_LINES = {
    5577.34: 9300, 5889.95: 930, 5895.92: 510, 6300.30: 4200, 6363.78: 1350, 6498.73: 330,
    6533.04: 390, 6553.62: 270, 6577.28: 180, 6863.96: 1230, 7276.41: 1860, 7316.28: 1770,
    7340.89: 1950, 7750.64: 2070, 7794.11: 1860, 7913.71: 2700, 7993.33: 2070, 8344.60: 2700,
    8399.17: 3090, 8430.17: 3000, 8827.10: 3420, 8885.85: 3510, 8919.61: 3090,
}  # fmt: skip


def _gaussian(wavelength: np.ndarray, centre: float, fwhm: float) -> np.ndarray:
    line: np.ndarray = np.exp(-4 * np.log(2) * ((wavelength - centre) / fwhm) ** 2)
    return line


def line(wavelength: np.ndarray, centre: float, fwhm: float) -> np.ndarray:
    """Gaussian of unit area [1/Angstrom]."""
    return _gaussian(wavelength, centre, fwhm) / (fwhm * 1.0645)


def warm_star(wavelength: np.ndarray) -> np.ndarray:
    """Relative spectrum of a turn-off star: blue, with deep lines of hydrogen."""
    return (wavelength / REFERENCE) ** -1.3 * (1 - absorption(wavelength, WARM, LSF))


def cool_star(wavelength: np.ndarray) -> np.ndarray:
    """Relative spectrum of a giant or a faint dwarf: red, with metal lines."""
    return (wavelength / REFERENCE) ** 0.8 * (1 - absorption(wavelength, COOL, LSF))


def temperature(warm: np.ndarray) -> np.ndarray:
    """Effective temperature [K] of stars with that share of a warm star's spectrum."""
    return COOL + (WARM - COOL) * np.asarray(warm)


def emitting_disc(wavelength: np.ndarray, lines: dict[float, float], dispersion: float) -> np.ndarray:
    """Relative spectrum of a galaxy's gas and stars, at the velocity of its centre.

    Parameters
    ----------
    wavelength
        [Angstrom]
    lines
        Observed wavelength [Angstrom] to equivalent width [Angstrom].
    dispersion
        Of the gas [km/s].
    """
    spectrum = 0.3 * (wavelength / REFERENCE) ** -1.3 + 0.7 * (wavelength / REFERENCE) ** 0.8
    for centre, width in lines.items():
        fwhm = np.hypot(LSF, np.sqrt(8 * np.log(2)) * dispersion / C_KM_S * centre)
        spectrum = spectrum + width * line(wavelength, centre, float(fwhm))
    return spectrum


def magnitude_to_flux(magnitude: np.ndarray) -> np.ndarray:
    """R magnitude to flux at 6500 Angstrom [1e-20 erg/s/cm**2/Angstrom]."""
    return ZERO_POINT / FLUX_UNIT * 10 ** (-0.4 * np.asarray(magnitude))


def sky_continuum(wavelength: np.ndarray) -> np.ndarray:
    """Dark sky of R = 20.8 per square arcsec, in one spaxel."""
    return magnitude_to_flux(np.array(20.8)) * SPAXEL_AREA * (1 + 5e-5 * (wavelength - REFERENCE))


def sky_lines(wavelength: np.ndarray) -> np.ndarray:
    """Emission lines of the sky as the spectrographs blur them, in one spaxel."""
    spectrum = np.zeros_like(wavelength)
    for centre, flux in SKY_LINES.items():
        near = np.abs(wavelength - centre) < 4 * LSF
        spectrum[near] += flux * line(wavelength[near], centre, LSF)
    return spectrum


# Nebular lines at rest, strengths relative to H beta (air, Angstrom).
NEBULA = {
    4861.33: 1.0, 4958.91: 3.0, 5006.84: 9.0, 5754.6: 0.06, 5875.66: 0.15, 6300.3: 0.2, 6548.05: 0.8, 6562.80: 3.0,
    6583.45: 2.4, 6678.15: 0.04, 6716.44: 0.12, 6730.82: 0.15, 7065.25: 0.05, 7135.80: 0.15, 7319.99: 0.05,
    7330.2: 0.04, 9068.6: 0.3,
}  # fmt: skip


def notched(wavelength: np.ndarray, mode: str) -> np.ndarray:
    """True where the filter against the sodium laser lets no light through."""
    low, high = NOTCH.get(mode, (0.0, 0.0))
    inside: np.ndarray = (wavelength > low) & (wavelength < high)
    return inside


def nebula(wavelength: np.ndarray) -> np.ndarray:
    """Relative spectrum of a planetary nebula: lines over a faint continuum."""
    spectrum = np.full(wavelength.shape, 0.03)
    for centre, strength in NEBULA.items():
        near = np.abs(wavelength - centre) < 4 * LSF
        spectrum[near] += 40 * strength * line(wavelength[near], centre, LSF)
    return spectrum


def extinction(wavelength: np.ndarray) -> np.ndarray:
    """Extinction of Paranal's air [mag / airmass]."""
    return 0.12 * (wavelength / 5000.0) ** -3.2 + 0.02


def telluric(wavelength: np.ndarray) -> np.ndarray:
    """Transmission of the molecular bands at airmass 1: the B and A bands of oxygen."""
    return 1 - 0.3 * _gaussian(wavelength, 6875.0, 35.0) - 0.6 * _gaussian(wavelength, 7620.0, 59.0)


def sensitivity(wavelength: np.ndarray) -> np.ndarray:
    """Electrons per second for 1 erg/s/cm**2: an 8.2 m mirror times 12 to 34 % of efficiency times photons per erg."""
    area, planck_c = 4.85e5, 1.986e-8  # [cm**2], h c [erg Angstrom]
    efficiency = 0.12 + 0.22 * np.exp(-(((wavelength - 6800.0) / 2000.0) ** 2))
    electrons: np.ndarray = area * efficiency * wavelength / planck_c
    return electrons
