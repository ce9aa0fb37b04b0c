"""The report's figures, drawn from panels."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from muse_nb.steps.judge.parts.panel import Bars, Curves, Map, Panel, Stamps

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_all", "svg"]

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # Okabe & Ito, for all eyes
WIDTH, HEIGHT = 6.4, 2.7  # inch
NO_DATA = "#7fb2d6"
MOST_LABELS = 8
LONG = 36  # letters of a label that take two lines


def draw_all(panels: Sequence[Panel]) -> Figure:
    """Draw panels one below the other."""
    import matplotlib.pyplot as plt

    heights = [_height(panel) for panel in panels]
    figure = plt.figure(figsize=(WIDTH, sum(heights)), layout="constrained")
    parts = figure.subfigures(len(panels), 1, height_ratios=heights, squeeze=False)
    for part, panel in zip(parts[:, 0], panels, strict=True):
        _draw(part, panel)
    return figure


def svg(panel: Panel) -> str:
    """Draw a panel as SVG text that stands in a page; images in it are PNG."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, _height(panel)), layout="constrained")
    FigureCanvasSVG(figure)
    _draw(figure, panel)
    buffer = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "path", "svg.hashsalt": "muse_nb"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, dpi=110)
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def _height(panel: Panel) -> float:
    if isinstance(panel, Map):
        ny, nx = panel.values.shape
        return float(np.clip(WIDTH * 0.8 * ny / nx, 2.7, 5.2))
    if isinstance(panel, Stamps):
        return 1.15 * WIDTH / max(3, len(panel.images)) + 0.75
    return HEIGHT


def _draw(figure: Figure, panel: Panel) -> None:
    if isinstance(panel, Stamps):
        _stamps(figure, panel)
        return
    axes = figure.subplots()
    if isinstance(panel, Curves):
        _curves(axes, panel)
    elif isinstance(panel, Map):
        _map(axes, panel)
    else:
        _bars(axes, panel)


def _curves(axes: Axes, panel: Curves) -> None:
    number = 0
    values = []
    for curve in panel.curves:
        if curve.style == "limit":
            axes.plot(curve.x, curve.y, "--", color="#555555", lw=1, label=curve.label)
            continue
        colour = COLOURS[number % len(COLOURS)]
        number += 1
        values.append(curve.y[np.isfinite(curve.y)])
        if curve.style == "points":
            many = len(curve.x) > 200
            if curve.error is not None and not many:
                axes.errorbar(curve.x, curve.y, curve.error, fmt="none", ecolor=colour, elinewidth=0.7, alpha=0.6)
            axes.plot(curve.x, curve.y, "o", ms=2 if many else 4, color=colour, label=curve.label)
        else:
            axes.plot(curve.x, curve.y, "-", lw=0.9, color=colour, label=curve.label)
    every = np.concatenate(values) if values else np.zeros(0)
    if every.size > 20:
        low, high = np.percentile(every, (0.2, 99.8))
        pad = 0.12 * (high - low) or 1.0
        limits = [float(np.nanmax(np.abs(c.y))) for c in panel.curves if c.style == "limit" and np.isfinite(c.y).any()]
        edge = max(limits, default=0.0)
        axes.set_ylim(min(low - pad, -1.1 * edge if low < 0 and edge else low - pad), max(high + pad, 1.1 * edge))
    for n, (place, name) in enumerate(panel.marks):
        axes.axvline(place, color="#999999", lw=0.6, zorder=0)
        if (name and len(panel.marks) <= 2 * MOST_LABELS) or (name and n % 2 == 0):
            axes.annotate(
                name,
                (place, 1.0),
                xycoords=("data", "axes fraction"),
                fontsize=6,
                rotation=90,
                va="top",
                ha="right",
                color="#666666",
            )
    if any(curve.label for curve in panel.curves):
        axes.legend(fontsize=7, frameon=False, ncols=min(3, len(panel.curves)), loc="best")
    axes.set_xlabel(panel.xlabel, fontsize=8)
    label = panel.ylabel if len(panel.ylabel) < LONG else panel.ylabel.replace(" [", "\n[", 1)
    axes.set_ylabel(label, fontsize=8 if len(panel.ylabel) < LONG else 7)
    axes.tick_params(labelsize=7)


def _bars(axes: Axes, panel: Bars) -> None:
    axes.bar(range(len(panel.values)), panel.values, color=COLOURS[0])
    for limit in panel.limits:
        axes.axhline(limit, ls="--", color="#555555", lw=1)
    axes.set_xticks(range(len(panel.names)), panel.names, fontsize=7)
    axes.set_ylabel(panel.ylabel, fontsize=8)


def _map(axes: Axes, panel: Map) -> None:
    import matplotlib.pyplot as plt
    from astropy.visualization import AsinhStretch, ImageNormalize

    values = panel.values
    good = values[np.isfinite(values)]
    low, high = np.percentile(good, (2, 99.7)) if good.size else (0.0, 1.0)
    high = high if high > low else low + 1.0
    if panel.diverging:
        edge = max(abs(low), abs(high))
        image = axes.imshow(values, origin="lower", cmap="RdBu_r", vmin=-edge, vmax=edge, interpolation="nearest")
    else:
        colours = plt.get_cmap("gray_r").with_extremes(bad=NO_DATA)
        norm = ImageNormalize(vmin=low, vmax=high, stretch=AsinhStretch(0.1), invalid=None)
        image = axes.imshow(values, origin="lower", cmap=colours, norm=norm, interpolation="nearest")
    bar = axes.figure.colorbar(image, ax=axes, shrink=0.85)
    bar.set_label(panel.label, fontsize=8)
    bar.ax.tick_params(labelsize=7)
    for mark in panel.marks:
        if mark.x2 is not None and mark.y2 is not None:
            axes.plot([mark.x, mark.x2], [mark.y, mark.y2], ":", color=COLOURS[2], lw=1.6)
        else:
            axes.plot(mark.x, mark.y, "o", mfc="none", mec=COLOURS[1], ms=7, mew=0.9)
    ny, nx = values.shape
    axes.set_xlim(-0.5, nx - 0.5)
    axes.set_ylim(-0.5, ny - 0.5)
    for name, way in (("N", panel.north), ("E", panel.east)):
        if way is not None:
            start, length = np.array([0.88, 0.12]) * (nx, ny), 0.09 * min(nx, ny)
            tip = start + length * np.array(way)
            axes.annotate(
                "",
                (tip[0], tip[1]),
                (start[0], start[1]),
                arrowprops={"arrowstyle": "-|>", "color": COLOURS[1], "lw": 1.3},
            )
            end = start + 1.45 * length * np.array(way)
            axes.text(float(end[0]), float(end[1]), name, color=COLOURS[1], fontsize=8, ha="center", va="center")
    axes.set_xlabel("x [spaxel]", fontsize=8)
    axes.set_ylabel("y [spaxel]", fontsize=8)
    axes.tick_params(labelsize=7)


def _stamps(figure: Figure, panel: Stamps) -> None:
    number = max(3, len(panel.images))
    axes = figure.subplots(1, number, squeeze=False)[0]
    for ax in axes:
        ax.set_axis_off()
    for ax, image, title in zip(axes, panel.images, panel.titles, strict=False):
        good = image[np.isfinite(image)]
        low, high = (float(good.min()), float(good.max())) if good.size else (0.0, 1.0)
        ax.imshow(image, origin="lower", cmap="viridis", vmin=low, vmax=high, interpolation="nearest")
        ax.set_title(title, fontsize=6.5)
    figure.suptitle(f"each from its lowest to its highest value [{panel.label}]", fontsize=7, y=0.02, va="bottom")
