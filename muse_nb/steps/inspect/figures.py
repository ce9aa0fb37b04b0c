"""Frames on one sheet: an exposure's on their detectors, or all exposures' as MUSE tiles the field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from muse_nb.core.errors import MuseError
from muse_nb.products.field import CHANNEL, compass
from muse_nb.steps.inspect.field import field
from muse_nb.steps.inspect.tiles import STATISTICS, channels_shown, exposure_name, spans, statistics

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable

    from muse_nb.steps.inspect.inspect import Inspection

__all__ = ["common_scale", "plot_frames", "plot_mosaic", "stretch"]

COLUMNS = 6  # tiles in a row: 24 IFUs in 4 rows
FLAGGED = (0.902, 0.624, 0.0)  # Okabe-Ito orange
BORDER = {True: (0.835, 0.369, 0.0), False: (0.6, 0.6, 0.6)}  # vermilion around a frame with findings


def stretch(image: np.ndarray, level: float, sigma: float) -> np.ndarray:
    """Asinh stretch to 0..1: the background at 0.2, its scatter resolved, stars still told apart."""
    with np.errstate(invalid="ignore"):
        value = np.arcsinh((image - level) / (3 * max(sigma, 1e-12)))
    return np.clip(0.2 + value / 8, 0, 1)


def plot_frames(inspection: Inspection, ax: Axes | None = None, exposure: str | None = None) -> Axes:
    """Draw a tile for every IFU of an exposure: asinh stretch, flagged parts in orange, bad frames framed.

    Parameters
    ----------
    inspection
        The frames and what was found in them.
    ax
        Axes to draw into; a new figure when None.
    exposure
        DATE-OBS of the exposure; the middle one (by time) when None.
    """
    import matplotlib.pyplot as plt
    from matplotlib.patches import Rectangle

    exposure = exposure or inspection.middle["time"]
    frames = sorted((f for f in inspection.frames if f.exposure == exposure), key=lambda f: f.ifu or 0)
    if not frames:
        raise MuseError(
            f"no frame of exposure {exposure!r} here: choose one of {sorted({f.exposure for f in inspection.frames})}"
        )
    columns = min(COLUMNS, len(frames))
    rows = -(-len(frames) // columns)
    height = max(frame.thumbnail.shape[0] for frame in frames)
    width = max(frame.thumbnail.shape[1] for frame in frames)
    if ax is None:
        _, ax = plt.subplots(figsize=(1.6 * columns + 0.6, 1.6 * rows + 0.8), layout="constrained")
    bad = {(finding.file, finding.ifu) for finding in inspection.verdicts}
    cmap = plt.get_cmap("cividis").with_extremes(bad=FLAGGED)
    level, sigma = common_scale([frame.thumbnail for frame in frames], [frame.level for frame in frames])
    for number, frame in enumerate(frames):
        row, column = divmod(number, columns)
        left, bottom = column * 1.06, (rows - 1 - row) * 1.18
        image = np.ma.masked_invalid(stretch(frame.thumbnail, level, sigma))
        ax.imshow(
            image,
            origin="lower",
            extent=(left, left + 1, bottom, bottom + 1),
            cmap=cmap,
            vmin=0,
            vmax=1,
            aspect="auto",
            interpolation="nearest",
        )
        wrong = (frame.file, frame.ifu) in bad
        ax.add_patch(
            Rectangle((left, bottom), 1, 1, fill=False, edgecolor=BORDER[wrong], linewidth=2.5 if wrong else 0.6)
        )
        name = f"IFU {frame.ifu}" if frame.ifu is not None else "image"
        ax.text(left + 0.02, bottom + 1.02, name, fontsize=8, va="bottom")
        ax.text(left + 0.98, bottom + 1.02, f"{frame.level:.3g}", fontsize=7, va="bottom", ha="right", color="0.4")
    ax.set(
        xlim=(-0.03, columns * 1.06),
        ylim=(-0.05, rows * 1.18),
        xticks=[],
        yticks=[],
        title=f"{exposure}  (background [{frames[0].unit or 'count'}] at the upper right; orange: flagged)",
    )
    ax.title.set_fontsize(9)
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.set_xlabel(
        f"{width} x {height} pixels of the mean of good detector pixels; x: along the slices, y: wavelength", fontsize=7
    )
    return ax


def common_scale(images: Sequence[np.ndarray], levels: Sequence[float]) -> tuple[float, float]:
    """Level and scatter that serve all tiles, so that a faint IFU looks faint."""
    known = [level for level in levels if np.isfinite(level)]
    level = float(np.median(known)) if known else 0.0
    values = np.concatenate([[level], *(image[np.isfinite(image)] for image in images)])
    return level, float(np.median(np.abs(values - level)))


def plot_mosaic(inspection: Inspection, statistic: str = "noise", ax: Axes | None = None) -> Axes:
    """Draw every exposure as MUSE tiles the field, its IFUs stacked from above, coloured by a statistic.

    Parameters
    ----------
    inspection
        The frames and what was found in them; frames with findings are framed, missing IFUs crossed out.
    statistic
        One of `steps.mosaic.STATISTICS`.
    ax
        Axes to draw into; a new figure when None.

    Raises
    ------
    MuseError
        There is no such statistic, or no frame.
    """
    import matplotlib.pyplot as plt
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    if statistic not in STATISTICS:
        raise MuseError(f"there is no statistic {statistic!r}: choose one of {', '.join(STATISTICS)}")
    if not inspection.frames:
        raise MuseError("there is no frame to draw: inspect at least one OBJECT_RED file")
    ifus = channels_shown(inspection)
    names = sorted({exposure_name(frame) for frame in inspection.frames})
    per_row = min(len(names), 5)
    rows = -(-len(names) // per_row)
    deep = len(ifus) / 24  # a channel is 24 times as wide as high
    if ax is None:
        size = 2.4 * per_row + 1.2, rows * (2.4 * deep + 0.5) + 0.9
        _, ax = plt.subplots(figsize=size, layout="constrained")
    low, high = spans(inspection)[statistic]
    colours = ScalarMappable(Normalize(low, high), "cividis")
    numbers = statistics(inspection)
    scale = common_scale([frame.channel for frame in inspection.frames], [frame.level for frame in inspection.frames])
    for place, name in enumerate(names):
        left, top = place % per_row * 1.08, -(place // per_row) * (deep + 0.2)
        here = [(f, n) for f, n in zip(inspection.frames, numbers, strict=True) if exposure_name(f) == name]
        light = stretch(field({f.ifu or 0: f.channel for f, _ in here}, ifus), *scale)
        _draw_field(ax, colours, light, {f.ifu or 0: n for f, n in here}, statistic, ifus, (left, top, deep))
        ax.text(left, top + 0.01, name, fontsize=7, va="bottom")
        if np.isfinite(here[0][0].posang):
            for (dx, dy), text in zip(compass(here[0][0].posang), "NE", strict=True):
                arrow = {"arrowstyle": "-|>", "lw": 0.8, "color": "0.3", "shrinkA": 0, "shrinkB": 0}
                start = left + 0.9, top + 0.08
                ax.annotate("", (start[0] + 0.05 * dx, start[1] + 0.05 * dy), start, arrowprops=arrow)
                ax.text(start[0] + 0.07 * dx, start[1] + 0.07 * dy, text, fontsize=5, ha="center", va="center")
    for k in {0, len(ifus) // 2, len(ifus) - 1}:
        ax.text(-0.02, -deep * (k + 0.5) / len(ifus), f"IFU {ifus[k]}", fontsize=6, ha="right", va="center")
    ax.set(xlim=(-0.14, per_row * 1.08 - 0.06), ylim=(-rows * (deep + 0.2) + 0.15, 0.18), aspect="equal")
    ax.set_axis_off()
    ax.figure.colorbar(colours, ax=ax, label=STATISTICS[statistic], shrink=0.8, pad=0.01)
    return ax


def _draw_field(
    ax: Axes,
    colours: ScalarMappable,
    light: np.ndarray,
    numbers: dict[int, dict[str, Any]],
    statistic: str,
    ifus: list[int],
    place: tuple[float, float, float],
) -> None:
    """Draw one exposure: a colour for each IFU, darker where there is less light; `place` is left, top, height."""
    from matplotlib.patches import Rectangle

    left, top, deep = place
    high = deep / len(ifus)
    values = [numbers[ifu][statistic] if ifu in numbers else None for ifu in ifus]
    shade = np.array([(0.3, 0.3, 0.33) if v is None else colours.to_rgba(v)[:3] for v in values])
    picture = np.repeat(shade, CHANNEL[0], axis=0)[:, None] * (0.6 + 0.4 * np.nan_to_num(light))[..., None]
    ax.imshow(picture, extent=(left, left + 1, top - deep, top), interpolation="nearest")
    for row, ifu in enumerate(ifus):
        y = top - (row + 1) * high
        if ifu not in numbers:
            ax.plot(
                [left, left + 1, np.nan, left, left + 1], [y, y + high, np.nan, y + high, y], lw=0.8, color=BORDER[True]
            )
        elif numbers[ifu]["findings"]:
            ax.add_patch(Rectangle((left, y), 1, high, fill=False, edgecolor=BORDER[True], linewidth=1.5))
