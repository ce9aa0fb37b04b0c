"""Figures of a source: its line's image and spectrum; data, model and what is left; the rotation curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from muse_nb.steps.drawing import draw_map

__all__ = ["plot_fit", "plot_source"]

Array = NDArray[np.float64]
SUM = "sum of the line's planes"
BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#888888"


def plot_source(
    data: Array, variance: Array, wavelength: Array, lines: Sequence[float], header: Mapping[str, Any], axes: Any = None
) -> Any:
    """Draw the image of a line (north up) and the spectrum of the spaxels that it comes from.

    Parameters
    ----------
    data, variance
        Of the subcube, shape (nz, ny, nx).
    wavelength
        Of its planes [Angstrom].
    lines
        Where the line is expected [Angstrom].
    header
        With its WCS.
    axes
        Two; a new figure by default.
    """
    import matplotlib.pyplot as plt

    if axes is None:
        _, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained", width_ratios=(1, 1.5))
    image = np.nansum(data, axis=0)
    draw_map(axes[0], image, header, float(np.nanmax(image)), label=SUM)
    axes[0].set_title("line", fontsize=10)
    core = image > 0.3 * np.nanmax(image)
    total, error = np.nansum(data[:, core], axis=1), np.sqrt(np.nansum(variance[:, core], axis=1))
    _spectrum(axes[1], wavelength, total, error)
    for at in lines:
        axes[1].axvline(at, color=GREY, lw=0.8, ls=":")
    axes[1].set_title("spaxels above 30 % of the peak", fontsize=10)
    return axes


def _spectrum(ax: Any, wavelength: Array, total: Array, error: Array) -> None:
    ax.step(wavelength, total, where="mid", color=BLUE, label="data")
    ax.fill_between(wavelength, total - error, total + error, step="mid", color=BLUE, alpha=0.2, lw=0)
    ax.axhline(0, color=GREY, lw=0.6)
    ax.set_xlabel("wavelength [Angstrom]")
    ax.set_ylabel("flux, summed [unit of the cube]")


def plot_fit(
    data: Array,
    model: Array,
    variance: Array,
    wavelength: Array,
    header: Mapping[str, Any],
    curve: tuple[Array, Array],
    axes: Any = None,
) -> Any:
    """Draw the line's image, the model's, what is left over its error; the spectra; and the rotation curve.

    Parameters
    ----------
    data, model, variance
        Shape (nz, ny, nx).
    wavelength
        [Angstrom]
    header
        With the WCS.
    curve
        Radius [arcsec] and rotation velocity [km/s].
    axes
        Five; a new figure by default.
    """
    import matplotlib.pyplot as plt

    if axes is None:
        figure = plt.figure(figsize=(11, 6.4), layout="constrained")
        grid = figure.add_gridspec(2, 6)
        places = [grid[0, 0:2], grid[0, 2:4], grid[0, 4:6], grid[1, 0:3], grid[1, 3:6]]
        axes = [figure.add_subplot(place) for place in places]
    good = np.isfinite(data) & np.isfinite(variance)
    image, made = (np.where(good, part, 0.0).sum(0) for part in (data, model))
    left = np.where(good, data - model, 0.0).sum(0) / np.sqrt(np.where(good, variance, 0.0).sum(0).clip(1e-30))
    high = float(np.nanmax(made))
    for ax, shown in ((axes[0], image), (axes[1], made)):
        draw_map(ax, shown, header, high, label=SUM)
    draw_map(axes[2], left, header, 4.0, low=-4.0, label="over the error of the sum", cmap="RdBu_r")
    for ax, title in zip(axes, ("data", "model", "data - model"), strict=False):
        ax.set_title(title, fontsize=10)
    core = made > 0.3 * np.nanmax(made)
    spread = np.sqrt(np.nansum(variance[:, core], axis=1))
    _spectrum(axes[3], wavelength, np.nansum(data[:, core], axis=1), spread)
    axes[3].plot(wavelength, model[:, core].sum(1), color=ORANGE, label="model")
    axes[3].legend(frameon=False)
    axes[4].plot(*curve, color=ORANGE)
    axes[4].set_xlabel("radius in the disc [arcsec]")
    axes[4].set_ylabel("rotation velocity [km/s]")
    axes[4].set_ylim(bottom=0)
    return axes
