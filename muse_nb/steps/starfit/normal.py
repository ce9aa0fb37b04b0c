"""The normal equations of all images together, and how they are solved.

Unknowns: the amplitude of each star in each exposure, its position on the sky (common), the PSF's shape and the
background of each exposure, and each exposure's offset. Stars touch few others, so the matrix is kept sparse and solved
by conjugate gradients; the preconditioner is the exact inverse of the matrix without the overlaps of stars.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import bsr_matrix

from muse_nb.steps.starfit.small import inverse_2x2

__all__ = ["Equations", "FrameEquations", "Vector"]

SHAPE = 5  # a, b, c, beta, background; an exposure's other two unknowns are its offset
POSITION_PRIOR = 1.0  # arcsec^-2: a star of the list is where it was found to an arcsec


@dataclass(frozen=True)
class FrameEquations:
    """One exposure's share: sparse star blocks, their border with the PSF, its own block, and the gradient.

    Attributes
    ----------
    active : ndarray of int
        Stars of the list that the exposure shows.
    row, column, block
        3x3 blocks (amplitude, east, north) between them in CSR form.
    border : ndarray, shape (active, 3, 5)
    gradient : ndarray, shape (active, 3)
    shape_block, shape_gradient : ndarray, shapes (5, 5) and (5,)
    """

    active: NDArray
    row: NDArray
    column: NDArray
    block: NDArray
    border: NDArray
    gradient: NDArray
    shape_block: NDArray
    shape_gradient: NDArray

    def diagonal(self) -> NDArray:
        """Each star's own 3x3 block."""
        owner = np.repeat(np.arange(len(self.active)), np.diff(self.row))
        return self.block[owner == self.column]


@dataclass(frozen=True)
class Vector:
    """Values of all unknowns, m columns of them: amplitude (n, K, m), sky (K, 2, m), frame (n, 7, m)."""

    amplitude: NDArray
    sky: NDArray
    frame: NDArray

    def dot(self, other: Vector) -> NDArray:
        """Scalar product, column by column."""
        pairs = ((self.amplitude, other.amplitude), (self.sky, other.sky), (self.frame, other.frame))
        return sum(np.einsum("abm,abm->m", a, b) for a, b in pairs)

    def plus(self, factor: NDArray, other: Vector) -> Vector:
        """Sum with `factor` (m,) times another."""
        return Vector(
            self.amplitude + factor * other.amplitude, self.sky + factor * other.sky, self.frame + factor * other.frame
        )


class Equations:
    """All exposures' shares together; exposure `reference` keeps its offset."""

    def __init__(self, frames: list[FrameEquations], stars: int, reference: int) -> None:
        n = len(frames)
        self.n, self.stars, self.reference = n, stars, reference
        if not stars:
            raise np.linalg.LinAlgError("none is left")
        self.active = [len(frame.active) > 0 for frame in frames]
        self.border = np.zeros((n, stars, 3, SHAPE))
        self.gradient = np.zeros((n, stars, 3))
        diagonal = np.zeros((n, stars, 3, 3))
        self.shape_block = np.array([frame.shape_block for frame in frames])
        self.shape_gradient = np.array([frame.shape_gradient for frame in frames])
        pointer, columns = [np.zeros(1, np.int64)], []
        for i, frame in enumerate(frames):
            self.border[i, frame.active], self.gradient[i, frame.active] = frame.border, frame.gradient
            diagonal[i, frame.active] = frame.diagonal()
            count = np.zeros(stars, np.int64)
            count[frame.active] = np.diff(frame.row)
            pointer.append(pointer[-1][-1] + np.cumsum(count))
            columns.append(frame.active[frame.column] + i * stars)
        blocks = np.concatenate([frame.block for frame in frames])
        self.matrix = bsr_matrix(
            (blocks, np.concatenate(columns), np.concatenate(pointer)), shape=(3 * n * stars, 3 * n * stars)
        )
        self._factor(diagonal)

    def right_side(self) -> Vector:
        """Gradient of the fit: what a Gauss-Newton step is to undo."""
        offset = self.gradient[:, :, 1:].sum(1)
        offset[self.reference] = 0
        frame = np.concatenate([self.shape_gradient, offset], axis=1)
        return Vector(self.gradient[:, :, :1], self.gradient[:, :, 1:].sum(0)[..., None], frame[..., None])

    def apply(self, v: Vector) -> Vector:
        """Matrix times vector."""
        n, stars, m = self.n, self.stars, v.sky.shape[-1]
        star = np.empty((n, stars, 3, m))
        star[:, :, 0] = v.amplitude
        star[:, :, 1:] = v.sky + v.frame[:, None, SHAPE:]
        out = (self.matrix @ star.reshape(-1, m)).reshape(n, stars, 3, m)
        out += np.matmul(self.border, v.frame[:, None, :SHAPE])
        shape = np.matmul(self.border.reshape(n, stars * 3, SHAPE).swapaxes(1, 2), star.reshape(n, stars * 3, m))
        shape += self.shape_block @ v.frame[:, :SHAPE]
        offset = out[:, :, 1:].sum(1)
        offset[self.reference] = 0
        sky = out[:, :, 1:].sum(0) + POSITION_PRIOR * v.sky
        return Vector(out[:, :, 0], sky, np.concatenate([shape, offset], axis=1))

    def solve(self, right: Vector, tolerance: float = 1e-3, most: int = 40) -> Vector:
        """Preconditioned conjugate gradients, each column on its own."""
        zero = np.zeros(1)
        x, r = right.plus(zero - 1, right), right
        z = p = self.precondition(r)
        rz = first = r.dot(z)
        for _ in range(most):
            going = rz > tolerance**2 * first
            if not going.any():
                break
            q = self.apply(p)
            bend = p.dot(q)
            going &= bend > 0  # rounding: nothing more to gain in this column
            alpha = np.where(going, rz / np.where(going, bend, 1.0), 0.0)
            x, r = x.plus(alpha, p), r.plus(-alpha, q)
            z = self.precondition(r)
            before, rz = rz, r.dot(z)
            p = z.plus(np.where(going, rz / np.maximum(before, 1e-300), 0.0), p)
        return x

    def offset_covariance(self, chunk: int = 16) -> NDArray:
        """Covariance (n, 2, n, 2) of the offsets, all other unknowns free; 0 for the reference and where no star is."""
        n, stars = self.n, self.stars
        covariance = np.zeros((n, 2, n, 2))
        seeing = [i for i in range(n) if i != self.reference and self.active[i]]
        unknown = [(i, axis) for i in seeing for axis in range(2)]
        for first in range(0, len(unknown), chunk):
            part = unknown[first : first + chunk]
            frame = np.zeros((n, SHAPE + 2, len(part)))
            for column, (i, axis) in enumerate(part):
                frame[i, SHAPE + axis, column] = 1
            right = Vector(np.zeros((n, stars, len(part))), np.zeros((stars, 2, len(part))), frame)
            solution = self.solve(right, tolerance=2e-3)
            for column, (i, axis) in enumerate(part):
                covariance[:, :, i, axis] = solution.frame[:, SHAPE:, column]
        return (covariance + covariance.transpose(2, 3, 0, 1)) / 2

    def _factor(self, diagonal: NDArray) -> None:
        """Eliminate amplitudes, then positions, then invert what is left for PSFs and offsets."""
        n, stars = self.n, self.stars
        a = diagonal[:, :, 0, 0] * (1 + 1e-9)
        self.a = np.where(a > 0, a, 1.0)
        self.c = diagonal[:, :, 0, 1:]
        self.fa = np.concatenate([self.border[:, :, 0], self.c], axis=2)
        position = diagonal[:, :, 1:, 1:] - self.c[..., None] * self.c[..., None, :] / self.a[..., None, None]
        fx = np.concatenate([self.border[:, :, 1:], diagonal[:, :, 1:, 1:]], axis=3)
        self.fx = fx - self.c[..., None] * self.fa[:, :, None] / self.a[..., None, None]
        own = np.zeros((n, SHAPE + 2, SHAPE + 2))
        own[:, :SHAPE, :SHAPE] = self.shape_block
        cross = self.border[:, :, 1:].sum(1)
        own[:, SHAPE:, :SHAPE], own[:, :SHAPE, SHAPE:] = cross, cross.swapaxes(1, 2)
        own[:, SHAPE:, SHAPE:] = diagonal[:, :, 1:, 1:].sum(1)
        size = np.maximum(np.diagonal(own, axis1=1, axis2=2).ravel(), 1e-12)
        own -= np.matmul(self.fa.swapaxes(1, 2), self.fa / self.a[..., None])
        self.g = inverse_2x2(position.sum(0) + POSITION_PRIOR * np.eye(2))
        root = np.linalg.cholesky(self.g)
        half = np.einsum("kba,ikbu->kaiu", root, self.fx).reshape(2 * stars, n * (SHAPE + 2))
        dense = -half.T @ half
        for i in range(n):
            at = np.s_[i * (SHAPE + 2) : (i + 1) * (SHAPE + 2)]
            dense[at, at] += own[i]
        # overlaps that are left out here could make it indefinite: keep every eigenvalue positive
        scaled = dense / np.sqrt(size[:, None] * size)
        fixed = self.reference * (SHAPE + 2) + SHAPE + np.arange(2)
        scaled[fixed] = scaled[:, fixed] = 0
        scaled[fixed, fixed] = 1
        values, vectors = np.linalg.eigh(scaled)
        vectors = vectors / np.sqrt(size)[:, None]
        self.q = (vectors / np.maximum(values, 1e-4)) @ vectors.T

    def precondition(self, r: Vector) -> Vector:
        """Solve as if no two stars overlapped."""
        n, m = self.n, r.sky.shape[-1]
        share = r.amplitude / self.a[..., None]
        sky = r.sky - np.einsum("ikb,ikm->kbm", self.c, share)
        frame = r.frame - np.matmul(self.fa.swapaxes(1, 2), share)
        frame = frame - np.einsum("ikbu,kbm->ium", self.fx, self.g @ sky)
        frame[self.reference, SHAPE:] = 0
        u = (self.q @ frame.reshape(-1, m)).reshape(n, SHAPE + 2, m)
        u[self.reference, SHAPE:] = 0
        x = self.g @ (sky - np.einsum("ikbu,ium->kbm", self.fx, u))
        amplitude = share - (np.einsum("ikb,kbm->ikm", self.c, x) + np.matmul(self.fa, u)) / self.a[..., None]
        return Vector(amplitude, x, u)
