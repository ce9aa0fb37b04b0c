"""The light that all exposures share, in one of them: its background, and what it tells of the exposure's offset."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from muse_nb.steps.offsets.starfit.background import mesh_fit
from muse_nb.steps.offsets.starfit.frame import Frame

__all__ = ["Drift", "follow"]

MESH = 48  # pixel: what an exposure's own sky may differ by from the light that all share
CELLS = (8, 24)  # pixel: as large as the light's structure
ENOUGH = 100  # pixels


@dataclass(frozen=True)
class Drift:
    """How the shared light changes as its exposure moves.

    Attributes
    ----------
    slope : ndarray, shape (2, ny, nx)
        Its derivatives by the exposure's offset, east and north [per arcsec].
    structure : ndarray, shape (2, ny, nx)
        What of them the exposure's own sky cannot follow: that alone tells of the offset.
    excess : float
        How much more the residuals vary in cells as large as the structure than the noise of each pixel lets them: the
        share of flat fields and skies, by which the light tells less.
    """

    slope: NDArray
    structure: NDArray
    excess: float

    def move(self, frame: Frame, shift: NDArray) -> None:
        """Move the light in the exposure's background by `shift` (2,) arcsec."""
        change = np.tensordot(shift, self.slope, 1)
        frame.ground = frame.ground + change
        frame.data = np.where(frame.ok, frame.data - change, 0.0)

    def temper(self, row: NDArray, column: NDArray, block: NDArray, gradient: NDArray, border: NDArray) -> None:
        """Take the excess out of the equations of the last of the stamps, which is the light."""
        last = len(gradient) - 1
        owner = np.repeat(np.arange(last + 1), np.diff(row))
        for part in (gradient[last:], border[last:]):
            part /= self.excess
        block[(owner == last) | (column == last)] /= self.excess
        block[(owner == last) & (column == last), 0, 0] = 1.0  # it has no amplitude to be found


def follow(frame: Frame, light: NDArray, slope: NDArray, inner: NDArray, exposures: int) -> None:
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
    if use.sum() < ENOUGH:
        return
    weight = np.where(use, frame.weight, 0.0)
    left = np.where(use, frame.raw - (frame.model - frame.level), 0.0)
    sky, flat, *smooth = mesh_fit(np.stack([left, light, *slope]), weight, MESH)
    structure = light - flat
    power = (weight * structure**2).sum()
    frame.gain = float((weight * structure * (left - sky)).sum() / power) if power > 0 else 0.0
    frame.set_ground(frame.gain * structure + sky)
    frame.drift = Drift(frame.gain * slope, frame.gain * (slope - np.stack(smooth)) * inner, _excess(frame, exposures))


def _excess(frame: Frame, exposures: int) -> float:
    left = 1 - 1 / exposures  # of what varies on such scales; the rest is in the light
    use = frame.used()
    white = np.where(use, (frame.data - frame.model) * np.sqrt(frame.weight), 0.0)
    excess = [1.0]
    for side in CELLS:
        total, count = (_cells(image, side) for image in (white, use))
        full = count > side**2 / 3
        if full.sum() >= 9:
            excess.append(float(np.mean(total[full] ** 2 / count[full])) / left)
    return max(excess)


def _cells(image: NDArray, side: int) -> NDArray:
    """Sums over the square cells that fit into an image."""
    ny, nx = (n // side for n in image.shape)
    return image[: ny * side, : nx * side].reshape(ny, side, nx, side).sum((1, 3))
