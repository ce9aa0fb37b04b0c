"""One spaxel of a cube: its spectrum, the cause of each of its gaps, and the story of a hole in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.errors import MuseError
from muse_nb.steps.nans import story as provenance
from muse_nb.steps.nans.causes import CODES, Cause

if TYPE_CHECKING:
    from muse_nb.steps.nans.result import NanAudit

__all__ = ["gaps", "pixels", "story"]


def gaps(audit: NanAudit, x: int, y: int, values: NDArray[np.float32]) -> NDArray[np.int8]:
    """Cause of each plane of a spaxel as in `NanAudit.cause_plane`, 0 where `values` has data; shape (nz,)."""
    nz = audit.shape[0]
    k = np.arange(nz)
    beyond = (k < audit.first[y, x]) | (k > audit.last[y, x])
    found = np.where(beyond, CODES[Cause.OUTSIDE_RANGE], CODES[Cause.UNKNOWN])
    if audit.empty.cause[y, x]:
        found = np.full(nz, audit.empty.cause[y, x])
    elif len(audit.holes):
        place, there = _holes(audit, x, y)
        found[there] = audit.holes.cause[place[there]]
    return np.where(np.isnan(values), found, 0).astype(np.int8)


def story(audit: NanAudit, x: int, y: int, k: int, values: NDArray[np.float32]) -> list[str]:
    """Why a voxel is NaN (or what it holds) and how long the gap around it is, in sentences."""
    said = [provenance.story(audit, x, y, k)]
    if not np.isnan(values[k]):
        return said
    codes = gaps(audit, x, y, values)
    start, stop = _run(codes, k)
    if stop - start > 1:
        ends = " to ".join(_where(audit, plane) for plane in (start, stop - 1))
        said.append(f"The gap in this spaxel is {stop - start} planes long, {ends}.")
    number = int((codes > 0).sum())
    said.append(f"{number} of the {len(codes)} planes of this spaxel are NaN ({number / len(codes):.1%}).")
    return said


def pixels(audit: NanAudit, x: int, y: int, k: int, most: int = 12) -> list[dict[str, Any]]:
    """The detector pixels that reach a voxel, the largest weight first; none without the pixel tables."""
    if audit.source is None:
        return []
    columns = ("exposure", "ifu", "slice", "x", "y", "wavelength", "data", "dq", "flags", "weight")
    rows = provenance.voxel_pixels(audit, x, y, k)[:most]
    found = [{name: row[name].item() if hasattr(row[name], "item") else row[name] for name in columns} for row in rows]
    return [{name: None if value != value else value for name, value in row.items()} for row in found]


def _holes(audit: NanAudit, x: int, y: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """For each plane of a spaxel, its place in the list of holes and whether it is there."""
    nz, ny, nx = audit.shape
    wanted = (np.arange(nz, dtype=np.int64) * ny + y) * nx + x
    if not len(audit.holes):
        return np.zeros(0, np.int64), np.zeros(nz, bool)
    place = np.minimum(np.searchsorted(audit.holes.index, wanted), len(audit.holes) - 1)
    return place, audit.holes.index[place] == wanted


def _run(codes: NDArray[np.int8], k: int) -> tuple[int, int]:
    """First plane and the one after the last of the gap around plane `k`."""
    full = np.flatnonzero(codes == 0)
    after = int(np.searchsorted(full, k))
    start = int(full[after - 1]) + 1 if after > 0 else 0
    return start, int(full[after]) if after < len(full) else len(codes)


def _where(audit: NanAudit, k: int) -> str:
    try:
        return f"{float(audit.cube.wavelength(k)):.1f} Å"
    except MuseError:
        return f"plane {k + 1}"
