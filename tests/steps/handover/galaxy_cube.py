"""A cube with a rotating galaxy that shines in [OII] and some stars, with a noise that STAT tells or hides."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.io import fits
from scipy import ndimage

from muse_nb.simulator.galaxies import DISTANT, Galaxy, disc_points
from muse_nb.simulator.spectra import C_KM_S, LSF, magnitude_to_flux

SHAPE = (130, 60, 60)
START, STEP, SCALE = 6260.0, 1.25, 0.2
RA, DEC = 150.0, -20.0
PSF = (0.8, 2.8)  # FWHM [arcsec], beta
DISC = Galaxy(0.0, 0.0, 20.3, 0.9, 55.0, 40.0, 0.25)
STARS = ((10, 12, 18.0), (48, 14, 18.5), (12, 46, 18.2), (47, 48, 19.0), (30, 52, 18.8))  # x, y from 0, magnitude


def moffat() -> np.ndarray:
    """The PSF's image, of total 1."""
    y, x = np.mgrid[-20:21, -20:21]
    core2 = (PSF[0] / SCALE / 2) ** 2 / (2 ** (1 / PSF[1]) - 1)
    image = (1 + (x**2 + y**2) / core2) ** -PSF[1]
    return image / image.sum()


def light() -> np.ndarray:
    """The cube without noise."""
    nz, ny, nx = SHAPE
    wavelength = START + STEP * np.arange(nz)
    east, north, velocity = disc_points(DISC, DISTANT, 3000)
    x = (nx - 1) / 2 - east / SCALE
    y = (ny - 1) / 2 + north / SCALE
    flux = float(magnitude_to_flux(np.array(DISC.magnitude))) / len(x)
    cube = np.zeros(SHAPE)
    bins = np.round(velocity / 15).astype(int)
    for number in np.unique(bins):
        here = bins == number
        image = np.histogram2d(y[here], x[here], bins=(np.arange(ny + 1) - 0.5, np.arange(nx + 1) - 0.5))[0]
        v = velocity[here].mean()
        cube += flux * image * DISTANT.spectrum(wavelength / (1 + v / C_KM_S))[:, None, None]
    for sx, sy, magnitude in STARS:
        cube[:, sy, sx] += float(magnitude_to_flux(np.array(magnitude)))
    kernel = moffat()
    from scipy.signal import fftconvolve

    return np.array([fftconvolve(plane, kernel, mode="same") for plane in cube])


def write(path: Path, *, noise: float = 25.0, shared: bool = False, stat: bool = True, seed: int = 1) -> Path:
    """Write it; with `shared`, noise is smoothed over neighbours, and STAT is that of a voxel for itself."""
    random = np.random.default_rng(seed)
    draws = random.standard_normal(SHAPE)
    if shared:
        draws = ndimage.convolve(draws, np.array([[[0, 0.4, 0], [0.4, 1, 0.4], [0, 0.4, 0]]]), mode="wrap")
        draws /= np.sqrt(1 + 4 * 0.4**2)
    sky = noise * (1 + np.exp(-4 * np.log(2) * ((START + STEP * np.arange(SHAPE[0]) - 6300.3) / LSF) ** 2))
    data = light() + draws * sky[:, None, None]
    header = fits.Header()
    for axis, (kind, value, pixel, step, unit) in enumerate(
        (
            ("RA---TAN", RA, (SHAPE[2] + 1) / 2, -SCALE / 3600, "deg"),
            ("DEC--TAN", DEC, (SHAPE[1] + 1) / 2, SCALE / 3600, "deg"),
            ("AWAV", START, 1.0, STEP, "Angstrom"),
        ),
        start=1,
    ):
        header[f"CTYPE{axis}"], header[f"CRVAL{axis}"], header[f"CRPIX{axis}"] = kind, value, pixel
        header[f"CD{axis}_{axis}"], header[f"CUNIT{axis}"] = step, unit
    header["BUNIT"] = "10**(-20)*erg/s/cm**2/Angstrom"
    primary = fits.PrimaryHDU()
    primary.header["INSTRUME"] = "MUSE"
    hdus = [primary, fits.ImageHDU(data.astype(np.float32), header, name="DATA")]
    if stat:
        variance = np.broadcast_to((sky**2)[:, None, None], SHAPE)
        hdus.append(fits.ImageHDU(variance.astype(np.float32), header, name="STAT"))
    fits.HDUList(hdus).writeto(path, overwrite=True)
    return path
