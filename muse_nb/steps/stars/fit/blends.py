"""What stars that overlap, and noise that voxels share, do to the errors of their fluxes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from muse_nb.kernels.crowd import Mesh, Stamps

__all__ = ["Blends", "blends"]

Array = NDArray[np.float64]
TOUCHING = 0.3  # product of two profiles under the weights, over that of each with itself: they share a group
NEAR = 0.05  # likewise: neighbours


@dataclass(frozen=True)
class Blends:
    """Errors of stars that are fitted together.

    Attributes
    ----------
    alone : ndarray, shape (K,)
        Variance of each flux over what its own profile gives with independent voxels, if there were no other star.
    together : ndarray, shape (K,)
        The same with all others and the background let go.
    group : ndarray of int, shape (K,)
        Stars that touch share a number, from 0.
    neighbours : ndarray of int, shape (K,)
        How many others each overlaps.
    """

    alone: Array
    together: Array
    group: NDArray[np.int64]
    neighbours: NDArray[np.int64]


def blends(stamps: Stamps, mesh: Mesh, variance: NDArray[np.float32], shared: Array) -> Blends:
    """Work out the covariance of all fluxes under noise that neighbours share.

    Parameters
    ----------
    stamps, mesh
        Profiles and the background.
    variance : ndarray, shape (ny, nx)
        Of the voxels; not above 0 where there is no data.
    shared : ndarray, shape (5, 5)
        Correlation of a voxel's noise with that of those around it.
    """
    from scipy import sparse
    from scipy.linalg import cho_factor, cho_solve
    from scipy.sparse.csgraph import connected_components

    columns = _columns(stamps, mesh, variance)
    stars = len(stamps.box)
    smooth = _shift_matrix(stamps.shape, shared) @ columns
    normal, mixed = (np.asarray((columns.T @ other).todense(), float) for other in (columns, smooth))
    own = np.diag(normal)[:stars].copy()
    seen = own > 0
    diagonal = np.diag_indices_from(normal)
    normal[diagonal] = np.where(normal[diagonal] > 0, normal[diagonal] * (1 + 1e-9), 1.0)
    inverse = cho_solve(cho_factor(normal), np.eye(len(normal)))
    covariance = np.einsum("ij,jk,ki->i", inverse[:stars], mixed, inverse[:, :stars], optimize=True)
    alone = np.where(seen, np.diag(mixed)[:stars] / np.where(seen, own, 1), 1.0)
    root = np.sqrt(np.where(seen, own, 1.0))
    overlap = normal[:stars, :stars] / root[:, None] / root
    np.fill_diagonal(overlap, 0)
    group = connected_components(sparse.csr_array(overlap > TOUCHING), directed=False)[1]
    return Blends(
        alone, np.where(seen, covariance * own, 1.0), group.astype(np.int64), (overlap > NEAR).sum(1).astype(np.int64)
    )


def _columns(stamps: Stamps, mesh: Mesh, variance: NDArray[np.float32]) -> Any:
    """Profiles and hats over the noise of each voxel, a column each."""
    from scipy import sparse

    ny, nx = stamps.shape
    root = np.where(variance > 0, 1 / np.sqrt(np.where(variance > 0, variance, 1)), 0).astype(np.float32)
    where, what, start = [], [], [0]
    pixel = np.arange(ny * nx, dtype=np.int32).reshape(ny, nx)
    for k in range(len(stamps.box)):
        profile, place = stamps.image_of(k)
        value = profile * root[place]
        there = value != 0
        where.append(pixel[place][there])
        what.append(value[there])
        start.append(start[-1] + int(there.sum()))
    for y in mesh.y:
        for x in mesh.x:
            value = (y[:, None] * x) * root
            there = value != 0
            where.append(pixel[there])
            what.append(value[there])
            start.append(start[-1] + int(there.sum()))
    parts = np.concatenate(what), np.concatenate(where), np.array(start)
    return sparse.csc_array(parts, shape=(ny * nx, len(start) - 1))


def _shift_matrix(shape: tuple[int, int], shared: Array) -> Any:
    """Sparse matrix that mixes each voxel with those around it."""
    from scipy import sparse

    ny, nx = shape
    reach = len(shared) // 2
    parts = [
        sparse.kron(sparse.eye_array(ny, k=j - reach, dtype=np.float32), _row(nx, shared[j]), format="csr")
        for j in range(len(shared))
    ]
    return sum(parts[1:], start=parts[0])


def _row(nx: int, values: Array) -> Any:
    from scipy import sparse

    reach = len(values) // 2
    return sparse.diags_array(
        [float(v) for v in values], offsets=range(-reach, reach + 1), shape=(nx, nx), format="csr", dtype=np.float32
    )
