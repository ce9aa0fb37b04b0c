"""Figures of offsets, of the stars' residuals and fits, and of the wobble."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from muse_nb.steps.offsets.measure import Offsets
    from muse_nb.steps.offsets.stamps import StarStamps
    from muse_nb.steps.offsets.wobble import Wobble

__all__ = ["ANGLE_COLOURS", "angle_colour", "plot_offsets", "plot_residuals", "plot_stamps", "plot_wobble"]

ANGLE_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7")  # Okabe-Ito: 0, 90, 180, 270 degrees
OTHER, BAD = "#666666", "#D55E00"
SIGMA = 5.0  # noise at which the colours of a residual end


def angle_colour(posang: float | None) -> str:
    """Colour of a rotator angle, the nearest of the four."""
    if posang is None or not np.isfinite(posang):
        return OTHER
    return ANGLE_COLOURS[round(posang / 90) % 4]


def _axes(ax: Any, size: tuple[float, float]) -> Any:
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=size, layout="constrained")[1]


def plot_offsets(offsets: Offsets, ax: Any = None) -> Any:
    """Offsets on the sky, east to the left, with error bars, exposure numbers, and colour by rotator angle."""
    ax = _axes(ax, (6, 5.6))
    shown = set()
    for number, row in enumerate(offsets.table, start=1):
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
    refused = int((~offsets.accepted).sum())
    ax.axhline(0, color="0.85", lw=0.8, zorder=0)
    ax.axvline(0, color="0.85", lw=0.8, zorder=0)
    ax.set_aspect("equal", adjustable="datalim")
    ax.invert_xaxis()
    ax.set_xlabel("RA offset × cos δ [arcsec], east to the left")
    ax.set_ylabel("Dec offset [arcsec], north up")
    ax.set_title(f"Offsets of {len(offsets.table) - refused} exposures" + (f", {refused} refused" if refused else ""))
    if shown:
        ax.legend(title="rotator angle", frameon=False, fontsize=9)
    return ax


def plot_residuals(offsets: Offsets, ax: Any = None) -> Any:
    """Distance of every star from the common solution in every exposure [mas]; those that disagree in red.

    The better measured half of the stars with error bars, the others as faint points.
    """
    ax = _axes(ax, (8, 4))
    table = offsets.residuals
    exposures = [str(name) for name in offsets.table["date_obs"]]
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


def plot_stamps(stamps: StarStamps, axes: Any = None) -> Any:
    """Data, model and residual of one star in every exposure, north up and east left; return the figure."""
    from matplotlib.transforms import Affine2D

    n, side = len(stamps.date_obs), stamps.data.shape[-1]
    if axes is None:
        import matplotlib.pyplot as plt

        axes = plt.subplots(3, max(n, 1), figsize=(0.8 * max(n, 1) + 0.9, 3.1), layout="constrained", squeeze=False)[1]
    figure, limits = axes[0, 0].figure, stamps.limits()
    for i, date in enumerate(stamps.date_obs):
        sky = np.diag([-1.0, 1.0]) @ np.linalg.inv(stamps.turn[i])  # pixels to arcsec, west to the right
        turned = Affine2D(np.block([[sky, np.zeros((2, 1))], [np.zeros((1, 2)), np.ones((1, 1))]]))
        reach, half = side / 2 * np.sqrt(abs(np.linalg.det(sky))), side / 2
        for ax, (name, image) in zip(
            axes[:, i], (("data", stamps.data), ("model", stamps.model), ("residual", stamps.residual)), strict=True
        ):
            options: dict[str, Any] = {"cmap": "RdBu_r", "vmin": -SIGMA, "vmax": SIGMA}
            if name != "residual":
                options = {"cmap": "cividis", "norm": _asinh(*limits[i])}
            shown = ax.imshow(image[i], origin="lower", extent=(-half, half, -half, half), **options)
            shown.set_transform(turned + ax.transData)
            ax.set(xlim=(-reach, reach), ylim=(-reach, reach), xticks=[], yticks=[], aspect="equal", facecolor="0.8")
            if i == 0:
                ax.set_ylabel(name, fontsize=9)
            if i == n - 1 and name == "residual":
                figure.colorbar(shown, ax=ax, label="[σ]", ticks=[-SIGMA, 0, SIGMA])
        axes[0, i].set_title(date[11:19], fontsize=7)
    figure.suptitle(f"Star {stamps.star}, {2 * reach:.1f} arcsec wide, north up" if n else "", fontsize=10)
    return figure


def _asinh(low: float, high: float) -> Any:
    from matplotlib.colors import AsinhNorm

    return AsinhNorm(linear_width=max(high - low, 1e-9) / 10, vmin=low, vmax=high)


def plot_wobble(wobble: Wobble, ax: Any = None) -> Any:
    """Measured offsets by rotator angle and the vector that turns with it."""
    ax = _axes(ax, (6, 5.6))
    for row in wobble.table:
        colour = angle_colour(row["posang"])
        ax.plot(
            [row["ra_model"], row["ra_offset"]], [row["dec_model"], row["dec_offset"]], color=colour, lw=0.7, alpha=0.6
        )
        ax.errorbar(
            row["ra_offset"], row["dec_offset"], xerr=row["ra_error"], yerr=row["dec_error"], fmt="o", ms=5,
            color=colour, markeredgecolor=BAD if row["outlier"] else "white",
        )  # fmt: skip
    for pointing, centre in enumerate(wobble.centre):
        turn = np.radians(np.arange(0, 361, 3))
        ring = wobble.vector_at(np.degrees(turn))
        ax.plot(centre[0] + ring[:, 0], centre[1] + ring[:, 1], color="0.6", lw=0.8, zorder=0)
        own = np.asarray(wobble.table["pointing"]) == pointing
        for angle in np.unique(np.round(np.asarray(wobble.table["posang"])[own])):
            tip = centre + wobble.vector_at(np.array([angle]))[0]
            ax.annotate(
                "", tip, centre, arrowprops={"arrowstyle": "->", "color": angle_colour(angle), "lw": 2}, zorder=2
            )
            ax.annotate(f"{angle:.0f}°", tip, xytext=(4, 4), textcoords="offset points", color=angle_colour(angle))
        ax.plot(*centre, "+", color="black", ms=9)
    ax.set_aspect("equal", adjustable="datalim")
    ax.invert_xaxis()
    ax.set_xlabel("RA offset × cos δ [arcsec], east to the left")
    ax.set_ylabel("Dec offset [arcsec], north up")
    ax.set_title(
        f"Derotator wobble {1e3 * wobble.length:.0f} ± {1e3 * wobble.length_error:.0f} mas, "
        f"scatter {1e3 * wobble.scatter:.0f} mas per axis"
    )
    return ax
