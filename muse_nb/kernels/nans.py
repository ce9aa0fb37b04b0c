"""Coverage of a cube's planes, and the rows of pixel tables that reach a voxel; see nans.c."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import numpy as np

from muse_nb.kernels import library, structs
from muse_nb.kernels.structs import STORY

__all__ = ["STORY", "Coverage", "Grid", "Place", "Rows", "place_rows", "row_coverage", "row_stories"]


class Coverage:
    """First and last plane with data of every spaxel, the number of such planes, and NaN by plane.

    Attributes
    ----------
    first, last, count : numpy.ndarray
        int32, shape (ny, nx); `first` is `nz` and `last` -1 where no plane has data.
    missing : numpy.ndarray
        Number of NaN in each plane, shape (nz,).
    infinite : int
        Voxels that are infinite.
    """

    def __init__(self, shape: tuple[int, int, int]) -> None:
        nz, ny, nx = shape
        self.first = np.full((ny, nx), nz, np.int32)
        self.last = np.full((ny, nx), -1, np.int32)
        self.count = np.zeros((ny, nx), np.int32)
        self.missing = np.zeros(nz, np.int64)
        self._infinite = ctypes.c_int64(0)

    @property
    def infinite(self) -> int:
        """Voxels that are infinite, so far."""
        return self._infinite.value

    def add(self, k: int, plane: np.ndarray) -> None:
        """Take in plane `k`: float32 of either byte order, any other kind is converted."""
        if plane.dtype.kind + str(plane.dtype.itemsize) != "f4":
            plane = plane.astype(np.float32)
        plane = np.ascontiguousarray(plane)
        self.missing[k] = library().plane_coverage(
            *(_pointer(plane), plane.size, not plane.dtype.isnative, k),
            *map(_pointer, (self.first, self.last, self.count)),
            ctypes.byref(self._infinite),
        )


@dataclass(frozen=True)
class Grid:
    """The voxels of a cube and the size of a drop.

    Attributes
    ----------
    shape : tuple of int
        (nz, ny, nx).
    crval3, cd33, crpix3 : float
        Wavelength axis [Angstrom].
    drop_x, drop_y, drop_z, size_x, size_y, size_z : float
        Drop and voxel: sides on the sky [deg] and in wavelength [Angstrom].
    ra, dec, cosdec : numpy.ndarray
        Centres of the spaxels [deg], shape (ny, nx), float64, and cos(dec).
    ra0, dec0 : float
        What the rows' positions are relative to [deg].
    """

    shape: tuple[int, int, int]
    crval3: float
    cd33: float
    crpix3: float
    drop_x: float
    drop_y: float
    drop_z: float
    size_x: float
    size_y: float
    size_z: float
    ra: np.ndarray
    dec: np.ndarray
    cosdec: np.ndarray
    ra0: float
    dec0: float

    def _struct(self) -> structs.Voxels:
        nz, ny, nx = self.shape
        axis = (self.crval3, self.cd33, self.crpix3)
        sides = (self.drop_x, self.drop_y, self.drop_z, self.size_x, self.size_y, self.size_z)
        arrays = (self.ra.ctypes.data, self.dec.ctypes.data, self.cosdec.ctypes.data)
        return structs.Voxels(nx, ny, nz, 0, *axis, *sides, *arrays, self.ra0, self.dec0)


@dataclass(frozen=True)
class Rows:
    """Rows of a pixel table, placed on a cube.

    Attributes
    ----------
    a, b, wavelength : numpy.ndarray
        float32, shape (n,): RA and DEC minus the reference [deg], wavelength [Angstrom].
    cell : numpy.ndarray
        int32, shape (n, 3): x, y, z of the voxel a row falls in, or of where there was one before the cube was cut; -3
        or n + 2 for all that are further out.
    """

    a: np.ndarray
    b: np.ndarray
    wavelength: np.ndarray
    cell: np.ndarray


@dataclass(frozen=True)
class Place:
    """How positions of a pixel table become cells of a cube.

    Attributes
    ----------
    native : bool
        Positions are native spherical coordinates [rad], otherwise relative to the pointing [deg].
    ra, dec : float
        Pointing of the table [deg], its offset subtracted.
    crval, crpix : tuple of float
        Of the cube, axes 1 and 2.
    cd : tuple of float
        CD1_1, CD1_2, CD2_1, CD2_2 of the cube [deg].
    cut : int
        Where the cube was cut out of a larger one; bits 0 to 5: low x, high x, low y, high y, low z, high z.
    """

    native: bool
    ra: float
    dec: float
    crval: tuple[float, float]
    crpix: tuple[float, float]
    cd: tuple[float, float, float, float]
    cut: int


def place_rows(grid: Grid, place: Place, xpos: np.ndarray, ypos: np.ndarray, wavelength: np.ndarray) -> Rows:
    """Place rows on a cube; all three columns float32 of one length."""
    n = len(xpos)
    rows = Rows(np.empty(n, np.float32), np.empty(n, np.float32), wavelength, np.empty((n, 3), np.int32))
    how = structs.Place(int(place.native), place.cut, place.ra, place.dec, *place.crval, *place.crpix, *place.cd)
    arrays = (xpos, ypos, wavelength, rows.a, rows.b, rows.cell)
    library().place_rows(grid._struct(), how, n, *map(_pointer, arrays))
    return rows


def row_coverage(grid: Grid, rows: Rows, first: np.ndarray, last: np.ndarray) -> None:
    """Widen `first` and `last` (int32, shape (ny, nx)) by the planes that rows reach."""
    positions = [_pointer(array) for array in (rows.a, rows.b, rows.wavelength, rows.cell)]
    library().row_coverage(grid._struct(), len(rows.a), *positions, _pointer(first), _pointer(last))


def row_stories(
    grid: Grid,
    rows: Rows,
    dq: np.ndarray,
    table_dq: np.ndarray | None,
    origin: np.ndarray,
    finite: np.ndarray,
    weight: np.ndarray | None,
    table: int,
    planes: tuple[int, int],
    voxel: np.ndarray,
    stories: np.ndarray,
    *,
    spreads: bool,
) -> None:
    """Tell the stories of voxels from the rows that reach them.

    Parameters
    ----------
    dq, origin
        Columns of the rows, int32.
    finite
        Whether their values are, bool.
    table_dq
        Flags that the bad-pixel table gave to each row (0: none), int32; None when it is not known.
    weight
        float32 column, or None when all are 1.
    table
        Number of the pixel table, kept in the story.
    planes
        First and last + 1 plane of `voxel`.
    voxel
        int32, shape (planes, ny, nx): number of the story of each voxel, -1 for none.
    stories
        Records of `STORY`, changed in place.
    spreads
        A good row that is not finite spoils every voxel near it; otherwise it is left out.
    """
    library().row_stories(
        grid._struct(),
        len(rows.a),
        *(
            _pointer(array)
            for array in (rows.a, rows.b, rows.wavelength, rows.cell, dq, table_dq, origin, finite, weight)
        ),
        table,
        *planes,
        spreads,
        _pointer(voxel),
        _pointer(stories),
    )


def _pointer(array: np.ndarray | None) -> int | None:
    if array is None:
        return None
    assert array.flags.c_contiguous
    return array.ctypes.data
