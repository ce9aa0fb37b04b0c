"""Planes of a cube in a file, read by their place without a FITS library: the combine's process has to stay small."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.errors import MuseError
from muse_nb.products.fits.blocks import hdus

__all__ = ["StoredPlanes"]


class StoredPlanes:
    """DATA or STAT of a cube of float32, plane by plane.

    Parameters
    ----------
    path
        The cube.
    name
        EXTNAME.
    shape
        (nz, ny, nx) that it must have.

    Raises
    ------
    MuseError
        There is no such extension.
    """

    def __init__(self, path: Path, name: str, shape: tuple[int, int, int]) -> None:
        found = [hdu for hdu in hdus(path) if hdu.name == name and hdu.shape == shape and hdu.cards["BITPIX"] == -32]
        if not found:
            raise MuseError(f"{path} has no {name} of the shape {shape}: it is not the cube that was made")
        self._path, self._offset, self._shape = path, found[0].offset, shape

    def __len__(self) -> int:
        """Count the planes."""
        return self._shape[0]

    def __getitem__(self, number: int) -> NDArray[np.float32]:
        """Read a plane, shape (ny, nx)."""
        size = self._shape[1] * self._shape[2]
        plane = np.fromfile(self._path, ">f4", size, offset=self._offset + 4 * size * number)
        return plane.astype(np.float32).reshape(self._shape[1:])
