"""DATACUBE_FINAL and other cubes, read plane by plane."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.errors import MuseError
from muse_nb.products.axes.wcs import celestial_wcs, full_wcs
from muse_nb.products.fits.blocks import hdus
from muse_nb.products.fits.planes import StoredPlanes
from muse_nb.products.header import axes_of, read_all
from muse_nb.products.spectral_axis import SpectralAxis

if TYPE_CHECKING:
    from astropy.io.fits import Header
    from astropy.wcs import WCS

__all__ = ["CubeFile"]


@dataclass(frozen=True)
class CubeFile:
    """An opened cube; planes are read on request, never the whole file.

    Attributes
    ----------
    path : pathlib.Path
    primary, header : astropy.io.fits.Header
        Of the file, and of the data (with the WCS).
    shape : tuple of int
        (nz, ny, nx): wavelength, y, x.
    extensions : dict of str to int
        Name (DATA, and STAT, DQ, ... where they have the same shape) to the number of the HDU.
    """

    path: Path
    primary: Header
    header: Header
    shape: tuple[int, int, int]
    extensions: dict[str, int]

    @classmethod
    def open(cls, path: str | Path) -> CubeFile:
        """Open a cube: the extension DATA, or else the first array with three axes.

        Raises
        ------
        MuseError
            The file is not readable, or holds no cube.
        """
        path = Path(path)
        headers = read_all(path)
        shapes = {n: shape for n, header in enumerate(headers) if (shape := _cube_shape(header))}
        names = {n: str(headers[n].get("EXTNAME", "")).strip() or "DATA" for n in shapes}
        first = next((n for n in shapes if names[n] == "DATA"), next(iter(shapes), None))
        if first is None:
            raise MuseError(f"{path} holds no array with three axes: is it a cube?")
        extensions = {"DATA": first} | {names[n]: n for n in shapes if n != first and shapes[n] == shapes[first]}
        return cls(path, headers[0], headers[first], shapes[first], extensions)

    def has(self, name: str) -> bool:
        """Say whether there is such an extension with the shape of the data."""
        return name in self.extensions

    def plane(self, number: int, name: str = "DATA") -> NDArray[Any]:
        """Read one plane, shape (ny, nx): float32, or the integers of DQ."""
        with self.reader(name) as read:
            plane: NDArray[Any] = read(number)
        return plane

    def planes(self, name: str = "DATA") -> Iterator[NDArray[Any]]:
        """Read one plane after the other, the file opened once.

        Yields
        ------
        numpy.ndarray
            Shape (ny, nx), to be used before the next is read: planes of plain float32 come in one array, which the
            next one overwrites, in the byte order of the file.

        Raises
        ------
        MuseError
            There is no such extension, or it cannot be read.
        """
        stored = self._stored(name)
        if stored is not None:
            yield from stored.stream()
            return
        with self.reader(name) as read:
            for number in range(self.shape[0]):
                yield read(number)

    @contextmanager
    def reader(self, name: str = "DATA") -> Iterator[Callable[[int], NDArray[Any]]]:
        """Open the file once for many planes: gives a function from plane number to array.

        Raises
        ------
        MuseError
            There is no such extension, or it cannot be read.
        """
        stored = self._stored(name)
        if stored is not None:
            yield stored.__getitem__
            return
        with self._section(name) as section:
            yield lambda number: section(np.s_[number, :, :])

    def spectrum(self, x: int, y: int, name: str = "DATA") -> NDArray[Any]:
        """Read all planes of a spaxel (0-based), shape (nz,).

        Raises
        ------
        MuseError
            There is no such extension, or it cannot be read.
        """
        with self._section(name) as section:
            return section(np.s_[:, y : y + 1, x : x + 1])[:, 0, 0]  # single numbers would lose their type

    def _stored(self, name: str) -> StoredPlanes | None:
        """Planes that can be read by their place in the file."""
        found = StoredPlanes.of(self.path, hdus(self.path)[self._number(name)])
        return found if found is not None and found.shape == self.shape else None

    def _number(self, name: str) -> int:
        if name not in self.extensions:
            raise MuseError(f"{self.path} has no {name} of the cube's shape")
        return self.extensions[name]

    @contextmanager
    def _section(self, name: str) -> Iterator[Callable[[tuple[int | slice, ...]], NDArray[Any]]]:
        """Open the file: gives a function from the place in the cube to values, packed and scaled as they may be."""
        from astropy.io import fits

        number = self._number(name)

        def failed(error: Exception) -> MuseError:
            return MuseError(f"{self.path}: {name} cannot be read ({error}): make the file again")

        try:
            opened = fits.open(self.path, memmap=False)
        except Exception as error:  # a damaged file can make astropy raise anything
            raise failed(error) from error
        with opened:

            def read(place: tuple[int | slice, ...]) -> NDArray[Any]:
                try:
                    array = np.asarray(opened[number].section[place])
                except Exception as error:
                    raise failed(error) from error
                if array.dtype.kind == "f" or name in ("DATA", "STAT"):
                    return array.astype(np.float32, copy=False)
                return array.astype(array.dtype.newbyteorder("="), copy=False)

            yield read

    @cached_property
    def mappings(self) -> dict[str, NDArray[Any] | None]:
        """Memory maps of extensions, as `muse_nb.products.voxels` makes them: a new one costs a page fault a page."""
        return {}

    @cached_property
    def wcs(self) -> WCS:
        """Celestial and spectral WCS of the data, in degrees and m.

        Raises
        ------
        MuseError
            The header has none, or one that is not understood.
        """
        return full_wcs(self.header, self.path)

    @cached_property
    def celestial(self) -> WCS:
        """Celestial WCS of the data, whatever its third axis is.

        Raises
        ------
        MuseError
            The header has none.
        """
        return celestial_wcs(self.header, self.path)

    @cached_property
    def axis(self) -> SpectralAxis:
        """The wavelengths.

        Raises
        ------
        MuseError
            The header does not say, or what it says is not understood.
        """
        return SpectralAxis.of(self.header, self.path)

    @overload
    def wavelength(self, plane: float) -> float: ...
    @overload
    def wavelength(self, plane: NDArray[Any]) -> NDArray[np.float64]: ...
    def wavelength(self, plane: float | NDArray[Any]) -> float | NDArray[np.float64]:
        """Return the wavelength [Angstrom] of a plane (from 0), or of many, as the header has it (see `axis`).

        Raises
        ------
        MuseError
            The header does not say.
        """
        found: float | NDArray[np.float64] = self.axis.wavelength(plane)
        return found


def _cube_shape(header: Header) -> tuple[int, int, int] | None:
    prefix = "Z" if header.get("ZIMAGE") else ""
    if str(header.get("XTENSION", "IMAGE")).strip() != "IMAGE" and not prefix:
        return None
    axes = axes_of(header, prefix)
    if len(axes) != 3:
        return None
    nx, ny, nz = axes
    return (nz, ny, nx) if nz and ny and nx else None
