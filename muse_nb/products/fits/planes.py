"""Pixels of a cube, a frame or an image, read from their file.

`StoredPlanes` reads planes by their place without a FITS library: the combine's process has to stay small. `mapped`
gives an array whose pixels are read when they are looked at. `read_image` reads what FITS allows besides: packed,
scaled, of any type.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.errors import MuseError
from muse_nb.products.fits.blocks import Hdu, hdus

__all__ = ["StoredPlanes", "mapped", "read_image"]

_FORMS: dict[object, str] = {-32: ">f4", 32: ">i4"}  # by BITPIX


@dataclass(frozen=True)
class StoredPlanes:
    """Planes of float32 that lie in a file as they are, neither packed nor scaled.

    Attributes
    ----------
    path : pathlib.Path
    offset : int
        Byte at which the first plane begins.
    shape : tuple of int
        (nz, ny, nx).
    """

    path: Path
    offset: int
    shape: tuple[int, int, int]

    @classmethod
    def of(cls, path: Path, hdu: Hdu) -> StoredPlanes | None:
        """Find the planes of an HDU; None where they are packed, scaled or of another type."""
        if len(hdu.shape) != 3 or _form(path, hdu) != ">f4":
            return None
        nz, ny, nx = hdu.shape
        return cls(path, hdu.offset, (nz, ny, nx))

    @classmethod
    def named(cls, path: Path, name: str, shape: tuple[int, int, int]) -> StoredPlanes:
        """Find DATA or STAT of a cube that was made here.

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
        for hdu in hdus(path):
            found = cls.of(path, hdu) if hdu.name == name else None
            if found is not None and found.shape == shape:
                return found
        raise MuseError(f"{path} has no {name} of the shape {shape}: it is not the cube that was made")

    def __len__(self) -> int:
        """Count the planes."""
        return self.shape[0]

    def __getitem__(self, number: int) -> NDArray[np.float32]:
        """Read a plane, shape (ny, nx).

        Raises
        ------
        MuseError
            It cannot be read.
        """
        size = self.shape[1] * self.shape[2]
        try:
            plane = np.fromfile(self.path, ">f4", size, offset=self.offset + 4 * size * number)
        except OSError as error:
            raise MuseError(f"{self.path} cannot be read: {error.strerror}") from error
        if plane.size != size:
            raise self._shorter()
        return plane.astype(np.float32).reshape(self.shape[1:])

    def stream(self) -> Iterator[NDArray[np.float32]]:
        """Read one plane after the other into one array, which the next one overwrites, in the file's byte order.

        Raises
        ------
        MuseError
            They cannot be read.
        """
        buffer = np.empty(self.shape[1:], ">f4")
        content = buffer.view(np.uint8).reshape(-1).data
        try:
            with self.path.open("rb", buffering=0) as file:
                file.seek(self.offset)
                for _ in range(len(self)):
                    if file.readinto(content) != buffer.nbytes:
                        raise self._shorter()
                    yield buffer
        except OSError as error:
            raise MuseError(f"{self.path} cannot be read: {error.strerror}") from error

    def _shorter(self) -> MuseError:
        return MuseError(f"{self.path} became shorter while it was read: make it again")


def mapped(path: Path, hdu: Hdu) -> NDArray[Any] | None:
    """Map an image of float32 or int32 that lies in its file as it is, in the file's byte order; else None."""
    form = _form(path, hdu)
    return None if form is None or 0 in hdu.shape else np.memmap(path, form, "r", hdu.offset, hdu.shape)


def _form(path: Path, hdu: Hdu) -> str | None:
    """Type of the values of an image, of four bytes each; None where they are packed, scaled or of another type."""
    packed = path.suffix in (".gz", ".fz") or hdu.cards.get("ZIMAGE") is True
    scaled = not {"BSCALE", "BZERO", "BLANK"}.isdisjoint(hdu.cards)
    if packed or scaled or hdu.cards.get("XTENSION", "IMAGE") != "IMAGE":
        return None
    return _FORMS.get(hdu.cards.get("BITPIX"))


def read_image(path: Path, number: int, what: str) -> NDArray[Any]:
    """Read all pixels of an image, packed or not, in the machine's byte order.

    Parameters
    ----------
    path
        The file.
    number
        Of the HDU.
    what
        Name of the image, for the message.

    Raises
    ------
    MuseError
        They cannot be read.
    """
    from astropy.io import fits

    try:
        with fits.open(path, memmap=False) as opened:
            array = np.asarray(opened[number].data)
            if array.dtype.kind not in "iuf":
                raise ValueError("it is no image")
    except Exception as error:  # a damaged file can make astropy raise anything
        raise MuseError(f"{path}: {what} cannot be read ({error}): make the file again") from error
    return array.astype(array.dtype.newbyteorder("="), copy=False)
