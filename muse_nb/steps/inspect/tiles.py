"""What the sheet of all IFUs and exposures shows: a number and a colour range for each frame, and its place."""

from __future__ import annotations

import math
from pathlib import Path
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

from muse_nb.products.header import label

if TYPE_CHECKING:
    from muse_nb.steps.inspect.inspect import Inspection
    from muse_nb.steps.inspect.stats import FrameStatistics

__all__ = ["STATISTICS", "channels_shown", "exposure_name", "spans", "statistics"]

STATISTICS = {
    "noise": "noise over expected noise",
    "background": "background [count]",
    "flagged": "flagged pixels [%]",
    "cosmic": "cosmic rays [hits cm⁻² s⁻¹]",
    "saturated": "saturated pixels",
    "findings": "findings",
}
DIM_COSMIC = 0.05  # hits per cm^2 and second: less than that need not look different


def exposure_name(frame: FrameStatistics) -> str:
    """Label of a frame's exposure, as the viewer has it; the file's name where there is no DATE-OBS."""
    if not frame.exposure:
        return Path(frame.file).stem
    return label(frame.exposure) if "T" in frame.exposure else frame.exposure


def channels_shown(inspection: Inspection) -> list[int]:
    """IFUs of the sheet from above, as MUSE stacks them in the field; those that are missing in between too."""
    present = [frame.ifu or 0 for frame in inspection.frames]
    return list(range(min(present), max(present) + 1)) if present else []


def statistics(inspection: Inspection) -> list[dict[str, Any]]:
    """Numbers that colour a tile, one dictionary a frame; None where a number cannot be had."""
    found = []
    for frame, record in zip(inspection.frames, inspection.records(), strict=True):
        levels = [value for value in record["background"].values() if value is not None]
        found.append(
            {
                "noise": record["noise_ratio"],
                "background": fmean(levels) if levels else None,
                "flagged": None if record["dq"] is None else 100 * frame.flagged / math.prod(frame.shape),
                "cosmic": record["cosmic_rate"],
                "saturated": record["saturated"],
                "findings": len(record["findings"]),
                "said": record["findings"],
            }
        )
    return found


def spans(inspection: Inspection) -> dict[str, list[float]]:
    """Range of the colours of each statistic: at least what is still called good, so that good frames look alike."""
    limits, tiles = inspection.limits, statistics(inspection)
    known = {name: [tile[name] for tile in tiles if tile[name] is not None] for name in STATISTICS}
    middle = median(known["background"]) if known["background"] else 1.0
    reach = max(1e-3, abs(middle) * limits["ifu_background"])
    good = {
        "noise": [limits["noise_low"], limits["noise_high"]],
        "background": [middle - reach, middle + reach],
        "flagged": [0.0, 100 * limits["flagged"]],
        "cosmic": [0.0, DIM_COSMIC],
        "saturated": [0.0, max(1.0, limits["saturated"])],
        "findings": [0.0, 3.0],
    }
    return {name: [min([low, *known[name]]), max([high, *known[name]])] for name, (low, high) in good.items()}
