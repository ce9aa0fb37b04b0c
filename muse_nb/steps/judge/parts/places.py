"""Which IFU and slice stands behind a spaxel, as a cube's SLICES or its pixel tables tell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from muse_nb.products.field import SLICE_SKY, SLICES_PER_STACK

__all__ = ["Places", "solve_groups"]

Array = NDArray[np.float64]
CODE = 64  # an IFU and a slice are IFU * CODE + slice
MIN_SLICES = 48  # that a lattice can be fitted to
MAX_SCATTER = 1.5  # spaxels, of the slices about their lattice
REACH = 1.6  # slices: spaxels further away are nobody's
RIDGE = 1e-3  # of the spaxels of a group: what ties groups together that no spaxel tells apart
ROUNDS, CLIP = 3, 4.0  # of clipping; sigma


@dataclass(frozen=True)
class Places:
    """Slices behind spaxels.

    Attributes
    ----------
    codes : numpy.ndarray
        IFU * 64 + slice of each exposure in each spaxel, 0 for none, shape (exposures, ny, nx).
    angles : numpy.ndarray
        Direction along the slices of each exposure in the cube [deg], shape (exposures,).
    """

    codes: NDArray[np.int64]
    angles: Array

    @classmethod
    def of(cls, centres: Array | None, covered: NDArray[np.bool_]) -> Places | None:
        """Find them from the slices' mean places (exposures, 25, 49, 3: rows, x, y); None where these tell nothing."""
        if centres is None:
            return None
        maps, angles = [], []
        for exposure in centres:
            found = _assign(exposure, covered)
            if found is None:
                return None
            maps.append(found[0])
            angles.append(found[1])
        return cls(np.array(maps), np.array(angles)) if maps else None

    def groups(self, chosen: NDArray[np.bool_], *, slices: bool) -> tuple[NDArray[np.int64], list[tuple[int, int]]]:
        """Number the IFUs (or slices) of all exposures behind some spaxels.

        Returns
        -------
        numbers : numpy.ndarray
            Shape (exposures, spaxels), -1 for none.
        names : list of tuple
            (exposure from 1, code) of each group.
        """
        codes = self.codes[:, chosen]
        codes = codes if slices else codes // CODE * CODE
        keys = np.where(codes > 0, codes + (np.arange(len(codes))[:, None] + 1) * 10_000, 0)
        names, numbers = np.unique(keys, return_inverse=True)
        numbers = numbers.reshape(keys.shape)
        if names[0] == 0:
            names, numbers = names[1:], numbers - 1
        return numbers, [(int(key) // 10_000, int(key) % 10_000) for key in names]


def _assign(exposure: Array, covered: NDArray[np.bool_]) -> tuple[NDArray[np.int64], float] | None:
    from scipy.spatial import cKDTree

    present = exposure[1:, 1:, 0] > 0
    if present.sum() < MIN_SLICES:
        return None
    ifu, slice_ = np.nonzero(present)
    sky = SLICE_SKY[slice_] - 1
    design = np.stack([np.ones(len(ifu)), ifu, sky // SLICES_PER_STACK, sky % SLICES_PER_STACK], axis=1).astype(float)
    place = exposure[1:, 1:, 1:][present]
    solution, *_ = np.linalg.lstsq(design, place, rcond=None)
    scatter = float(np.median(np.hypot(*(place - design @ solution).T)))
    stack, row = solution[2], solution[3]
    length, width = float(np.hypot(*stack)), float(np.hypot(*row))
    if scatter > MAX_SCATTER or width < 0.2 or length < 2:
        return None
    along, across = stack / length, np.array([-stack[1], stack[0]]) / length
    to_slices = np.stack([along / length, across / width], axis=1)
    y, x = np.nonzero(covered)
    distance, nearest = cKDTree(place @ to_slices).query(np.stack([x, y], axis=1) @ to_slices)
    codes = np.zeros(covered.shape, np.int64)
    codes[y, x] = np.where(distance < REACH, (ifu[nearest] + 1) * CODE + slice_[nearest] + 1, 0)
    return codes, float(np.degrees(np.arctan2(stack[1], stack[0])) % 180)


def solve_groups(values: Array, numbers: NDArray[np.int64], size: int) -> tuple[Array, Array, Array]:
    """Take spaxels apart into what each group adds to them.

    A spaxel is the mean of the exposures that see it, one group each.

    Parameters
    ----------
    values
        Shape (spaxels, n), finite.
    numbers
        Group of each exposure, -1 for none, shape (exposures, spaxels).
    size
        Number of groups.

    Returns
    -------
    found, error : numpy.ndarray
        Of each group, shape (size, n); error of the first column's scatter, shape (size,).
    spaxels : numpy.ndarray
        How many tell of each group.
    """
    from scipy.sparse import coo_matrix

    seen = (numbers >= 0).sum(axis=0)
    use = seen > 0
    values, numbers, seen = values[use], numbers[:, use], seen[use]
    exposure, spaxel = np.nonzero(numbers >= 0)
    design = coo_matrix((1 / seen[spaxel], (spaxel, numbers[exposure, spaxel])), shape=(len(values), size)).tocsr()
    weight = np.ones(len(values))
    middle = np.median(values, axis=0)
    found, covariance, sigma = np.zeros((size, values.shape[1])), np.eye(size), 1.0
    for _ in range(ROUNDS):
        weighted = design.multiply(weight[:, None]).tocsr()
        normal = (design.T @ weighted).toarray()
        diagonal = np.diag(normal)
        normal[np.diag_indices(size)] += RIDGE * np.maximum(diagonal, 1.0)
        covariance = np.linalg.inv(normal)
        found = covariance @ (weighted.T @ (values - middle))
        left = (values - middle - design @ found) ** 2
        size_of = np.sqrt(left.mean(axis=1))
        sigma = float(np.median(size_of))
        weight = (size_of <= CLIP * max(sigma, 1e-300)).astype(float)
    kept = values.shape[1]
    spread = float(np.sqrt((left[weight > 0] / max(1, 1)).mean())) if (weight > 0).any() and kept else sigma
    return found + middle, np.sqrt(np.diag(covariance)) * spread, np.asarray(design.sum(axis=0)).ravel()
