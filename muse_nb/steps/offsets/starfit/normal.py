"""The normal equations of all images together, and how they are solved.

Unknowns: the amplitude of each star in each exposure, its position on the sky (common), the PSF's shape and the
background of each exposure, and each exposure's offset. Stars touch few others, so the matrix is kept sparse and solved
by conjugate gradients (compiled); the preconditioner is the exact inverse of the matrix without the overlaps of stars.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from muse_nb.kernels.normal import Normal
from muse_nb.steps.offsets.starfit.arrays import Floats, Ints
from muse_nb.steps.offsets.starfit.small import inverse_2x2

__all__ = ["Equations", "FrameEquations", "Step"]

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

    active: Ints
    row: Ints
    column: Ints
    block: Floats
    border: Floats
    gradient: Floats
    shape_block: Floats
    shape_gradient: Floats

    def diagonal(self) -> Floats:
        """Each star's own 3x3 block."""
        owner = np.repeat(np.arange(len(self.active)), np.diff(self.row))
        return np.asarray(self.block[owner == self.column])


@dataclass(frozen=True)
class Step:
    """Change of all unknowns: amplitude (n, K), sky (K, 2) [arcsec], frame (n, 7) with the offset [arcsec] last."""

    amplitude: Floats
    sky: Floats
    frame: Floats


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
        count = np.zeros((n, stars), np.int64)
        for i, frame in enumerate(frames):
            self.border[i, frame.active], self.gradient[i, frame.active] = frame.border, frame.gradient
            diagonal[i, frame.active] = frame.diagonal()
            count[i, frame.active] = np.diff(frame.row)
        column = np.concatenate([frame.active[frame.column] for frame in frames])
        block = np.concatenate([frame.block for frame in frames])
        self.normal = Normal(
            reference, POSITION_PRIOR, np.r_[0, np.cumsum(count)], column, block, self.border, self.shape_block,
            *self._factors(diagonal),
        )  # fmt: skip

    def step(self) -> Step:
        """Gauss-Newton step."""
        n, stars = self.n, self.stars
        offset = self.gradient[:, :, 1:].sum(1)
        offset[self.reference] = 0
        frame = np.concatenate([self.shape_gradient, offset], axis=1)
        right = np.concatenate([self.gradient[:, :, 0].ravel(), self.gradient[:, :, 1:].sum(0).ravel(), frame.ravel()])
        amplitude, sky, frame = np.split(
            self.normal.solve(right[None], tolerance=1e-3, most=200)[0], [n * stars, (n + 2) * stars]
        )
        return Step(amplitude.reshape(n, stars), sky.reshape(stars, 2), frame.reshape(n, SHAPE + 2))

    def offset_covariance(self) -> Floats:
        """Covariance (n, 2, n, 2) of the offsets, all other unknowns free; 0 for the reference and where no star is."""
        n, stars = self.n, self.stars
        free = np.array([i for i in range(n) if i != self.reference and self.active[i]], int)
        first = (n + 2) * stars
        offset = (first + free[:, None] * (SHAPE + 2) + SHAPE + np.arange(2)).ravel()
        right = np.zeros((offset.size, first + n * (SHAPE + 2)))
        right[np.arange(offset.size), offset] = 1
        # half a per cent of the errors: what is left of a quadratic form falls with the square of the residual
        frame = self.normal.solve(right, tolerance=0.02, most=200)[:, first:].reshape(-1, 2, n, SHAPE + 2)
        covariance = np.zeros((n, 2, n, 2))
        covariance[free] = frame[..., SHAPE:]
        return (covariance + covariance.transpose(2, 3, 0, 1)) / 2

    def _factors(self, diagonal: Floats) -> tuple[Floats, ...]:
        """Eliminate amplitudes, then positions, then invert what is left for PSFs and offsets."""
        n, stars = self.n, self.stars
        a = diagonal[:, :, 0, 0] * (1 + 1e-9)
        a = np.where(a > 0, a, 1.0)
        c = diagonal[:, :, 0, 1:]
        fa = np.concatenate([self.border[:, :, 0], c], axis=2)
        position = diagonal[:, :, 1:, 1:] - c[..., None] * c[..., None, :] / a[..., None, None]
        fx = np.concatenate([self.border[:, :, 1:], diagonal[:, :, 1:, 1:]], axis=3)
        fx -= c[..., None] * fa[:, :, None] / a[..., None, None]
        own = np.zeros((n, SHAPE + 2, SHAPE + 2))
        own[:, :SHAPE, :SHAPE] = self.shape_block
        cross = self.border[:, :, 1:].sum(1)
        own[:, SHAPE:, :SHAPE], own[:, :SHAPE, SHAPE:] = cross, cross.swapaxes(1, 2)
        own[:, SHAPE:, SHAPE:] = diagonal[:, :, 1:, 1:].sum(1)
        size = np.maximum(np.diagonal(own, axis1=1, axis2=2).ravel(), 1e-12)
        own -= np.matmul(fa.swapaxes(1, 2), fa / a[..., None])
        g = inverse_2x2(position.sum(0) + POSITION_PRIOR * np.eye(2))
        root = np.linalg.cholesky(g)
        half = np.einsum("kba,ikbu->kaiu", root, fx).reshape(2 * stars, n * (SHAPE + 2))
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
        return a, fa, fx, g, (vectors / np.maximum(values, 1e-4)) @ vectors.T
