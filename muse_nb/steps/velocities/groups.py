"""Velocities of groups of stars, as those of an IFU, held against the others'."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.robust import ERROR_OF_MEDIAN, mad_sigma, median

__all__ = ["Group", "compare_groups"]

Array = NDArray[np.float64]
MIN_STARS = 4  # of a group that can be compared
OUTLIER = 4.0  # sigma: stars of the field
ROUNDS = 4
SURE = 3.5  # errors that a group must be off by


@dataclass(frozen=True)
class Group:
    """A group against all others.

    Attributes
    ----------
    name : int
    stars : int
        That were used.
    velocity, error : float
        Of its stars less the others' [km/s].
    """

    name: int
    stars: int
    velocity: float
    error: float

    @property
    def off(self) -> bool:
        """Whether it surely differs."""
        return abs(self.velocity) > SURE * self.error


def compare_groups(velocity: Array, error: Array, group: NDArray[np.int64]) -> tuple[Group, ...]:
    """Weighted means of groups against the others', with the dispersion of the stars in the errors.

    Parameters
    ----------
    velocity, error
        Of stars [km/s]; what is not finite is left out, and so are stars far from all others.
    group
        Number of each star's group; negative for none.
    """
    good = np.isfinite(velocity) & np.isfinite(error) & (error > 0) & (group >= 0)
    if good.sum() < 2 * MIN_STARS:
        return ()
    centre, spread = median(velocity[good]), mad_sigma(velocity[good])
    near = good & (np.abs(velocity - centre) <= OUTLIER * np.hypot(spread, error))
    intrinsic = np.sqrt(max(0.0, spread**2 - median(error[near] ** 2)))
    weight = np.where(near, 1 / (error**2 + intrinsic**2 + 1e-12), 0.0)
    found = []
    for name in np.unique(group[near]):
        own, others = near & (group == name), near & (group != name)
        if own.sum() < MIN_STARS or others.sum() < MIN_STARS:
            continue
        (a, ea), (b, eb) = (_mean(velocity[part], weight[part]) for part in (own, others))
        found.append(Group(int(name), int(own.sum()), a - b, float(np.hypot(ea, eb))))
    return tuple(found)


def _mean(velocity: Array, weight: Array) -> tuple[float, float]:
    """Weighted mean by Huber's weights, and its error."""
    value = median(velocity)
    for _ in range(ROUNDS):
        pull = np.abs(velocity - value) * np.sqrt(weight)
        w = weight * np.minimum(1.0, 1.5 / np.maximum(pull, 1e-12))
        value = float((w * velocity).sum() / w.sum())
    error = 1 / np.sqrt(weight.sum()) * np.sqrt(ERROR_OF_MEDIAN)
    return value, float(error)
