"""The plan as a graph: tasks by time, a row a recipe, lines from what serves to what is served."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_plan"]

ROWS = (
    "muse_bias",
    "muse_dark",
    "muse_flat",
    "muse_wavecal",
    "muse_lsf",
    "muse_geometry",
    "muse_twilight",
    "muse_scibasic",
    "muse_standard",
    "muse_astrometry",
    "muse_create_sky",
    "muse_scipost",
)
COLOURS = {  # Okabe and Ito
    "MASTER_BIAS": "#000000",
    "MASTER_DARK": "#999999",
    "MASTER_FLAT": "#e69f00",
    "TRACE_TABLE": "#e69f00",
    "WAVECAL_TABLE": "#56b4e9",
    "LSF_PROFILE": "#0072b2",
    "TWILIGHT_CUBE": "#cc79a7",
    "STD_RESPONSE": "#009e73",
    "STD_TELLURIC": "#009e73",
    "inputs": "#8c6d31",
}
NAMES = {
    "MASTER_FLAT": "MASTER_FLAT, TRACE_TABLE",
    "STD_RESPONSE": "STD_RESPONSE, STD_TELLURIC",
    "inputs": "pixel tables",
}
OTHERS = "#7f7f7f"
ODD = "#d55e00"  # further off in time than the rules allow


def plot_plan(
    tasks: Sequence[Mapping[str, Any]],
    times: Mapping[str, float],
    outside: Collection[tuple[str, str]] = (),
    ax: Axes | None = None,
) -> Axes:
    """Draw a plan.

    Parameters
    ----------
    tasks
        Each with ``recipe``, ``id``, ``inputs`` and ``calibrations``.
    times
        Id to MJD [d].
    outside
        Id and tag of what serves against the rules: drawn dashed and red.
    ax
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
    """
    import matplotlib.pyplot as plt
    from matplotlib.lines import Line2D

    rows = [name for name in ROWS if any(task["recipe"] == name for task in tasks)]
    if ax is None:
        _, ax = plt.subplots(figsize=(10, 0.75 * len(rows) + 1.6), layout="constrained")
    row = {task["id"]: len(rows) - 1 - rows.index(task["recipe"]) for task in tasks}
    start = np.floor(min((t for t in times.values() if np.isfinite(t)), default=0.0))
    place = {name: (times.get(name, np.nan) - start, row[name]) for name in row}
    shown: dict[str, str] = {}
    for task in tasks:
        links = [
            *((tag, value) for tag, value in task["calibrations"].items()),
            *(("inputs", i) for i in task["inputs"]),
        ]
        for tag, value in links:
            if value in place:
                odd = (task["id"], tag) in outside
                colour = ODD if odd else COLOURS.get(tag, OTHERS)
                label = "further off than the rules allow" if odd else tag
                shown.setdefault(colour, label) if label not in ("TRACE_TABLE", "STD_TELLURIC") else None
                _link(ax, place[value], place[task["id"]], colour, odd)
    _nodes(ax, tasks, place)
    ax.set_yticks(range(len(rows)), rows[::-1])
    ax.set_ylim(-0.7, len(rows) - 0.3)
    ax.set_xlabel(f"time after {_date(start)} [d]")
    ax.grid(axis="x", color="0.93")
    ax.set_axisbelow(True)
    keys = [Line2D([], [], color=c, ls="--" if c == ODD else "-", label=NAMES.get(n, n)) for c, n in shown.items()]
    if keys:
        ax.legend(handles=keys, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    return ax


def _link(ax: Axes, one: tuple[float, float], other: tuple[float, float], colour: str, odd: bool) -> None:
    from matplotlib.patches import FancyArrowPatch

    if not np.isfinite([*one, *other]).all():
        return
    ax.add_patch(
        FancyArrowPatch(
            one,
            other,
            connectionstyle=f"arc3,rad={0.25 if odd else 0.12}",
            arrowstyle="-|>",
            mutation_scale=7,
            shrinkA=5,
            shrinkB=5,
            color=colour,
            lw=1.3 if odd else 0.9,
            ls="--" if odd else "-",
            alpha=0.9 if odd else 0.55,
            zorder=2,
        )
    )


def _nodes(ax: Axes, tasks: Sequence[Mapping[str, Any]], place: Mapping[str, tuple[float, float]]) -> None:
    """Draw the tasks; those closer together than a marker are one, with their number beside it."""
    span = max((x for x, _ in place.values() if np.isfinite(x)), default=1.0)
    near: dict[tuple[int, float], list[tuple[float, float]]] = defaultdict(list)
    for task in tasks:
        x, y = place[task["id"]]
        if np.isfinite(x):
            near[round(60 * x / (span or 1.0)), y].append((x, y))
    for members in near.values():
        x, y = np.mean(members, axis=0)
        ax.plot(x, y, "o", ms=8, mfc="white", mec="0.2", zorder=3)
        if len(members) > 1:
            ax.annotate(f"× {len(members)}", (x, y), xytext=(7, -3), textcoords="offset points", fontsize=8, zorder=4)


def _date(mjd: float) -> str:
    from astropy.time import Time

    return f"{Time(mjd, format='mjd').iso[:10]} 0h UT" if mjd else "the first"
