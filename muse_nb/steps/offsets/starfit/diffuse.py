"""Light that all exposures share and that is no star: a galaxy or a nebula, one smooth surface fitted to all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage
from scipy.interpolate import BSpline
from scipy.sparse.linalg import LinearOperator, cg

from muse_nb.kernels.detect import add_maps, spline_at
from muse_nb.steps.offsets.starfit.arrays import Bools, Floats
from muse_nb.steps.offsets.starfit.detect import from_grid, sky_grid
from muse_nb.steps.offsets.starfit.drift import on_shared_light
from muse_nb.steps.offsets.starfit.frame import Frame

__all__ = ["DiffuseLight"]

KNOT_SPACING = 5.0  # pixel between knots: a surface that bends as slowly holds no star
GRID_MARGIN = 4  # pixel: how far the offsets may still move
RIM = 10.0  # pixel from where few exposures see the light: its fit is not as good there
BIN = 2  # pixels of the sky's grid that are taken together
MAX_STEPS = 30  # of conjugate gradients, at most
TOLERANCE = 1e-3
UNFITTED_DOUBT = 0.3  # of a star's light before it was ever fitted


@dataclass(frozen=True, eq=False, repr=False)
class DiffuseLight:
    """A cubic spline on the sky that each exposure sees blurred by its own seeing, scaled, and on its own sky.

    A background measured in each exposure by itself carries the noise of a few hundred pixels into every star's
    position; a common one carries that of all exposures, and the same into each. It is as sharp as the exposure of the
    best seeing shows it.

    Attributes
    ----------
    corner, scale
        South-west corner of its grid and the grid's pixel [arcsec].
    bins : tuple of int
        (rows, columns) of pixels that are taken together.
    along_y, along_x : ndarray, shapes (pixels, splines)
        Splines along both axes.
    surface : ndarray, shape (splines along y, along x)
        Their coefficients.
    """

    corner: Floats
    scale: float
    bins: tuple[int, int]
    along_y: Floats
    along_x: Floats
    surface: Floats

    @classmethod
    def over(cls, frames: Sequence[Frame], offsets: Floats) -> DiffuseLight:
        """No light yet, over the sky of some exposures at their first offsets (n, 2) [arcsec]."""
        low, shape, scale = sky_grid(frames, list(offsets))
        ny, nx = (-(-(n + 2 * GRID_MARGIN) // BIN) for n in shape)
        y, x = _splines(ny * BIN), _splines(nx * BIN)
        return cls(low - GRID_MARGIN * scale, scale, (ny, nx), y, x, np.zeros((y.shape[1], x.shape[1])))

    def shared(
        self, frames: Sequence[Frame], offsets: Floats, first: bool = False
    ) -> tuple[DiffuseLight, tuple[Frame, ...]]:
        """Fit the surface to what the stars leave, and make it the background of every exposure.

        Parameters
        ----------
        frames
            Exposures, drawn.
        offsets : ndarray, shape (n, 2)
            Present offsets [arcsec].
        first
            The stars were not fitted yet: where they are bright the surface hardly looks.
        """
        places = [from_grid(f, offset, self.corner, self.scale) for f, offset in zip(frames, offsets, strict=True)]
        seeing = np.array([frame.seeing for frame in frames]) / self.scale
        blur = np.sqrt(np.maximum(seeing**2 - seeing.min() ** 2, 0)) / 2.355
        seen = [self._seen(frame, place, first) for frame, place in zip(frames, places, strict=True)]
        light = replace(self, surface=self._fitted(seen, blur))
        known = _well_inside(seen)
        under = tuple(
            light._under(frame, place, sigma, known, len(frames))
            for frame, place, sigma in zip(frames, places, blur, strict=True)
        )
        return light, under

    def _seen(self, frame: Frame, place: tuple[Floats, Floats], first: bool) -> tuple[Floats, Floats]:
        """Weight of one exposure in each bin of the sky, and weight times the light that its stars leave."""
        stars = frame.model - frame.level
        weight = frame.weight / (1 + frame.weight * (UNFITTED_DOUBT * stars) ** 2) if first else frame.weight
        light = np.where(weight > 0, (frame.raw - stars - frame.sky) * weight, 0.0)
        both = np.zeros((2, self.bins[0] * BIN, self.bins[1] * BIN))
        area = (self.scale / frame.plane.scale) ** 2
        add_maps(both, np.stack([weight, light]), area * np.array([frame.gain**2, frame.gain]), *place)
        ny, nx = self.bins
        weight, light = both.reshape(2, ny, BIN, nx, BIN).sum(4).sum(2)
        return weight, light

    def _under(self, frame: Frame, place: tuple[Floats, Floats], sigma: float, known: Bools, exposures: int) -> Frame:
        """The frame with the surface, as the frame sees it, for its background."""
        y, x = (ndimage.spline_filter1d(_blurred(basis, sigma), axis=0) for basis in (self.along_y, self.along_x))
        matrix, zero = place
        inverse = np.linalg.inv(matrix)
        on_grid = -inverse @ zero
        light, north, east = spline_at(y @ self.surface @ x.T, inverse, on_grid, frame.shape)
        in_bins = inverse / BIN, (on_grid - (BIN - 1) / 2) / BIN
        inner = ndimage.affine_transform(known, *in_bins, output_shape=frame.shape, order=0)
        return on_shared_light(frame, light, np.stack([east, north]) / -self.scale, inner, exposures)

    def _fitted(self, seen: list[tuple[Floats, Floats]], blur: Floats) -> Floats:
        """Least squares for the surface, from where it was."""
        shape = self.surface.shape
        bases = [(_binned(_blurred(self.along_y, sigma)), _binned(_blurred(self.along_x, sigma))) for sigma in blur]
        parts = [(*basis, weight) for basis, (weight, _) in zip(bases, seen, strict=True)]
        right = np.sum([y.T @ light @ x for (y, x), (_, light) in zip(bases, seen, strict=True)], axis=0)
        diagonal = np.sum([(y**2).T @ weight @ x**2 for y, x, weight in parts], axis=0)
        if not diagonal.any():  # nothing to be seen between the stars
            return self.surface
        ridge = 1e-6 * diagonal.max()
        root = np.sqrt(diagonal + ridge)

        def normal(vector: Floats) -> Floats:
            surface = vector.reshape(shape) / root
            total = ridge * surface
            for y, x, weight in parts:
                total += y.T @ (weight * (y @ surface @ x.T)) @ x
            return np.asarray((total / root).ravel())

        matrix = LinearOperator((root.size, root.size), matvec=normal, dtype=float)
        start = (self.surface * root).ravel()
        found = cg(matrix, (right / root).ravel(), x0=start, rtol=TOLERANCE, maxiter=MAX_STEPS)[0]
        return np.asarray(found.reshape(shape) / root)


def _well_inside(seen: list[tuple[Floats, Floats]]) -> Bools:
    """Bins well inside the sky that enough exposures see for the noise of the surface to be the same all around.

    Its noise is in its slope, too. Over a field their products cancel but at the edges: where one side of it is
    seen by all exposures and the other by none else, that would pull the field towards the others.
    """
    exposures = np.sum([weight > 0 for weight, _ in seen], axis=0)
    return np.asarray(ndimage.distance_transform_edt(exposures >= max(2, len(seen) / 2)) > RIM / BIN)


def _splines(pixels: int) -> Floats:
    """Cubic B-splines (pixels, splines) on knots that begin and end beyond the pixels."""
    knots = np.arange(-3, np.ceil(pixels / KNOT_SPACING) + 4) * KNOT_SPACING
    return np.asarray(BSpline.design_matrix(np.arange(pixels, dtype=float), knots, 3).toarray())


def _blurred(basis: Floats, sigma: float) -> Floats:
    return ndimage.gaussian_filter1d(basis, sigma, axis=0, mode="nearest") if sigma > 0 else basis


def _binned(basis: Floats) -> Floats:
    return np.asarray(basis.reshape(-1, BIN, basis.shape[1]).mean(1))
