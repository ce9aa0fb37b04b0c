"""Light that all exposures share and that is no star: a galaxy or a nebula, from the stack of what the stars leave."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from muse_nb.steps.starfit.detect import from_grid, sky_grid
from muse_nb.steps.starfit.fit import Fit
from muse_nb.steps.starfit.frame import Frame

__all__ = ["share_diffuse_light"]

SMOOTH = 4.0  # pixel, sigma: wider than a star, so that no star's light is taken for the galaxy's
PASSES = 10  # the later ones restore what the first smoothed away
COVERAGE = 0.1  # of an exposure's weight that a place must have in the stack


def share_diffuse_light(fit: Fit) -> None:
    """Replace the background of every frame by one light common to all, scaled and put on the frame's own sky.

    A background measured in each exposure by itself carries the noise of a few hundred pixels into every star's
    position; the common one carries that of all exposures, and the same into each. It is what the exposure of the best
    seeing shows; the others see it blurred, which near a galaxy's centre is more than the noise.
    """
    low, shape, scale = sky_grid(fit.frames, list(fit.offsets))
    shining = [frame.raw - (frame.model - frame.level) - _sky(frame) for frame in fit.frames]
    common = np.zeros(shape)
    mine = [np.zeros(frame.shape) for frame in fit.frames]
    seeing = np.array([frame.width for frame in fit.frames])
    blur = np.sqrt(np.maximum(seeing**2 - seeing.min() ** 2, 0)) / 2.355
    for _ in range(PASSES):
        top, bottom = np.zeros((2, *shape))
        for frame, offset, light, known in zip(fit.frames, fit.offsets, shining, mine, strict=True):
            stars = np.maximum(frame.model - frame.level, 0)
            weight = frame.weight * frame.floor / (1 + stars**2 / frame.floor)  # what lies under a star is not seen
            left = np.where(weight > 0, light - known, 0.0)
            matrix, zero = from_grid(frame, offset, low, scale)
            for target, image in ((top, weight * left), (bottom, weight)):
                smooth = ndimage.gaussian_filter(image, SMOOTH, mode="constant")
                target += ndimage.affine_transform(smooth, matrix, zero, output_shape=shape, order=1)
        common += np.where(bottom > COVERAGE, top / np.maximum(bottom, COVERAGE), 0.0)
        mine = [
            ndimage.gaussian_filter(_onto_frame(common, frame, offset, low, scale), sigma)
            for frame, offset, sigma in zip(fit.frames, fit.offsets, blur, strict=True)
        ]
    for frame, offset, known in zip(fit.frames, fit.offsets, mine, strict=True):
        covered = _onto_frame(bottom, frame, offset, low, scale) > COVERAGE
        frame.follow(np.where(covered, known, np.nan))


def _onto_frame(image: NDArray, frame: Frame, offset: NDArray, low: NDArray, scale: float) -> NDArray:
    matrix, zero = from_grid(frame, offset, low, scale)
    inverse = np.linalg.inv(matrix)
    return ndimage.affine_transform(image, inverse, -inverse @ zero, output_shape=frame.shape, order=3, mode="nearest")


def _sky(frame: Frame) -> float:
    return float(np.percentile(frame.ground[frame.ok], 20)) if frame.ok.any() else 0.0
