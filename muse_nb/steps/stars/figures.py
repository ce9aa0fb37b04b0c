"""Figures of spectra of stars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from muse_nb.steps.look.figures import plot_spectrum

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["plot_star", "plot_stars"]

BLUE, ORANGE = "#0072b2", "#d55e00"
MOST_POINTS = 400  # of the residuals' curve


def plot_star(
    wavelength: NDArray[np.float64],
    flux: NDArray[np.float64],
    error: NDArray[np.float32],
    chi2: NDArray[np.float32],
    unit: str,
    medium: str,
    axes: Any = None,
) -> Any:
    """Draw a star's spectrum with its error, and below it the residual of its fit by wavelength; return both axes."""
    import matplotlib.pyplot as plt

    if axes is None:
        _, axes = plt.subplots(
            2, 1, figsize=(9, 4.6), layout="constrained", sharex=True, gridspec_kw={"height_ratios": (3, 1)}
        )
    top, bottom = axes
    plot_spectrum(wavelength, flux, error.astype(float) if np.isfinite(error).any() else None, unit, medium, top)
    top.set_xlabel("")
    if top.get_legend() is not None:
        top.legend(frameon=False, loc="lower right")
    bins = np.array_split(np.arange(len(wavelength)), min(MOST_POINTS, len(wavelength)))
    with np.errstate(invalid="ignore"):
        root = [float(np.sqrt(np.nanmean(chi2[b]))) if np.isfinite(chi2[b]).any() else np.nan for b in bins]
    bottom.plot([wavelength[b].mean() for b in bins], root, color=BLUE, lw=0.9)
    bottom.axhline(1, color="0.5", lw=0.8, ls="--")
    bottom.set_ylim(0, max(2.0, 1.1 * np.nanmax(root)) if np.isfinite(root).any() else 2.0)
    bottom.set_ylabel("residual\n[sigma]")
    bottom.set_xlabel(f"wavelength in {medium} [Angstrom]" if medium != "unknown" else "wavelength [Angstrom]")
    return axes


def plot_stars(stars: Table, axes: Any = None) -> Any:
    """Draw the S/N of all stars against their magnitude, those that do not stand alone marked; return the axes."""
    import matplotlib.pyplot as plt

    if axes is None:
        _, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    name = next((name for name in stars.colnames if name.startswith("mag_") and not name.startswith("mag_err")), None)
    snr = np.asarray(stars["snr"], float)
    along = np.asarray(stars[name], float) if name else np.asarray(stars["number"], float)
    alone = np.asarray(stars["quality"]) == 0
    axes.plot(along[alone], snr[alone], "o", ms=4, color=BLUE, label="stand alone")
    axes.plot(along[~alone], snr[~alone], "x", ms=4, color=ORANGE, label="blended, faint or at an edge")
    axes.set_yscale("log")
    axes.set_xlabel(f"{name[4:]} [AB mag]" if name else "number of the star")
    axes.set_ylabel("S/N of a plane, median")
    axes.legend(frameon=False)
    return axes
