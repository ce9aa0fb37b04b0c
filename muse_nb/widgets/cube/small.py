"""A cube made small: what a page without a kernel takes spectra and bands from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.process import Stop
from muse_nb.products.voxels import Voxels
from muse_nb.steps.look import direct
from muse_nb.widgets.shared import transport

__all__ = ["SMALL_BYTES", "Small", "shrink"]

SMALL_BYTES = 1_200_000  # 1.6 MB in a saved notebook
PLANES = 500  # at most


@dataclass(frozen=True)
class Small:
    """A binned cube.

    Attributes
    ----------
    info : dict
        bin (spaxels a side), step (planes), nx, ny, nz of what is left, and the code of its half floats.
    data : bytes
        Half floats, plane after plane.
    """

    info: dict[str, Any]
    data: bytes


def shrink(voxels: Voxels, most: int = SMALL_BYTES, cancel: Stop | None = None) -> Small | None:
    """Average a cube over boxes, so many that it fits into `most` bytes; None where it was cancelled."""
    nz, ny, nx = voxels.shape
    step = -(-nz // PLANES)
    planes = -(-nz // step)
    bins = max(1, int(np.ceil(np.sqrt(2 * planes * ny * nx / most))))
    while 2 * planes * -(-ny // bins) * -(-nx // bins) > most:
        bins += 1
    small = np.full((planes, -(-ny // bins), -(-nx // bins)), np.nan, np.float32)
    for number in range(planes):
        if cancel is not None and cancel.is_set():
            return None
        total, count = _sums(voxels, range(number * step, min(nz, (number + 1) * step)))
        total, count = transport.blocks(total, bins), transport.blocks(count, bins)
        np.divide(total, count, out=small[number], where=count > 0)
    offset, scale = transport.code(small.reshape(planes, -1))
    info = {
        "bin": bins,
        "step": step,
        "nx": small.shape[2],
        "ny": small.shape[1],
        "nz": planes,
        "code": [offset, scale, 0.0, 1.0],
    }
    return Small(info, transport.halves(small, offset, scale).tobytes())


def _sums(voxels: Voxels, planes: range) -> tuple[NDArray[Any], NDArray[Any]]:
    """Sum of some planes, and how many of them hold data, by spaxel."""
    _, ny, nx = voxels.shape
    if direct.possible(voxels, None):
        total, spread, number = np.zeros((ny, nx)), np.zeros((0, 0)), np.zeros((ny, nx), np.int64)
        direct.add(voxels, None, planes, (total, spread, number))
        return total, number
    values = voxels[slice(planes.start, planes.stop), slice(0, ny), slice(0, nx)].astype(float)
    good = np.isfinite(values)
    return np.where(good, values, 0.0).sum(0), good.sum(0)
