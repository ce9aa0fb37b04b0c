"""Where the sky lines of each slice lie on the detector, against another slice of the same frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.robust import SIGMA_OF_MAD
from muse_nb.steps.inspect.sample import Frame
from muse_nb.steps.inspect.slices import SLICES, Slices

__all__ = ["line_places"]

COLUMNS = np.linspace(0.15, 0.85, 8)  # of a slice's width: the columns that are looked at
FIRST_ROW, ROWS = 0.6, 512  # of a long frame from there on, and so many: 7500 to 8200 Angstrom are full of OH lines
MAX_LINE_HALF_WIDTH = 25  # pixels: what is broader is no line
MAX_SHIFT = 0.1  # of the rows: how far apart two slices' lines can lie
MIN_PEAK_SIGMAS = 6.0  # the peak of a correlation over the scatter of the rest
MAX_PIXEL_SIGMAS = 8.0  # a cosmic ray counts no more than that


def line_places(frame: Frame, slices: Slices) -> NDArray[np.float64]:
    """Rows by which the lines of slices 1 to 48 lie above their median; NaN where a slice has no lines to tell.

    Slices have their lines on rows of their own by construction: what means something is how this pattern differs
    from the same slice's in other frames.
    """
    places = np.full(SLICES, np.nan)
    found = np.flatnonzero(slices.found)
    if len(found) < 3 or frame.data.shape[0] < 4 * MAX_LINE_HALF_WIDTH:
        return places
    lines = _lines(frame, slices, found)
    ny = lines.shape[1]
    size = 1 << (2 * ny - 1).bit_length()
    spectra = np.fft.rfft(lines, size, axis=1)
    strength = np.einsum("ij,ij->i", lines, lines)
    reference = int(np.argsort(strength)[len(strength) // 2])
    reach = max(8, int(MAX_SHIFT * ny))
    correlation = np.fft.irfft(spectra * np.conj(spectra[reference]), size, axis=1)
    correlation = np.concatenate([correlation[:, -reach:], correlation[:, : reach + 1]], axis=1)
    places[found] = _peaks(correlation) - reach
    return places - np.nanmedian(places) if np.isfinite(places).any() else places


def _lines(frame: Frame, slices: Slices, found: NDArray[np.intp]) -> NDArray[np.float32]:
    """Lines of slices, shape (found, rows): columns without continuum, in units of their scatter: stars say little."""
    ny = frame.data.shape[0]
    first = int(FIRST_ROW * ny) if ny > 2 * ROWS else 0
    rows = slice(first, first + ROWS if first else ny)
    left, right = slices.left[found], slices.right[found]
    columns = (left + COLUMNS[:, None] * (right - left)).astype(int)
    values = np.asarray(frame.data[rows, columns.ravel()], dtype=np.float32)
    values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    sums = np.cumsum(
        np.pad(values, ((MAX_LINE_HALF_WIDTH + 1, MAX_LINE_HALF_WIDTH), (0, 0)), mode="edge"), axis=0, dtype=np.float64
    )
    width = 2 * MAX_LINE_HALF_WIDTH + 1
    lines = values - (sums[width:] - sums[:-width]) / width
    scatter = SIGMA_OF_MAD * np.median(np.abs(lines[::4]), axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        lines = np.clip(np.nan_to_num(lines / scatter), -MAX_PIXEL_SIGMAS, MAX_PIXEL_SIGMAS)
    return np.asarray(lines.reshape(-1, *columns.shape).sum(axis=1).T, dtype=np.float32)


def _peaks(correlation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Place of the highest value of each row, to a fraction of a pixel; NaN where it does not stand out."""
    at = np.clip(np.argmax(correlation, axis=1), 1, correlation.shape[1] - 2)
    rows = np.arange(len(at))
    before, peak, after = (correlation[rows, at + step] for step in (-1, 0, 1))
    scatter = SIGMA_OF_MAD * np.median(np.abs(correlation - np.median(correlation, axis=1, keepdims=True)), axis=1)
    curve = before - 2 * peak + after
    with np.errstate(invalid="ignore", divide="ignore"):
        fraction = np.where(curve < 0, 0.5 * (before - after) / curve, 0.0)
    return np.where(peak > MIN_PEAK_SIGMAS * scatter, at + np.clip(fraction, -0.5, 0.5), np.nan)
