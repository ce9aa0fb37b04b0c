"""A cube to look at: a star, a turning disc in H alpha, a hole, and their noise in STAT."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.io import fits

SHAPE = (120, 40, 48)
STAR = (33.0, 12.0)  # x, y from 0
FIRST, STEP, Z = 6500.0, 1.25, 0.001
NOISE = 2.0


def look_cube(path: Path, *, stat: bool = True, seed: int = 3, level: float = 1.0) -> Path:
    """Write it; the hole is at x 20, y 30 in planes 50 to 59."""
    nz, ny, nx = SHAPE
    y, x = np.mgrid[:ny, :nx].astype(float)
    wave = FIRST + STEP * np.arange(nz)
    fine = np.linspace(-0.4, 0.4, 5)  # a spaxel collects the light of its area
    star = (
        sum(300 * (1 + ((x + u - STAR[0]) ** 2 + (y + v - STAR[1]) ** 2) / 6) ** -2.5 for u in fine for v in fine) / 25
    )
    velocity = 120 * np.tanh((x - 14) / 6)
    disc = 60 * np.exp(-np.hypot(x - 14, y - 24) / 6)
    centre = 6562.79 * (1 + Z) * (1 + velocity / 299792.458)
    data = level * (star + 3 + disc * np.exp(-0.5 * ((wave[:, None, None] - centre) / 1.6) ** 2))
    data += np.random.default_rng(seed).normal(0, NOISE, SHAPE)
    data[50:60, 30, 20] = np.nan
    data[:, :, 46:] = np.nan
    header = fits.Header()
    header.update(
        CTYPE1="RA---TAN", CTYPE2="DEC--TAN", CTYPE3="AWAV", CUNIT1="deg", CUNIT2="deg", CUNIT3="Angstrom",
        CRPIX1=24.0, CRPIX2=20.0, CRPIX3=1.0, CRVAL1=150.0, CRVAL2=-30.0, CRVAL3=FIRST,
        CD1_1=-0.2 / 3600, CD1_2=0.0, CD2_1=0.0, CD2_2=0.2 / 3600, CD3_3=STEP,
        BUNIT="10**(-20)*erg/s/cm**2/Angstrom",
    )  # fmt: skip
    hdus = [fits.PrimaryHDU(), fits.ImageHDU(data.astype("f4"), header, name="DATA")]
    if stat:
        hdus.append(fits.ImageHDU(np.full(SHAPE, NOISE**2, "f4"), header, name="STAT"))
    fits.HDUList(hdus).writeto(path)
    return path
