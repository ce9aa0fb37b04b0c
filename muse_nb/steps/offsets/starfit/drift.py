"""The light that all exposures share, in one of them: its background, and what it tells of the exposure's offset."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from muse_nb.steps.offsets.starfit.arrays import Bools, Floats
from muse_nb.steps.offsets.starfit.background import mesh_fit
from muse_nb.steps.offsets.starfit.frame import Frame
from muse_nb.steps.offsets.starfit.light import Drift

__all__ = ["on_shared_light"]

SKY_MESH = 48  # pixel: what an exposure's own sky may differ by from the light that all share
EXCESS_CELLS = (8, 24)  # pixel: as large as the light's structure
MIN_PIXELS = 100  # of an exposure that the light is fitted to
MIN_CELLS = 9  # that tell an excess


def on_shared_light(frame: Frame, light: Floats, slope: Floats, inner: Bools, exposures: int) -> Frame:
    """Take the light that all share, scaled to the exposure and on its own smooth sky, for the exposure's background.

    Parameters
    ----------
    frame
        The exposure.
    light : ndarray, shape (ny, nx)
        As the exposure's seeing shows it.
    slope : ndarray, shape (2, ny, nx)
        Its derivatives by the exposure's offset, east and north [per arcsec].
    inner : ndarray of bool, shape (ny, nx)
        Where the light tells of the exposure's offset.
    exposures
        To how many it was fitted.
    """
    use = frame.used()
    if use.sum() < MIN_PIXELS:
        return frame
    weight = np.where(use, frame.weight, 0.0)
    left = np.where(use, frame.raw - (frame.model - frame.level), 0.0)
    sky, flat, *smooth = mesh_fit(np.stack([left, light, *slope]), weight, SKY_MESH)
    structure = light - flat
    power = (weight * structure**2).sum()
    gain = float((weight * structure * (left - sky)).sum() / power) if power > 0 else 0.0
    frame = replace(frame.on_ground(gain * structure + sky), gain=gain)
    drift = Drift(gain * slope, gain * (slope - np.stack(smooth)) * inner, _excess(frame, exposures))
    return replace(frame, drift=drift)


def _excess(frame: Frame, exposures: int) -> float:
    left = 1 - 1 / exposures  # of what varies on such scales; the rest is in the light
    use = frame.used()
    white = np.where(use, (frame.data - frame.model) * np.sqrt(frame.weight), 0.0)
    excess = [1.0]
    for side in EXCESS_CELLS:
        total, count = (_cells(image, side) for image in (white, use))
        full = count > side**2 / 3
        if full.sum() >= MIN_CELLS:
            excess.append(float(np.mean(total[full] ** 2 / count[full])) / left)
    return max(excess)


def _cells(image: Floats | Bools, side: int) -> Floats:
    """Sums over the square cells that fit into an image."""
    ny, nx = (n // side for n in image.shape)
    return np.asarray(image[: ny * side, : nx * side].reshape(ny, side, nx, side).sum((1, 3)))
