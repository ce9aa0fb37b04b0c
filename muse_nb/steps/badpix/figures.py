"""Figures of two reductions of an exposure side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from muse_nb.steps.drawing import draw_map

__all__ = ["NanMap", "plot_comparison"]

COLOURS = ("#D55E00", "#0072B2")
MOST_CAUSES = 6  # that are drawn


@dataclass(frozen=True)
class NanMap:
    """Where a cube is NaN.

    Attributes
    ----------
    title : str
    fraction : numpy.ndarray
        NaN over all planes, shape (ny, nx).
    header : mapping
        The cube's, with its WCS.
    """

    title: str
    fraction: NDArray[np.floating]
    header: Mapping[str, Any]


def plot_comparison(
    maps: Sequence[NanMap], causes: Sequence[str], voxels: Sequence[tuple[str, Sequence[int]]], axes: Any = None
) -> Any:
    """Draw the maps of NaN of two reductions, and their causes side by side.

    Parameters
    ----------
    maps
        Of the first reduction and the second.
    causes
        Why voxels are NaN, the most important first.
    voxels
        Name of each reduction, and its NaN voxels for each of `causes`.
    axes
        Three axes: first map, second map, causes; a new figure when None.

    Returns
    -------
    sequence of matplotlib.axes.Axes
        The three axes.
    """
    import matplotlib.pyplot as plt

    if axes is None:
        _, axes = plt.subplots(1, 3, figsize=(13, 4), layout="constrained", width_ratios=(1, 1, 1.1))
    for ax, shown in zip(axes, maps, strict=False):
        draw_map(ax, shown.fraction, shown.header)
        ax.set_title(shown.title)
    place = np.arange(len(causes[:MOST_CAUSES]))[::-1]
    for shift, colour, (name, numbers) in zip((0.2, -0.2), COLOURS, voxels, strict=True):
        axes[2].barh(place + shift, numbers[:MOST_CAUSES], height=0.38, color=colour, label=name)
    axes[2].set_yticks(place, list(causes[:MOST_CAUSES]), fontsize=8)
    axes[2].set(xlabel="NaN [voxels]", title="causes")
    axes[2].legend(frameon=False)
    return axes
