"""Light that all exposures share and that is no star: a galaxy or a nebula, one smooth surface fitted to all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.interpolate import BSpline
from scipy.sparse.linalg import LinearOperator, cg

from muse_nb.kernels.detect import add_maps, spline_at
from muse_nb.steps.offsets.starfit.detect import from_grid, sky_grid
from muse_nb.steps.offsets.starfit.drift import follow
from muse_nb.steps.offsets.starfit.frame import Frame

__all__ = ["DiffuseLight"]

KNOTS = 5.0  # pixel between knots: a surface that bends as slowly holds no star
MARGIN = 4  # pixel: how far the offsets may still move
RIM = 10.0  # pixel from where few exposures see the light: its fit is not as good there
BIN = 2  # pixels of the sky's grid that are taken together
STEPS = 30  # of conjugate gradients, at most
TOLERANCE = 1e-3
DOUBT = 0.3  # of a star's light before it was ever fitted


class DiffuseLight:
    """A cubic spline on the sky that each exposure sees blurred by its own seeing, scaled, and on its own sky.

    A background measured in each exposure by itself carries the noise of a few hundred pixels into every star's
    position; a common one carries that of all exposures, and the same into each. It is as sharp as the exposure of the
    best seeing shows it.

    Parameters
    ----------
    frames
        Exposures.
    offsets : ndarray, shape (n, 2)
        Their first offsets [arcsec].
    """

    def __init__(self, frames: list[Frame], offsets: NDArray) -> None:
        self._frames = frames
        low, shape, self._scale = sky_grid(frames, list(offsets))
        ny, nx = (-(-(n + 2 * MARGIN) // BIN) for n in shape)
        self._low, self._bins = low - MARGIN * self._scale, (ny, nx)
        self._y, self._x = _splines(ny * BIN), _splines(nx * BIN)
        self._surface = np.zeros((self._y.shape[1], self._x.shape[1]))

    def share(self, offsets: NDArray, first: bool = False) -> None:
        """Fit the surface to what the stars leave, and make it the background of every exposure.

        Parameters
        ----------
        offsets : ndarray, shape (n, 2)
            Present offsets [arcsec].
        first
            The stars were not fitted yet: where they are bright the surface hardly looks.
        """
        places = [from_grid(f, offset, self._low, self._scale) for f, offset in zip(self._frames, offsets, strict=True)]
        seeing = np.array([frame.seeing for frame in self._frames]) / self._scale
        blur = np.sqrt(np.maximum(seeing**2 - seeing.min() ** 2, 0)) / 2.355
        seen = [self._seen(frame, place, first) for frame, place in zip(self._frames, places, strict=True)]
        self._fit(seen, blur)
        known = self._known(seen)
        for frame, place, sigma in zip(self._frames, places, blur, strict=True):
            self._lay_under(frame, place, sigma, known)

    def _seen(self, frame: Frame, place: tuple[NDArray, NDArray], first: bool) -> tuple[NDArray, NDArray]:
        """Weight of one exposure in each bin of the sky, and weight times the light that its stars leave."""
        stars = frame.model - frame.level
        weight = frame.weight / (1 + frame.weight * (DOUBT * stars) ** 2) if first else frame.weight
        light = np.where(weight > 0, (frame.raw - stars - frame.sky) * weight, 0.0)
        both = np.zeros((2, self._bins[0] * BIN, self._bins[1] * BIN))
        area = (self._scale / frame.plane.scale) ** 2
        add_maps(both, np.stack([weight, light]), area * np.array([frame.gain**2, frame.gain]), *place)
        ny, nx = self._bins
        weight, light = both.reshape(2, ny, BIN, nx, BIN).sum(4).sum(2)
        return weight, light

    def _lay_under(self, frame: Frame, place: tuple[NDArray, NDArray], sigma: float, known: NDArray) -> None:
        """Make the surface, as the frame sees it, its background."""
        y, x = (ndimage.spline_filter1d(_blurred(basis, sigma), axis=0) for basis in (self._y, self._x))
        matrix, zero = place
        inverse = np.linalg.inv(matrix)
        on_grid = -inverse @ zero
        light, north, east = spline_at(y @ self._surface @ x.T, inverse, on_grid, frame.shape)
        in_bins = inverse / BIN, (on_grid - (BIN - 1) / 2) / BIN
        inner = ndimage.affine_transform(known, *in_bins, output_shape=frame.shape, order=0)
        follow(frame, light, np.stack([east, north]) / -self._scale, inner, len(self._frames))

    def _known(self, seen: list[tuple[NDArray, NDArray]]) -> NDArray:
        """Bins well inside the sky that enough exposures see for the noise of the surface to be the same all around.

        Its noise is in its slope, too. Over a field their products cancel but at the edges: where one side of it is
        seen by all exposures and the other by none else, that would pull the field towards the others.
        """
        exposures = np.sum([weight > 0 for weight, _ in seen], axis=0)
        return ndimage.distance_transform_edt(exposures >= max(2, len(seen) / 2)) > RIM / BIN

    def _fit(self, seen: list[tuple[NDArray, NDArray]], blur: NDArray) -> None:
        """Least squares for the surface, from where it was."""
        shape = self._surface.shape
        bases = [(_binned(_blurred(self._y, sigma)), _binned(_blurred(self._x, sigma))) for sigma in blur]
        parts = [(*basis, weight) for basis, (weight, _) in zip(bases, seen, strict=True)]
        right = np.sum([y.T @ light @ x for (y, x), (_, light) in zip(bases, seen, strict=True)], axis=0)
        diagonal = np.sum([(y**2).T @ weight @ x**2 for y, x, weight in parts], axis=0)
        if not diagonal.any():  # nothing to be seen between the stars
            return
        ridge = 1e-6 * diagonal.max()
        root = np.sqrt(diagonal + ridge)

        def normal(vector: NDArray) -> NDArray:
            surface = vector.reshape(shape) / root
            total = ridge * surface
            for y, x, weight in parts:
                total += y.T @ (weight * (y @ surface @ x.T)) @ x
            return (total / root).ravel()

        matrix = LinearOperator((root.size, root.size), matvec=normal, dtype=float)
        start = (self._surface * root).ravel()
        found = cg(matrix, (right / root).ravel(), x0=start, rtol=TOLERANCE, maxiter=STEPS)[0]
        self._surface = found.reshape(shape) / root


def _splines(pixels: int) -> NDArray:
    """Cubic B-splines (pixels, splines) on knots that begin and end beyond the pixels."""
    knots = np.arange(-3, np.ceil(pixels / KNOTS) + 4) * KNOTS
    return BSpline.design_matrix(np.arange(pixels, dtype=float), knots, 3).toarray()


def _blurred(basis: NDArray, sigma: float) -> NDArray:
    return ndimage.gaussian_filter1d(basis, sigma, axis=0, mode="nearest") if sigma > 0 else basis


def _binned(basis: NDArray) -> NDArray:
    return basis.reshape(-1, BIN, basis.shape[1]).mean(1)
