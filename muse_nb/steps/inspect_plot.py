"""All IFUs of an exposure on one sheet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from muse_nb.products.errors import MuseError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from muse_nb.steps.frame_stats import FrameStatistics
    from muse_nb.steps.inspect import Inspection

__all__ = ["plot_mosaic", "stretch"]

COLUMNS = 6  # tiles in a row: 24 IFUs in 4 rows
FLAGGED = (0.902, 0.624, 0.0)  # Okabe-Ito orange
BORDER = {True: (0.835, 0.369, 0.0), False: (0.6, 0.6, 0.6)}  # vermilion around a frame with findings


def stretch(image: np.ndarray, level: float, sigma: float) -> np.ndarray:
    """Asinh stretch to 0..1: the background at 0.2, its scatter resolved, stars still told apart."""
    with np.errstate(invalid="ignore"):
        value = np.arcsinh((image - level) / (3 * max(sigma, 1e-12)))
    return np.clip(0.2 + value / 8, 0, 1)


def plot_mosaic(inspection: Inspection, ax: Axes | None = None, exposure: str | None = None) -> Axes:
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
    level, sigma = _common_scale(frames)
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


def _common_scale(frames: list[FrameStatistics]) -> tuple[float, float]:
    """Level and scatter that serve all tiles, so that a faint IFU looks faint."""
    levels = [frame.level for frame in frames if np.isfinite(frame.level)]
    level = float(np.median(levels)) if levels else 0.0
    values = np.concatenate([frame.thumbnail[np.isfinite(frame.thumbnail)] for frame in frames])
    sigma = float(np.median(np.abs(values - level))) if values.size else 1.0
    return level, sigma
