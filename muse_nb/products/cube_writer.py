"""A cube written plane by plane, in the recipes' form: a header-only primary, DATA and STAT."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from muse_nb.products.errors import MuseError
from muse_nb.products.whole import whole

if TYPE_CHECKING:
    from astropy.io.fits import Header

__all__ = ["EURO3D", "CubeWriter", "writing_cube"]

BLOCK = 2880
EURO3D: dict[str, list[tuple[str, str]]] = {
    "DATA": [("HDUCLAS1", "IMAGE"), ("HDUCLAS2", "DATA"), ("ERRDATA", "STAT")],
    "STAT": [("HDUCLAS1", "IMAGE"), ("HDUCLAS2", "ERROR"), ("HDUCLAS3", "MSE"), ("SCIDATA", "DATA")],
}


class CubeWriter:
    """Planes go to their place in the file; those never written are NaN only if the caller writes them so."""

    def __init__(self, file: int, places: dict[str, int], shape: tuple[int, int, int]) -> None:
        self._file, self._places, self._shape = file, places, shape

    def write(self, plane: int, **layers: NDArray[Any]) -> None:
        """Write a plane, ``DATA=`` and ``STAT=``, shape (ny, nx).

        Raises
        ------
        OSError
            As on a full disk; `writing_cube` says it in a sentence.
        """
        size = 4 * self._shape[1] * self._shape[2]
        for name, values in layers.items():
            data = np.ascontiguousarray(values, ">f4").tobytes()
            position = self._places[name] + plane * size
            while data:
                written = os.pwrite(self._file, data, position)
                data, position = data[written:], position + written


@contextmanager
def writing_cube(
    path: str | Path,
    shape: tuple[int, int, int],
    primary: Header,
    layers: dict[str, Header],
    *,
    force: bool = False,
) -> Iterator[CubeWriter]:
    """Open a cube for writing; it appears under its name when all planes are written, or not at all.

    Parameters
    ----------
    path
        The file to make.
    shape
        (nz, ny, nx).
    primary
        Primary header.
    layers
        Header of each extension by its name; the keywords that describe its array are added.
    force
        Replace a file that is there.

    Raises
    ------
    MuseError
        The file is there, or there is no room for it.
    """
    from astropy.io import fits

    with whole(path, force=force) as part:
        size = 4 * shape[0] * shape[1] * shape[2]
        need = len(layers) * (size + 2 * BLOCK)
        free = os.statvfs(part.parent)
        if need > free.f_bavail * free.f_frsize:
            raise MuseError(
                f"{path} takes {need / 1e9:.2f} GB, {free.f_bavail * free.f_frsize / 1e9:.2f} GB are free there"
            )
        head = fits.PrimaryHDU(header=primary)
        with part.open("r+b") as file:
            file.write(_block(head.header))
            places = {}
            for name, header in layers.items():
                file.write(_block(_array_header(name, shape, header)))
                places[name] = file.tell()
                end = places[name] + size
                file.seek(end + -end % BLOCK)
            file.truncate()
            file.flush()
            yield CubeWriter(file.fileno(), places, shape)


def _array_header(name: str, shape: tuple[int, int, int], header: Header) -> Header:
    from astropy.io import fits

    full = fits.Header([("XTENSION", "IMAGE"), ("BITPIX", -32), ("NAXIS", 3)])
    for axis, length in enumerate(reversed(shape), 1):
        full[f"NAXIS{axis}"] = length
    full["PCOUNT"], full["GCOUNT"] = 0, 1
    full.extend(header, strip=True)
    full["EXTNAME"] = name
    full["HDUCLASS"], full["HDUDOC"], full["HDUVERS"] = "ESO", "DICD", "DICD version 6"
    for keyword, value in EURO3D.get(name, []):
        full[keyword] = value
    return full


def _block(header: Header) -> bytes:
    return bytes(header.tostring(), "ascii")
