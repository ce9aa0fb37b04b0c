"""Pixels of a value that nobody measured: zeros, or another low number, where other tools leave NaN."""

from __future__ import annotations

import numpy as np

from muse_nb.steps.offsets.starfit.arrays import Bools, Floats

__all__ = ["without_fill"]

MIN_PIXELS = 9  # that have a value
MIN_EXCESS = 8.0  # times as many as have the next value: noise spreads over neighbouring values evenly


def without_fill(image: Floats) -> Floats:
    """Put NaN for all pixels of a low value that is far too common, in an image that has noise elsewhere.

    Parameters
    ----------
    image : ndarray, shape (ny, nx)
        NaN where there are no data.

    Returns
    -------
    ndarray
        The image itself where nothing is to be done: a simulation without noise may well have a flat sky.
    """
    known = np.where(np.isfinite(image), image, np.nan)
    filled = np.zeros(image.shape, bool)
    for value in _repeated(known):
        filled |= _too_common(known, value)
    if not filled.any():
        return image
    measured = np.where(filled, np.nan, known)
    return measured if _noisy(measured) else image


def _repeated(image: Floats) -> set[float]:
    """Zero, and what neighbours below the middle share most often; flat tops of saturated stars are left to the fit."""
    shared = image[:, 1:][image[:, 1:] == image[:, :-1]]
    if not len(shared):
        return {0.0}
    values, count = np.unique(shared[shared < np.nanmedian(image)], return_counts=True)
    return {0.0, *values[np.argsort(-count)[:3]].tolist()}


def _too_common(image: Floats, value: float) -> Bools:
    """Pixels of the value; none, if about as many have the next or, in coarse whole numbers, it is the sky's."""
    same = image == value
    number = int(same.sum())
    if number < MIN_PIXELS:
        return np.zeros_like(same)
    away = np.abs(image - value)
    following = int((away == np.nanmin(np.where(same, np.nan, away), initial=np.inf)).sum())
    alone = number > MIN_EXCESS * following and (following < MIN_PIXELS or number < 0.5 * np.isfinite(image).sum())
    return np.asarray(same & alone)


def _noisy(image: Floats) -> bool:
    """Whether neighbouring second differences have opposite signs, as those of noise have and of smooth light not."""
    second = np.diff(image, 2, axis=1)
    product = second[:, 1:] * second[:, :-1]
    return bool((product < 0).sum() > (product > 0).sum())
