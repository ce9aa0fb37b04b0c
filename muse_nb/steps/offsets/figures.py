"""Figures of offsets, of the stars' residuals and fits, and of the wobble."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from muse_nb.steps.offsets.starfit.arrays import Floats

if TYPE_CHECKING:
    from astropy.table import Table
    from matplotlib.axes import Axes
    from matplotlib.colors import AsinhNorm
    from matplotlib.figure import Figure

__all__ = ["ANGLE_COLOURS", "angle_colour", "plot_offsets", "plot_residuals", "plot_stamps", "plot_wobble"]

ANGLE_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7")  # Okabe-Ito: 0, 90, 180, 270 degrees
OTHER, BAD = "#666666", "#D55E00"
SIGMA = 5.0  # noise at which the colours of a residual end


def angle_colour(posang: float | None) -> str:
    """Colour of a rotator angle, the nearest of the four."""
    if posang is None or not np.isfinite(posang):
        return OTHER
    return ANGLE_COLOURS[round(posang / 90) % 4]


def _axes(ax: Axes | None, size: tuple[float, float]) -> Axes:
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    axes: Axes = plt.subplots(figsize=size, layout="constrained")[1]
    return axes


def plot_offsets(table: Table, ax: Axes | None = None) -> Axes:
    """Offsets on the sky, east to the left, with error bars, exposure numbers, and colour by rotator angle.

    Parameters
    ----------
    table
        Of `Offsets`: one row an exposure.
    """
    ax = _axes(ax, (6, 5.6))
    shown = set()
    for number, row in enumerate(table, start=1):
        if not np.isfinite(row["ra_offset"]):
            continue
        angle = row["posang"]
        label = f"{angle:.0f}°" if np.isfinite(angle) else "unknown"
        ax.errorbar(
            row["ra_offset"], row["dec_offset"], xerr=row["ra_error"], yerr=row["dec_error"], fmt="o", ms=6, capsize=2,
            color=angle_colour(angle), markeredgecolor=BAD if row["verdict"] != "agree" else "white", zorder=3,
            label=None if label in shown else label,
        )  # fmt: skip
        shown.add(label)
        at = row["ra_offset"], row["dec_offset"]
        ax.annotate(str(number), at, xytext=(5, 5), textcoords="offset points", fontsize=8)
    refused = sum(verdict == "refuse" for verdict in table["verdict"])
    ax.axhline(0, color="0.85", lw=0.8, zorder=0)
    ax.axvline(0, color="0.85", lw=0.8, zorder=0)
    ax.set_aspect("equal", adjustable="datalim")
    ax.invert_xaxis()
    ax.set_xlabel("RA offset × cos δ [arcsec], east to the left")
    ax.set_ylabel("Dec offset [arcsec], north up")
    ax.set_title(f"Offsets of {len(table) - refused} exposures" + (f", {refused} refused" if refused else ""))
    if shown:
        ax.legend(title="rotator angle", frameon=False, fontsize=9)
    return ax


def plot_residuals(table: Table, exposures: Sequence[str], ax: Axes | None = None) -> Axes:
    """Distance of every star from the common solution in every exposure [mas]; those that disagree in red.

    The better measured half of the stars with error bars, the others as faint points.

    Parameters
    ----------
    table
        One row a star and exposure.
    exposures
        DATE-OBS of all exposures, in time order.
    """
    ax = _axes(ax, (8, 4))
    place = {name: i + 1 for i, name in enumerate(exposures)}
    x = np.array([place[str(name)] for name in table["date_obs"]], float)
    known = np.isfinite(np.asarray(table["deviation"], float))
    bad = np.asarray(table["outlier"], bool)
    spread = np.random.default_rng(0).uniform(-0.1, 0.1, len(x))
    for axis, shift, colour in (("ra", -0.18, ANGLE_COLOURS[0]), ("dec", 0.18, ANGLE_COLOURS[2])):
        at, value = x + shift + spread, np.asarray(table[f"{axis}_residual"], float)
        error = np.asarray(table[f"{axis}_error"], float)
        sharp = error <= np.median(error[known]) if known.any() else known
        faint = known & ~sharp & ~bad
        ax.plot(at[faint], value[faint], ".", ms=3, color=colour, alpha=0.25, zorder=1)
        for which, paint in ((known & sharp & ~bad, colour), (bad, BAD)):
            ax.errorbar(
                at[which], value[which], yerr=error[which], fmt="o", ms=3, lw=0.6, color=paint, zorder=2,
                label={"ra": "RA", "dec": "Dec"}[axis] if paint == colour else None,
            )  # fmt: skip
    ax.axhline(0, color="0.6", lw=0.8)
    ax.set_xlabel("exposure, in time order")
    ax.set_xticks(range(1, len(exposures) + 1))
    ax.set_ylabel("residual of each star [mas]")
    if len(table):
        limit = 3.5 * np.nanpercentile(np.abs(np.r_[table["ra_residual"], table["dec_residual"]]), 68)
        ax.set_ylim(-max(limit, 1), max(limit, 1))
    ax.set_title("Stars against the common solution (disagreeing ones red)")
    ax.legend(loc="upper right", ncols=2, fontsize=9)
    return ax


def plot_stamps(
    star: int,
    date_obs: Sequence[str],
    images: Mapping[str, Floats],
    limits: Floats,
    turn: Floats,
    axes: NDArray[np.object_] | None = None,
) -> Figure:
    """Data, model and residual of one star in every exposure, north up and east left; return the figure.

    Parameters
    ----------
    star
        Its number.
    date_obs
        The n exposures.
    images
        data, model and residual, each (n, side, side).
    limits : ndarray, shape (n, 2)
        Faintest and brightest pixel of data and model.
    turn : ndarray, shape (n, 2, 2)
        Pixels per arcsec east and north.
    axes : ndarray of Axes, shape (3, n)
        Where to draw; default: a new figure.
    """
    from matplotlib.colors import Normalize
    from matplotlib.transforms import Affine2D

    n, side = len(date_obs), images["data"].shape[-1]
    if axes is None:
        import matplotlib.pyplot as plt

        axes = plt.subplots(3, max(n, 1), figsize=(0.8 * max(n, 1) + 0.9, 3.1), layout="constrained", squeeze=False)[1]
    figure: Figure = axes[0, 0].figure
    for i, date in enumerate(date_obs):
        sky = np.diag([-1.0, 1.0]) @ np.linalg.inv(turn[i])  # pixels to arcsec, west to the right
        turned = Affine2D(np.block([[sky, np.zeros((2, 1))], [np.zeros((1, 2)), np.ones((1, 1))]]))
        reach, half = side / 2 * np.sqrt(abs(np.linalg.det(sky))), side / 2
        for ax, (name, image) in zip(axes[:, i], images.items(), strict=True):
            signed = name == "residual"
            norm = Normalize(-SIGMA, SIGMA) if signed else _asinh(*limits[i])
            shown = ax.imshow(
                image[i],
                origin="lower",
                extent=(-half, half, -half, half),
                cmap="RdBu_r" if signed else "cividis",
                norm=norm,
            )
            shown.set_transform(turned + ax.transData)
            ax.set(xlim=(-reach, reach), ylim=(-reach, reach), xticks=[], yticks=[], aspect="equal", facecolor="0.8")
            if i == 0:
                ax.set_ylabel(name, fontsize=9)
            if i == n - 1 and signed:
                figure.colorbar(shown, ax=ax, label="[σ]", ticks=[-SIGMA, 0, SIGMA])
        axes[0, i].set_title(date[11:19], fontsize=7)
    figure.suptitle(f"Star {star}, {2 * reach:.1f} arcsec wide, north up" if n else "", fontsize=10)
    return figure


def _asinh(low: float, high: float) -> AsinhNorm:
    from matplotlib.colors import AsinhNorm

    return AsinhNorm(linear_width=max(high - low, 1e-9) / 10, vmin=low, vmax=high)


def plot_wobble(
    table: Table, centres: Floats, vector_at: Callable[[Floats], Floats], title: str, ax: Axes | None = None
) -> Axes:
    """Measured offsets by rotator angle and the vector that turns with it.

    Parameters
    ----------
    table
        Of `Wobble`: one row an exposure.
    centres : ndarray, shape (pointings, 2)
        Offsets that the vector turns about [arcsec].
    vector_at
        Gives the vectors (n, 2) [arcsec] at rotator angles (n,) [deg].
    title
        Written above.
    """
    ax = _axes(ax, (6, 5.6))
    for row in table:
        colour = angle_colour(row["posang"])
        ax.plot(
            [row["ra_model"], row["ra_offset"]], [row["dec_model"], row["dec_offset"]], color=colour, lw=0.7, alpha=0.6
        )
        ax.errorbar(
            row["ra_offset"], row["dec_offset"], xerr=row["ra_error"], yerr=row["dec_error"], fmt="o", ms=5,
            color=colour, markeredgecolor=BAD if row["outlier"] else "white",
        )  # fmt: skip
    for pointing, centre in enumerate(centres):
        turn = np.radians(np.arange(0, 361, 3))
        ring = vector_at(np.degrees(turn))
        ax.plot(centre[0] + ring[:, 0], centre[1] + ring[:, 1], color="0.6", lw=0.8, zorder=0)
        own = np.asarray(table["pointing"]) == pointing
        for angle in np.unique(np.round(np.asarray(table["posang"])[own])):
            tip = centre + vector_at(np.array([angle]))[0]
            ax.annotate(
                "", tip, centre, arrowprops={"arrowstyle": "->", "color": angle_colour(angle), "lw": 2}, zorder=2
            )
            ax.annotate(f"{angle:.0f}°", tip, xytext=(4, 4), textcoords="offset points", color=angle_colour(angle))
        ax.plot(*centre, "+", color="black", ms=9)
    ax.set_aspect("equal", adjustable="datalim")
    ax.invert_xaxis()
    ax.set_xlabel("RA offset × cos δ [arcsec], east to the left")
    ax.set_ylabel("Dec offset [arcsec], north up")
    ax.set_title(title)
    return ax
