"""Where the sky lines of a slice lie on the detector, against the same slice of other frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.robust import SIGMA_OF_MAD
from muse_nb.steps.inspect.sample import Frame
from muse_nb.steps.inspect.slices import SLICES, Slices

__all__ = ["NO_LINES", "line_shifts", "line_spectra"]

COLUMNS = np.linspace(0.15, 0.85, 8)  # of a slice's width: the columns that are looked at
FIRST_ROW, ROWS = 0.6, 512  # of a long frame from there on, and so many: 7500 to 8200 Angstrom are full of OH lines
MAX_LINE_HALF_WIDTH = 25  # pixels: what is broader is no line
MAX_PIXEL_SIGMAS = 8.0  # a cosmic ray, or a line of the source, counts no more than that
LEVELS = 15  # of the stored spectra in a sigma: a byte a pixel is enough
MAX_SHIFT = 0.1  # of the rows: how far apart the lines of two slices can lie
MIN_PEAK_SIGMAS = 5.0  # the peak of a correlation over the scatter of the rest
MAX_SECOND_PEAK, PEAK_HALF_WIDTH = 0.6, 5  # of the peak, pixels from it: with a higher one elsewhere nobody knows
ANCHORS = 3  # frames that are tried as the one to compare with
NO_LINES: NDArray[np.int8] = np.zeros((SLICES, len(COLUMNS), 0), np.int8)
NO_LINES.flags.writeable = False


def line_spectra(frame: Frame, slices: Slices) -> NDArray[np.int8]:
    """Some columns of slices 1 to 48 without continuum, in 1/15 of their scatter: stars say little, lines much.

    Returns
    -------
    numpy.ndarray
        Shape (48, columns, rows), 0 for a slice that was not found; no rows where the frame has too few.
    """
    ny = frame.data.shape[0]
    found = np.flatnonzero(slices.found)
    if not len(found) or ny < 4 * MAX_LINE_HALF_WIDTH:
        return NO_LINES
    first = int(FIRST_ROW * ny) if ny > 3 * ROWS else 0
    rows = slice(first, first + ROWS if first else ny)
    left, right = slices.left[found], slices.right[found]
    columns = (left[:, None] + COLUMNS * (right - left)[:, None]).astype(int)
    values = np.asarray(frame.data[rows, columns.ravel()], dtype=np.float32)
    values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    edge = MAX_LINE_HALF_WIDTH
    sums = np.cumsum(np.pad(values, ((edge + 1, edge), (0, 0)), mode="edge"), axis=0, dtype=np.float64)
    lines = values - (sums[2 * edge + 1 :] - sums[: -2 * edge - 1]) / (2 * edge + 1)
    scatter = SIGMA_OF_MAD * np.median(np.abs(lines[::4]), axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        lines = np.clip(np.nan_to_num(lines / scatter), -MAX_PIXEL_SIGMAS, MAX_PIXEL_SIGMAS)
    spectra = np.zeros((SLICES, len(COLUMNS), lines.shape[0]), np.int8)
    spectra[found] = np.rint(LEVELS * lines).T.reshape(len(found), len(COLUMNS), -1)
    return spectra


def line_shifts(spectra: Sequence[NDArray[np.int8]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rows by which the lines of each slice lie above those of the same slice in an anchor, one of the frames.

    Each column is correlated with the same column of the anchor, so that lines may be tilted, and the median over the
    columns is taken, so that a star does not matter. A slice's anchor is a frame of its own: what means something is
    a row's difference from the other frames of the slice.

    Parameters
    ----------
    spectra
        Of the frames, as from `line_spectra`, of one shape.

    Returns
    -------
    shift, error : numpy.ndarray
        Shape (frames, 48) [pixel]; NaN where there are no lines to tell. The error is that of the place of a peak over
        white noise, its width over its height in sigmas.
    """
    every = np.asarray(spectra)
    shift, error = np.full((2, len(every), SLICES), np.nan)
    ny = every.shape[-1]
    if ny == 0 or len(every) < 2:
        return shift, error
    size, reach = 1 << (2 * ny - 1).bit_length(), max(8, int(MAX_SHIFT * ny))
    for k in range(SLICES):
        lines = every[:, k].astype(np.float32)
        strength = np.einsum("fcy,fcy->f", lines, lines)
        known = np.flatnonzero(strength > 0)
        if len(known) < 2:
            continue
        transform = np.fft.rfft(lines[known], size, axis=-1)
        middle = np.argsort(np.abs(strength[known] - np.median(strength[known])))[:ANCHORS]
        tried = [_peaks(_correlation(transform, int(anchor), size, reach)) for anchor in middle]
        best, best_error = max(tried, key=lambda one: (np.isfinite(one[0]).sum(), -np.nansum(one[1])))
        shift[known, k], error[known, k] = best - reach, best_error
    return shift, error


def _correlation(transform: NDArray[np.complexfloating], anchor: int, size: int, reach: int) -> NDArray[np.float64]:
    """Median over the columns of the correlation with the anchor, lags -reach to reach, shape (frames, lags)."""
    every = np.fft.irfft(transform * np.conj(transform[anchor]), size, axis=-1)
    return np.asarray(np.median(np.concatenate([every[..., -reach:], every[..., : reach + 1]], axis=-1), axis=1))


def _peaks(correlation: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Place of the highest value of each row, to a fraction of a pixel, and its error; NaN where it is not alone."""
    at = np.clip(np.argmax(correlation, axis=1), 1, correlation.shape[1] - 2)
    rows = np.arange(len(at))
    before, peak, after = (correlation[rows, at + step] for step in (-1, 0, 1))
    far = np.abs(np.arange(correlation.shape[1]) - at[:, None]) > PEAK_HALF_WIDTH
    second = np.where(far, correlation, -np.inf).max(axis=1)
    scatter = SIGMA_OF_MAD * np.median(np.abs(correlation - np.median(correlation, axis=1, keepdims=True)), axis=1)
    curve = -(before - 2 * peak + after)
    with np.errstate(invalid="ignore", divide="ignore"):
        alone = (curve > 0) & (peak > MIN_PEAK_SIGMAS * scatter) & (second < MAX_SECOND_PEAK * peak)
        fraction = np.clip(0.5 * (after - before) / curve, -0.5, 0.5)
        error = scatter / np.sqrt(curve * peak)
    return np.where(alone, at + fraction, np.nan), np.where(alone, error, np.nan)
