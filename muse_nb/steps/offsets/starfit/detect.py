"""Sources on the stack of all exposures: matched-filter maps add on a common grid of the sky."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from muse_nb.kernels.detect import add_maps
from muse_nb.steps.offsets.starfit.arrays import Floats
from muse_nb.steps.offsets.starfit.frame import Frame
from muse_nb.steps.offsets.starfit.matched_filter import Map, Peaks, find_peaks, without_lobes

__all__ = ["from_grid", "sky_grid", "stack_peaks"]


def stack_peaks(
    frames: Sequence[Frame], offsets: Sequence[Floats], left: Sequence[Map] | None = None, threshold: float = 5.0
) -> tuple[Peaks, float]:
    """Sources above `threshold` sigma in all frames together.

    Parameters
    ----------
    frames, offsets
        Exposures and their offsets [arcsec].
    left
        Maps of what the model leaves, to look at instead of the data.

    Returns
    -------
    peaks : Peaks
        Positions on the sky plane [arcsec], amplitudes as seen at the best seeing.
    width : float
        That seeing [arcsec].
    """
    low, (ny, nx), scale = sky_grid(frames, offsets)
    total = np.zeros((2, ny, nx))
    sharpest = min(frame.seeing for frame in frames)
    for frame, offset, maps in zip(frames, offsets, left or [frame.map for frame in frames], strict=True):
        gain = (sharpest / frame.seeing) ** 2  # amplitude of the same flux
        both = np.stack([maps.numerator, maps.denominator])
        add_maps(total, both, np.array([gain, gain**2]), *from_grid(frame, offset, low, scale))
    numerator, denominator = total
    denominator[denominator < 1e-9 * denominator.max()] = 0
    peaks = find_peaks(Map(numerator, denominator), threshold, margin=1)
    if not (left or frames[0].box):
        peaks = without_lobes(peaks, max(frame.width for frame in frames))
    return Peaks(low + scale * peaks.position, peaks.significance, peaks.amplitude), sharpest


def sky_grid(frames: Sequence[Frame], offsets: Sequence[Floats]) -> tuple[Floats, tuple[int, int], float]:
    """South-west corner [arcsec], shape (ny, nx) and pixel [arcsec] of a grid on the sky that holds all frames."""
    scale = min(frame.plane.scale for frame in frames)
    corner = np.concatenate([_corners(frame) - offset for frame, offset in zip(frames, offsets, strict=True)])
    nx, ny = np.ceil(np.ptp(corner, axis=0) / scale).astype(int) + 1
    return corner.min(0), (int(ny), int(nx)), scale


def from_grid(frame: Frame, offset: Floats, low: Floats, scale: float) -> tuple[Floats, Floats]:
    """Matrix and zero of (y, x) of the frame = matrix @ (row, column) of the grid + zero."""
    return scale * frame.plane.matrix[::-1, ::-1], frame.plane.pixel(low + offset)[::-1]


def _corners(frame: Frame) -> Floats:
    ny, nx = frame.shape
    return frame.plane.sky(np.array([[0, 0], [nx, 0], [0, ny], [nx, ny]], float))
