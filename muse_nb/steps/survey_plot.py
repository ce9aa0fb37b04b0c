"""The night at a glance: where each exposure pointed, and at which rotator angle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from muse_nb.steps.survey import Exposure

__all__ = ["plot_pointings"]


def plot_pointings(exposures: Sequence[Exposure], ax: Axes | None = None) -> Axes:
    """Draw pointings relative to the first exposure, numbered in time order, north up and east left.

    Parameters
    ----------
    exposures
        Those without a position are left out.
    ax
        Where to draw; by default a new figure.
    """
    import matplotlib.pyplot as plt

    if ax is None:
        _, ax = plt.subplots(figsize=(6.4, 4.8), layout="constrained")
    placed = [e for e in exposures if e.ra is not None and e.dec is not None]
    ax.set_xlabel("east of the first exposure [arcsec]")
    ax.set_ylabel("north of the first exposure [arcsec]")
    if not placed:
        return ax
    ra, dec = (np.array([getattr(e, name) for e in placed], float) for name in ("ra", "dec"))
    east = ((ra - ra[0] + 180) % 360 - 180) * np.cos(np.radians(dec[0])) * 3600
    north = (dec - dec[0]) * 3600
    angles = np.array([e.posang if e.posang is not None else np.nan for e in placed])
    points = ax.scatter(
        east, north, c=angles % 360, cmap="twilight", vmin=0, vmax=360, s=90, edgecolors="0.3", zorder=2
    )
    for number, (x, y) in enumerate(zip(east, north, strict=True), 1):
        ax.annotate(str(number), (x, y), textcoords="offset points", xytext=(6, 5), fontsize=8)
    ax.plot(east, north, color="0.8", lw=0.8, zorder=1)
    ax.figure.colorbar(points, ax=ax, label="rotator angle POSANG [deg]", ticks=[0, 90, 180, 270, 360])
    ax.set_aspect("equal", adjustable="datalim")
    ax.invert_xaxis()
    ax.set_title(f"{len(placed)} exposures, in time order")
    return ax
