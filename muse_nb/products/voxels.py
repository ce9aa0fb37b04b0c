"""Boxes of a cube's voxels, read from where they lie in the file: a cube of 60 GB needs no 60 GB."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.errors import MuseError
from muse_nb.products.cube_file import CubeFile
from muse_nb.products.fits.blocks import hdus

__all__ = ["Voxels"]

_TYPES: dict[object, str] = {-64: ">f8", -32: ">f4", 8: "u1", 16: ">i2", 32: ">i4"}


class Voxels:
    """One extension of a cube, to be cut into boxes.

    Parameters
    ----------
    cube
        The cube.
    name
        DATA, STAT, DQ or another extension of the cube's shape.

    Raises
    ------
    MuseError
        There is no such extension.
    """

    def __init__(self, cube: CubeFile, name: str = "DATA") -> None:
        if not cube.has(name):
            raise MuseError(f"{cube.path} has no {name} of the cube's shape")
        self.shape = cube.shape
        self._cube, self._name = cube, name
        if name not in cube.mappings:
            cube.mappings[name] = _mapped(cube, name)
        self._array = cube.mappings[name]

    @property
    def mapped(self) -> NDArray[Any] | None:
        """The file's numbers where they lie, in its byte order, shape (nz, ny, nx); None where they are packed."""
        return self._array

    def __getitem__(self, box: tuple[slice, slice, slice]) -> NDArray[Any]:
        """Read planes, rows and columns: the file's numbers in this machine's byte order, scaled as the header says.

        Raises
        ------
        MuseError
            They cannot be read.
        """
        if self._array is not None:
            part = self._array[box]
            return np.ascontiguousarray(part, part.dtype.newbyteorder("="))
        from astropy.io import fits

        try:
            with fits.open(self._cube.path, memmap=False) as opened:
                part = np.asarray(opened[self._cube.extensions[self._name]].section[box])
        except Exception as error:  # a damaged file can make astropy raise anything
            raise MuseError(f"{self._cube.path}: {self._name} cannot be read ({error}): make the file again") from error
        return np.ascontiguousarray(part, part.dtype.newbyteorder("="))


def _mapped(cube: CubeFile, name: str) -> NDArray[Any] | None:
    """Memory map of an extension; None where the file holds it packed or scaled."""
    hdu = hdus(cube.path)[cube.extensions[name]]
    kind = _TYPES.get(hdu.cards.get("BITPIX"))
    if kind is None or {"BSCALE", "BZERO", "BLANK", "ZIMAGE"} & set(hdu.cards) or cube.path.suffix in (".gz", ".fz"):
        return None
    return np.memmap(cube.path, np.dtype(kind), "r", hdu.offset, cube.shape)
