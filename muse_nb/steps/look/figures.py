"""Figures of what was taken from a cube."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["plot_line_maps", "plot_spectrum"]

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


def plot_line_maps(maps: dict[str, NDArray[np.float64]], units: dict[str, str], wcs: Any, title: str) -> Any:
    """Draw flux, velocity and dispersion of a line on the sky; return the figure."""
    import matplotlib.pyplot as plt
    from astropy.wcs import WCS

    figure, axes = plt.subplots(
        1, 3, figsize=(13, 4.2), layout="constrained", subplot_kw={"projection": WCS(wcs)}, sharex=True, sharey=True
    )
    figure.suptitle(title)
    for ax, name in zip(axes, ("FLUX", "VELOCITY", "DISPERSION"), strict=True):
        values = maps[name]
        good = values[np.isfinite(values)]
        low, high = np.percentile(good, (1, 99)) if good.size else (0.0, 1.0)
        colours = "cividis"
        if name == "VELOCITY":
            middle = float(np.median(good)) if good.size else 0.0
            reach = max(abs(low - middle), abs(high - middle), 1e-9)
            low, high, colours = middle - reach, middle + reach, "RdBu_r"
        image = ax.imshow(values, origin="lower", cmap=colours, vmin=low, vmax=high, interpolation="nearest")
        figure.colorbar(image, ax=ax, label=f"{name.lower()} [{units[name]}]", shrink=0.85)
        ax.coords[0].set_axislabel("RA")
        ax.coords[1].set_axislabel("Dec" if name == "FLUX" else " ")
    return figure
