"""Cubes of stars with known fluxes: Moffat profiles that widen to the blue and drift, noise as STAT says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

RA, DEC, SCALE = 265.175, -53.674, 0.2
FIRST, STEP = 6000.0, 1.25
FWHM, BETA = 3.6, 2.8  # spaxels
SKY, GAIN = 400.0, 0.6  # variance of an empty voxel, and by how much light raises it


def celestial(ny: int, nx: int) -> WCS:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    wcs.wcs.crval, wcs.wcs.crpix = (RA, DEC), (nx / 2, ny / 2)
    wcs.wcs.cd = np.array([[-SCALE, 0], [0, SCALE]]) / 3600
    return wcs


def profile(x: float, y: float, fwhm: float, shape: tuple[int, int]) -> np.ndarray:
    """Moffat of total 1, averaged over each spaxel."""
    core2 = (fwhm / 2) ** 2 / (2 ** (1 / BETA) - 1)
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(float)
    light = np.zeros(shape)
    points = (np.arange(5) - 2) / 5
    for dy in points:
        for dx in points:
            light += (1 + ((columns + dx - x) ** 2 + (rows + dy - y) ** 2) / core2) ** -BETA
    return light / 25 * (BETA - 1) / (np.pi * core2)


def star_cube(
    path: Path, stars: list[tuple[float, float, float]], *, shape: tuple[int, int, int] = (60, 56, 60), seed: int = 1,
    stat: bool = True,
) -> tuple[Path, Table, np.ndarray]:  # fmt: skip
    """Write a cube of stars (x, y from 0, flux); give its path, the stars' places on the sky, and their spectra."""
    random = np.random.default_rng(seed)
    nz, ny, nx = shape
    wave = FIRST + STEP * np.arange(nz)
    spectra = np.array([flux * (wave / wave.mean()) ** (k % 3 - 1) for k, (_, _, flux) in enumerate(stars)])
    spectra = spectra.reshape(len(stars), nz) * (1 - 0.4 * np.exp(-0.5 * ((wave - wave.mean()) / 3) ** 2))
    light = np.zeros(shape)
    for (x, y, _), spectrum in zip(stars, spectra, strict=True):
        blue, red = (profile(x + 0.1 * s, y, FWHM * (1 - 0.02 * s), (ny, nx)) for s in (-1, 1))
        share = np.linspace(0, 1, nz)[:, None, None]
        light += spectrum[:, None, None] * ((1 - share) * blue + share * red)
    variance = SKY + GAIN * light
    data = light + np.sqrt(variance) * random.standard_normal(shape)
    header = celestial(ny, nx).to_header()
    for key in ("CDELT1", "CDELT2", "PC1_1", "PC2_2"):
        header.pop(key, None)
    header.update({"CD1_1": -SCALE / 3600, "CD2_2": SCALE / 3600, "CD1_2": 0.0, "CD2_1": 0.0, "CTYPE3": "AWAV"})
    header.update({"CUNIT3": "Angstrom", "CRPIX3": 1.0, "CRVAL3": FIRST, "CD3_3": STEP})
    header["BUNIT"] = "10**(-20)*erg/s/cm**2/Angstrom"
    hdus = [fits.PrimaryHDU(), fits.ImageHDU(data.astype("f4"), header, name="DATA")]
    hdus[0].header["MJD-OBS"] = 56865.1
    if stat:
        hdus.append(fits.ImageHDU(variance.astype("f4"), header, name="STAT"))
    fits.HDUList(hdus).writeto(path, overwrite=True)
    x, y = (np.array([star[k] for star in stars], float) for k in (0, 1))
    ra, dec = celestial(ny, nx).wcs_pix2world(x, y, 0)
    known = Table({"ID": [f"HST-{k + 1}" for k in range(len(stars))], "ra": np.array(ra), "dec": np.array(dec)})
    return path, known, spectra
