"""What was measured of a master: numbers with a place each, the arrays behind its figure, and what could not be had."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from muse_nb.core.robust import median
from muse_nb.products.calibrations.masters import Master
from muse_nb.products.field import SLICES

__all__ = ["Array", "Measured", "Quantity", "quadrants", "running_median", "slices"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Quantity:
    """One number of a master, or one for each of its slices, quadrants, lamps or frames.

    Attributes
    ----------
    name : str
        As in limits.csv.
    values : numpy.ndarray
        Shape (n,); NaN where it could not be measured.
    places : tuple of str
        ``slice 3`` and the like, n of them; of a single number one that is empty.
    """

    name: str
    values: Array
    places: tuple[str, ...]

    @classmethod
    def one(cls, name: str, value: float) -> Quantity:
        """A single number."""
        return cls(name, np.array([value], float), ("",))

    @classmethod
    def of(cls, name: str, values: ArrayLike, places: Iterable[str]) -> Quantity:
        """Numbers, a place each."""
        return cls(name, np.asarray(values, float), tuple(places))


@dataclass(frozen=True)
class Measured:
    """A master and its numbers.

    Attributes
    ----------
    master : Master
    quantities : tuple of Quantity
    arrays : dict of str to numpy.ndarray
        What its figure shows and another night is compared with; names and shapes as its kind's module says.
    notes : tuple of str
        What could not be judged, the rest of a sentence that starts with the file.
    """

    master: Master
    quantities: tuple[Quantity, ...]
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict, repr=False)
    notes: tuple[str, ...] = ()

    def get(self, name: str) -> Array:
        """Return the values of a quantity; empty where it was not measured."""
        return next((q.values for q in self.quantities if q.name == name), np.zeros(0))


def slices(numbers: Iterable[int] | None = None) -> tuple[str, ...]:
    """Name slices, all 48 where no numbers are given."""
    return tuple(f"slice {n}" for n in (range(1, SLICES + 1) if numbers is None else numbers))


def quadrants(image: NDArray[Any]) -> list[NDArray[Any]]:
    """Cut a chip in its quadrants as the recipes number them: bottom left, bottom right, top right, top left."""
    ny, nx = image.shape[0] // 2, image.shape[1] // 2
    return [image[:ny, :nx], image[:ny, nx:], image[ny:, nx:], image[ny:, :nx]]


def running_median(values: Sequence[float] | Array, width: int) -> Array:
    """Median of the finite values within `width` places around each; NaN where there are none."""
    array = np.asarray(values, float)
    half = width // 2
    padded = np.pad(array, half, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1)
    if np.isfinite(array).all() and half:
        padded = np.pad(array, half, mode="reflect") if array.size > half else padded
        windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1)
        if np.isfinite(padded).all():
            return np.asarray(np.median(windows, axis=-1), float)
    return np.array([median(window) for window in windows])
