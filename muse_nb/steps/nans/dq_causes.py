"""Causes of NaN that a cube's own DQ tells, so that the audit needs no pixel tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.errors import MuseError
from muse_nb.core.progress import Progress
from muse_nb.products.cube_file import CubeFile
from muse_nb.products.dq import NO_ROW, NOT_FINITE, REJECTED
from muse_nb.products.fits.bintable import read_table
from muse_nb.products.fits.blocks import hdus
from muse_nb.resample.cube_header import CAUSES
from muse_nb.resample.slices import NAME
from muse_nb.steps.nans.causes import CODES, Cause, Holes

__all__ = ["has_dq_causes", "read_dq_causes", "slice_centres"]

_CAUSE_OF_DQ = {0: Cause.UNKNOWN, NO_ROW: Cause.NO_PIXEL, NOT_FINITE: Cause.NOT_FINITE, REJECTED: Cause.REJECTED}


def has_dq_causes(cube: CubeFile) -> bool:
    """Say whether a cube has a DQ that says why each voxel is NaN; that of other programs is a mask."""
    if not cube.has("DQ"):
        return False
    return hdus(cube.path)[cube.extensions["DQ"]].cards.get(CAUSES) is True


def read_dq_causes(cube: CubeFile, progress: Progress) -> tuple[NDArray[np.int32], NDArray[np.int32], Holes]:
    """Read the causes that a cube's DQ tells.

    Returns
    -------
    first, last
        Planes between which pixels reach each spaxel, shape (ny, nx); (nz, -1) for none.
    holes
        The NaN between these.

    Raises
    ------
    MuseError
        The cube cannot be read.
    """
    nz, ny, nx = cube.shape
    first, last = np.full((ny, nx), nz, np.int32), np.full((ny, nx), -1, np.int32)
    with cube.reader() as data, cube.reader("DQ") as flags:
        for k in range(nz):
            reached = ~np.isnan(data(k)) | (_bits(flags(k)) != NO_ROW)
            first[reached & (first == nz)] = k
            last[reached] = k
            progress("flags read", k + 1, nz)
        parts = []
        for k in range(nz):
            here = np.flatnonzero(np.isnan(data(k)) & (first <= k) & (k <= last))
            if len(here):
                parts.append(_holes(here + np.int64(k) * ny * nx, _bits(flags(k)).reshape(-1)[here]))
            progress("causes read", k + 1, nz)
    return first, last, Holes.concatenate(parts)


def _bits(flags: NDArray[np.integer]) -> NDArray[np.int64]:
    """Flags as numbers that are not negative: bit 31 is the sign of what FITS stores."""
    return flags.astype(np.int64) & 0xFFFFFFFF


def _holes(index: NDArray[np.int64], dq: NDArray[np.int64]) -> Holes:
    cause = np.full(len(index), CODES[Cause.FLAGGED], np.int8)
    flagged = np.ones(len(index), bool)
    for value, told in _CAUSE_OF_DQ.items():
        cause[dq == value] = CODES[told]
        flagged[dq == value] = False
    shown = np.where(flagged, dq, 0).astype(np.uint32).view(np.int32)
    return Holes(index, cause, shown, *np.zeros((2, len(index)), np.int8))


def slice_centres(path: Path) -> NDArray[np.float64] | None:
    """Read where slices lie, for each exposure as `muse_nb.steps.nans.reach.Reach` has it; None where nothing says."""
    table = next((hdu for hdu in hdus(path) if hdu.name == NAME), None)
    if table is None:
        return None
    columns = read_table(path, table)
    if not {"EXPOSURE", "IFU", "SLICE", "ROWS", "X", "Y"} <= set(columns):
        raise MuseError(f"{path}: its {NAME} is not as muse_nb writes it: make the cube again")
    exposure, ifu, slice_, rows, x, y = (
        np.array(columns[name].values, float) for name in ("EXPOSURE", "IFU", "SLICE", "ROWS", "X", "Y")
    )
    numbers = [values.astype(int) for values in (exposure, ifu, slice_)]
    if len(rows) and not all(
        values.min() >= 1 and values.max() <= most for values, most in zip(numbers, (10_000, 24, 48), strict=True)
    ):
        raise MuseError(f"{path}: its {NAME} names exposures, IFUs or slices that there are not: make the cube again")
    centres = np.full((int(exposure.max(initial=0)), 25, 49, 3), np.nan)
    centres[..., 0] = 0
    centres[(numbers[0] - 1, *numbers[1:])] = np.stack([rows, x, y], axis=-1)
    return centres
