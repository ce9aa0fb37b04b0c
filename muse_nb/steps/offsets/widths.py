"""Widths of stars: is the combined cube as sharp as its exposures?"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.errors import MuseError
from muse_nb.kernels.psf import moffat_stamps
from muse_nb.products.image_fov import ImageFov
from muse_nb.steps.offsets.measurement import damage_told
from muse_nb.steps.offsets.starfit.frame import Frame
from muse_nb.steps.offsets.starfit.geometry import Plane, from_tangent, to_tangent

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["star_widths"]

ENOUGH = 5  # isolated stars that make a median
REACH = 2.0  # FWHM around a star that its fit looks at
STEP = 1e-3  # relative, from where it is not 0: stamps are in single precision


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
    """
    from astropy.table import Table

    given = [images] if isinstance(images, str | Path | ImageFov) else list(images)
    opened = [image if isinstance(image, ImageFov) else _open(Path(image)) for image in given]
    if not opened:
        raise MuseError("no image was given to measure stars in")
    ny, nx = opened[-1].data.shape
    origin = tuple(float(v[0]) for v in opened[-1].wcs.wcs_pix2world([(nx - 1) / 2], [(ny - 1) / 2], 0))
    frames = [
        Frame(np.asarray(i.data, float), Plane.of(i.wcs, i.data.shape, origin))  # type: ignore[arg-type]
        for i in opened
    ]
    if stars is None:
        sky = _isolated(frames[-1], 3 * most)
    else:
        sky = to_tangent(np.asarray(stars["ra"], float), np.asarray(stars["dec"], float), origin)  # type: ignore[arg-type]
    widths, betas = np.full((len(frames), len(sky)), np.nan), np.full((len(frames), len(sky)), np.nan)
    for i, frame in enumerate(frames):
        shift = _shift(frame, sky)
        for k, at in enumerate(frame.plane.pixel(sky + shift)):
            widths[i, k], betas[i, k] = _fit(frame, at)
    common = np.isfinite(widths).all(0)
    if stars is None and common.sum() < ENOUGH and len(frames) > 1:
        return _crowded(opened, frames)
    if not common.any():
        raise MuseError(f"no isolated star is seen in all of {len(frames)} images: give the stars to measure")
    chosen = np.flatnonzero(common)[:most]
    widths, betas = widths[:, chosen], betas[:, chosen]
    spread = 1.4826 * np.median(np.abs(widths - np.median(widths, axis=1, keepdims=True)), axis=1)
    ra, dec = from_tangent(sky[chosen], origin)  # type: ignore[arg-type]
    table = Table(
        {
            "file": [str(image.path) for image in opened],
            "fwhm": np.median(widths, axis=1),
            "fwhm_error": 1.253 * spread / np.sqrt(len(chosen)),
            "beta": np.median(betas, axis=1),
            "n_stars": np.full(len(frames), len(chosen)),
            "widths": widths,
        },
        units={"fwhm": "arcsec", "fwhm_error": "arcsec", "widths": "arcsec"},
    )
    table.meta["stars"] = {"ra": ra.tolist(), "dec": dec.tolist()}
    return table


def _crowded(images: list[ImageFov], frames: list[Frame]) -> Table:
    """Widths where hardly a star stands alone: of the PSF of each image in one fit of all stars to all images."""
    from astropy.table import Table

    from muse_nb.steps.offsets.starfit import psf
    from muse_nb.steps.offsets.starfit.solve import solve

    with damage_told(images):
        solution = solve(frames)
    if solution.fit is None or len(solution.placed) < len(frames):
        raise MuseError(f"too few stars are seen in all of {len(frames)} images to tell their widths: name the stars")
    frames = solution.fit.frames
    width = np.array([psf.fwhm(frame.psf) * frame.plane.scale for frame in frames])
    error = []
    for i, frame in enumerate(frames):
        block = solution.fit.frame_equations(i).shape_block[:4, :4]
        relative = np.linalg.inv(block)[::2, ::2] / np.outer(frame.psf[:3:2], frame.psf[:3:2])
        error.append(width[i] * np.sqrt(relative.sum() * max(1.0, float(solution.chi2[i]))) / 4)
    return Table(
        {
            "file": [str(image.path) for image in images],
            "fwhm": width,
            "fwhm_error": error,
            "beta": [float(frame.psf[3]) for frame in frames],
            "n_stars": solution.fit.active.sum(axis=1),
        },
        units={"fwhm": "arcsec", "fwhm_error": "arcsec"},
    )


def _open(path: Path) -> ImageFov:
    """An image, or the white image of a cube: the mean over wavelength, read plane by plane."""
    from muse_nb.products.header import read_all

    if not any(int(header.get("NAXIS", 0)) == 3 for header in read_all(path)):
        return ImageFov.open(path)
    from muse_nb.products.cube_file import CubeFile

    cube = CubeFile.open(path)
    total, count = np.zeros(cube.shape[1:]), np.zeros(cube.shape[1:], int)
    for k in range(cube.shape[0]):
        plane = cube.plane(k)
        good = np.isfinite(plane)
        total[good] += plane[good]
        count += good
    white = np.where(count > 0.5 * count.max(), total / np.maximum(count, 1), np.nan).astype(np.float32)
    image = ImageFov(path, cube.primary, cube.header, 0, white.shape)
    image.__dict__["data"] = white  # what `data` would read from an IMAGE_FOV
    return image


def _isolated(frame: Frame, most: int) -> NDArray:
    """Bright peaks without a neighbour of a tenth of their light within 3.5 FWHM, and well inside."""
    peaks = frame.peaks
    good = []
    ny, nx = frame.shape
    for k, (x, y) in enumerate(peaks.position):
        margin = REACH * frame.width
        if not (margin < x < nx - 1 - margin and margin < y < ny - 1 - margin) or peaks.significance[k] < 20:
            continue
        far = np.hypot(*(peaks.position - peaks.position[k]).T)
        rival = (far > 0) & (far < 3.5 * frame.width) & (peaks.amplitude > 0.1 * peaks.amplitude[k])
        j, i = round(y), round(x)
        half = int(margin)
        if not rival.any() and frame.ok[j - half : j + half + 1, i - half : i + half + 1].mean() > 0.95:
            good.append(k)
    return frame.plane.sky(peaks.position[good[:most]])


def _shift(frame: Frame, sky: NDArray) -> NDArray:
    """Offset of this image's stars, to the next peak: exposures are off by a few tenths of an arcsec."""
    if not len(sky) or not len(frame.peaks):
        return np.zeros(2)
    from muse_nb.steps.offsets.starfit.coarse import Sources, scan

    amplitude = np.full(len(sky), np.median(frame.peaks.amplitude[: len(sky)]))
    placement = scan(frame, Sources(sky, amplitude, frame.seeing), 3.0, doubt=1.0)
    return placement.offset if placement.sure else np.zeros(2)


def _fit(frame: Frame, at: NDArray) -> tuple[float, float]:
    """FWHM [arcsec] and beta of one star by a free Moffat on a flat ground; NaN where it is not in the data."""
    from scipy.optimize import least_squares

    reach = int(np.ceil(REACH * frame.width))
    x0, y0 = np.round(at).astype(int)
    ny, nx = frame.shape
    if not (reach <= x0 < nx - reach and reach <= y0 < ny - reach):
        return np.nan, np.nan
    cut = np.s_[y0 - reach : y0 + reach + 1, x0 - reach : x0 + reach + 1]
    ok = frame.ok[cut]
    if ok.mean() < 0.9:
        return np.nan, np.nan
    data = frame.data[cut][ok]
    peak = data.max()
    noise = np.sqrt(frame.floor + (0.02 * np.maximum(data, 0)) ** 2)  # the core must not drown the flanks
    centre, one, side = np.array([reach, reach], float), np.ones(1), 2 * reach + 1

    def residual(p: NDArray) -> NDArray:
        core = 4 * (2 ** (1 / p[6]) - 1) / p[3] ** 2
        shape = np.array([core * np.exp(p[4]), core * p[5], core * np.exp(-p[4]), p[6]])
        profile = moffat_stamps((centre + p[:2])[None], one, np.array([2 * reach]), shape, (side, side)).model
        return (p[2] * profile[ok] + p[7] - data) / noise

    start = [at[0] - x0 + STEP, at[1] - y0 + STEP, peak, frame.width, STEP, STEP, 2.5, STEP * peak]
    low = [-2, -2, 0, 1.0, -0.5, -0.4, 1.3, -peak]
    high = [2, 2, 10 * peak, 4 * frame.width, 0.5, 0.4, 8.0, peak]
    if not peak > 10 * np.sqrt(frame.floor):
        return np.nan, np.nan
    fit = least_squares(residual, np.clip(start, low, high), bounds=(low, high), max_nfev=60, diff_step=STEP)
    width = fit.x[3] / (1 - fit.x[5] ** 2) ** 0.25
    moved = np.hypot(fit.x[0] - start[0], fit.x[1] - start[1])
    if not fit.success or moved > frame.width:
        return np.nan, np.nan
    return float(width * frame.plane.scale), float(fit.x[6])
