"""Two cubes of the same exposures held against each other, voxel by voxel."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from muse_nb.core.errors import MuseError
from muse_nb.products.cube_file import CubeFile

__all__ = ["Difference", "compare_cubes"]

TOLERANCE = 0.02  # sigma


@dataclass(frozen=True)
class Difference:
    """How two cubes differ.

    Attributes
    ----------
    voxels : int
    nan : int
        Voxels that are NaN in one of them only.
    far : int
        Voxels that are further apart than 0.02 sigma.
    identical : float
        Fraction of the voxels with data that are equal to the last bit.
    """

    voxels: int
    nan: int
    far: int
    identical: float

    @property
    def differ_per_million(self) -> float:
        """Voxels in a million that differ in NaN or by more than 0.02 sigma."""
        return 1e6 * (self.nan + self.far) / max(self.voxels, 1)

    def __str__(self) -> str:
        """Say it in a sentence."""
        return (
            f"of {self.voxels} voxels {self.nan} differ in NaN and {self.far} by more than {TOLERANCE} sigma"
            f" ({self.differ_per_million:.2f} in a million); {100 * self.identical:.2f} % are equal to the last bit"
        )


def compare_cubes(first: str | Path, second: str | Path) -> Difference:
    """Compare the data of two cubes; sigma is the first one's.

    Raises
    ------
    MuseError
        They cannot be read, differ in shape, or the first has no STAT.
    """
    a, b = CubeFile.open(first), CubeFile.open(second)
    if a.shape != b.shape:
        raise MuseError(f"{first} has shape {a.shape}, {second} {b.shape}: they are not of the same exposures")
    nan = far = equal = there = 0
    for one, other, variance in zip(a.planes(), b.planes(), a.planes("STAT"), strict=True):
        gone = np.isnan(one)
        nan += int((gone != np.isnan(other)).sum())
        with np.errstate(invalid="ignore"):
            far += int((np.abs(one - other) > TOLERANCE * np.sqrt(variance)).sum())
        equal += int((one == other).sum())
        there += int((~gone).sum())
    return Difference(int(np.prod(a.shape)), nan, far, equal / max(there, 1))
