"""Figures of a cube's NaN: by spaxel and by wavelength, and what a combine fills of each exposure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from muse_nb.steps.drawing import draw_map

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_healing", "plot_nans"]

LEAST_SHARE = 0.02  # of NaN at which a scale ends at least, so that a nearly full cube looks full


def plot_nans(
    fraction: NDArray[np.float32],
    profile: NDArray[np.float32],
    header: Mapping[str, Any],
    wavelength: NDArray[np.float64] | None = None,
    axes: Sequence[Axes] | None = None,
) -> Sequence[Axes]:
    """Draw the fraction of NaN by spaxel (north up) and by wavelength.

    Parameters
    ----------
    fraction
        NaN over all planes of each spaxel, shape (ny, nx).
    profile
        NaN over the spaxels of the field in each plane, shape (nz,).
    header
        The cube's, for its WCS.
    wavelength
        Of the planes [Angstrom], shape (nz,); numbers of planes are shown when None.
    axes
        Two axes, for the map and for the profile; a new figure when None.
    """
    import matplotlib.pyplot as plt

    if axes is None:
        _, axes = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained", width_ratios=(1, 1.5))
    left, right = axes
    draw_map(left, fraction, header)
    left.set_title("by spaxel")
    right.set_xlabel("plane" if wavelength is None else "wavelength [Angstrom]")
    place = np.arange(len(profile)) if wavelength is None else wavelength
    right.plot(place, profile, lw=0.9, color="#0072B2", drawstyle="steps-mid")
    top = max(LEAST_SHARE, 1.05 * float(profile.max()))
    right.set(ylabel="NaN inside the field [fraction]", ylim=(0, top), title="by plane")
    right.grid(alpha=0.3)
    return axes


def plot_healing(
    maps: Sequence[tuple[str, NDArray[np.float32]]],
    header: Mapping[str, Any],
    exposures: Sequence[str],
    filled: NDArray[np.float64],
    stays: NDArray[np.float64],
    axes: Sequence[Axes] | None = None,
) -> Sequence[Axes]:
    """Draw the map of NaN of an exposure and of the combined cube, and what is filled of each exposure.

    Parameters
    ----------
    maps
        Title and fraction of NaN (shape (ny, nx), NaN outside the field) of the exposure and of the combined cube.
    header
        The combined cube's, for its WCS.
    exposures
        What to call each exposure.
    filled, stays
        NaN in the field of each exposure that the others fill, and that they do not [%].
    axes
        Three axes; a new figure when None.
    """
    import matplotlib.pyplot as plt

    if axes is None:
        _, axes = plt.subplots(1, 3, figsize=(13, 4), layout="constrained", width_ratios=(1, 1, 1.1))
    top = max(LEAST_SHARE, *(float(np.nanmax(fraction)) for _, fraction in maps))
    for ax, (title, fraction) in zip(axes, maps, strict=False):
        draw_map(ax, fraction, header, top)
        ax.set_title(title)
    place = np.arange(len(exposures))[::-1]
    axes[2].barh(place, stays, color="#D55E00", label="stays")
    axes[2].barh(place, filled, left=stays, color="#56B4E9", label="filled by the others")
    axes[2].set_yticks(place, exposures, fontsize=8)
    axes[2].set(xlabel="NaN in the field of the exposure [%]", title="holes of each exposure")
    axes[2].legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=2)
    return axes
