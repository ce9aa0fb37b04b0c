"""One spaxel of a cube: its spectrum, the cause of each of its gaps, and the story of a hole in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from muse_nb.products import dq as quality
from muse_nb.products.cube_file import CubeFile
from muse_nb.products.errors import MuseError
from muse_nb.steps.nan_causes import CODES, MEANING, Cause

if TYPE_CHECKING:
    from muse_nb.steps.nans import NanAudit

__all__ = ["gaps", "spectrum", "story"]


def spectrum(cube: CubeFile, x: int, y: int) -> NDArray[np.float32]:
    """DATA of a spaxel (0-based) in all planes, shape (nz,).

    Raises
    ------
    MuseError
        The cube cannot be read.
    """
    from astropy.io import fits

    try:
        with fits.open(cube.path, memmap=False) as opened:
            return np.asarray(opened[cube.extensions["DATA"]].section[:, y, x], np.float32)
    except (OSError, ValueError, TypeError) as error:
        raise MuseError(f"{cube.path}: the spectrum cannot be read ({error}): make the file again") from error


def gaps(audit: NanAudit, x: int, y: int, values: NDArray[np.float32]) -> NDArray[np.int8]:
    """Cause of each plane of a spaxel as in `NanAudit.cause_plane`, 0 where `values` has data; shape (nz,)."""
    nz, ny, nx = audit.shape
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
    """Why a voxel is NaN, in sentences; what it holds where it is not."""
    if not np.isnan(values[k]):
        return [f"{_at(audit, k)} it holds {values[k]:.5g} {str(audit.cube.header.get('BUNIT', '')).strip()}."]
    codes = gaps(audit, x, y, values)
    cause = list(Cause)[int(codes[k]) - 1]
    start, stop = _run(codes, k)
    said = [f"{cause[0].upper()}{cause[1:]}: {MEANING[cause]}."]
    where = _at(audit, k, "")
    if stop - start > 1:
        where = f"{_at(audit, start, '')} to {_at(audit, stop - 1, '')}, {stop - start} planes"
    said.append(f"The gap in this spaxel: {where}.")
    said += _culprit(audit, x, y, k)
    number = int((codes > 0).sum())
    said.append(f"{number} of the {len(codes)} planes of this spaxel are NaN ({number / len(codes):.1%}).")
    return said


def _culprit(audit: NanAudit, x: int, y: int, k: int) -> list[str]:
    """IFU, slice and flags behind a hole, as far as they are known."""
    empty = audit.empty
    if empty.cause[y, x]:
        known = [f"{name} {int(a[y, x])}" for name, a in (("IFU", empty.ifu), ("slice", empty.slice)) if a[y, x]]
        return [f"It should have been seen by {', '.join(known)}."] if known else []
    place, there = _holes(audit, x, y)
    if not (len(place) and there[k]):
        return []
    holes, i = audit.holes, place[k]
    flags = quality.names(int(holes.dq[i]) & 0xFFFFFFFF)
    if not holes.ifu[i]:
        return []
    seen = f"IFU {int(holes.ifu[i])}, slice {int(holes.slice[i])}"
    return [f"The pixel that matters most is in {seen}{', flagged ' + ' and '.join(flags) if flags else ''}."]


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


def _at(audit: NanAudit, k: int, word: str = "At ") -> str:
    try:
        return f"{word}{float(audit.cube.wavelength(k)):.1f} Å (plane {k})" + ("," if word else "")
    except MuseError:
        return f"{word}plane {k}" + ("," if word else "")
