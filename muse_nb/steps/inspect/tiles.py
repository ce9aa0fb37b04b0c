"""What the sheet of all IFUs and exposures shows: numbers, colour ranges and a stretch, and the place of each frame."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.robust import median
from muse_nb.products.header import label
from muse_nb.steps.inspect.stats import FrameStatistics

__all__ = [
    "STATISTICS",
    "Tile",
    "channels_shown",
    "common_scale",
    "exposure_name",
    "finite_or_none",
    "spans",
    "stretch",
    "tile_of",
]

STATISTICS = {
    "noise": "noise over expected noise",
    "background": "background [count]",
    "flagged": "flagged pixels [%]",
    "cosmic": "cosmic rays [hits cm⁻² s⁻¹]",
    "saturated": "saturated pixels",
    "findings": "findings",
}
LEAST_COSMIC_SPAN = 0.05  # hits per cm^2 and second: less than that need not look different
LEAST_FINDINGS_SPAN = 3.0  # findings: one alone should not look like the worst
LEVEL_SHADE = 0.2  # of black to white: where the background lies after the stretch


@dataclass(frozen=True)
class Tile:
    """What one frame shows on the sheet.

    Attributes
    ----------
    numbers : dict of str to float or None
        By name of `STATISTICS`; None where a number cannot be had.
    findings : tuple of str
        What was found in the frame, a sentence each.
    """

    numbers: Mapping[str, float | None]
    findings: tuple[str, ...]


def exposure_name(frame: FrameStatistics) -> str:
    """Label of a frame's exposure, as the viewer has it; the file's name where there is no DATE-OBS."""
    if not frame.exposure:
        return Path(frame.file).stem
    return label(frame.exposure) if "T" in frame.exposure else frame.exposure


def channels_shown(frames: Iterable[FrameStatistics]) -> list[int]:
    """IFUs of the sheet from above, as MUSE stacks them in the field; those that are missing in between too."""
    present = [frame.ifu or 0 for frame in frames]
    return list(range(min(present), max(present) + 1)) if present else []


def finite_or_none(value: float) -> float | None:
    """Return a number for JSON, which has no NaN."""
    return float(value) if np.isfinite(value) else None


def tile_of(frame: FrameStatistics, findings: Sequence[str]) -> Tile:
    """Collect the numbers that colour a frame's tile, and what was found in it."""
    levels = [value for value in frame.background.values() if np.isfinite(value)]
    return Tile(
        {
            "noise": finite_or_none(frame.noise_ratio),
            "background": fmean(levels) if levels else None,
            "flagged": None if frame.dq is None else 100 * frame.flagged / math.prod(frame.shape),
            "cosmic": None if frame.cosmics is None else finite_or_none(frame.cosmics.rate),
            "saturated": frame.saturated,
            "findings": len(findings),
        },
        tuple(findings),
    )


def spans(tiles: Sequence[Tile], limits: Mapping[str, float]) -> dict[str, list[float]]:
    """Range of the colours of each statistic: at least what is still called good, so that good frames look alike."""
    known = {name: [value for tile in tiles if (value := tile.numbers[name]) is not None] for name in STATISTICS}
    middle = median(known["background"]) if known["background"] else 1.0
    reach = max(1e-3, abs(middle) * limits["ifu_background"])
    good = {
        "noise": [limits["noise_low"], limits["noise_high"]],
        "background": [middle - reach, middle + reach],
        "flagged": [0.0, 100 * limits["flagged"]],
        "cosmic": [0.0, LEAST_COSMIC_SPAN],
        "saturated": [0.0, max(1.0, limits["saturated"])],
        "findings": [0.0, LEAST_FINDINGS_SPAN],
    }
    return {name: [min([low, *known[name]]), max([high, *known[name]])] for name, (low, high) in good.items()}


def common_scale(images: Sequence[NDArray[np.float32]], levels: Sequence[float]) -> tuple[float, float]:
    """Level and scatter that serve all tiles, so that a faint IFU looks faint.

    Parameters
    ----------
    images
        Pictures of the frames; NaN where nothing is good.
    levels
        Backgrounds of the frames.

    Returns
    -------
    tuple of float
        Median of the levels, 0 where none is known; median distance of the pixels from it.
    """
    known = [level for level in levels if np.isfinite(level)]
    level = median(known) if known else 0.0
    values = np.concatenate([[level], *(image[np.isfinite(image)] for image in images)])
    return level, median(np.abs(values - level))


def stretch(image: NDArray[np.float32], level: float, scatter: float) -> NDArray[np.floating]:
    """Asinh stretch to 0..1: the background at 0.2, its scatter resolved, stars still told apart."""
    with np.errstate(invalid="ignore"):
        value = np.arcsinh((image - level) / (3 * max(scatter, 1e-12)))
    return np.asarray(np.clip(LEVEL_SHADE + value / 8, 0, 1))
