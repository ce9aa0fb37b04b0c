"""The night at a glance: where each exposure pointed, at which rotator angle, and when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from muse_nb.steps.survey.exposures import Exposure

__all__ = ["plot_night", "plot_pointings"]

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#f0e442", "#000000")  # Okabe and Ito
FIELD_SIDE = 60.0  # arcsec, of the wide field
MAX_NUMBERED = 60  # exposures: the numbers of more would cover each other
UNKNOWN_ANGLE = "0.6"


def plot_night(exposures: Sequence[Exposure]) -> Axes:
    """Draw the pointings beside the rotator angle by time; returns the axes of the pointings."""
    import matplotlib.pyplot as plt

    sky: Axes
    clock: Axes
    _, (sky, clock) = plt.subplots(1, 2, figsize=(10, 4.6), layout="constrained")
    plot_pointings(exposures, sky)
    timed = [
        (exposure, when, exposure.posang)
        for exposure in exposures
        if (when := _hours(exposure.date_obs)) is not None and exposure.posang is not None
    ]
    start = min((when for _, when, _ in timed), default=0.0)
    colours = _colours(exposures)
    for exposure, when, angle in timed:
        clock.plot(60 * (when - start), angle, "o", ms=9, mec="0.3", c=colours[_angle(exposure)])
    clock.set_xlabel(f"time after {timed[0][0].date_obs[:19]} [min]" if timed else "time [min]")
    clock.set_ylabel("rotator angle POSANG [deg]")
    if all(0 <= (e.posang or 0) <= 360 for e in exposures):
        clock.set_ylim(-20, 380)
        clock.set_yticks([0, 90, 180, 270, 360])
    clock.grid(color="0.9")
    clock.set_axisbelow(True)
    return sky


def plot_pointings(exposures: Sequence[Exposure], ax: Axes) -> Axes:
    """Draw pointings relative to the first exposure, numbered in time order, north up and east left.

    Parameters
    ----------
    exposures
        Those without a position are left out.
    ax
        Where to draw.
    """
    placed = [e for e in exposures if e.ra is not None and e.dec is not None]
    ax.set_xlabel("east of the first exposure [arcsec]")
    ax.set_ylabel("north of the first exposure [arcsec]")
    ax.set_title(f"{len(placed)} exposures")
    ax.set_aspect("equal", adjustable="datalim")
    if placed:
        ra, dec = (np.array([getattr(e, name) for e in placed], float) for name in ("ra", "dec"))
        east = ((ra - ra[0] + 180) % 360 - 180) * np.cos(np.radians(dec[0])) * 3600
        north = (dec - dec[0]) * 3600
        _draw(ax, placed, east, north)
    ax.invert_xaxis()
    _compass(ax)
    return ax


def _draw(ax: Axes, exposures: list[Exposure], east: np.ndarray, north: np.ndarray) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Rectangle

    colours = _colours(exposures)
    wide = max(np.ptp(east), np.ptp(north)) > FIELD_SIDE / 3
    ax.plot(east, north, color="0.85", lw=0.8, zorder=1)
    for number, (exposure, x, y) in enumerate(zip(exposures, east, north, strict=True), 1):
        colour = colours[_angle(exposure)]
        ax.plot(x, y, "o", ms=9, mec="0.3", c=colour, zorder=3)
        text = _pointing(exposures, number - 1) if wide else str(number)
        if len(exposures) <= MAX_NUMBERED or wide:
            ax.annotate(text, (x, y), textcoords="offset points", xytext=(6, 5), fontsize=8, zorder=4)
        if wide:  # where fields differ, their outlines say more than points
            corner, turn = (x - FIELD_SIDE / 2, y - FIELD_SIDE / 2), -(exposure.posang or 0.0)  # east is +x
            ax.add_patch(
                Rectangle(
                    corner, FIELD_SIDE, FIELD_SIDE, angle=turn, rotation_point="center", fill=False, ec=colour, lw=0.8
                )
            )
    if wide:
        ax.autoscale_view()
    keys = [
        Line2D([], [], marker="o", ls="", mec="0.3", c=c, label=f"{a}°" if a != "?" else a) for a, c in colours.items()
    ]
    if len(keys) <= len(COLOURS) + 1:
        ax.legend(handles=keys, title="POSANG", fontsize=8, title_fontsize=8, loc="best")


def _pointing(exposures: list[Exposure], index: int) -> str:
    """Name a pointing and its number of exposures, once: at its first."""
    numbers = [e.pointing for e in exposures]
    first = numbers.index(numbers[index]) == index
    return f"pointing {numbers[index]} ({numbers.count(numbers[index])})" if first else ""


def _compass(ax: Axes) -> None:
    for name, end in (("N", (0.93, 0.2)), ("E", (0.8, 0.07))):
        ax.annotate(
            name,
            (0.93, 0.07),
            end,
            xycoords="axes fraction",
            textcoords="axes fraction",
            ha="center",
            va="center",
            fontsize=9,
            arrowprops={"arrowstyle": "<-", "color": "0.3"},
        )


def _angle(exposure: Exposure) -> str:
    return "?" if exposure.posang is None else f"{exposure.posang % 360:.0f}"


def _colours(exposures: Sequence[Exposure]) -> dict[str, object]:
    """A colour an angle: of a few angles the colour-blind-safe ones, of many a cyclic scale."""
    import matplotlib

    angles = sorted({_angle(e) for e in exposures} - {"?"}, key=float)
    if len(angles) <= len(COLOURS):
        found: dict[str, object] = dict(zip(angles, COLOURS, strict=False))
    else:
        scale = matplotlib.colormaps["twilight_shifted"]
        found = {angle: scale(float(angle) / 360) for angle in angles}
    return found | {"?": UNKNOWN_ANGLE} if any(e.posang is None for e in exposures) else found


def _hours(date_obs: str) -> float | None:
    """Hours since an arbitrary moment, None where the text is no date."""
    from datetime import UTC, datetime

    try:
        return datetime.fromisoformat(date_obs.strip()).replace(tzinfo=UTC).timestamp() / 3600
    except (ValueError, OverflowError):
        return None
