"""Fluxes of a cube against those of the stars that were in the field: the truth is rendered and fitted to the cube."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from muse_nb.products.cube_file import CubeFile
from muse_nb.simulator import spectra
from muse_nb.simulator.compare.products import Product
from muse_nb.simulator.compare.truth import Truth
from muse_nb.simulator.rendering import OVERSAMPLING, box_transfer, moffat_transfer, splat

if TYPE_CHECKING:
    from astropy.table import Row, Table

__all__ = ["compare_flux"]

BANDS = (5000.0, 5700.0, 6450.0, 7200.0, 8100.0, 9100.0)  # without strong lines of the sky [Angstrom]
HALF_WIDTH = 30.0  # [Angstrom]
MARGIN = 8  # around the cube, for stars outside [spaxel]
WIDER = 1.05  # than the seeing is what the drizzle makes of it, to begin with
BLUR = 3.0  # sigma [spaxel]
BORDER = 3  # the outermost slices are not covered by others [spaxel]


def compare_flux(products: Sequence[Product], truth: Truth) -> tuple[float, str]:
    """Fluxes of the stars in the science cube: the largest relative difference of six bands.

    The stars are rendered as the simulator does; their common shift, the width of their profile, the scale of their
    fluxes and a constant sky are fitted to the median image of each band. Both are blurred first: the drizzle of a
    single exposure spoils a star's peak by 10 %, but not its flux.
    """
    found: list[tuple[float, float]] = []
    exposure = truth.exposure
    for one in products if exposure is not None else ():
        cube = CubeFile.open(one.path)
        found += [(band, _scale(image, cube, truth["stars"], exposure, band)) for band, image in _images(cube)]
    value = max((abs(scale - 1) for _, scale in found), default=math.nan)
    listed = ", ".join(f"{scale:.4f} at {band:.0f}" for band, scale in found)
    return value, f"fluxes of the stars over the true ones: {listed} Angstrom"


def _images(cube: CubeFile) -> list[tuple[float, np.ndarray]]:
    """Give the median images of the bands that the cube has: cosmic rays of a single exposure stay in its cube."""
    wavelength = cube.axis.wavelengths(cube.shape[0])
    images = []
    with cube.reader() as read:
        for band in BANDS:
            planes = np.flatnonzero(np.abs(wavelength - band) < HALF_WIDTH)
            if planes.size and wavelength[0] < band - HALF_WIDTH and wavelength[-1] > band + HALF_WIDTH:
                stack = np.array([np.array(read(int(k)), float) for k in planes])
                full = np.isfinite(stack).mean(axis=0) > 0.5
                image = np.full(full.shape, np.nan)
                image[full] = np.nanmedian(stack[:, full], axis=0)
                images.append((band, image))
    return images


def _scale(image: np.ndarray, cube: CubeFile, stars: Table, exposure: Row, band: float) -> float:
    """Flux in the image over the true flux."""
    from scipy import fft
    from scipy.ndimage import gaussian_filter
    from scipy.optimize import minimize

    size = [fft.next_fast_len(OVERSAMPLING * (n + 2 * MARGIN)) for n in image.shape]
    x, y = cube.celestial.all_world2pix(np.asarray(stars["ra"]), np.asarray(stars["dec"]), 0)
    light = np.asarray(stars["flux"]) * _colour(stars, band) * float(exposure["transparency"])
    points = splat((x + MARGIN) * OVERSAMPLING, (y + MARGIN) * OVERSAMPLING, light, size)
    spectrum = fft.fft2(points)
    frequency = fft.fftfreq(size[0])[:, None], fft.fftfreq(size[1])[None, :]
    spaxel = box_transfer(frequency[0]) * box_transfer(frequency[1]) * OVERSAMPLING**2
    inner = tuple(slice(OVERSAMPLING * MARGIN, OVERSAMPLING * (MARGIN + n), OVERSAMPLING) for n in image.shape)
    beta = float(exposure["beta"])
    use = np.isfinite(image)
    use[:BORDER], use[-BORDER:], use[:, :BORDER], use[:, -BORDER:] = False, False, False, False

    def blurred(values: np.ndarray) -> np.ndarray:
        smooth: np.ndarray = gaussian_filter(np.where(use, values, 0.0), BLUR, mode="constant")[use]
        return smooth

    wanted, sky = blurred(image), blurred(np.ones(image.shape))

    def fitted(values: np.ndarray) -> tuple[float, float]:
        dx, dy, fwhm = values * OVERSAMPLING
        shift = np.exp(-2j * np.pi * (frequency[0] * dy + frequency[1] * dx))
        model = fft.ifft2(spectrum * spaxel * moffat_transfer(size, fwhm, beta) * shift).real[inner]
        matrix = np.stack([blurred(model), sky]).T
        answer, *_ = np.linalg.lstsq(matrix, wanted, rcond=None)
        return float(answer[0]), float(((wanted - matrix @ answer) ** 2).sum())

    arcsec = abs(cube.celestial.pixel_scale_matrix[1, 1]) * 3600
    east, north = _pointing_error(exposure)
    seeing = float(exposure["seeing"]) * (band / 7000.0) ** -0.2 / arcsec
    start = np.array([east / arcsec, -north / arcsec, WIDER * seeing])
    simplex = start + np.vstack([np.zeros(3), np.diag([0.3, 0.3, 0.1 * seeing])])
    best = minimize(
        lambda values: fitted(values)[1] if values[2] > 1 else np.inf,
        start,
        method="Nelder-Mead",
        options={"initial_simplex": simplex, "xatol": 1e-3, "fatol": np.inf, "maxfev": 150},
    )
    return fitted(best.x)[0]


def _pointing_error(exposure: Row) -> tuple[float, float]:
    """True minus header pointing, east and north [arcsec]: the cube's stars lie on the other side."""
    east = (exposure["true_ra"] - exposure["ra"]) * math.cos(math.radians(exposure["dec"]))
    return 3600 * float(east), 3600 * float(exposure["true_dec"] - exposure["dec"])


def _colour(stars: Table, band: float) -> np.ndarray:
    """Flux of the stars in a band, the median as in the images, relative to that at 6500 Angstrom."""
    wavelength = np.arange(band - HALF_WIDTH, band + HALF_WIDTH, 1.25)
    warm, cool = np.median(spectra.warm_star(wavelength)), np.median(spectra.cool_star(wavelength))
    share = np.asarray(stars["warm"])
    colour: np.ndarray = share * warm + (1 - share) * cool
    return colour
