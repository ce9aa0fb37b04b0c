"""The audit of a cube's NaN in sentences and in figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from muse_nb.steps.nans.causes import MEANING, Cause

if TYPE_CHECKING:
    from muse_nb.steps.badpix.compare import BadpixComparison
    from muse_nb.steps.nans.audit import NanAudit

__all__ = ["draw_map", "findings", "plot", "plot_comparison"]


def findings(audit: NanAudit) -> list[str]:
    """One sentence for everything that is worth knowing, the most voxels first."""
    nz = audit.shape[0]
    if audit.voxels == int(np.prod(audit.shape)):
        return [f"All {audit.voxels} voxels are NaN: the cube is empty."]
    said = [
        f"{audit.nan_fraction:.2%} of the voxels are NaN, {audit.nan_fraction_in_field:.2%} of those inside the field;"
        f" {audit.dead_spaxels} spaxels inside the field and {audit.dead_planes} of {nz} planes have no data at all."
    ]
    inside = max(1, int(audit.empty.inside.sum()) * nz)
    for cause, number in audit.totals().items():
        if cause in (Cause.OUTSIDE_FIELD, Cause.OUTSIDE_RANGE):
            continue
        share = f"{number} voxels, {number / inside:.3%} of the field"
        said.append(f"{cause[0].upper() + cause[1:]}: {share} ({MEANING[Cause(cause)]}){_most(audit, cause)}.")
    if audit.infinite:
        said.append(f"{audit.infinite} voxels are infinite, not NaN: the pixel tables hold data that overflow.")
    if not audit.exact:
        said.append(
            "Without the pixel tables, flags, gaps between slices, missing IFUs, rejected cosmic rays and data that are"
            " not finite cannot be told apart: give them with pixtables=... (--pixtable), or combine with"
            " --extensions DQ."
        )
    return said


def _most(audit: NanAudit, cause: str) -> str:
    """Which IFU, slice and flag stand behind a cause most often."""
    rows = audit.table[audit.table["cause"] == cause]
    parts = []
    for name, label in (("dq", "flag"), ("ifu", "IFU"), ("slice", "slice")):
        values = np.asarray(rows[name])
        if not values.astype(bool).any():
            continue
        kinds, inverse = np.unique(values, return_inverse=True)
        numbers = np.bincount(inverse, np.asarray(rows["voxels"]))
        best = int(np.argmax(numbers))
        parts.append(f"{label} {kinds[best]} {numbers[best] / numbers.sum():.0%}")
    return ", most by " + ", ".join(parts) if parts else ""


def plot(audit: NanAudit, axes: Any = None) -> Any:
    """Draw the fraction of NaN by spaxel (north up) and by wavelength.

    Parameters
    ----------
    axes
        Two axes, for the map and for the profile; a new figure when None.
    """
    import matplotlib.pyplot as plt

    if axes is None:
        _, axes = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained", width_ratios=(1, 1.5))
    left, right = axes
    draw_map(left, audit.fraction_map(), audit.cube.header)
    left.set_title("by spaxel")
    profile = audit.profile()
    try:
        wavelength = audit.cube.wavelength(np.arange(len(profile)))
        right.set_xlabel("wavelength [Angstrom]")
    except Exception:
        wavelength = np.arange(len(profile), dtype=float)
        right.set_xlabel("plane")
    right.plot(wavelength, profile, lw=0.9, color="#0072B2", drawstyle="steps-mid")
    right.set(
        ylabel="NaN inside the field [fraction]", ylim=(0, max(0.02, 1.05 * float(profile.max()))), title="by plane"
    )
    right.grid(alpha=0.3)
    return axes


def draw_map(ax: Any, fraction: np.ndarray, header: Mapping[str, Any], top: float = 1.0) -> None:
    """Draw a map of the fraction of NaN (shape (ny, nx)), up to `top`, with the sky's directions from the WCS."""
    ny, nx = fraction.shape
    scale = _arcsec(header)
    extent = (-0.5 * nx * scale[0], 0.5 * nx * scale[0], -0.5 * ny * scale[1], 0.5 * ny * scale[1])
    image = ax.imshow(fraction, origin="lower", extent=extent, cmap="cividis", vmin=0, vmax=top)
    ax.figure.colorbar(image, ax=ax, label="NaN over all planes [fraction]", shrink=0.85)
    unit = "arcsec" if scale != (1, 1) else "pixel"
    ax.set(xlabel=f"x [{unit}]", ylabel=f"y [{unit}]")
    _compass(ax, header)


def plot_comparison(comparison: BadpixComparison, axes: Any = None) -> Any:
    """Draw the maps of NaN of two reductions, and their causes side by side.

    Parameters
    ----------
    axes
        Three axes: first map, second map, causes; a new figure when None.
    """
    import matplotlib.pyplot as plt

    if axes is None:
        _, axes = plt.subplots(1, 3, figsize=(13, 4), layout="constrained", width_ratios=(1, 1, 1.1))
    for ax, side in zip(axes, (comparison.first, comparison.second), strict=False):
        draw_map(ax, side.audit.fraction_map(), side.audit.cube.header)
        ax.set_title(f"{side.name}: {side.audit.nan_fraction_in_field:.2%} NaN in the field")
    table = comparison.table[:6]
    place = np.arange(len(table))[::-1]
    for shift, name, colour in ((0.2, comparison.first.name, "#D55E00"), (-0.2, comparison.second.name, "#0072B2")):
        axes[2].barh(place + shift, table[name], height=0.38, color=colour, label=name)
    axes[2].set_yticks(place, list(table["cause"]), fontsize=8)
    axes[2].set(xlabel="NaN [voxels]", title="causes")
    axes[2].legend(frameon=False)
    return axes


def _arcsec(header: Mapping[str, Any]) -> tuple[float, float]:
    """Size of a spaxel [arcsec]; (1, 1) when the header does not say."""
    try:
        x = np.hypot(float(header["CD1_1"]), float(header.get("CD2_1", 0)))
        y = np.hypot(float(header["CD2_2"]), float(header.get("CD1_2", 0)))
    except (KeyError, TypeError, ValueError):
        return 1, 1
    return 3600 * x, 3600 * y


def _compass(ax: Any, header: Mapping[str, Any]) -> None:
    """Arrows to the north and the east, from the WCS."""
    from matplotlib.patheffects import withStroke

    outline = [withStroke(linewidth=2.5, foreground="black")]
    try:
        cd = np.array([[float(header.get(f"CD{i}_{j}", 0)) for j in (1, 2)] for i in (1, 2)])
        east, north = np.linalg.inv(cd).T
    except np.linalg.LinAlgError:
        return
    for name, vector in (("N", north), ("E", east)):
        vector = 0.12 * vector / np.hypot(*vector)
        start = (0.86, 0.08)
        arrow = {"arrowstyle": "->", "color": "white", "lw": 1.2}
        end = (start[0] + vector[0], start[1] + vector[1])
        ax.annotate("", end, start, xycoords="axes fraction", arrowprops=arrow | {"path_effects": outline})
        ax.text(
            start[0] + 1.3 * vector[0],
            start[1] + 1.3 * vector[1],
            name,
            color="white",
            transform=ax.transAxes,
            ha="center",
            va="center",
            fontsize=8,
            path_effects=outline,
        )
