"""Figures of the stars in velocity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from astropy.table import Table

    from muse_nb.steps.velocities.groups import Group

__all__ = ["plot_velocities"]

BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#888888"
RANGE = 60.0  # km/s to either side of the median that the colours span, at most


def plot_velocities(
    table: Table, sure: NDArray[np.bool_], systemic: float, groups: Sequence[Group] = (), axes: Any = None
) -> Any:
    """Draw velocities against S/N, their histogram and their places on the sky (north up, east left).

    Parameters
    ----------
    table
        As of `Velocities`.
    sure
        Rows whose velocities are good.
    systemic
        Their median [km/s].
    groups
        IFUs that were compared; with them, a fourth of the axes shows these.
    axes
        Three, or four with groups; a new figure by default.
    """
    import matplotlib.pyplot as plt

    number = 4 if groups else 3
    if axes is None:
        shape = (2, 2) if groups else (1, 3)
        _, axes = plt.subplots(*shape, figsize=(11, 8) if groups else (14, 4), layout="constrained")
        axes = np.ravel(axes)
    velocity, error = (np.asarray(table[name], float) for name in ("velocity", "velocity_err"))
    snr = np.asarray(table["snr"], float)
    good = (np.asarray(table["quality"]) == 0) & np.isfinite(velocity)
    axes[0].errorbar(snr[good], velocity[good], error[good], fmt=".", color=GREY, lw=0.7, ms=3, label="good")
    axes[0].plot(snr[sure], velocity[sure], ".", color=BLUE, ms=5, label="S/N above 10")
    axes[0].set_xscale("log")
    axes[0].set_xlabel("S/N of a plane")
    axes[0].set_ylabel("velocity [km/s]")
    axes[0].legend(frameon=False)
    if sure.any():
        _histogram(axes[1], velocity[sure], systemic)
        _sky(axes[2], table, sure, velocity, systemic)
    if number == 4:
        names = [str(group.name) for group in groups]
        values, errors = ([getattr(g, key) for g in groups] for key in ("velocity", "error"))
        axes[3].errorbar(range(len(groups)), values, errors, fmt="o", color=BLUE)
        axes[3].axhline(0, color=GREY, lw=0.6)
        axes[3].set_xticks(range(len(groups)), names)
        axes[3].set_xlabel("IFU")
        axes[3].set_ylabel("its stars less the others [km/s]")
    return axes


def _histogram(ax: Any, velocity: NDArray[np.float64], systemic: float) -> None:
    low, high = np.percentile(velocity, [0.5, 99.5])
    ax.hist(velocity, bins=np.linspace(low - 5, high + 5, 45), color=BLUE)
    ax.axvline(systemic, color=ORANGE, lw=1)
    ax.set_xlabel("velocity [km/s]")
    ax.set_ylabel("stars with S/N above 10")
    ax.set_title(f"median {systemic:+.1f} km/s", fontsize=10)


def _sky(ax: Any, table: Table, sure: NDArray[np.bool_], velocity: NDArray[np.float64], systemic: float) -> None:
    ra, dec = (np.asarray(table[name], float)[sure] for name in ("ra", "dec"))
    east = (ra - np.median(ra)) * np.cos(np.radians(np.median(dec))) * 3600
    north = (dec - np.median(dec)) * 3600
    span = min(RANGE, max(5.0, float(np.percentile(np.abs(velocity[sure] - systemic), 90))))
    shown = ax.scatter(
        east, north, c=velocity[sure] - systemic, s=14, cmap="RdBu_r", vmin=-span, vmax=span, edgecolors=GREY, lw=0.3
    )
    ax.figure.colorbar(shown, ax=ax, label="velocity less the median [km/s]", extend="both")
    ax.set_aspect("equal")
    if not ax.xaxis_inverted():
        ax.invert_xaxis()
    ax.set_xlabel("to the east [arcsec]")
    ax.set_ylabel("to the north [arcsec]")
