"""PIXTABLE_REDUCEDs of any size, from the instrument's geometry alone: what the combine's benchmark and tests read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from muse_nb.products.fits.cards import card, header_block

RA, DEC = 265.175, -53.674  # NGC 6397
SPAXEL = 0.2  # arcsec
STEP = 1.25  # Angstrom
FIRST = 6000.0  # Angstrom
STACKS, SLICES, WIDTH = 4, 12, 75  # an IFU's slices: stacks side by side, slices in a stack, pixels across
COLUMNS = {"xpos": "rad", "ypos": "rad", "lambda": "Angstrom", "data": "", "dq": "", "stat": "", "origin": ""}
UNITS = {"data": "10**(-20)*erg/s/cm**2/Angstrom", "stat": "(10**(-20)*erg/s/cm**2/Angstrom)**2"}
PER_STEP = STACKS * SLICES * WIDTH  # rows of an IFU at one wavelength


def write_tables(
    folder: Path, exposures: int, rows: int, ifus: int = 8, seed: int = 1, seeing: Sequence[float] = (1.0,)
) -> list[Path]:
    """Write exposures at rotator angles 0, 90, 180 ..., dithered, with stars, noise, cosmic rays and flagged pixels.

    Parameters
    ----------
    folder
        Where.
    exposures
        How many.
    rows
        Of each table, about: a whole number of wavelengths is written.
    ifus
        Each covers 60 x 2.5 arcsec; fewer IFUs means more wavelengths.
    seed
        Of the noise.
    seeing
        Widths of the stars in turn, over those of the first sky.
    """
    folder.mkdir(parents=True, exist_ok=True)
    planes = max(2, round(rows / (ifus * PER_STEP)))
    skies = {width: _sky(np.random.default_rng(7), width) for width in seeing}
    return [
        _write(folder / f"PIXTABLE_REDUCED_{n + 1:04d}.fits", n, planes, ifus, skies[seeing[n % len(seeing)]], seed)
        for n in range(exposures)
    ]


def _sky(random: np.random.Generator, width: float) -> NDArray[np.float32]:
    """Stars on a patch of 100 arcsec in steps of 0.1 arcsec, 0.6 arcsec wide times `width`."""
    image = np.zeros((1000, 1000), np.float32)
    y, x = np.mgrid[-30:31, -30:31]
    star = (1 + (x**2 + y**2) / (28.0 * width**2)) ** -2.5 / width**2
    for _ in range(150):
        cx, cy = random.integers(40, 960, 2)
        image[cy - 30 : cy + 31, cx - 30 : cx + 31] += (star * 10 ** random.uniform(1.5, 4)).astype(np.float32)
    return image


def _write(path: Path, number: int, planes: int, ifus: int, sky: NDArray[np.float32], seed: int) -> Path:
    random = np.random.default_rng([seed, number])
    nrow = planes * ifus * PER_STEP
    angle = np.radians(90 * (number % 4))
    dither = random.uniform(-1, 1, 2)
    heads = [header_block(_primary(number, 90 * (number % 4)))]
    for name, unit in COLUMNS.items():
        bitpix = 32 if name in ("dq", "origin") else -32
        heads.append(header_block(_column(name, nrow, bitpix, UNITS.get(name, unit))))
    room = -(-4 * nrow // 2880) * 2880
    starts = np.cumsum([len(head) for head in heads])[1:] + room * np.arange(len(COLUMNS))
    with path.open("wb") as file:
        file.write(heads[0])
        for head, start in zip(heads[1:], starts, strict=True):
            file.seek(start - len(head))
            file.write(head)
        file.truncate(starts[-1] + room)
        done = 0
        for ifu in range(ifus):
            for slit in range(STACKS * SLICES):
                values = _slice(random, ifu, slit, planes, ifus, angle, dither, sky)
                for start, (name, column) in zip(starts, values.items(), strict=True):
                    file.seek(start + 4 * done)
                    file.write(column.astype(">i4" if name in ("dq", "origin") else ">f4").tobytes())
                done += planes * WIDTH
    return path


def _slice(
    random: np.random.Generator,
    ifu: int,
    slit: int,
    planes: int,
    ifus: int,
    angle: float,
    dither: NDArray[np.float64],
    sky: NDArray[np.float32],
) -> dict[str, NDArray]:
    n = planes * WIDTH
    y, x = np.divmod(np.arange(n), WIDTH)
    stack, row = divmod(slit, SLICES)
    across = ((stack - 1.5) * WIDTH + x - WIDTH / 2 + 0.5 + 0.3 * np.sin(slit)) * SPAXEL
    along = (((ifu - ifus / 2 + 0.5) * SLICES) + row - SLICES / 2 + 0.5) * SPAXEL * 1.04 + 0.0005 * y
    east = across * np.cos(angle) - along * np.sin(angle) + dither[0]
    north = across * np.sin(angle) + along * np.cos(angle) + dither[1]
    wavelength = FIRST + STEP * (y + 0.3 * np.sin(7 * slit + ifu) + 0.01 * x)
    flux = sky[np.clip((north + 50) * 10, 0, 999).astype(int), np.clip((east + 50) * 10, 0, 999).astype(int)] + 50
    stat = flux + 100
    data = flux + np.sqrt(stat) * random.standard_normal(n, np.float32)
    hits = random.random(n, np.float32) < 5e-4
    data[hits] += random.uniform(500, 1e5, hits.sum())
    radius = np.hypot(east, north) / 206264.806
    return {
        "xpos": np.arctan2(east, -north) % (2 * np.pi),
        "ypos": -np.arctan(radius),
        "lambda": wavelength,
        "data": data,
        "dq": np.where(random.random(n, np.float32) < 0.02, 256, 0),
        "stat": stat,
        "origin": (x << 24) | ((y + 1) % 8192 << 11) | ((ifu + 1) << 6) | (slit + 1),
    }


def _primary(number: int, angle: float) -> list[str]:
    cards = [
        ("SIMPLE", True),
        ("BITPIX", 8),
        ("NAXIS", 0),
        ("EXTEND", True),
        ("INSTRUME", "MUSE"),
        ("OBJECT", "NGC 6397"),
    ]
    cards += [("RA", RA), ("DEC", DEC), ("EQUINOX", 2000.0), ("EXPTIME", 60.0), ("MJD-OBS", 56865.1 + number / 1440)]
    cards += [("DATE-OBS", f"2014-07-27T{number // 60:02d}:{number % 60:02d}:00.000"), ("RADESYS", "FK5")]
    for axis, (ctype, sign) in enumerate((("RA---TAN", -1), ("DEC--TAN", 1)), 1):
        cards += [(f"CRPIX{axis}", 0.0), (f"CTYPE{axis}", ctype), (f"CUNIT{axis}", "deg")]
        cards += [(f"CD{axis}_{other}", sign * SPAXEL / 3600 if other == axis else 0.0) for other in (1, 2)]
    cards += [("ESO INS MODE", "WFM-NOAO-N"), ("ESO INS DROT POSANG", float(angle)), ("ESO INS DROT MODE", "SKY")]
    cards += [("ESO PRO CATG", "PIXTABLE_REDUCED"), ("ESO DRS MUSE PIXTABLE TYPE", "GEOFULL")]
    cards += [("ESO DRS MUSE PIXTABLE FLUXCAL", True), ("ESO DRS MUSE PIXTABLE WCS", "projected (intermediate)")]
    return [card(*pair) for pair in cards]


def _column(name: str, nrow: int, bitpix: int, unit: str) -> list[str]:
    cards = [("XTENSION", "IMAGE"), ("BITPIX", bitpix), ("NAXIS", 2), ("NAXIS1", 1), ("NAXIS2", nrow)]
    cards += [("PCOUNT", 0), ("GCOUNT", 1), ("EXTNAME", name)]
    return [card(*pair) for pair in (*cards, *((("BUNIT", unit),) if unit else ()))]
