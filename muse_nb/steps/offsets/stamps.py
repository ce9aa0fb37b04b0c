"""One star of a fit, exposure by exposure: its pixels, the model of them, and what is left."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from muse_nb.core.errors import MuseError
from muse_nb.steps.offsets.measurement import Measurement
from muse_nb.steps.offsets.starfit.arrays import Floats
from muse_nb.steps.offsets.starfit.solve import Solution

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

__all__ = ["StarStamps", "star_stamps"]

SHOWN_FWHM = 1.6  # on each side of the star
MIN_SIDE, MAX_SIDE = 5, 15  # pixels on each side of it


@dataclass(frozen=True)
class StarStamps:
    """Squares of n exposures about one star, in the exposures' own pixels.

    Attributes
    ----------
    star : int
        Its number.
    date_obs : tuple of str, length n
        The exposures that took part in its fit.
    data, model : ndarray, shape (n, side, side)
        Brightness less the background and all far stars, and what the fit makes of it; NaN where there are no data.
    residual : ndarray, shape (n, side, side)
        Their difference over its noise; NaN also where a pixel was left out of the fit.
    turn : ndarray, shape (n, 2, 2)
        Pixels per arcsec east and north: which way the squares lie on the sky.
    """

    star: int
    date_obs: tuple[str, ...]
    data: Floats = field(repr=False)
    model: Floats = field(repr=False)
    residual: Floats = field(repr=False)
    turn: Floats = field(repr=False)

    def limits(self) -> Floats:
        """Faintest and brightest pixel worth showing of each exposure, shape (n, 2)."""
        if not len(self.date_obs):
            return np.zeros((0, 2))
        tops = np.maximum(np.nanmax(self.data, axis=(1, 2)), np.nanmax(self.model, axis=(1, 2)))
        return np.stack([np.minimum(np.nanpercentile(self.data, 5, axis=(1, 2)), 0.0), tops], axis=1)

    def plot(self, axes: NDArray[np.object_] | None = None) -> Figure:
        """Draw data, model and residual of all exposures, north up, in 3 rows of axes; return the figure."""
        from muse_nb.steps.offsets.figures import plot_stamps

        images = {"data": self.data, "model": self.model, "residual": self.residual}
        return plot_stamps(self.star, self.date_obs, images, self.limits(), self.turn, axes)


def star_stamps(measurement: Measurement, solution: Solution, star: int) -> StarStamps:
    """Cut the squares about a star out of the fit's images.

    Raises
    ------
    MuseError
        The star took no part in the fit.
    """
    fit, place = solution.fit, np.flatnonzero(solution.numbers == star)
    if fit is None or not len(place):
        raise MuseError(f"star {star} took no part in the fit: it was dropped, or lies in less than two exposures")
    k = int(place[0])
    seen = [j for j in range(len(fit.frames)) if fit.active[j, k]]
    half = int(np.clip(np.ceil(SHOWN_FWHM * max((fit.frames[j].width for j in seen), default=4.0)), MIN_SIDE, MAX_SIDE))
    data, model, residual = squares = np.full((3, len(seen), 2 * half + 1, 2 * half + 1), np.nan)
    for n, j in enumerate(seen):
        frame = fit.frames[j]
        x, y = np.rint(frame.plane.pixel(fit.sky[k] + fit.offsets[j])).astype(int)
        light = np.where(frame.ok, frame.data - frame.level, np.nan)
        left = np.where(frame.used(), frame.residual / np.sqrt(frame.variance()), np.nan)
        for square, image in zip(squares[:, n], (light, frame.model - frame.level, left), strict=True):
            _paste(square, image, x - half, y - half)
    dates = tuple(measurement.date_obs[solution.placed[j]] for j in seen)
    turn = np.array([fit.frames[j].plane.matrix for j in seen]).reshape(-1, 2, 2)
    return StarStamps(star, dates, data, model, residual, turn)


def _paste(square: Floats, image: Floats, left: int, bottom: int) -> None:
    """Fill a square with the part of an image that begins at pixel (left, bottom), as far as there is one."""
    ny, nx = image.shape
    side = len(square)
    rows, columns = (slice(max(0, -at), min(side, n - at)) for at, n in ((bottom, ny), (left, nx)))
    part = image[bottom + rows.start : bottom + rows.stop, left + columns.start : left + columns.stop]
    square[rows, columns] = part
