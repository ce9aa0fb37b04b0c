"""The star at the centre of an aperture, weighted by its own profile: a Moffat measured in broad bins of wavelength."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.errors import MuseError
from muse_nb.core.progress import Progress
from muse_nb.core.robust import mad_sigma
from muse_nb.products.cube_file import CubeFile
from muse_nb.products.voxels import Voxels
from muse_nb.steps.look.aperture import Aperture
from muse_nb.steps.look.sums import LEAST_AREA, clipped_median

__all__ = ["fit_star", "point_source"]

Array = NDArray[np.float64]
BINS = 8  # of wavelength, in which position and width are measured
MIN_SPAXELS = 12  # of an aperture that a profile with a background can be fitted in
MIN_SIGNIFICANCE = 7.0  # of the star in a bin, over the error of its flux
FWHM_LIMITS = (0.8, 12.0)  # spaxels
BETA_LIMITS = (1.2, 12.0)


@dataclass(frozen=True)
class _Star:
    """Moffat of total flux 1: centre and FWHM [spaxel] in the aperture's box, each a line over the planes."""

    x: Array
    y: Array
    fwhm: Array
    beta: float

    def profile(self, planes: Array, shape: tuple[int, ...]) -> Array:
        """Light of each spaxel in some planes, shape (planes, rows, columns)."""
        x, y, fwhm = (
            np.asarray(np.polyval(line, planes), float)[:, None, None] for line in (self.x, self.y, self.fwhm)
        )
        return _moffat(x, y, np.clip(fwhm, *FWHM_LIMITS), self.beta, shape)


def _moffat(x: Array | float, y: Array | float, fwhm: Array | float, beta: float, shape: tuple[int, ...]) -> Array:
    """Moffat (1969) profile of total 1, averaged over 3 x 3 points of each spaxel."""
    core2 = (fwhm / 2) ** 2 / (2 ** (1 / beta) - 1)
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(float)
    light: Array | float = 0.0
    for dy in (-1 / 3, 0.0, 1 / 3):
        for dx in (-1 / 3, 0.0, 1 / 3):
            light = light + (1 + ((columns + dx - x) ** 2 + (rows + dy - y) ** 2) / core2) ** -beta
    return np.asarray(light / 9 * (beta - 1) / (np.pi * core2))


def point_source(
    cube: CubeFile, aperture: Aperture, around: Aperture | None, step: Progress
) -> tuple[Array, Array | None, list[str]]:
    """Total flux of a star by plane: the least-squares scale of its profile, the background beside it.

    Parameters
    ----------
    cube
        The cube.
    aperture
        Spaxels that are used.
    around
        A ring that gives the background; without one it is fitted with the star.
    step
        Told of every piece.

    Returns
    -------
    flux : numpy.ndarray
        To infinity, shape (nz,); NaN where less than half of the aperture holds data.
    error : numpy.ndarray or None
        From STAT; None without it.
    notes : list of str
        Width and shape of the profile.

    Raises
    ------
    MuseError
        The aperture is too small, or there is no star in it.
    """
    inside = aperture.fraction > 0
    if inside.sum() < MIN_SPAXELS:
        raise MuseError(
            f"{int(inside.sum())} spaxels are too few to fit a star's profile in: take a circle of 1 arcsec or more"
        )
    data = Voxels(cube)
    variance = Voxels(cube, "STAT") if cube.has("STAT") else None
    star = _measure(cube, data, aperture, step)
    nz = cube.shape[0]
    flux, error = np.full(nz, np.nan), np.full(nz, np.nan)
    thick = max(1, 200_000 // aperture.fraction.size)
    for start in range(0, nz, thick):
        here = slice(start, min(nz, start + thick))
        box = (here, aperture.rows, aperture.columns)
        values = data[box].astype(float)
        spread = np.ones_like(values) if variance is None else variance[box].astype(float)
        level = None
        if around is not None:
            level = clipped_median(data[here, around.rows, around.columns].astype(float), around.fraction).level
        profile = star.profile(np.arange(here.start, here.stop, dtype=float), aperture.fraction.shape)
        flux[here], error[here] = _scale(values, spread, profile, inside, level)
        step("planes fitted", here.stop, nz)
    middle = float(np.polyval(star.fwhm, nz / 2))
    notes = [f"profile: a Moffat of FWHM {middle:.2f} spaxels in the middle of the range and beta {star.beta:.2f}"]
    return flux, None if variance is None else error, notes


def _scale(
    values: Array, spread: Array, profile: Array, inside: NDArray[np.bool_], level: Array | None
) -> tuple[Array, Array]:
    """Weighted least squares of star and background in each plane; the background is not fitted where it is given."""
    good = np.isfinite(values) & np.isfinite(spread) & (spread > 0) & inside
    weight = np.where(good, 1 / np.where(good, spread, 1.0), 0.0)
    values = np.where(good, values - (0.0 if level is None else level[:, None, None]), 0.0)
    pp, pd = (weight * profile**2).sum((1, 2)), (weight * profile * values).sum((1, 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        if level is None:
            p1, d1, w = (weight * profile).sum((1, 2)), (weight * values).sum((1, 2)), weight.sum((1, 2))
            pp, pd = pp - p1**2 / w, pd - p1 * d1 / w
        flux, error = pd / pp, 1 / np.sqrt(pp)
    enough = good.sum((1, 2)) >= LEAST_AREA * inside.sum()
    return np.where(enough & (pp > 0), flux, np.nan), np.where(enough & (pp > 0), error, np.nan)


def _measure(cube: CubeFile, data: Voxels, aperture: Aperture, step: Progress) -> _Star:
    """Fit the profile in bins of wavelength; position and width become lines in the number of the plane."""
    nz = cube.shape[0]
    edges = np.unique(np.linspace(0, nz, min(BINS, nz) + 1).astype(int))
    found: list[tuple[float, Array]] = []
    for first, last in pairwise(edges):
        values = data[slice(int(first), int(last)), aperture.rows, aperture.columns].astype(float)
        good = np.isfinite(values)
        image = np.where(good, values, 0.0).sum(0) / np.maximum(good.sum(0), 1)
        fit = fit_star(np.where(good.sum(0) > 0, image, np.nan), aperture.fraction > 0)
        if fit is not None:
            found.append(((first + last - 1) / 2, fit))
        step("profile measured", int(last), nz)
    if not found:
        raise MuseError(f"there is no star in the region of {cube.path}: centre it on one, or take how='sum'")
    at = np.array([plane for plane, _ in found])
    fits = np.array([fit for _, fit in found])
    degree = 1 if len(at) > 2 else 0
    x, y, fwhm = (np.asarray(np.polyfit(at, fits[:, n], degree)) for n in range(3))
    return _Star(x, y, fwhm, float(np.median(fits[:, 3])))


def fit_star(image: Array, inside: NDArray[np.bool_]) -> Array | None:
    """Centre, FWHM and beta of the star in an image; None where there is none that stands out."""
    from scipy.optimize import least_squares

    good = np.isfinite(image) & inside
    if good.sum() < MIN_SPAXELS:
        return None
    ny, nx = image.shape
    low, high = np.percentile(image[good], (20, 99.5))
    peak = np.unravel_index(np.argmax(np.where(good, image, -np.inf)), image.shape)
    noise = float(np.std(np.diff(image, axis=1)[good[:, 1:] & good[:, :-1]])) / np.sqrt(2) if nx > 2 else 0.0
    if not high - low > noise:
        return None
    begin = np.array([peak[1], peak[0], 3.5, 2.8, (high - low) * 12, low])
    lowest = np.array([-0.5, -0.5, FWHM_LIMITS[0], BETA_LIMITS[0], 0, -np.inf])
    highest = np.array([nx - 0.5, ny - 0.5, FWHM_LIMITS[1], BETA_LIMITS[1], np.inf, np.inf])
    scale = max(high - low, 1e-30)

    def residuals(p: Array) -> Array:
        model = p[4] * _moffat(p[0], p[1], p[2], p[3], image.shape) + p[5]
        return np.asarray(((model - image) / scale)[good])

    sizes = np.array([1, 1, 1, 1, 12 * scale, scale])
    fit = least_squares(residuals, np.clip(begin, lowest, highest), bounds=(lowest, highest), x_scale=sizes)
    free = (lowest[:4] + 1e-3 < fit.x[:4]) & (fit.x[:4] < highest[:4] - 1e-3)
    x, y, fwhm, beta = fit.x[:4]
    profile = _moffat(x, y, fwhm, beta, image.shape)[good]
    error = scale * mad_sigma(fit.fun) / np.sqrt((profile**2).sum())
    return np.asarray(fit.x[:4]) if free.all() and fit.x[4] > MIN_SIGNIFICANCE * error else None
