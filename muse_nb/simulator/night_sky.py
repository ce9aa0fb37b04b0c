"""The sky's emission lines as there are many: OH bands with their branches, oxygen, sodium; rounded to 0.5 Angstrom."""

from __future__ import annotations

import numpy as np

from muse_nb.simulator.spectra import SKY_LINES

__all__ = ["BANDS", "LINES", "emission_lines", "line_spectrum"]

# Wavelengths in air [Angstrom] as in the atlas of Osterbrock et al. 1996, PASP 108, 277, from memory and rounded:
# good to simulate with, not to calibrate by. Strengths are relative within a band: Q, then P lines, strong and weak.
BANDS: dict[str, tuple[float, tuple[tuple[float, float], ...]]] = {
    "OH 9-3": (500, ((6257.9, 0.8), (6265.5, 0.5), (6287.4, 1.0), (6307.0, 0.6), (6321.5, 0.5), (6329.9, 0.4))),
    "OH 6-1": (600, ((6498.7, 1.0), (6505.0, 0.5), (6522.4, 0.5), (6533.0, 0.9), (6544.0, 0.5), (6553.6, 0.9),
                     (6568.8, 0.4), (6577.2, 0.7), (6596.6, 0.3), (6604.3, 0.3))),
    "OH 7-2": (1300, ((6829.5, 0.6), (6834.0, 0.6), (6841.9, 0.5), (6863.9, 1.0), (6871.0, 0.5), (6889.3, 0.5),
                      (6900.8, 0.7), (6912.6, 0.5), (6923.2, 0.9), (6939.5, 0.6), (6949.0, 0.5))),
    "OH 8-3": (1900, ((7244.9, 0.5), (7276.4, 1.0), (7284.4, 0.5), (7303.7, 0.5), (7316.3, 0.9), (7329.1, 0.5),
                      (7340.9, 1.0), (7358.7, 0.5), (7369.2, 0.7), (7392.2, 0.5), (7401.7, 0.5))),
    "OH 4-0": (600, ((7523.0, 0.5), (7571.7, 0.7), (7586.0, 0.4))),
    "OH 9-4": (2100, ((7712.0, 0.5), (7715.0, 0.5), (7750.6, 1.0), (7759.9, 0.5), (7780.4, 0.5), (7794.1, 0.9),
                      (7808.5, 0.5), (7821.5, 1.0), (7841.3, 0.6), (7853.3, 0.8), (7870.8, 0.3))),
    "OH 5-1": (2700, ((7913.7, 1.0), (7921.1, 0.5), (7949.2, 0.4), (7964.6, 0.8), (7993.3, 0.9), (8014.1, 0.4),
                      (8025.8, 0.7), (8052.0, 0.5), (8062.4, 0.5))),
    "OH 6-2": (3000, ((8288.6, 0.6), (8298.7, 0.5), (8310.7, 0.4), (8344.6, 1.0), (8352.8, 0.5), (8382.4, 0.6),
                      (8399.2, 1.0), (8415.2, 0.5), (8430.2, 1.0), (8452.3, 0.5), (8465.4, 0.8), (8493.4, 0.4),
                      (8504.6, 0.5))),
    "O2 0-1": (500, tuple((8625.0 + 4.0 * k, 0.3 + 0.7 * np.exp(-(((k - 6) / 5.0) ** 2))) for k in range(18))),
    "OH 7-3": (3600, ((8761.4, 0.5), (8767.9, 0.5), (8778.3, 0.7), (8791.2, 0.5), (8827.1, 1.0), (8836.1, 0.5),
                      (8867.6, 0.6), (8885.9, 1.0), (8903.1, 0.6), (8919.6, 0.9), (8943.4, 0.5), (8958.1, 0.7),
                      (8988.4, 0.5), (9001.3, 0.4))),
    "OH 8-4": (3800, ((9313.0, 0.6), (9323.0, 0.6), (9337.9, 0.7), (9375.9, 1.0), (9419.7, 0.6), (9439.7, 1.0),
                      (9458.5, 0.6), (9476.8, 0.9), (9502.8, 0.5), (9519.2, 0.6), (9552.5, 0.5), (9567.6, 0.5))),
}  # fmt: skip
LINES = {
    5577.34: 9300.0,
    5197.9: 300.0,
    5200.3: 200.0,
    5889.95: 930.0,
    5895.92: 510.0,
    6300.30: 4200.0,
    6363.78: 1350.0,
}


def emission_lines(*, real: bool) -> list[tuple[float, float, str]]:
    """Give wavelength [Angstrom], flux in a spaxel of 0.2 arcsec [1e-20 erg/s/cm**2] and band of the sky's lines.

    Those of a `real` night, or the few of the demo's.
    """
    if not real:
        return [(wavelength, float(flux), "sky") for wavelength, flux in SKY_LINES.items()]
    bands = [(w, flux * part, name) for name, (flux, band) in BANDS.items() for w, part in band]
    return [(wavelength, flux, "sky") for wavelength, flux in LINES.items()] + bands


def line_spectrum(wavelength: np.ndarray, fwhm: float) -> np.ndarray:
    """Emission of the sky in a spaxel of 0.2 arcsec, blurred by a line spread function of this FWHM [Angstrom]."""
    spectrum = np.zeros_like(wavelength)
    for centre, flux, _ in emission_lines(real=True):
        near = np.abs(wavelength - centre) < 4 * fwhm
        spectrum[near] += flux * np.exp(-4 * np.log(2) * ((wavelength[near] - centre) / fwhm) ** 2) / (fwhm * 1.0645)
    return spectrum
