"""Frames on one sheet: an exposure's on their detectors, or all exposures' as MUSE tiles the field."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from muse_nb.products.field import CHANNEL, IFUS, compass
from muse_nb.steps.inspect.field import field
from muse_nb.steps.inspect.stats import FrameStatistics
from muse_nb.steps.inspect.tiles import STATISTICS, Tile, channels_shown, common_scale, exposure_name, stretch

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable

__all__ = ["plot_frames", "plot_mosaic"]

COLUMNS = 6  # tiles in a row: 24 IFUs in 4 rows
FIELDS_IN_A_ROW = 5
FLAGGED = (0.902, 0.624, 0.0)  # Okabe-Ito orange
BORDER = {True: (0.835, 0.369, 0.0), False: (0.6, 0.6, 0.6)}  # vermilion around a frame with findings
MISSING = (0.3, 0.3, 0.33)  # of a tile without a number


def plot_frames(
    frames: Sequence[FrameStatistics], wrong: Collection[tuple[str, int | None]], ax: Axes | None = None
) -> Axes:
    """Draw a tile for every IFU of an exposure: asinh stretch, flagged parts in orange, bad frames framed.

    Parameters
    ----------
    frames
        Of one exposure, at least one, in the order of the tiles.
    wrong
        File and IFU of those with findings.
    ax
        Axes to draw into; a new figure when None.
    """
    import matplotlib.pyplot as plt

    columns = min(COLUMNS, len(frames))
    rows = -(-len(frames) // columns)
    if ax is None:
        _, ax = plt.subplots(figsize=(1.6 * columns + 0.6, 1.6 * rows + 0.8), layout="constrained")
    scale = common_scale([frame.thumbnail for frame in frames], [frame.level for frame in frames])
    for number, frame in enumerate(frames):
        row, column = divmod(number, columns)
        place = column * 1.06, (rows - 1 - row) * 1.18
        _draw_frame(ax, frame, place, scale, wrong=(frame.file, frame.ifu) in wrong)
    ax.set(
        xlim=(-0.03, columns * 1.06),
        ylim=(-0.05, rows * 1.18),
        xticks=[],
        yticks=[],
        title=(f"{frames[0].exposure}  (background [{frames[0].unit or 'count'}] at the upper right; orange: flagged)"),
    )
    ax.title.set_fontsize(9)
    for spine in ax.spines.values():
        spine.set_visible(False)
    height = max(frame.thumbnail.shape[0] for frame in frames)
    width = max(frame.thumbnail.shape[1] for frame in frames)
    ax.set_xlabel(
        f"{width} x {height} pixels of the mean of good detector pixels; x: along the slices, y: wavelength", fontsize=7
    )
    return ax


def _draw_frame(
    ax: Axes, frame: FrameStatistics, place: tuple[float, float], scale: tuple[float, float], *, wrong: bool
) -> None:
    """Draw one tile with its IFU and background; `place` is left, bottom."""
    import matplotlib.pyplot as plt
    from matplotlib.patches import Rectangle

    left, bottom = place
    ax.imshow(
        np.ma.masked_invalid(stretch(frame.thumbnail, *scale)),
        origin="lower",
        extent=(left, left + 1, bottom, bottom + 1),
        cmap=plt.get_cmap("cividis").with_extremes(bad=FLAGGED),
        vmin=0,
        vmax=1,
        aspect="auto",
        interpolation="nearest",
    )
    border = Rectangle(place, 1, 1, fill=False, edgecolor=BORDER[wrong], linewidth=2.5 if wrong else 0.6)
    ax.add_patch(border)
    name = f"IFU {frame.ifu}" if frame.ifu is not None else "image"
    ax.text(left + 0.02, bottom + 1.02, name, fontsize=8, va="bottom")
    ax.text(left + 0.98, bottom + 1.02, f"{frame.level:.3g}", fontsize=7, va="bottom", ha="right", color="0.4")


def plot_mosaic(
    frames: Sequence[FrameStatistics],
    tiles: Sequence[Tile],
    span: Sequence[float],
    statistic: str = "noise",
    ax: Axes | None = None,
) -> Axes:
    """Draw every exposure as MUSE tiles the field, its IFUs stacked from above, coloured by a statistic.

    Parameters
    ----------
    frames
        At least one.
    tiles
        Their numbers; frames with findings are framed, missing IFUs crossed out.
    span
        Lowest and highest number of the colours.
    statistic
        One of `tiles.STATISTICS`.
    ax
        Axes to draw into; a new figure when None.
    """
    import matplotlib.pyplot as plt
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    ifus = channels_shown(frames)
    names = sorted({exposure_name(frame) for frame in frames})
    per_row = min(len(names), FIELDS_IN_A_ROW)
    rows = -(-len(names) // per_row)
    deep = len(ifus) / IFUS  # a channel is as many times as wide as high
    if ax is None:
        size = 2.4 * per_row + 1.2, rows * (2.4 * deep + 0.5) + 0.9
        _, ax = plt.subplots(figsize=size, layout="constrained")
    low, high = span
    colours = ScalarMappable(Normalize(low, high), "cividis")
    scale = common_scale([frame.channel for frame in frames], [frame.level for frame in frames])
    for place, name in enumerate(names):
        left, top = place % per_row * 1.08, -(place // per_row) * (deep + 0.2)
        here = [(f, tile) for f, tile in zip(frames, tiles, strict=True) if exposure_name(f) == name]
        light = stretch(field({f.ifu or 0: f.channel for f, _ in here}, ifus), *scale)
        _draw_field(ax, colours, light, {f.ifu or 0: tile for f, tile in here}, statistic, ifus, (left, top, deep))
        ax.text(left, top + 0.01, name, fontsize=7, va="bottom")
        if np.isfinite(here[0][0].posang):
            _draw_compass(ax, here[0][0].posang, (left + 0.9, top + 0.08))
    for k in {0, len(ifus) // 2, len(ifus) - 1}:
        ax.text(-0.02, -deep * (k + 0.5) / len(ifus), f"IFU {ifus[k]}", fontsize=6, ha="right", va="center")
    ax.set(xlim=(-0.14, per_row * 1.08 - 0.06), ylim=(-rows * (deep + 0.2) + 0.15, 0.18), aspect="equal")
    ax.set_axis_off()
    ax.figure.colorbar(colours, ax=ax, label=STATISTICS[statistic], shrink=0.8, pad=0.01)
    return ax


def _draw_compass(ax: Axes, posang: float, start: tuple[float, float]) -> None:
    """Draw arrows to the north and east of a field at a rotator angle [deg]."""
    arrow = {"arrowstyle": "-|>", "lw": 0.8, "color": "0.3", "shrinkA": 0, "shrinkB": 0}
    for (dx, dy), text in zip(compass(posang), "NE", strict=True):
        ax.annotate("", (start[0] + 0.05 * dx, start[1] + 0.05 * dy), start, arrowprops=arrow)
        ax.text(start[0] + 0.07 * dx, start[1] + 0.07 * dy, text, fontsize=5, ha="center", va="center")


def _draw_field(
    ax: Axes,
    colours: ScalarMappable,
    light: NDArray[np.floating],
    tiles: Mapping[int, Tile],
    statistic: str,
    ifus: list[int],
    place: tuple[float, float, float],
) -> None:
    """Draw one exposure: a colour for each IFU, darker where there is less light; `place` is left, top, height."""
    from matplotlib.patches import Rectangle

    left, top, deep = place
    high = deep / len(ifus)
    values = [tiles[ifu].numbers[statistic] if ifu in tiles else None for ifu in ifus]
    shade = np.array([MISSING if value is None else colours.to_rgba(np.asarray(value))[:3] for value in values])
    picture = np.repeat(shade, CHANNEL[0], axis=0)[:, None] * (0.6 + 0.4 * np.nan_to_num(light))[..., None]
    ax.imshow(picture, extent=(left, left + 1, top - deep, top), interpolation="nearest")
    for row, ifu in enumerate(ifus):
        y = top - (row + 1) * high
        if ifu not in tiles:
            across, up = [left, left + 1, np.nan, left, left + 1], [y, y + high, np.nan, y + high, y]
            ax.plot(across, up, lw=0.8, color=BORDER[True])
        elif tiles[ifu].findings:
            ax.add_patch(Rectangle((left, y), 1, high, fill=False, edgecolor=BORDER[True], linewidth=1.5))
