"""Fluxes of all stars of a field in each of many planes at once (compiled, see crowd.c)."""

from __future__ import annotations

from ctypes import byref
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.robust import SIGMA_OF_MAD
from muse_nb.kernels import library, structs

__all__ = ["LANES", "Fitted", "Mesh", "Stamps", "fit_planes", "profiles"]

Array = NDArray[np.float64]
Single = NDArray[np.float32]
LANES = 8  # the first column and the width of a box are multiples of it


@dataclass(frozen=True)
class Mesh:
    """Hats of a background: each node's is 1 there and falls to 0 at the next.

    Attributes
    ----------
    x, y : ndarray of float32, shapes (nodes in x, nx) and (nodes in y, ny)
    reach_x, reach_y : ndarray of int32, shapes (nodes in x, 2) and (nodes in y, 2)
        Where each is not 0: first and end; in x multiples of `LANES`.
    """

    x: Single
    y: Single
    reach_x: NDArray[np.int32]
    reach_y: NDArray[np.int32]

    @classmethod
    def of(cls, shape: tuple[int, int], wide: int, cell: float) -> Mesh:
        """Lay out a mesh over planes (ny, nx) that are stored `wide` columns wide, cells of about `cell` pixels."""
        ny, nx = shape
        x, reach_x = _hats(nx, wide, cell, LANES)
        y, reach_y = _hats(ny, ny, cell, 1)
        return cls(x, y, reach_x, reach_y)

    def image(self, nodes: Single) -> Single:
        """The background of some values at the nodes, shape (ny, nx)."""
        return np.asarray(self.y.T @ nodes.reshape(len(self.y), len(self.x)) @ self.x, np.float32)


def _hats(pixels: int, wide: int, cell: float, lanes: int) -> tuple[Single, NDArray[np.int32]]:
    number = max(1, round(pixels / cell)) + 1 if cell > 0 and pixels > cell else 1
    hats = np.zeros((number, wide), np.float32)
    if number == 1:
        hats[0, :pixels] = 1
        return hats, np.array([[0, wide]], np.int32)
    at = np.arange(pixels) / (pixels - 1) * (number - 1)
    hats[:, :pixels] = np.clip(1 - np.abs(at - np.arange(number)[:, None]), 0, None)
    reach = [np.flatnonzero(hat)[[0, -1]] for hat in hats]
    return hats, np.array([[a // lanes * lanes, -(-(b + 1) // lanes) * lanes] for a, b in reach], np.int32)


@dataclass(frozen=True)
class Stamps:
    """Profiles of K stars on planes of `shape` (ny, nx), nx a multiple of `LANES`.

    Attributes
    ----------
    box, core : ndarray of int32, shape (K, 4)
        x0, y0, width and height of each profile, and of the part of it that holds its core.
    start : ndarray of int64, shape (K + 1,)
        Where each profile begins in `value`, and the end.
    value : ndarray of float32
        Profiles, row by row.
    least : ndarray of float32, shape (K,)
        Half of each profile's largest value.
    row, column : ndarray
        Later stars that overlap each, in CSR form.
    whole : float
        Sum of the squares of a profile that lies inside the plane.
    """

    shape: tuple[int, int]
    box: NDArray[np.int32]
    core: NDArray[np.int32]
    start: NDArray[np.int64]
    value: Single
    least: Single
    row: NDArray[np.int64]
    column: NDArray[np.int32]
    whole: float

    def light(self, flux: Array) -> Single:
        """Image of stars of these fluxes, shape `shape`."""
        image = np.zeros(self.shape, np.float32)
        flux = np.ascontiguousarray(flux, np.float64)
        library().crowd_add(byref(_structure(self)), flux.ctypes.data, image.ctypes.data)
        return image

    def image_of(self, k: int) -> tuple[Single, tuple[slice, slice]]:
        """Profile of star `k`, and where it lies in a plane."""
        x0, y0, width, height = (int(v) for v in self.box[k])
        return self.value[self.start[k] : self.start[k + 1]].reshape(height, width), np.s_[
            y0 : y0 + height, x0 : x0 + width
        ]


@dataclass(frozen=True)
class Fitted:
    """What a fit of planes found.

    Attributes
    ----------
    flux, information, share, chi2, missing : ndarray of float32, shape (planes, K)
        Flux, NaN where a star has no data; sum of its squared profile over the variance; share of the squared profile
        that has data; mean square of the residuals in its core over the variance; share of the core without data.
    ground : ndarray of float32, shape (planes, nodes)
        The background at the mesh's nodes, row by row.
    scatter : ndarray, shape (planes,)
        Of the residuals over what the variance says, robust.
    rejected, steps : ndarray of int32, shape (planes,)
        Voxels that were left out, without their neighbours; steps of the solution.
    """

    flux: Single
    information: Single
    share: Single
    chi2: Single
    missing: Single
    ground: Single
    scatter: Array
    rejected: NDArray[np.int32]
    steps: NDArray[np.int32]


def _structure(stamps: Stamps, mesh: Mesh | None = None, **more: Any) -> structs.Crowd:
    ny, nx = stamps.shape
    given = {
        name: getattr(stamps, name).ctypes.data for name in ("box", "core", "start", "value", "least", "row", "column")
    }
    if mesh is not None:
        given |= {"across": len(mesh.x), "up": len(mesh.y), "hat_x": mesh.x.ctypes.data, "hat_y": mesh.y.ctypes.data}
        given |= {"reach_x": mesh.reach_x.ctypes.data, "reach_y": mesh.reach_y.ctypes.data}
    return structs.Crowd(stars=len(stamps.box), nx=nx, ny=ny, **given, **more)


def fit_planes(
    data: Single,
    stamps: Stamps,
    mesh: Mesh,
    variance: tuple[Single, Single, Array],
    *,
    clip: float = 5.0,
    tolerance: float = 0.1,
    rounds: int = 3,
    residuals: bool = False,
    threads: int = 1,
) -> Fitted:
    """Fit the fluxes of all stars and the background in each plane.

    Parameters
    ----------
    data : ndarray of float32, shape (planes, ny, nx)
        NaN is left out. Changed: NaN becomes 0, or all of it the residuals, NaN where a voxel was left out.
    stamps, mesh
        The profiles, and the background's hats.
    variance : (ndarray, ndarray, ndarray)
        Two images of float32 (ny, nx) and what each counts in every plane, shape (planes, 2): the variance is their
        sum. Where it is not above 0 voxels are left out.
    clip, tolerance
        Voxels are left out whose residual is more than so many scatters and more than this share of the stars' light.
    rounds
        How often at most.
    residuals
        Leave the residuals in `data`.
    threads : int
        To work on.

    Raises
    ------
    MemoryError
    """
    planes, stars, nodes = len(data), len(stamps.box), len(mesh.x) * len(mesh.y)
    if data.dtype != np.float32 or not data.flags.c_contiguous or data.shape[1:] != stamps.shape:
        raise ValueError("planes of float32 of the stamps' shape are wanted")
    base, light, level = (np.ascontiguousarray(v, t) for v, t in zip(variance, ("f4", "f4", "f8"), strict=True))
    given = _structure(
        stamps, mesh, base=base.ctypes.data, light=light.ctypes.data,
        clip=clip, tolerance=tolerance, of_mad=SIGMA_OF_MAD, whole=stamps.whole, rounds=rounds,
    )  # fmt: skip
    flux, information, share, chi2, missing = np.empty((5, planes, stars), np.float32)
    rejected, steps = np.empty((2, planes), np.int32)
    ground, scatter = np.empty((planes, nodes), np.float32), np.empty(planes)
    found = Fitted(flux, information, share, chi2, missing, ground, scatter, rejected, steps)
    results = (getattr(found, name).ctypes.data for name in Fitted.__dataclass_fields__)
    done = library().crowd_planes(
        byref(given), planes, data.ctypes.data, level.ctypes.data, residuals, threads, *results
    )
    if not done:
        raise MemoryError("a plane's fit did not find room")
    return found


def profiles(
    x: Array, y: Array, reach: Array, moffat: Array, table: Array, step: float, norm: float,
    box: NDArray[np.int32], start: NDArray[np.int64], *, threads: int = 1,
) -> Single:  # fmt: skip
    """Draw profiles: a Moffat (1 + a u^2 + 2 b u v + c v^2)^-beta over the pixels, and a correction by its radius.

    Parameters
    ----------
    x, y, reach : ndarray, shape (K,)
        Centres and the radius beyond which each is 0 [pixel].
    moffat : ndarray, shape (4,)
        a, b, c [pixel^-2] and beta.
    table, step
        What is added at elliptical radii sqrt(a u^2 + 2 b u v + c v^2) of 0, step, 2 step ...
    norm : float
        Factor on all of it.
    box, start
        Where each is drawn: see `Stamps`.
    threads : int
        To work on.
    """
    value = np.empty(int(start[-1]), np.float32)
    x, y, reach, moffat, table = (np.ascontiguousarray(v, np.float64) for v in (x, y, reach, moffat, table))
    library().crowd_profiles(
        len(x), x.ctypes.data, y.ctypes.data, reach.ctypes.data, moffat.ctypes.data, table.ctypes.data, len(table),
        step, norm, box.ctypes.data, start.ctypes.data, threads, value.ctypes.data,
    )  # fmt: skip
    return value
