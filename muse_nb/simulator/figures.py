"""The truth of a simulated night as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from astropy.table import Table
    from matplotlib.axes import Axes

__all__ = ["plot_offsets"]


def plot_offsets(offsets: Table, ax: Axes | None = None) -> Axes:
    """Draw offsets on the sky, coloured by rotator angle; return the axes."""
    import matplotlib.pyplot as plt

    ax = ax or plt.subplots(figsize=(5, 5), layout="constrained")[1]
    colours = {0: "#0072B2", 90: "#E69F00", 180: "#009E73", 270: "#CC79A7"}
    for angle, colour in colours.items():
        rows = np.asarray(offsets["posang"]) == angle
        ax.plot(offsets["east"][rows], offsets["north"][rows], "o", color=colour, label=f"{angle} deg")
    ax.set(xlabel="offset to the east [arcsec]", ylabel="offset to the north [arcsec]", aspect="equal")
    ax.invert_xaxis()
    ax.legend(title="rotator")
    return ax
