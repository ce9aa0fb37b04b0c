"""Where an IFU and its slices lie in MUSE's field, and the picture of the field that a frame already holds.

The field is cut into 24 channels, one IFU each, stacked from IFU 1 to IFU 24; a channel is cut into 48 slices: four
stacks side by side, twelve slices one over the other in each.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from muse_nb.steps.inspect.sample import Sample
from muse_nb.steps.inspect.slices import Slices

__all__ = ["CHANNEL", "IFUS", "compass", "field", "picture_of_channel"]

IFUS = 24
STACKS, DEEP, ALONG = 4, 12, 16  # stacks in a channel, slices in a stack, pixels of a slice in the picture
CHANNEL = (DEEP, STACKS * ALONG)
# SliceSky of slices 1 to 48 on the detector: 1 to 12 from above in the first stack, 13 to 24 in the next.
SLICE_SKY = np.array([
    9, 8, 1, 10, 7, 2, 11, 6, 3, 12, 5, 4, 21, 20, 13, 22, 19, 14, 23, 18, 15, 24, 17, 16,
    33, 32, 25, 34, 31, 26, 35, 30, 27, 36, 29, 28, 45, 44, 37, 46, 43, 38, 47, 42, 39, 48, 41, 40,
])  # fmt: skip


def picture_of_channel(sample: Sample, slices: Slices | None) -> NDArray[np.float32]:
    """Mean signal of the good pixels along each slice, where it lies in the field; shape `CHANNEL`, first row on top.

    NaN where a slice was not found or nothing in it is good.
    """
    channel = np.full(CHANNEL, np.nan, np.float32)
    if slices is None:
        return channel
    good = (sample.good & sample.quiet).reshape(-1, sample.data.shape[-1])
    total = np.where(good, sample.data.reshape(good.shape), 0).sum(axis=0, dtype=np.float64)
    number = good.sum(axis=0)
    found = np.flatnonzero(slices.found)
    edges = np.linspace(slices.left[found], slices.right[found] + 1, ALONG + 1).T  # (found, ALONG + 1)
    sums = [np.concatenate([[0], np.cumsum(values)]) for values in (total, number)]
    lows, highs = edges[:, :-1].astype(int), np.maximum(edges[:, 1:].astype(int), edges[:, :-1].astype(int) + 1)
    highs = np.minimum(highs, len(total))
    with np.errstate(invalid="ignore", divide="ignore"):
        along = (sums[0][highs] - sums[0][lows]) / (sums[1][highs] - sums[1][lows])
    for place, values in zip(SLICE_SKY[found] - 1, along, strict=True):
        stack, row = divmod(int(place), DEEP)
        channel[row, stack * ALONG : (stack + 1) * ALONG] = values[::-1]  # the sky is reversed within a slice
    return channel


def field(channels: dict[int, NDArray[np.float32]], ifus: list[int]) -> NDArray[np.float32]:
    """Channels of an exposure stacked as in the field, in the order of `ifus` from above; NaN where one is missing."""
    empty = np.full(CHANNEL, np.nan, np.float32)
    return np.concatenate([channels.get(ifu, empty) for ifu in ifus])


def compass(posang: float) -> tuple[tuple[float, float], tuple[float, float]]:
    """Directions (x right, y up) of north and of east in the field at a rotator angle ESO INS DROT POSANG [deg].

    The inverse of CD = 0.2 arcsec ((-cos pa, -sin pa), (-sin pa, cos pa)) with pa = -POSANG.
    """
    angle = np.radians(posang)
    return (float(np.sin(angle)), float(np.cos(angle))), (float(-np.cos(angle)), float(np.sin(angle)))
