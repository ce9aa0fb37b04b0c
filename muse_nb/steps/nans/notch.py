"""The gap that the notch filter of the adaptive optics' laser leaves, which needs no pixel tables to be named."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.errors import MuseError
from muse_nb.products.cube_file import CubeFile
from muse_nb.products.dq import NOTCH

__all__ = ["notch_findings"]

_EDGE = 5.0  # Angstrom, by which the gap may be wider: drops, and the move to the barycentre
_EMPTY = 0.98  # of the field: with so many NaN a plane is of the gap


def notch_findings(cube: CubeFile, missing: NDArray[np.int64], inside: int) -> list[str]:
    """Name the planes that the notch filter empties, in a sentence; none where the cube is of no such mode.

    Parameters
    ----------
    cube
        The cube.
    missing
        NaN in each plane, shape (nz,).
    inside
        Spaxels inside the field.
    """
    mode = str(cube.primary.get("ESO INS MODE") or "").strip()
    if mode not in NOTCH or not inside:
        return []
    try:
        wavelength = cube.wavelength(np.arange(cube.shape[0]))
    except MuseError:
        return []
    low, high = NOTCH[mode]
    outside = cube.shape[1] * cube.shape[2] - inside
    empty = (missing - outside) >= _EMPTY * inside
    empty &= (wavelength > low - _EDGE) & (wavelength < high + _EDGE)
    if not empty.any():
        return []
    planes = np.flatnonzero(empty)
    first, last = (float(wavelength[k]) for k in (planes[0], planes[-1]))
    voxels = int((missing[empty] - outside).sum())
    return [
        f"{len(planes)} planes from {first:.1f} to {last:.1f} Angstrom are empty, {voxels} NaN voxels of the field: the"
        f" notch filter of the adaptive optics' laser (INS MODE {mode}, {low:.0f} to {high:.0f} Angstrom), no fault."
    ]
