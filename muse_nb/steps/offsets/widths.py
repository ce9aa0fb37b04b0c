"""Widths of stars: is the combined cube as sharp as its exposures?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from muse_nb.core.errors import MuseError
from muse_nb.core.robust import ERROR_OF_MEDIAN, SIGMA_OF_MAD
from muse_nb.kernels.psf import moffat_stamps
from muse_nb.products.image_fov import ImageFov
from muse_nb.steps.offsets.measurement import damage_told
from muse_nb.steps.offsets.starfit.arrays import Floats
from muse_nb.steps.offsets.starfit.frame import Frame
from muse_nb.steps.offsets.starfit.geometry import Plane, from_tangent, to_tangent
from muse_nb.steps.offsets.starfit.prepare import prepare

if TYPE_CHECKING:
    from astropy.table import Table
    from astropy.wcs import WCS

__all__ = ["star_widths"]

MIN_STARS = 5  # isolated ones that make a median
FIT_RADIUS = 2.0  # FWHM around a star that its fit looks at
STEP = 1e-3  # relative, from where it is not 0: stamps are in single precision
MIN_SIGMA, MIN_PEAK = 20.0, 10.0  # of a star: in the matched filter, and of its peak
RIVAL_DISTANCE, RIVAL_LIGHT = 3.5, 0.1  # FWHM within which no star of more than this share of its light may be
MIN_COVERAGE = 0.95, 0.9  # of a star's surroundings by data: to be chosen, to be fitted
PROFILE_ERROR = 0.02  # of the light, so that the core does not drown the flanks
MIN_PLANES = 0.5  # of those that the best pixel of a cube's white image has


@dataclass(frozen=True)
class _Image:
    """Pixels (ny, nx) of an image or of a cube's white image, and where they lie."""

    path: Path
    wcs: WCS
    data: Floats


def star_widths(
    images: str | Path | ImageFov | Iterable[str | Path | ImageFov], stars: Table | None = None, most: int = 30
) -> Table:
    """Measure the FWHM of the same isolated stars in several images.

    Parameters
    ----------
    images
        IMAGE_FOVs or cubes (their white image), paths or opened. Give single exposures and the combined cube in one
        call: only stars that all of them show are used.
    stars
        ra and dec [deg] of the stars; default: the brightest isolated ones of the last image.
    most
        How many at most.

    Returns
    -------
    astropy.table.Table
        One row an image: file, fwhm and fwhm_error [arcsec] (median over stars, and its error), beta (median Moffat
        index), n_stars, and the column `widths` with the FWHM of each star [arcsec]. `meta["stars"]` holds their
        positions. In a field where fewer than five stars stand alone, the FWHM is that of the PSF which fits all stars
        of the image, and there is no column `widths`. Where stars crowd so that their light fills the field, part of
        their wings goes into that light: all widths are then 5 to 10 % small, their ratios good to 2 %.

    Raises
    ------
    MuseError
        A file cannot be read, or no isolated star is in all images.

    Examples
    --------
    >>> images = muse_nb.survey("night").files_of("IMAGE_FOV")
    >>> widths = muse_nb.star_widths([*images, "CUBE.fits"])
    >>> print(*[f"{value:.1f}" for value in widths["fwhm"]])  # arcsec, the cube last
    0.9 0.8 0.8 0.7 0.8
    """
    from astropy.table import Table

    given = [images] if isinstance(images, str | Path | ImageFov) else list(images)
    opened = [_pixels(image) if isinstance(image, ImageFov) else _open(Path(image)) for image in given]
    if not opened:
        raise MuseError("no image was given to measure stars in")
    ny, nx = opened[-1].data.shape
    ra, dec = opened[-1].wcs.wcs_pix2world([(nx - 1) / 2], [(ny - 1) / 2], 0)
    origin = float(ra[0]), float(dec[0])
    frames = [prepare(i.data, Plane.of(i.wcs, (i.data.shape[0], i.data.shape[1]), origin)) for i in opened]
    if stars is None:
        sky = _isolated(frames[-1], 3 * most)
    else:
        sky = to_tangent(np.asarray(stars["ra"], float), np.asarray(stars["dec"], float), origin)
    widths, betas = np.full((len(frames), len(sky)), np.nan), np.full((len(frames), len(sky)), np.nan)
    for i, frame in enumerate(frames):
        shift = _shift(frame, sky)
        for k, at in enumerate(frame.plane.pixel(sky + shift)):
            widths[i, k], betas[i, k] = _fit(frame, at)
    common = np.isfinite(widths).all(0)
    if stars is None and common.sum() < MIN_STARS and len(frames) > 1:
        return _crowded(opened, frames)
    if not common.any():
        raise MuseError(f"no isolated star is seen in all of {len(frames)} images: give the stars to measure")
    chosen = np.flatnonzero(common)[:most]
    widths, betas = widths[:, chosen], betas[:, chosen]
    spread = SIGMA_OF_MAD * np.median(np.abs(widths - np.median(widths, axis=1, keepdims=True)), axis=1)
    ra, dec = from_tangent(sky[chosen], origin)
    table = Table(
        {
            "file": [str(image.path) for image in opened],
            "fwhm": np.median(widths, axis=1),
            "fwhm_error": ERROR_OF_MEDIAN * spread / np.sqrt(len(chosen)),
            "beta": np.median(betas, axis=1),
            "n_stars": np.full(len(frames), len(chosen)),
            "widths": widths,
        },
        units={"fwhm": "arcsec", "fwhm_error": "arcsec", "widths": "arcsec"},
    )
    table.meta["stars"] = {"ra": ra.tolist(), "dec": dec.tolist()}
    return table


def _crowded(images: list[_Image], frames: list[Frame]) -> Table:
    """Widths where hardly a star stands alone: of the PSF of each image in one fit of all stars to all images."""
    from astropy.table import Table

    from muse_nb.steps.offsets.starfit import psf
    from muse_nb.steps.offsets.starfit.solve import solve

    with damage_told([image.path for image in images]):
        solution = solve(frames)
    if solution.fit is None or len(solution.placed) < len(frames):
        raise MuseError(f"too few stars are seen in all of {len(frames)} images to tell their widths: name the stars")
    fitted, parts = solution.fit.linearized()
    width = np.array([psf.fwhm(frame.psf) * frame.plane.scale for frame in fitted.frames])
    error = []
    for i, frame in enumerate(fitted.frames):
        block = parts[i].shape_block[:4, :4]
        relative = np.linalg.inv(block)[::2, ::2] / np.outer(frame.psf[:3:2], frame.psf[:3:2])
        error.append(width[i] * np.sqrt(relative.sum() * max(1.0, float(solution.chi2[i]))) / 4)
    return Table(
        {
            "file": [str(image.path) for image in images],
            "fwhm": width,
            "fwhm_error": error,
            "beta": [float(frame.psf[3]) for frame in fitted.frames],
            "n_stars": fitted.active.sum(axis=1),
        },
        units={"fwhm": "arcsec", "fwhm_error": "arcsec"},
    )


def _pixels(image: ImageFov) -> _Image:
    return _Image(image.path, image.wcs, np.asarray(image.data, float))


def _open(path: Path) -> _Image:
    """An image, or the white image of a cube: the mean over wavelength, read plane by plane."""
    from muse_nb.products.header import read_all

    if not any(int(header.get("NAXIS", 0)) == 3 for header in read_all(path)):
        return _pixels(ImageFov.open(path))
    from muse_nb.products.cube_file import CubeFile

    cube = CubeFile.open(path)
    total, count = np.zeros(cube.shape[1:]), np.zeros(cube.shape[1:], int)
    for k in range(cube.shape[0]):
        plane = cube.plane(k)
        good = np.isfinite(plane)
        total[good] += plane[good]
        count += good
    white = np.where(count > MIN_PLANES * count.max(), total / np.maximum(count, 1), np.nan).astype(np.float32)
    return _Image(path, ImageFov(path, cube.primary, cube.header, 0, cube.shape[1:]).wcs, white.astype(float))


def _isolated(frame: Frame, most: int) -> Floats:
    """Bright peaks without a neighbour of a tenth of their light within 3.5 FWHM, and well inside."""
    peaks = frame.peaks
    good = []
    ny, nx = frame.shape
    for k, (x, y) in enumerate(peaks.position):
        margin = FIT_RADIUS * frame.width
        if not (margin < x < nx - 1 - margin and margin < y < ny - 1 - margin) or peaks.significance[k] < MIN_SIGMA:
            continue
        far = np.hypot(*(peaks.position - peaks.position[k]).T)
        rival = (far > 0) & (far < RIVAL_DISTANCE * frame.width) & (peaks.amplitude > RIVAL_LIGHT * peaks.amplitude[k])
        j, i = round(y), round(x)
        half = int(margin)
        if not rival.any() and frame.ok[j - half : j + half + 1, i - half : i + half + 1].mean() > MIN_COVERAGE[0]:
            good.append(k)
    return frame.plane.sky(peaks.position[good[:most]])


def _shift(frame: Frame, sky: Floats) -> Floats:
    """Offset of this image's stars, to the next peak: exposures are off by a few tenths of an arcsec."""
    if not len(sky) or not len(frame.peaks):
        return np.zeros(2)
    from muse_nb.steps.offsets.starfit.coarse import Sources, scan

    amplitude = np.full(len(sky), np.median(frame.peaks.amplitude[: len(sky)]))
    placement = scan(frame, Sources(sky, amplitude, frame.seeing), 3.0, doubt=1.0)
    return placement.offset if placement.sure else np.zeros(2)


def _fit(frame: Frame, at: Floats) -> tuple[float, float]:
    """FWHM [arcsec] and beta of one star by a free Moffat on a flat ground; NaN where it is not in the data."""
    from scipy.optimize import least_squares

    reach = int(np.ceil(FIT_RADIUS * frame.width))
    x0, y0 = np.round(at).astype(int)
    ny, nx = frame.shape
    if not (reach <= x0 < nx - reach and reach <= y0 < ny - reach):
        return np.nan, np.nan
    cut = np.s_[y0 - reach : y0 + reach + 1, x0 - reach : x0 + reach + 1]
    ok = frame.ok[cut]
    if ok.mean() < MIN_COVERAGE[1]:
        return np.nan, np.nan
    data = frame.data[cut][ok]
    peak = data.max()
    noise = np.sqrt(frame.floor + (PROFILE_ERROR * np.maximum(data, 0)) ** 2)  # the core must not drown the flanks
    centre, one, side = np.array([reach, reach], float), np.ones(1), 2 * reach + 1

    def residual(p: Floats) -> Floats:
        core = 4 * (2 ** (1 / p[6]) - 1) / p[3] ** 2
        shape = np.array([core * np.exp(p[4]), core * p[5], core * np.exp(-p[4]), p[6]])
        profile = moffat_stamps((centre + p[:2])[None], one, np.array([2 * reach]), shape, (side, side)).model
        return np.asarray((p[2] * profile[ok] + p[7] - data) / noise)

    start = [at[0] - x0 + STEP, at[1] - y0 + STEP, peak, frame.width, STEP, STEP, 2.5, STEP * peak]
    low = [-2, -2, 0, 1.0, -0.5, -0.4, 1.3, -peak]
    high = [2, 2, 10 * peak, 4 * frame.width, 0.5, 0.4, 8.0, peak]
    if not peak > MIN_PEAK * np.sqrt(frame.floor):
        return np.nan, np.nan
    fit = least_squares(residual, np.clip(start, low, high), bounds=(low, high), max_nfev=60, diff_step=STEP)
    width = fit.x[3] / (1 - fit.x[5] ** 2) ** 0.25
    moved = np.hypot(fit.x[0] - start[0], fit.x[1] - start[1])
    if not fit.success or moved > frame.width:
        return np.nan, np.nan
    return float(width * frame.plane.scale), float(fit.x[6])
