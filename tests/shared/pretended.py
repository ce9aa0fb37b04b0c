"""A pretended pipeline: an ``esorex`` that makes small products of what it is given, and a night of small raw frames.

What is tested with it is who runs recipes, when and why; what recipes do is tested with ESO's own.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from muse_nb.recipes import backends, run

ESOREX = """#!{python} -IS
import hashlib, os, sys, time
words = sys.argv[1:]
recipe = next(w for w in words if w.startswith("muse_"))
if "--params" in words:
    print("Recipe Parameters\\n  nifu : 0\\n  line_quality : 3\\n  residuals : FALSE")
    print("  saveimage : TRUE\\n  filter : white")
    sys.exit()
MADE = {{
    "muse_bias": ["MASTER_BIAS"], "muse_dark": ["MASTER_DARK"], "muse_flat": ["MASTER_FLAT", "TRACE_TABLE"],
    "muse_wavecal": ["WAVECAL_TABLE", "WAVECAL_RESIDUALS"], "muse_lsf": ["LSF_PROFILE"],
    "muse_twilight": ["TWILIGHT_CUBE"], "muse_scibasic": ["PIXTABLE_STD"],
    "muse_standard": ["STD_RESPONSE", "STD_TELLURIC"],
}}
frames = [line.split() for line in open("frames.sof")]
ifu = int(dict(w.lstrip("-").split("=") for w in words if "=" in w).get("nifu", 0))
digest = hashlib.md5(repr(sorted(w for w in words if "=" in w and "dir" not in w)).encode())
for path, tag in frames:
    cards = open(path, "rb").read()
    digest.update(b"".join(cards[i:i + 80] for i in range(0, len(cards), 80) if cards[i:i + 5] != b"DATE "))
def card(key, value):
    return f"{{key:8}}= {{value:>20}}".ljust(80)
def header(*cards):
    text = "".join(cards) + "END".ljust(80)
    return text.ljust(-(-len(text) // 2880) * 2880).encode()
fails = os.environ.get("PRETEND_FAILS", "")
for tag in MADE[recipe]:
    name = f"{{tag}}{{'_0001' if tag[:3] in ('PIX', 'STD') else ''}}{{f'-{{ifu:02d}}' if ifu else ''}}.fits"
    first = header(card("SIMPLE", "T"), card("BITPIX", "8"), card("NAXIS", "0"), card("DATE", repr(str(time.time()))),
                   f"HIERARCH ESO PRO CATG = '{{tag}}'".ljust(80), card("MJD-OBS", "57920.5"),
                   f"HIERARCH ESO INS MODE = 'WFM-NOAO-N'".ljust(80))
    image = header(card("XTENSION", "'IMAGE   '"), card("BITPIX", "8"), card("NAXIS", "1"), card("NAXIS1", "32"),
                   card("PCOUNT", "0"), card("GCOUNT", "1"),
                   card("EXTNAME", repr(f"CHAN{{ifu:02d}}" if ifu else "DATA")))
    whole = first + image + digest.hexdigest().encode().ljust(2880, b"\\0")
    with open("products/" + name, "wb") as file:
        file.write(whole[:4000])
        file.flush()
        time.sleep(float(os.environ.get("PRETEND_SECONDS", "0")))
        file.write(whole[4000:])
if fails and recipe in fails:
    print("[ ERROR ] " + recipe + ": the lamp was off")
    sys.exit(255)
with open(os.environ["PRETEND_LOG"], "a") as log:
    log.write(f"{{recipe}} {{ifu}}\\n")
"""


def pretend(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a pretended pipeline before any other; return the file in which it writes down what it made."""
    plugins, programs = folder / "plugins" / "muse-9.9.9", folder / "bin"
    for place in (plugins, programs):
        place.mkdir(parents=True, exist_ok=True)
    names = ("bias", "dark", "flat", "wavecal", "lsf", "twilight", "scibasic", "standard")
    for name in names:
        (plugins / f"muse_{name}.so").touch()
    esorex = programs / "esorex"
    esorex.write_text(ESOREX.format(python=sys.executable))
    esorex.chmod(0o755)
    log = folder / "made.log"
    log.touch()
    monkeypatch.setenv("ESOREX_RECIPE_DIR", str(plugins))
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    monkeypatch.setenv("PRETEND_LOG", str(log))
    for cached in (backends.available, run.known_parameters):
        cached.cache_clear()
    return log


def raw_night(folder: Path, ifus: tuple[int, ...] = (1, 2)) -> Path:
    """Write raw frames with a few pixels each, and static calibrations in ``static`` beside them."""
    raw, static = folder / "raw", folder / "static"
    frames = [
        ("BIAS", 3),
        ("FLAT,LAMP", 3),
        ("WAVE", 3),
        ("FLAT,SKY", 3),
        ("FLAT,LAMP,ILLUM", 1),
        ("STD", 1),
        ("OBJECT", 1),
    ]
    minute = 0
    for kind, number in frames:
        start = minute
        for k in range(number):
            _raw(raw / f"{kind.replace(',', '-')}_{k}.fits", kind, minute, start, lamp=3 + k, ifus=ifus)
            minute += 1
    tags = ("GEOMETRY_TABLE", "EXTINCT_TABLE", "STD_FLUX_TABLE", "FILTER_LIST", "ASTROMETRY_WCS", "SKY_LINES")
    for tag in tags:
        _table(static / f"{tag}.fits", tag, {"value": np.arange(3.0)})
    catalogue(static / "LINE_CATALOG.fits")
    return raw


def catalogue(path: Path, flux: float = 5000.0) -> None:
    """Write a LINE_CATALOG."""
    lines = np.arange(4700.0, 9400.0, 200.0)
    columns = {"lambda": lines, "flux": np.full(lines.size, flux), "quality": np.full(lines.size, 5, np.int32)}
    _table(path, "LINE_CATALOG", columns | {"ion": np.full(lines.size, "NeI")})


def _raw(path: Path, kind: str, minute: int, start: int, lamp: int, ifus: tuple[int, ...]) -> None:
    header = fits.Header()
    date = f"2017-06-16T10:{minute:02d}:00.000"
    header["DATE-OBS"], header["MJD-OBS"], header["EXPTIME"] = date, 57920.4 + minute / 1440, 1.0
    header["RA"], header["DEC"] = 10.5, -20.5
    words = {"DPR TYPE": kind, "INS MODE": "WFM-NOAO-N", "DET READ CURNAME": "SCI1.0"}
    words["TPL START"] = f"2017-06-16T10:{start:02d}:00"
    for keyword, value in (words | {"INS TEMP7 VAL": 12.0, "INS DROT POSANG": 0.0}).items():
        header[f"HIERARCH ESO {keyword}"] = value
    for n in range(3, 6):
        for part in ("LAMP", "SHUT"):
            header[f"HIERARCH ESO INS {part}{n} ST"] = kind == "WAVE" and n == lamp
    pixels = np.full((4, 4), minute, np.int16)
    images = [fits.ImageHDU(pixels, name=f"CHAN{ifu:02d}") for ifu in ifus]
    path.parent.mkdir(parents=True, exist_ok=True)
    fits.HDUList([fits.PrimaryHDU(header=header), *images]).writeto(path)


def _table(path: Path, tag: str, columns: dict[str, np.ndarray]) -> None:
    from astropy.table import Table

    primary = fits.PrimaryHDU()
    primary.header["HIERARCH ESO PRO CATG"] = tag
    path.parent.mkdir(parents=True, exist_ok=True)
    fits.HDUList([primary, fits.BinTableHDU(Table(columns))]).writeto(path, overwrite=True)
