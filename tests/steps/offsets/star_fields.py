"""Small IMAGE_FOVs with stars at known offsets, drawn without any of the code under test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from numpy.typing import NDArray

from muse_nb.steps.offsets.result import Offsets

SCALE = 0.2
STARS = np.array([[0, 0], [5, 3], [-4, 6], [-6, -5], [3, -6], [7, -1], [-1, -3], [1.5, 7]], float)  # arcsec E, N
TRUE = np.array([[0, 0], [0.31, -0.22], [-0.4, 0.1], [0.15, 0.35]])  # arcsec, offsets of four exposures
PEAKS = np.array([200, 90, 150, 60, 120, 40, 30, 80], float)  # of the sky's noise


def star_image(wcs: WCS, shape: tuple[int, int], sky: NDArray, peaks: NDArray, fwhm: float, origin: tuple) -> NDArray:
    """Moffat stars, each pixel the mean of 3 x 3 points."""
    east, north = np.asarray(sky, float).reshape(-1, 2).T / 3600
    d = np.radians(origin[1])
    ra = origin[0] + east / np.cos(d + np.radians(north))  # good to a milliarcsec over 10 arcsec
    y, x = wcs.wcs_world2pix(ra, origin[1] + north, 0)[::-1]
    core = (fwhm / 2) ** 2 / (2 ** (1 / 2.5) - 1)
    image = np.zeros(shape)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    for px, py, peak in zip(x, y, peaks, strict=True):
        for dy in (-1 / 3, 0, 1 / 3):
            for dx in (-1 / 3, 0, 1 / 3):
                image += peak / 9 * (1 + ((columns + dx - px) ** 2 + (rows + dy - py) ** 2) / core) ** -2.5
    return image


def write(
    folder: Path,
    offsets: NDArray,
    *,
    sky: NDArray = STARS,
    peaks: NDArray = PEAKS,
    side: int = 96,
    origin: tuple[float, float] = (265.2, -53.7),
    angle: float = 0.0,
    posang: NDArray | None = None,
    fwhm: float = 4.0,
    seed: int = 1,
    noise: float = 1.0,
    halo: float = 0.0,
    spoil: Callable[[int, NDArray], NDArray] = lambda _, image: image,
    turns: Sequence[float] = (),
) -> list[Path]:
    """One file an exposure; `offsets` [arcsec] is where its header puts the stars minus where they are.

    `turns` [deg] are by how much the header turns the fields about their centres, from north towards east, before that.
    `spoil` takes the number and the image of an exposure, with its noise, and gives the image to write.
    """
    rng = np.random.default_rng(seed)
    files = []
    for i, offset in enumerate(np.asarray(offsets, float)):
        header = fits.Header()
        header["CTYPE1"], header["CTYPE2"] = "RA---TAN", "DEC--TAN"
        header["CRVAL1"], header["CRVAL2"] = origin
        header["CRPIX1"] = header["CRPIX2"] = (side + 1) / 2
        turn = np.radians(angle)
        cd = SCALE / 3600 * np.array([[-np.cos(turn), -np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        (header["CD1_1"], header["CD1_2"]), (header["CD2_1"], header["CD2_2"]) = cd.tolist()
        header["CUNIT1"] = header["CUNIT2"] = "deg"
        header["BUNIT"] = "10**(-20)*erg/s/cm**2/Angstrom"
        a = np.radians(turns[i]) if len(turns) else 0.0
        shown = np.asarray(sky, float) @ [[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]
        light = star_image(WCS(header), (side, side), shown + offset, peaks, fwhm, origin)
        if halo:  # a share of each peak in wings three times as wide
            light += star_image(WCS(header), (side, side), shown + offset, halo * peaks, 3 * fwhm, origin)
        image = spoil(i, light + 10 + noise * rng.normal(0, np.sqrt(1 + 0.03 * light)))
        image[:3], image[:, -3:] = np.nan, np.nan
        primary = fits.PrimaryHDU()
        primary.header["DATE-OBS"], primary.header["MJD-OBS"] = f"2014-07-27T03:{i:02d}:00.000", 56865.125 + i / 1440
        primary.header["HIERARCH ESO INS DROT POSANG"] = 90.0 * (i % 4) if posang is None else posang[i]
        unit = fits.ImageHDU(image.astype(np.float32), header, name="DATA")
        folder.mkdir(parents=True, exist_ok=True)
        files.append(folder / f"IMAGE_FOV_{i + 1:04d}.fits")
        fits.HDUList([primary, unit]).writeto(files[-1])
    return files


def resampled(image: NDArray, share: float) -> NDArray:
    """An image each of whose pixels gives a share of its light to the next, along both axes."""
    for axis in (0, 1):
        image = (1 - share) * image + share * np.roll(image, 1, axis)
    return image


def found(offsets: Offsets) -> NDArray:
    """RA and Dec offsets [arcsec]."""
    return np.c_[offsets.table["ra_offset"], offsets.table["dec_offset"]]


def within(offsets: Offsets, true: NDArray, sigma: float = 5.0) -> bool:
    """All offsets within some errors of the truth."""
    error = np.c_[offsets.table["ra_error"], offsets.table["dec_error"]]
    return bool((np.abs(found(offsets) - true) <= sigma * error + 1e-9).all())
