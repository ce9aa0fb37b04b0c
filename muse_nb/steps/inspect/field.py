"""The picture of the field that a frame already holds, see `muse_nb.products.field`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from muse_nb.products.field import CHANNEL, SLICE_PIXELS, SLICE_SKY, SLICES_PER_STACK
from muse_nb.steps.inspect.sample import Sample
from muse_nb.steps.inspect.slices import Slices

__all__ = ["field", "picture_of_channel"]


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
    edges = np.linspace(slices.left[found], slices.right[found] + 1, SLICE_PIXELS + 1).T  # (found, SLICE_PIXELS + 1)
    sums = [np.concatenate([[0], np.cumsum(values)]) for values in (total, number)]
    lows, highs = edges[:, :-1].astype(int), np.maximum(edges[:, 1:].astype(int), edges[:, :-1].astype(int) + 1)
    highs = np.minimum(highs, len(total))
    with np.errstate(invalid="ignore", divide="ignore"):
        along = (sums[0][highs] - sums[0][lows]) / (sums[1][highs] - sums[1][lows])
    for place, values in zip(SLICE_SKY[found] - 1, along, strict=True):
        stack, row = divmod(int(place), SLICES_PER_STACK)
        start = stack * SLICE_PIXELS
        channel[row, start : start + SLICE_PIXELS] = values[::-1]  # the sky is reversed within a slice
    return channel


def field(channels: dict[int, NDArray[np.float32]], ifus: list[int]) -> NDArray[np.float32]:
    """Channels of an exposure stacked as in the field, in the order of `ifus` from above; NaN where one is missing."""
    empty = np.full(CHANNEL, np.nan, np.float32)
    return np.concatenate([channels.get(ifu, empty) for ifu in ifus])
