"""Why a voxel is NaN: the causes, each voxel with exactly one."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

__all__ = ["CAUSE_OF_CODE", "CODES", "MEANING", "Cause", "Holes", "NanPlanes", "causes_of_plane"]


class Cause(StrEnum):
    """Causes of NaN; the value is what tables and JSON show."""

    OUTSIDE_FIELD = "outside the field"
    OUTSIDE_RANGE = "outside the wavelength range"
    MISSING_IFU = "missing IFU"
    MISSING_SLICE = "missing slice"
    NO_PIXEL = "no pixel"
    BADPIX = "flagged by BADPIX_TABLE"
    FLAGGED = "flagged"
    REJECTED = "rejected as cosmic ray"
    NOT_FINITE = "not finite"
    ZERO_WEIGHT = "zero weight"
    UNKNOWN = "unknown"
    UNEXPLAINED = "unexplained"


MEANING: dict[Cause, str] = {
    Cause.OUTSIDE_FIELD: "no slice of any exposure looks there",
    Cause.OUTSIDE_RANGE: "slices start and end at different wavelengths: beyond the first or last one of this spaxel",
    Cause.MISSING_IFU: "the IFU that looks there is not in the pixel tables",
    Cause.MISSING_SLICE: "the slice that looks there is not in the pixel tables",
    Cause.NO_PIXEL: "no pixel falls there, as between two slices",
    Cause.BADPIX: "all pixels that fall there are flagged, and without the bad-pixel table one would be good",
    Cause.FLAGGED: "all pixels that fall there are flagged",
    Cause.REJECTED: "the resampler rejected all good pixels that fall there as cosmic rays",
    Cause.NOT_FINITE: "a pixel there is NaN or infinite though its dq is 0",
    Cause.ZERO_WEIGHT: "all good pixels that fall there have no weight",
    Cause.UNKNOWN: "cannot be told without the pixel tables: gap, flags, rejection or data that are not finite",
    Cause.UNEXPLAINED: "good pixels fall there and it is NaN all the same",
}

CODES: dict[Cause, int] = {cause: number for number, cause in enumerate(Cause, 1)}  # 0: not NaN
CAUSE_OF_CODE = {code: cause for cause, code in CODES.items()}


@dataclass(frozen=True)
class Holes:
    """NaN voxels between the first and the last plane of their spaxel, sorted by index; arrays of shape (n,).

    Attributes
    ----------
    index : numpy.ndarray
        int64: (z * ny + y) * nx + x.
    cause : numpy.ndarray
        int8 codes, see `CODES`.
    dq : numpy.ndarray
        int32: the flags that made its pixels bad, 0 for none.
    ifu, slice : numpy.ndarray
        int8: of the pixel that matters most, 0 when there is none.
    """

    index: NDArray[np.int64]
    cause: NDArray[np.int8]
    dq: NDArray[np.int32]
    ifu: NDArray[np.int8]
    slice: NDArray[np.int8]

    @classmethod
    def none(cls) -> Holes:
        """No holes."""
        return cls(np.zeros(0, np.int64), np.zeros(0, np.int8), np.zeros(0, np.int32), *np.zeros((2, 0), np.int8))

    def __len__(self) -> int:
        """Return the number of voxels."""
        return len(self.index)

    @classmethod
    def concatenate(cls, parts: list[Holes]) -> Holes:
        """Join holes of consecutive planes."""
        if not parts:
            return cls.none()
        names = ("index", "cause", "dq", "ifu", "slice")
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    def of_planes(self, start: int, stop: int, size: int) -> builtins.slice:
        """Part of the arrays that lies in planes `start` to `stop` of `size` spaxels."""
        low, high = np.searchsorted(self.index, [start * size, stop * size])
        return builtins.slice(int(low), int(high))


@dataclass(frozen=True)
class NanPlanes:
    """Where a cube is NaN, a bit for each voxel.

    Attributes
    ----------
    shape : tuple of int
        (nz, ny, nx).
    bits : numpy.ndarray
        uint8, one row for each plane.
    """

    shape: tuple[int, int, int]
    bits: NDArray[np.uint8]

    @classmethod
    def collect(cls, shape: tuple[int, int, int], planes: Iterable[NDArray[np.bool_]]) -> NanPlanes:
        """Keep planes that come in turn, True where they are NaN, shape (ny, nx)."""
        bits = np.empty((shape[0], -(-shape[1] * shape[2] // 8)), np.uint8)
        for k, nan in enumerate(planes):
            bits[k] = np.packbits(nan)
        return cls(shape, bits)

    def plane(self, k: int) -> NDArray[np.bool_]:
        """Give one plane back, True where it is NaN."""
        _, ny, nx = self.shape
        return np.unpackbits(self.bits[k], count=ny * nx).reshape(ny, nx).astype(bool)

    def __iter__(self) -> Iterator[NDArray[np.bool_]]:
        """Give the planes back in turn."""
        return map(self.plane, range(self.shape[0]))

    def count(self) -> NDArray[np.int32]:
        """Planes of each spaxel that are NaN, shape (ny, nx)."""
        return np.asarray(sum(plane.astype(np.int32) for plane in self))


def causes_of_plane(
    k: int,
    nan: NDArray[np.bool_],
    first: NDArray[np.int32],
    last: NDArray[np.int32],
    empty: NDArray[np.int8],
    holes: Holes,
) -> NDArray[np.int8]:
    """Causes of the NaN in one plane, int8 codes, 0 where there are data.

    Parameters
    ----------
    k
        The plane.
    nan
        True where it is NaN, shape (ny, nx) as all others.
    first, last
        Planes between which rows reach a spaxel.
    empty
        Codes of the spaxels that no row reaches, 0 for others.
    holes
        The NaN between `first` and `last`.
    """
    codes = np.where((k < first) | (k > last), CODES[Cause.OUTSIDE_RANGE], CODES[Cause.UNKNOWN])
    codes = np.where(empty > 0, empty, codes).astype(np.int8)
    part = holes.of_planes(k, k + 1, nan.size)
    codes.reshape(-1)[holes.index[part] - k * nan.size] = holes.cause[part]
    return np.where(nan, codes, 0).astype(np.int8)
