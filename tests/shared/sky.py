"""Small MUSE files with known contents, written where a notebook can find them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.io import fits

from muse_nb.products.image_fov import write_image_fov
from muse_nb.products.object_red import write_object_red

DATES = ["2014-07-27T03:12:00.000", "2014-07-27T03:16:00.000", "2014-07-27T03:20:00.000"]
OFFSETS = np.array([(0.0, 0.0), (0.31, -0.22), (-0.18, 0.27)])  # arcsec east and north: header minus true
STARS = np.array([(30.3, 41.7, 900), (88.6, 35.2, 700), (62.4, 90.8, 1200), (104.1, 76.3, 500), (22.8, 99.5, 600)])


def primary(date: str) -> fits.Header:
    header = fits.Header()
    header["INSTRUME"], header["DATE-OBS"], header["OBJECT"] = "MUSE", date, "<b>field</b>"
    header["MJD-OBS"] = 56865.1333 + DATES.index(date) * 240 / 86400
    header["RA"], header["DEC"], header["EXPTIME"] = 265.175, -53.674, 60.0
    header["HIERARCH ESO INS MODE"], header["HIERARCH ESO INS DROT POSANG"] = "WFM-NOAO-N", 90.0 * DATES.index(date)
    return header


def object_reds(folder: Path, shape: tuple[int, int] = (300, 400)) -> list[Path]:
    """Three IFUs of two exposures; each has a hot pixel at column 30, row 40 and cosmic rays in a row."""
    paths = []
    for number, date in enumerate(DATES[:2], 1):
        for ifu in (10, 11, 12):
            random = np.random.default_rng(100 * number + ifu)
            data = random.normal(10 * ifu, 3, shape).astype(np.float32)
            dq = np.zeros(shape, np.int32)
            data[40, 30], dq[40, 30], dq[100, 50:80] = 4321.5, 256, 32
            header = primary(date)
            header["EXTNAME"], header["HIERARCH ESO PRO CATG"] = f"CHAN{ifu:02d}", "OBJECT_RED"
            paths.append(folder / f"OBJECT_RED_{number:04d}-{ifu:02d}.fits")
            write_object_red(paths[-1], header, data, dq, np.full(shape, 9, np.float32))
    return paths


def images(folder: Path, size: int = 128, scale: float = 0.2) -> list[Path]:
    """Three exposures of the same stars; the offsets of their headers are `OFFSETS`."""
    y, x = np.indices((size, size))
    paths = []
    for number, (date, shift) in enumerate(zip(DATES, OFFSETS, strict=True), 1):
        image = np.random.default_rng(number).normal(0, 2, (size, size))
        for x0, y0, peak in STARS:
            apart = (x - x0 + shift[0] / scale) ** 2 + (y - y0 - shift[1] / scale) ** 2
            image += peak * (1 + apart / 4.5) ** -2.5
        header = fits.Header()
        header["CRPIX1"] = header["CRPIX2"] = size / 2
        header["CRVAL1"], header["CRVAL2"] = 265.175, -53.674
        header["CTYPE1"], header["CTYPE2"] = "RA---TAN", "DEC--TAN"
        header["CD1_1"], header["CD2_2"], header["CD1_2"], header["CD2_1"] = -scale / 3600, scale / 3600, 0.0, 0.0
        header["CUNIT1"] = header["CUNIT2"] = "deg"
        header["EXTNAME"], header["BUNIT"] = "DATA", "10**(-20)*erg/s/cm**2/Angstrom"
        top = primary(date)
        top["HIERARCH ESO PRO CATG"] = "IMAGE_FOV"
        paths.append(folder / f"IMAGE_FOV_{number:04d}.fits")
        write_image_fov(paths[-1], top, header, image.astype(np.float32))
    return paths


def cube(path: Path, shape: tuple[int, int, int] = (60, 50, 40)) -> Path:
    """A cube with a hole at x 20, y 30 from plane 10 to 19, a border outside the field, staggered ends."""
    data = np.random.default_rng(5).normal(5, 1, shape).astype(np.float32)
    data[10:20, 30, 20] = np.nan
    data[:, :, :3], data[:4, 10:20, 5:15] = np.nan, np.nan
    unit = fits.ImageHDU(data, name="DATA")
    header = unit.header
    header["CRPIX1"], header["CRPIX2"], header["CRPIX3"] = 20.0, 25.0, 1.0
    header["CRVAL1"], header["CRVAL2"], header["CRVAL3"] = 265.175, -53.674, 4750.0
    header["CTYPE1"], header["CTYPE2"], header["CTYPE3"] = "RA---TAN", "DEC--TAN", "AWAV"
    header["CUNIT1"], header["CUNIT2"], header["CUNIT3"] = "deg", "deg", "Angstrom"
    header["CD1_1"], header["CD2_2"], header["CD3_3"] = -0.2 / 3600, 0.2 / 3600, 1.25
    header["BUNIT"] = "10**(-20)*erg/s/cm**2/Angstrom"
    fits.HDUList([fits.PrimaryHDU(header=primary(DATES[0])), unit]).writeto(path)
    return path
