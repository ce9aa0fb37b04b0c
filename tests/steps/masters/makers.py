"""Masters of one IFU as the recipes write them, on a chip of 4096 x 160 pixels, made by code; faults are planted here.

It is as wide as a real one, so that limits in pixels hold.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from astropy.io import fits

NX, NY = 4096, 160
GAIN, NOISE, FRAMES = 1.1, 2.5, 5
LAMPS = {
    "HgCd": (4799.912, 5085.822, 5460.75, 5769.61, 5790.67, 6438.47),
    "Ne": (5852.488, 6143.063, 6402.248, 6598.953, 6929.467, 7032.413, 7438.898, 8377.608),
    "Xe": (7642.024, 8231.635, 8280.116, 8819.411, 8952.251, 9045.446, 9162.652),
}


def header(kind: str, ifu: int, cards: dict[str, object], mode: str = "WFM-NOAO-N") -> fits.Header:
    made = fits.Header()
    if ifu:
        made["EXTNAME"] = f"CHAN{ifu:02d}"
    made["HIERARCH ESO PRO CATG"], made["HIERARCH ESO INS MODE"] = kind, mode
    for name, value in cards.items():
        made[f"HIERARCH {name}" if " " in name else name] = value
    return made


def write(path: Path, head: fits.Header, *parts: fits.ImageHDU | fits.BinTableHDU) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    fits.HDUList([fits.PrimaryHDU(header=head), *parts]).writeto(path, overwrite=True)
    return path


def image(name: str, values: np.ndarray, unit: str = "") -> fits.ImageHDU:
    hdu = fits.ImageHDU(values.astype(np.int32 if name == "DQ" else np.float32), name=name)
    hdu.header["BUNIT"] = unit
    return hdu


def table(columns: dict[str, np.ndarray]) -> fits.BinTableHDU:
    return fits.BinTableHDU.from_columns(
        [fits.Column(name, "J" if values.dtype.kind == "i" else "D", array=values) for name, values in columns.items()]
    )


def bias(folder: Path, ifu: int = 1, seed: int = 0, light: float = 0.0, hot: int = 0, level: float = 1200.0) -> Path:
    """A MASTER_BIAS; `light` [adu] falls on the slices, `hot` columns stand out without a flag."""
    random = np.random.default_rng(seed + 100 * ifu)
    data = random.normal(0, NOISE / GAIN / np.sqrt(FRAMES), (NY, NX))
    data[:, (np.arange(NX) - 22) % 84 < 76] += light
    data[:, 300 : 300 + 9 * hot : 9] += 20.0
    cards: dict[str, object] = {"ESO PRO DATANCOM": FRAMES}
    for n in range(1, 5):
        cards[f"ESO DET OUT{n} NX"], cards[f"ESO DET OUT{n} NY"] = NX // 2, NY // 2
        cards |= {f"ESO DET OUT{n} GAIN": GAIN, f"ESO QC BIAS MASTER{n} RON": NOISE}
        cards |= {f"ESO QC BIAS MASTER{n} RONERR": 0.1, f"ESO QC BIAS LEVEL{n} STDEV": 0.3}
        cards[f"ESO QC BIAS LEVEL{n} MEDIAN"] = level
    flags = np.zeros(data.shape)
    return write(
        folder / f"MASTER_BIAS-{ifu:02d}.fits",
        header("MASTER_BIAS", ifu, cards),
        image("DATA", data, "adu"),
        image("DQ", flags),
    )


def dark(folder: Path, ifu: int = 1, level: float = 2.0) -> Path:
    data = np.random.default_rng(7).normal(level, 3.0, (NY, NX))
    flags = np.zeros(data.shape)
    flags[::40, ::40] = 256
    head = header("MASTER_DARK", ifu, {"EXPTIME": 1800.0})
    return write(folder / f"MASTER_DARK-{ifu:02d}.fits", head, image("DATA", data, "count"), image("DQ", flags))


def edges(shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Left and right edges of the slices in the first row."""
    left = 24.0 + 84.0 * np.arange(48) + shift
    return left, left + 76.5 + 0.3 * np.sin(np.arange(48))


def trace(
    folder: Path, ifu: int = 1, shift: float = 0.0, change: Callable[[np.ndarray, np.ndarray], None] | None = None
) -> Path:
    left, right = edges(shift)
    if change is not None:
        change(left, right)
    columns = {"SliceNo": np.arange(1, 49), "Width": right - left}
    for part, start in enumerate(((left + right) / 2, left, right)):
        for power in range(6):
            slope = np.full(48, 0.002 if power == 1 else 0.0)
            columns[f"tc{part}_{power:02d}"] = start if power == 0 else slope
        columns[f"MSE{part}"] = np.full(48, 1e-4)
    cards = {f"ESO DET OUT{n} NY": NY // 2 for n in range(1, 5)}
    return write(folder / f"TRACE_TABLE-{ifu:02d}.fits", header("TRACE_TABLE", ifu, cards), table(columns))


def flat(folder: Path, ifu: int = 1, levels: tuple[float, ...] = (25000.0,) * 5, dark_slice: int = 0) -> Path:
    """A MASTER_FLAT of frames of these levels; one slice may have no light."""
    left, right = edges()
    data, flags = np.zeros((NY, NX)), np.full((NY, NX), 16384)
    for n, (first, last) in enumerate(zip(left, right, strict=True), 1):
        inside = slice(int(first), int(last) + 2)
        data[:, inside] = 0.02 if n == dark_slice else 1.1 + 0.1 * np.cos(n)
        flags[:, inside] = 64 if n == dark_slice else 0
    cards: dict[str, object] = {"ESO QC FLAT MASTER MEAN": float(np.mean(levels))}
    for n, value in enumerate(levels, 1):
        cards |= {f"ESO QC FLAT INPUT{n} MEAN": value, f"ESO QC FLAT INPUT{n} NSATURATED": 0}
    for n in range(1, 49):
        cards[f"ESO QC FLAT MASTER SLICE{n} MEAN"] = 45000.0 * (0.02 if n == dark_slice else 1.0)
    cards["ESO QC FLAT MASTER INTFLUX"] = 4e11 * float(np.mean(levels)) / 25000
    head = header("MASTER_FLAT", ifu, cards)
    return write(folder / f"MASTER_FLAT-{ifu:02d}.fits", head, image("DATA", data, "count"), image("DQ", flags))


def wavecal(
    folder: Path,
    ifu: int = 1,
    shift: float = 0.0,
    saturated: int = 0,
    wrong: int = 0,
    lamps: tuple[str, ...] = tuple(LAMPS),
) -> list[Path]:
    """A WAVECAL_TABLE and its WAVECAL_RESIDUALS; slice `wrong` was given other lines, of `lamps` alone."""
    step = 5140 / NY
    columns = {"SliceNo": np.arange(1, 49)}
    for x in range(3):
        for y in range(7):
            columns[f"wlc{x}{y}"] = np.zeros(48)
    columns["wlc00"][:] = 4600 + shift + 15 * (np.arange(48) % 3 - 1)
    columns["wlc01"][:] = step
    if wrong:
        columns["wlc01"][wrong - 1] *= 1.04
    columns["MSE"] = np.full(48, 0.03**2)
    told = {"FIT RMS": 0.027, "FIT NLINES": 70, "LINES NDET": 134, "LINES NID": 102, "LINES FWHM MEAN": 2.32}
    told |= {"RESOL": 3002.0}
    cards: dict[str, object] = {f"ESO DET OUT{n} NY": NY // 2 for n in range(1, 5)}
    cards |= {f"ESO QC WAVECAL SLICE{n} {name}": value for n in range(1, 49) for name, value in told.items()}
    cards |= {f"ESO QC WAVECAL NSATURATED LAMP{n}": saturated if n == 3 else 0 for n in (3, 4, 5)}
    first = write(folder / f"WAVECAL_TABLE-{ifu:02d}.fits", header("WAVECAL_TABLE", ifu, cards), table(columns))
    lines = np.array([line for lamp in lamps for line in LAMPS[lamp]])
    many = np.tile(np.repeat(lines, 5), 48)
    random = np.random.default_rng(3)
    rows = {
        "slice": np.repeat(np.arange(1, 49), 5 * lines.size),
        "iteration": np.ones(many.size, int),
        "lambda": many,
        "residual": random.normal(0, 0.02, many.size),
        "rejlimit": np.full(many.size, 0.1),
    }
    head = header("WAVECAL_RESIDUALS", ifu, {})
    return [first, write(folder / f"WAVECAL_RESIDUALS-{ifu:02d}.fits", head, table(rows))]


def lsf(folder: Path, ifu: int = 1, fwhm: float = 2.5, wide: int = 0) -> Path:
    """An LSF_PROFILE of Gaussians; slice `wide` is out of focus."""
    away = -7.5 + 0.1 * np.arange(150)
    widths = np.full((48, 30), fwhm)
    if wide:
        widths[wide - 1] *= 1.8
    hdu = image("LSF_PROFILE", np.exp(-4 * np.log(2) * (away / widths[..., None]) ** 2))
    for n, (value, step) in enumerate(((-7.5, 0.1), (4650.0, 160.34)), 1):
        hdu.header[f"CRVAL{n}"], hdu.header[f"CRPIX{n}"], hdu.header[f"CD{n}_{n}"] = value, 1.0, step
    return write(folder / f"LSF_PROFILE-{ifu:02d}.fits", header("LSF_PROFILE", ifu, {}), hdu)


def twilight(folder: Path, dim: int = 0, seams: bool = False) -> Path:
    """A TWILIGHT_CUBE with a gradient; IFU `dim` has half of the light, IFUs may have `seams`."""
    y, x = np.mgrid[-1:1:60j, -1:1:70j]
    cube = np.repeat((1 + 0.04 * x - 0.02 * y)[None], 5, axis=0)
    if seams:
        cube *= 1 + 0.25 * (np.arange(60) // 6 % 2)[:, None]
    cube[:, :2] = np.nan
    cards = {f"ESO DRS MUSE FLAT FLUX SKY{n}": 2.4e11 * (0.5 if n == dim else 1 + 0.002 * n) for n in range(1, 25)}
    return write(folder / "TWILIGHT_CUBE.fits", header("TWILIGHT_CUBE", 0, cards), image("DATA", cube))


def response(folder: Path, factor: float = 1.0, tilt: float = 0.0, lines: float = 0.0) -> Path:
    """A STD_RESPONSE near that of MUSE; of another star by a factor, a tilt [mag over the range] or `lines` [mag]."""
    wavelength = np.arange(4700.0, 9400.0, 10.0)
    throughput = 0.12 + 0.22 * np.exp(-(((wavelength - 6800) / 2000) ** 2))
    magnitude = 2.5 * np.log10(throughput * factor * wavelength * 483250.765 / 1.98644586e-8)
    magnitude += tilt * (wavelength - 7000) / 4600
    rough = magnitude + lines * np.exp(-(((wavelength - 6562.8) / 20) ** 2))
    columns = {"lambda": wavelength, "response": magnitude, "resperr": np.full(wavelength.size, 0.01)}
    return write(
        folder / "STD_RESPONSE_0001.fits",
        header("STD_RESPONSE", 0, {}),
        table(columns | {"response_unsmoothed": rough}),
    )


def telluric(folder: Path, depth: float = 0.6, star: float = 0.0) -> Path:
    """A STD_TELLURIC; `star` is the depth of one of the star's own lines that was taken for the atmosphere's."""
    wavelength = np.arange(6000.0, 9400.0, 1.25)
    transmission = np.ones(wavelength.size)
    for centre, width, part in ((6880.0, 20.0, 0.5), (7610.0, 30.0, 1.0)):
        transmission -= depth * part * np.exp(-(((wavelength - centre) / width) ** 2))
    transmission -= star * np.exp(-(((wavelength - 6562.8) / 8) ** 2))
    columns = {"lambda": wavelength, "ftelluric": transmission, "ftellerr": np.full(wavelength.size, 0.01)}
    return write(folder / "STD_TELLURIC_0001.fits", header("STD_TELLURIC", 0, {}), table(columns))


def astrometry(folder: Path, scale: float = 0.2, angle: float = 0.0, stars: int = 20, mode: str = "WFM-NOAO-N") -> Path:
    c, s = np.cos(np.radians(angle)) * scale / 3600, np.sin(np.radians(angle)) * scale / 3600
    cards = {"CD1_1": -c, "CD1_2": s, "CD2_1": s, "CD2_2": c, "ESO QC ASTRO NSTARS": stars}
    return write(folder / "ASTROMETRY_WCS_0001.fits", header("ASTROMETRY_WCS", 0, cards, mode))


def night(folder: Path, ifu: int = 1) -> Path:
    """A good master of every kind."""
    for make in (bias, dark, trace, flat, wavecal, lsf):
        make(folder, ifu)
    for whole in (twilight, response, telluric, astrometry):
        whole(folder)
    return folder


def merged(paths: list[Path], target: Path) -> Path:
    """One file with an extension, or three, for each IFU, as the recipes' --merge makes it."""
    parts: list[fits.ImageHDU | fits.BinTableHDU] = []
    for path in paths:
        with fits.open(path, memmap=False) as opened:
            channel = opened[0].header["EXTNAME"]
            for hdu in opened[1:]:
                part = hdu.copy()
                for card in opened[0].header.cards:
                    if card.keyword.startswith(("ESO QC", "ESO DET", "ESO DRS")):
                        part.header[f"HIERARCH {card.keyword}"] = card.value
                part.header["EXTNAME"] = f"{channel}.{hdu.name}" if hdu.name else channel
                parts.append(part)
            common = opened[0].header.copy()
    for keyword in [key for key in common if key.startswith(("ESO QC", "ESO DET", "ESO DRS"))] + ["EXTNAME"]:
        common.remove(keyword, ignore_missing=True)
    return write(target, common, *parts)
