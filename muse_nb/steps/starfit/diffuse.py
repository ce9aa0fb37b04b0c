"""Light that all exposures share and that is no star: a galaxy or a nebula, from the stack of what the stars leave."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from muse_nb.kernels.detect import add_maps
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
    places = [from_grid(frame, offset, low, scale) for frame, offset in zip(fit.frames, fit.offsets, strict=True)]
    weights = [_weight(frame) for frame in fit.frames]
    weight = _together(weights, places, shape)
    common = np.zeros(shape)
    mine = [np.zeros(frame.shape) for frame in fit.frames]
    seeing = np.array([frame.width for frame in fit.frames])
    blur = np.sqrt(np.maximum(seeing**2 - seeing.min() ** 2, 0)) / 2.355
    for _ in range(PASSES):
        left = [
            np.where(share > 0, share * (light - known), 0.0)
            for share, light, known in zip(weights, shining, mine, strict=True)
        ]
        common += np.where(weight > COVERAGE, _together(left, places, shape) / np.maximum(weight, COVERAGE), 0.0)
        curve = ndimage.spline_filter(common, mode="nearest")
        mine = [
            ndimage.gaussian_filter(_onto_frame(curve, frame, place), sigma)
            for frame, place, sigma in zip(fit.frames, places, blur, strict=True)
        ]
    curve = ndimage.spline_filter(weight, mode="nearest")
    for frame, place, known in zip(fit.frames, places, mine, strict=True):
        frame.follow(np.where(_onto_frame(curve, frame, place) > COVERAGE, known, np.nan))


def _weight(frame: Frame) -> NDArray:
    """Weight of each pixel, 1 on dark sky: what lies under a star is not seen."""
    stars = np.maximum(frame.model - frame.level, 0)
    return frame.weight * frame.floor / (1 + stars**2 / frame.floor)


def _together(images: list[NDArray], places: list[tuple[NDArray, NDArray]], shape: tuple[int, int]) -> NDArray:
    """Sum of smoothed images on the grid of the sky."""
    total = np.zeros((1, *shape))
    for image, (matrix, zero) in zip(images, places, strict=True):
        smooth = ndimage.gaussian_filter(image, SMOOTH, mode="constant")
        add_maps(total, smooth[None], np.ones(1), matrix, zero)
    return total[0]


def _onto_frame(curve: NDArray, frame: Frame, place: tuple[NDArray, NDArray]) -> NDArray:
    """Values of a spline on the grid of the sky at the pixels of a frame."""
    matrix, zero = place
    inverse = np.linalg.inv(matrix)
    shape = frame.shape
    return ndimage.affine_transform(
        curve, inverse, -inverse @ zero, output_shape=shape, order=3, mode="nearest", prefilter=False
    )


def _sky(frame: Frame) -> float:
    return float(np.percentile(frame.ground[frame.ok], 20)) if frame.ok.any() else 0.0
