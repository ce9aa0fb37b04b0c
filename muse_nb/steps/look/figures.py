"""Figures of what was taken from a cube."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["plot_spectrum"]

BLUE, BAND = "#0072b2", "#56b4e9"


def plot_spectrum(
    wavelength: NDArray[np.float64],
    flux: NDArray[np.float64],
    error: NDArray[np.float64] | None,
    unit: str,
    medium: str,
    axes: Any = None,
) -> Any:
    """Draw a spectrum as steps, its error as a band around it; return the axes."""
    import matplotlib.pyplot as plt

    if axes is None:
        _, axes = plt.subplots(figsize=(9, 3.6), layout="constrained")
    if error is not None:
        axes.fill_between(
            wavelength, flux - error, flux + error, step="mid", color=BAND, alpha=0.4, lw=0, label="1 sigma"
        )
    axes.step(wavelength, flux, where="mid", color=BLUE, lw=0.9)
    good = flux[np.isfinite(flux)]
    if good.size:
        low, high = np.percentile(good, (0.1, 99.9))
        pad = 0.08 * (high - low) or 1.0
        axes.set_ylim(min(low, 0) - pad, max(high, good.max() if good.max() < high + 5 * pad else high) + pad)
    axes.set_xlim(wavelength[0], wavelength[-1])
    axes.set_xlabel(f"wavelength in {medium} [Angstrom]" if medium != "unknown" else "wavelength [Angstrom]")
    axes.set_ylabel(f"flux [{unit}]" if unit else "flux")
    if error is not None:
        axes.legend(frameon=False, loc="upper right")
    return axes
