"""Conjugate gradients on the normal equations of a fit of stars to many exposures (compiled, see normal.c)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from muse_nb.kernels import library
from muse_nb.kernels.structs import NormalEquations

__all__ = ["Normal"]

Floats = NDArray[np.floating]
Doubles = NDArray[np.float64]

_COLUMNS = 4  # right sides that are solved at once


class Normal:
    """A matrix and its preconditioner: n exposures, K stars, N = n K + 2 K + 7 n unknowns.

    Parameters
    ----------
    reference
        Exposure whose offset is not free.
    prior
        Added to the diagonal of the positions.
    row, column : ndarray of int64, shape (n K + 1,), and of int32
        Pairs of stars in CSR form, one row a star and exposure; `column` counts the exposure's stars.
    block : ndarray, shape (pairs, 3, 3)
    border : ndarray, shape (n, K, 3, 5)
    shape : ndarray, shape (n, 5, 5)
    a, fa, fx, g, q : ndarray, shapes (n, K), (n, K, 7), (n, K, 2, 7), (K, 2, 2) and (7 n, 7 n)
        The matrix without the overlaps of stars, factored: amplitudes, their coupling with shape and offset, that of
        positions once the amplitudes are eliminated, inverse for positions, inverse for shapes and offsets.
    """

    def __init__(
        self, reference: int, prior: float, row: NDArray[np.integer], column: NDArray[np.integer],
        block: Floats, border: Floats, shape: Floats, a: Floats, fa: Floats, fx: Floats, g: Floats, q: Floats,
    ) -> None:  # fmt: skip
        self._arrays: list[NDArray[np.generic]] = [np.ascontiguousarray(row, np.int64)]
        self._arrays += [np.ascontiguousarray(column, np.int32)]
        self._arrays += [np.ascontiguousarray(array, float) for array in (block, border, shape, a, fa, fx, g, q)]
        self._numbers = *a.shape, reference, prior

    def solve(self, right: Doubles, tolerance: float, most: int) -> Doubles:
        """Solution (m, N) of m right sides; each is done when its residual fell by `tolerance`, or after `most` steps.

        Parameters
        ----------
        right : ndarray, shape (m, N)
            Amplitudes (n, K), positions (K, 2) and frames (n, 7) one after the other.
        """
        at = [array.ctypes.data for array in self._arrays]
        exposures, stars, reference, prior = self._numbers
        normal = NormalEquations(exposures, stars, reference, most, prior, tolerance, *at)
        size = right.shape[1]
        work = np.empty((3 * size + 3 * stars + 7 * exposures) * _COLUMNS)
        solution = np.empty_like(right)
        for first in range(0, len(right), _COLUMNS):
            part = right[first : first + _COLUMNS]
            columns, found = np.zeros((size, _COLUMNS)), np.empty((size, _COLUMNS))
            columns[:, : len(part)] = part.T
            library().normal_solve(normal, *(array.ctypes.data for array in (columns, found, work)))
            solution[first : first + _COLUMNS] = found[:, : len(part)].T
        return solution
