"""How a cube blurs: the stars' profile in the planes around a line, and the spectrograph's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.errors import MuseError
from muse_nb.core.robust import median
from muse_nb.products.cube_file import CubeFile
from muse_nb.products.spectral_axis import SpectralAxis
from muse_nb.products.voxels import Voxels
from muse_nb.steps.look.catalogue import sky_lines
from muse_nb.steps.offsets.starfit import psf as profiles
from muse_nb.steps.offsets.starfit.geometry import Plane
from muse_nb.steps.offsets.starfit.prepare import prepare
from muse_nb.steps.offsets.starfit.solve import solve

__all__ = ["Width", "line_spread", "star_profile"]

Array = NDArray[np.float64]
BAND = 120.0  # Angstrom on either side of the line whose planes show the stars
MIN_SIGMA = 10.0  # of a star that counts
MIN_SIDE = 12  # spaxels of a field in which stars can be fitted
BETAS = (1.1, 12.0)
LSF_LIMITS = (1.8, 4.0)  # FWHM that MUSE can have [Angstrom]
FAR_SKY = 250.0  # Angstrom to the farthest sky line that tells the LSF
HALF = 8.0  # Angstrom about a sky line that are fitted
VISIBLE = 0.5  # height of a sky line in STAT over what is beside it
SIGMA_TO_FWHM = 2.3548200450309493


@dataclass(frozen=True)
class Width:
    """A width and where it comes from.

    Attributes
    ----------
    fwhm : float
        [arcsec] of the PSF, [Angstrom] of the LSF.
    beta : float
        Of the PSF's Moffat; NaN of the LSF.
    source : str
        Who tells it, for a sentence.
    """

    fwhm: float
    beta: float
    source: str


def star_profile(
    cube: CubeFile, axis: SpectralAxis, at: tuple[float, float], source: tuple[float, float], size: int, scale: float
) -> Width | str:
    """Fit one Moffat to all stars of the field beside a line; a sentence where that cannot be done.

    Parameters
    ----------
    cube, axis
        The cube and its wavelengths.
    at
        Where the line begins and ends [Angstrom]: its planes are left out.
    source
        Place that is left out [spaxel from 0].
    size
        Side of the box about it [spaxel].
    scale
        Size of a spaxel [arcsec].
    """
    nz, ny, nx = cube.shape
    if min(ny, nx) < MIN_SIDE:
        return f"a field of {nx} x {ny} spaxels is too small to fit stars in"
    wide, line = axis.within(at[0] - BAND, at[1] + BAND, nz), axis.within(*at, nz)
    total, number = np.zeros((ny, nx)), np.zeros((ny, nx), int)
    voxels = Voxels(cube)
    for plane in wide:
        if plane not in line:
            values = voxels[slice(plane, plane + 1), slice(None), slice(None)][0].astype(float)
            good = np.isfinite(values)
            total[good] += values[good]
            number += good
    image = np.where(number > 0.5 * max(number.max(), 1), total / np.maximum(number, 1), np.nan)
    rows, columns = np.mgrid[:ny, :nx]
    image[np.hypot(columns - source[0], rows - source[1]) < size / 3] = np.nan
    if not np.isfinite(image).any():
        return "there is no light beside the source to look for stars in"
    origin = cube.celestial.pixel_to_world_values((nx - 1) / 2, (ny - 1) / 2)
    plane_of = Plane.of(cube.celestial, (ny, nx), (float(origin[0]), float(origin[1])))
    try:
        fit = solve([prepare(image, plane_of), prepare(image, plane_of)], radius=2.0).fit
    except (np.linalg.LinAlgError, ValueError, IndexError, FloatingPointError):  # constants, or nothing but NaN
        return "the field is not one that stars can be fitted in"
    if fit is None or not len(fit.sky):
        return "no star is seen around the source"
    sure = int((np.median(fit.significance(), axis=0) > MIN_SIGMA).sum())
    profile = fit.frames[0].psf
    if not sure or not BETAS[0] < profile[3] < BETAS[1]:
        return "no star around the source stands out enough to tell the PSF"
    text = f"{sure} star{'s' * (sure != 1)} of the field"
    return Width(float(profiles.fwhm(profile) * scale), float(profile[3]), text)


def line_spread(
    given: float | str | Path | None, cube: CubeFile, axis: SpectralAxis, at: float, box: tuple[slice, slice]
) -> Width:
    """FWHM of the line-spread function at a wavelength [Angstrom].

    As it is given; else an LSF_PROFILE's; else that of the sky lines nearby, whose photons stand in STAT; else the
    polynomial of Bacon et al. 2017, A&A 608, A1, which GalPaK3D takes by itself, too.

    Raises
    ------
    MuseError
        What is given is no width, or no LSF_PROFILE.
    """
    nan = float("nan")
    if isinstance(given, int | float):
        if not LSF_LIMITS[0] / 2 < given < 2 * LSF_LIMITS[1]:
            raise MuseError(f"an LSF of {given:g} Angstrom is none of MUSE's: give its FWHM, about 2.5 Angstrom")
        return Width(float(given), nan, "as given")
    if given is not None:
        return Width(_of_profile(Path(given), at), nan, f"{Path(given).name}")
    found = _of_sky(cube, axis, at, box)
    if found is not None:
        return Width(found[0], nan, f"sky lines in STAT ({found[1]})")
    return Width(5.835e-8 * at**2 - 9.08e-4 * at + 5.983, nan, "the polynomial of Bacon et al. 2017")


def _of_profile(path: Path, at: float) -> float:
    """FWHM by the profiles of all slices in an LSF_PROFILE of muse_lsf: images of distance and wavelength by slice."""
    from astropy.io import fits

    try:
        with fits.open(path, memmap=False) as hdus:
            parts = [hdu for hdu in hdus if hdu.header.get("EXTNAME") == "LSF_PROFILE" and hdu.data is not None]
            widths = [_half_width(hdu.data.astype(float), hdu.header, at) for hdu in parts]
    except Exception as error:  # readers of damaged files raise anything
        raise MuseError(f"{path} cannot be read as an LSF_PROFILE ({error}): give the one of muse_lsf") from error
    width = median(np.array(widths)) if widths else float("nan")
    if not LSF_LIMITS[0] < width < LSF_LIMITS[1]:
        raise MuseError(f"{path} tells no LSF at {at:.0f} Angstrom: give the LSF_PROFILE of muse_lsf, or the FWHM")
    return width


def _half_width(data: Array, header: Mapping[str, Any], at: float) -> float:
    """Width at half maximum of the mean profile of an IFU's slices at a wavelength; NaN where there is none."""
    step = float(header["CD1_1"])
    row = (at - float(header["CRVAL2"])) / float(header["CD2_2"]) + float(header["CRPIX2"]) - 1
    low = int(np.clip(np.floor(row), 0, data.shape[1] - 1))
    profile = np.nanmean(data[:, low], axis=0)
    top = int(np.nanargmax(profile))
    above = profile > profile[top] / 2
    left, right = top, top
    while left > 0 and above[left - 1]:
        left -= 1
    while right < len(profile) - 1 and above[right + 1]:
        right += 1
    if left == 0 or right == len(profile) - 1:
        return float("nan")
    half = profile[top] / 2
    begin = left - (profile[left] - half) / (profile[left] - profile[left - 1])
    end = right + (profile[right] - half) / (profile[right] - profile[right + 1])
    return float((end - begin) * step)


def _of_sky(cube: CubeFile, axis: SpectralAxis, at: float, box: tuple[slice, slice]) -> tuple[float, str] | None:
    """Mean width of the sky lines near a wavelength, in the median STAT of a box; None where none stands out."""
    from scipy.optimize import curve_fit

    if not cube.has("STAT"):
        return None
    nz, found, names = cube.shape[0], [], []
    stat = Voxels(cube, "STAT")
    for line, _name in sky_lines(axis.medium):
        planes = axis.within(line - HALF, line + HALF, nz)
        if abs(line - at) > FAR_SKY or len(planes) < 9:
            continue
        values = stat[slice(planes.start, planes.stop), box[0], box[1]].astype(float).reshape(len(planes), -1)
        spectrum = np.array([median(plane) for plane in values])
        away = axis.wavelengths(nz)[planes.start : planes.stop] - line
        ground = float(np.nanmin(spectrum)) if np.isfinite(spectrum).all() else float("nan")
        if not spectrum[np.abs(away) < 2].max(initial=0) > (1 + VISIBLE) * ground:
            continue
        try:
            (_, centre, sigma, _), _ = curve_fit(
                lambda x, height, centre, sigma, level: height * np.exp(-0.5 * ((x - centre) / sigma) ** 2) + level,
                away, spectrum / ground, (float(spectrum.max() / ground), 0.0, 1.1, 1.0),
            )  # fmt: skip
        except RuntimeError:  # no fit
            continue
        width = abs(float(sigma)) * SIGMA_TO_FWHM
        if abs(centre) < 2 and LSF_LIMITS[0] < width < LSF_LIMITS[1]:
            found.append(width)
            names.append(f"{line:.0f}")
    return (float(np.median(found)), ", ".join(names)) if found else None
