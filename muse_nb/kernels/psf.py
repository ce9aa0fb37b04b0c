"""Stamps of stars on an image and the normal equations of their fit (compiled, see psf.c)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from muse_nb.kernels import library

__all__ = ["Stamps", "discs", "moffat_stamps", "weigh"]

Floats = NDArray[np.floating]
Doubles = NDArray[np.float64]
Mask = NDArray[np.bool_]


def _at(array: NDArray[np.generic]) -> int:
    return array.ctypes.data


@dataclass(frozen=True)
class Stamps:
    """The stamps of K stars on one image.

    Attributes
    ----------
    box : ndarray of int32, shape (K, 4)
        x0, y0, width and height of each stamp; width or height 0 for a star off the image.
    start : ndarray of int64, shape (K,)
        Where each stamp begins in the arrays below.
    value, east, north : ndarray of float32
        Profile of peak 1, and the derivatives of amplitude x profile with respect to the position on the sky.
    model : ndarray, shape (ny, nx)
        Sum of all stars.
    shape : ndarray of float32, shape (4, ny, nx)
        Derivatives of the model with respect to the PSF's a, b, c and beta.
    """

    box: NDArray[np.int32]
    start: NDArray[np.int64]
    value: NDArray[np.float32]
    east: NDArray[np.float32]
    north: NDArray[np.float32]
    model: Doubles
    shape: NDArray[np.float32]

    def image_of(self, k: int) -> tuple[NDArray[np.float32], tuple[slice, slice]]:
        """Profile of star `k` as a small image, and where in the large one it is."""
        x0, y0, width, height = (int(v) for v in self.box[k])
        profile = self.value[self.start[k] : self.start[k] + width * height].reshape(height, width)
        return profile, np.s_[y0 : y0 + height, x0 : x0 + width]

    def take(self, which: Mask | NDArray[np.integer]) -> Stamps:
        """Stars that a mask or an index picks, under the same model."""
        return replace(self, box=self.box[which], start=self.start[which])

    def with_whole(self, east: Floats, north: Floats) -> Stamps:
        """One more, as large as the image, with these derivatives (ny, nx) and a profile of 0."""
        ny, nx = self.model.shape
        arrays = zip((self.value, self.east, self.north), (np.zeros(ny * nx), east, north), strict=True)
        value, east, north = (np.r_[old, np.ravel(new).astype(np.float32)] for old, new in arrays)
        box = np.r_[self.box, np.array([[0, 0, nx, ny]], np.int32)]
        return replace(self, box=box, start=np.r_[self.start, len(self.value)], value=value, east=east, north=north)

    def pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Stars whose boxes overlap, in CSR form: (row pointer, column)."""
        stars, (x0, y0, width, height) = len(self.box), self.box.T
        side = np.stack([x0, x0 + width - 1, y0, y0 + height - 1])
        row, hit = np.empty(stars + 1, np.int64), np.empty(stars, np.uint8)
        arrays = [_at(array) for array in (side, hit, row)]
        column = np.empty(library().psf_pairs(stars, *arrays, None), np.int32)
        library().psf_pairs(stars, *arrays, _at(column))
        return row, column

    def blocks(self, weight: Floats, row: NDArray[np.int64], column: NDArray[np.int32]) -> Doubles:
        """3x3 products (value, east, north) of every pair of stars under `weight`; shape (pairs, 3, 3)."""
        weight = np.ascontiguousarray(weight, float)
        block = np.zeros((len(column), 3, 3))
        library().psf_blocks(
            len(self.box), *self._home, weight.shape[1], _at(weight), _at(row), _at(column), _at(block)
        )
        return block

    def border(self, weight: Floats, residual: Floats) -> tuple[Doubles, Doubles]:
        """Gradient (K, 3) and coupling (K, 3, 5) of each star with the PSF's shape and the background."""
        weight, residual = np.ascontiguousarray(weight, float), np.ascontiguousarray(residual, float)
        gradient, border = np.zeros((len(self.box), 3)), np.zeros((len(self.box), 3, 5))
        library().psf_border(
            len(self.box), *self._home, weight.shape[1], weight.size,
            _at(weight), _at(residual), _at(self.shape), _at(gradient), _at(border),
        )  # fmt: skip
        return gradient, border

    def shape_products(self, weight: Floats, residual: Floats) -> tuple[Doubles, Doubles]:
        """Products (5, 5) of the PSF's derivatives and a constant under `weight`, and (5,) with the residual."""
        weight, residual = np.ascontiguousarray(weight, float), np.ascontiguousarray(residual, float)
        block, gradient = np.empty((5, 5)), np.empty(5)
        library().psf_shape(weight.size, *map(_at, (weight, residual, self.shape, block, gradient)))
        return block, gradient

    def core(self, ok: Mask) -> NDArray[np.int64]:
        """How many pixels of each star's core, above half of its peak, are `ok`; (K,)."""
        ok, core = np.ascontiguousarray(ok, bool), np.empty(len(self.box), np.int64)
        library().psf_core(len(self.box), *self._home[:3], ok.shape[1], _at(ok), _at(core))
        return core

    def support(self, weight: Floats) -> tuple[Doubles, Doubles]:
        """Sum of each star's squared profile, plain and under `weight`; each (K,)."""
        weight = np.ascontiguousarray(weight, float)
        square, weighted = np.empty((2, len(self.box)))
        arrays = weight, square, weighted
        library().psf_support(len(self.box), *self._home[:3], weight.shape[1], *map(_at, arrays))
        return square, weighted

    def above(self, limit: Floats) -> Mask:
        """Mask of the pixels where the profile of a star is above its `limit` (K,)."""
        limit, mask = np.ascontiguousarray(limit, float), np.zeros(self.model.shape, bool)
        library().psf_above(len(self.box), *self._home[:3], self.model.shape[1], _at(limit), _at(mask))
        return mask

    def squares(self, factor: Floats) -> Doubles:
        """Image of `factor` (K,) times the stars' squared profiles."""
        factor, image = np.ascontiguousarray(factor, float), np.zeros(self.model.shape)
        library().psf_squares(len(self.box), *self._home[:3], self.model.shape[1], _at(factor), _at(image))
        return image

    @cached_property
    def _home(self) -> list[int]:
        """Where the kernels find the stamps."""
        return [_at(array) for array in (self.box, self.start, self.value, self.east, self.north)]


def moffat_stamps(
    position: Floats,
    amplitude: Floats,
    radius: Floats,
    psf: Floats,
    shape: tuple[int, int],
    matrix: Floats | None = None,
) -> Stamps:
    """Draw K stars with an elliptical Moffat profile (1 + a u^2 + 2 b u v + c v^2)^-beta, integrated over pixels.

    Parameters
    ----------
    position : ndarray, shape (K, 2)
        x and y, 0-based pixel.
    amplitude : ndarray, shape (K,)
        Peak of the profile before integration.
    radius : ndarray, shape (K,)
        Half width of each stamp in pixel.
    psf : ndarray, shape (4,)
        a, b, c [pixel^-2] and beta.
    shape : (ny, nx)
        Of the image.
    matrix : ndarray, shape (2, 2), optional
        d pixel / d sky: the derivatives are with respect to the sky; default: to x and y.
    """
    position, amplitude = np.asarray(position, float).reshape(-1, 2), np.ascontiguousarray(amplitude, float)
    ny, nx = shape
    centre = np.floor(np.clip(position, -1e6, 1e6) + 0.5).astype(np.int64)
    low = np.clip(centre - np.asarray(radius)[:, None], 0, [nx, ny])
    high = np.clip(centre + np.asarray(radius)[:, None] + 1, low, [nx, ny])
    box = np.ascontiguousarray(np.c_[low, high - low], np.int32)
    end = np.cumsum(np.prod(high - low, axis=1))
    start = end - np.prod(high - low, axis=1)
    value, east, north = np.empty((3, end[-1] if len(end) else 0), np.float32)
    model, derivatives = np.zeros(shape), np.zeros((4, *shape), np.float32)
    x, y = np.ascontiguousarray(position.T)
    matrix = np.ascontiguousarray(np.eye(2) if matrix is None else matrix, float)
    psf = np.ascontiguousarray(psf, float)
    library().psf_stamps(
        len(box), *map(_at, (x, y, amplitude, box, start, psf, matrix)), nx, model.size,
        *map(_at, (value, east, north, model, derivatives)),
    )  # fmt: skip
    return Stamps(box, start, value, east, north, model, derivatives)


def weigh(
    used: Mask,
    data: Floats,
    model: Floats,
    galaxy: Floats,
    floor: float,
    slope: float,
) -> tuple[Doubles, Doubles]:
    """Inverse variance 1 / (floor + slope * light), light = model (if > 0) + galaxy, and data - model; 0 if unused.

    All arrays have the image's shape (ny, nx).
    """
    used = np.ascontiguousarray(used, bool)
    images = [np.ascontiguousarray(image, float) for image in (data, model, galaxy)]
    weight, residual = np.empty(used.shape), np.empty(used.shape)
    library().psf_weigh(used.size, _at(used), *map(_at, images), floor, slope, _at(weight), _at(residual))
    return weight, residual


def discs(position: Floats, radius: Floats | float, shape: tuple[int, int]) -> Mask:
    """Mask (ny, nx) of the pixels that are nearer than `radius` (n,) to one of some positions (n, 2) [pixel]."""
    x, y = np.clip(np.asarray(position, float).reshape(-1, 2).T, -1e9, 1e9)
    known = np.isfinite(x + y)
    x, y, radius = x[known], y[known], np.broadcast_to(radius, known.shape)[known].astype(float)
    mask = np.zeros(shape, bool)
    library().psf_discs(len(x), *map(_at, (x, y, radius)), *shape, _at(mask))
    return mask
