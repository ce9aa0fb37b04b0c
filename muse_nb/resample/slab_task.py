"""A slab of a combine as a task for another process: all it needs to read its rows, and where its planes go."""

from __future__ import annotations

import os
from collections.abc import Iterator
from ctypes import POINTER, c_float
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.errors import MuseError
from muse_nb.kernels.structs import BLOCK
from muse_nb.products.pixtable import PixelTable
from muse_nb.resample.cube_writer import piece_of
from muse_nb.resample.grid import CubeGrid
from muse_nb.resample.inputs import Input, Inputs
from muse_nb.resample.stream import Settings, planes
from muse_nb.resample.unfinished import write_at

__all__ = ["SlabTask", "cut"]

_REACH = 3  # planes beside a slab whose rows it needs, and one for rounding


@dataclass(frozen=True)
class Part:
    """What a slab needs of an exposure: where it lies, and the blocks of its rows that reach into the slab."""

    table: PixelTable
    place: tuple[float, float, float, float]  # RA, DEC, and their distance from the reference [deg]
    offset: tuple[float, float]
    weight: float
    flux: float
    rows: range
    date_obs: str
    angle: float
    blocks: NDArray[np.int32]
    wavelengths: NDArray[np.float32]


@dataclass(frozen=True)
class SlabTask:
    """Planes `first` to `last` (excluded) of a cube, to be made by any process that sees the same disk.

    Attributes
    ----------
    parts : tuple of Part
        One for each exposure.
    grid : CubeGrid
    settings : Settings
    file : str
        The file in the making, which is there at its full size.
    starts : tuple of int
        Bytes at which DATA, STAT and what more there is begin in it.
    first, last : int
    """

    parts: tuple[Part, ...]
    grid: CubeGrid
    settings: Settings
    file: str
    starts: tuple[int, ...]
    first: int
    last: int

    def run(self) -> list[dict[str, object]]:
        """Make the planes and write them into the file.

        Returns
        -------
        list of dict
            A note for the journal for each plane: where it is, its checksums, its rows.

        Raises
        ------
        MuseError
            A table cannot be read, or the file cannot be written.
        """
        notes = []
        try:
            fd = os.open(self.file, os.O_WRONLY)
        except OSError as error:
            raise MuseError(
                f"{self.file} cannot be written from {os.uname().nodename}: {error.strerror};"
                " every worker needs the disk that the cube is on"
            ) from error
        try:
            with Inputs.of(_open(self.parts)) as inputs:
                for plane in planes(inputs, self.grid, self.settings, self.first, self.last):
                    piece = piece_of(plane, self.starts)
                    for position, content in piece.blocks:
                        write_at(fd, position, content)
                    notes.append(piece.note())
            os.fsync(fd)  # so that the process that collects sees it, over a network too
        except OSError as error:
            raise MuseError(f"{self.file} cannot be written: {error.strerror}") from error
        finally:
            os.close(fd)
        return notes


def cut(
    inputs: Inputs, grid: CubeGrid, settings: Settings, file: Path, starts: tuple[int, ...], slabs: list[range]
) -> Iterator[SlabTask]:
    """Make the tasks of some slabs, each with the part of the wavelength index that it needs.

    Parameters
    ----------
    inputs
        The exposures.
    grid, settings
        Of the combine; threads and memory are a worker's.
    file, starts
        See `SlabTask`.
    slabs
        Planes of each.
    """
    for slab in slabs:
        low = grid.wavelength(slab.start - _REACH)
        high = grid.wavelength(slab.stop + _REACH)
        parts = tuple(_part(exposure, low, high) for exposure in inputs.exposures)
        yield SlabTask(parts, grid, settings, str(file.absolute()), starts, slab.start, slab.stop)


def _part(exposure: Input, low: float, high: float) -> Part:
    index = exposure.index
    blocks = np.flatnonzero((index[:, 1] >= low) & (index[:, 0] <= high)).astype(np.int32)
    kernel = exposure.kernel
    place = (exposure.ra, exposure.dec, kernel.d_ra, kernel.d_dec)
    return Part(
        replace(exposure.table, path=exposure.table.path.absolute()),  # a worker's folder is another one
        place,
        exposure.offset,
        exposure.weight,
        exposure.flux,
        range(exposure.first, exposure.first + kernel.nrow),
        exposure.date_obs,
        exposure.angle,
        blocks,
        index[blocks],
    )


def _open(parts: tuple[Part, ...]) -> Iterator[Input]:
    for part in parts:
        index = np.zeros((-(-len(part.rows) // BLOCK), 2), np.float32)  # zeros that are only read take no memory
        index[part.blocks] = part.wavelengths
        exposure = Input.open(
            part.table, part.place[:2], part.offset, part.weight, part.flux, part.rows, part.date_obs, part.angle
        )
        exposure.kernel.d_ra, exposure.kernel.d_dec = part.place[2:]
        exposure.kernel.index = index.ctypes.data_as(POINTER(c_float))
        exposure.index = index
        yield exposure
