"""NaN inside the field, and voxels that are infinite."""

from __future__ import annotations

import numpy as np

from muse_nb.steps.judge.parts.lines import limits
from muse_nb.steps.judge.parts.panel import Map
from muse_nb.steps.judge.parts.reading import Sample
from muse_nb.steps.judge.result import Check, Section
from muse_nb.steps.nans.layout import enclosed

__all__ = ["check_holes"]


def check_holes(sample: Sample) -> Section:
    """Judge the voxels without data within the range of their spaxel, and the spaxels without any."""
    allowed = limits()
    filled = sample.count > 0
    if not filled.any():
        text = "all voxels are NaN: the cube is empty"
        return Section("NaN", (Check("holes", 100.0, allowed["holes"], False, text),))
    inside = enclosed(filled)
    span = np.where(filled, sample.last - sample.first + 1, 0)
    lost = np.where(filled, span - sample.count, 0)
    share = 100 * float(lost.sum()) / float(span.sum())
    empty = inside & ~filled
    dead = 100 * float(empty.sum()) / float(inside.sum())
    fine = share <= allowed["holes"]
    text = f"{share:.2f} % of the voxels between the first and the last plane of their spaxel are NaN"
    text += "" if fine else ": muse-nb nans tells where they come from"
    told = f"{int(empty.sum())} spaxels inside the field ({dead:.2f} %) have no data at all"
    checks = [
        Check("holes", share, allowed["holes"], fine, text),
        Check("dead_spaxels", dead, allowed["dead"], dead <= allowed["dead"], told),
    ]
    if sample.infinite:
        many = f"{sample.infinite} voxels are infinite: pixels that overflow were spread over them"
        checks.append(Check("infinite", float(sample.infinite), allowed["infinite"], False, many))
    else:
        checks.append(Check("infinite", 0.0, allowed["infinite"], True, "no voxel is infinite"))
    with np.errstate(invalid="ignore", divide="ignore"):
        fraction = np.where(filled, 100 * lost / np.maximum(span, 1), np.where(empty, 100.0, np.nan))
    return Section("NaN", tuple(checks), (Map(fraction, "NaN within the range of the spaxel [%]"),))
