"""Small files of every product and how each is read: what the tests of this room share."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
from astropy.io import fits

from muse_nb.products.cube_file import CubeFile
from muse_nb.products.image_fov import ImageFov, write_image_fov
from muse_nb.products.object_red import open_object_red, write_object_red
from muse_nb.products.offset_list import OffsetList
from muse_nb.products.pixtable import COLUMNS, PixelTable, encode_origin, write_pixtable

DATE = "2014-07-27T03:12:00.417"
SHAPE = (7, 9)
ROWS = 50


def primary(category: str, **others: object) -> fits.Header:
    header = fits.Header({"DATE-OBS": DATE, "MJD-OBS": 56865.1333, "RA": 265.175, "DEC": -53.674, "EXPTIME": 60.0})
    header.update({"INSTRUME": "MUSE", "OBJECT": "NGC 6397"})
    header["HIERARCH ESO INS MODE"] = "WFM-NOAO-N"
    header["HIERARCH ESO INS DROT POSANG"] = 90.0
    header["HIERARCH ESO PRO CATG"] = category
    header["HIERARCH ESO DRS MUSE PIXTABLE EXP0 IFU12 SLICE07 XOFFSET"] = 433
    header.update(others)
    return header


def sky(header: fits.Header, spectral: bool = False) -> fits.Header:
    axes = [("RA---TAN", 265.175, 4.0, "deg"), ("DEC--TAN", -53.674, 3.0, "deg"), ("AWAV", 4750.0, 1.0, "Angstrom")]
    for n, (kind, value, pixel, unit) in enumerate(axes[: 2 + spectral], 1):
        header.update({f"CTYPE{n}": kind, f"CRVAL{n}": value, f"CRPIX{n}": pixel, f"CUNIT{n}": unit})
    header.update({"CD1_1": -0.2 / 3600, "CD2_2": 0.2 / 3600, "CD1_2": 0.0, "CD2_1": 0.0, "BUNIT": "count"})
    if spectral:
        header["CD3_3"] = 1.25
    return header


def table_columns() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(4)
    columns = {name: rng.normal(size=ROWS).astype("f4") for name in COLUMNS}
    columns["lambda"] = np.linspace(4750, 4850, ROWS, dtype="f4")
    columns["dq"] = rng.choice(np.array([0, 32, -(2**31)], "i4"), ROWS)
    columns["origin"] = encode_origin(12, 7, np.arange(ROWS) + 1, np.arange(ROWS) % 80)
    return columns


def frame() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    data = np.arange(np.prod(SHAPE), dtype="f4").reshape(SHAPE)
    data[2, 3] = np.nan
    dq = np.zeros(SHAPE, np.int64)
    dq[1, 1], dq[2, 2] = 1 << 31, 32 | 256
    return data, dq, np.full(SHAPE, 4, "f4")


def write_products(folder: Path) -> dict[str, Path]:
    """One file of each kind, by our writers and in the other forms that MUSE files have."""
    paths = {
        name: folder / f"{name}.fits" for name in ("object_red", "pixtable", "bintable", "image", "cube", "offsets")
    }
    write_object_red(paths["object_red"], primary("OBJECT_RED", EXTNAME="CHAN12"), *frame())
    names = {"xpos": "rad", "ypos": "rad", "lambda": "Angstrom", "data": "count", "stat": "(count)**2"}
    write_pixtable(paths["pixtable"], primary("PIXTABLE_REDUCED"), table_columns(), names)
    columns = [
        fits.Column(name, "J" if values.dtype.kind == "i" else "E", unit=names.get(name), array=values)
        for name, values in table_columns().items()
    ]
    table = fits.BinTableHDU.from_columns(columns)
    fits.HDUList([fits.PrimaryHDU(header=primary("PIXTABLE_REDUCED")), table]).writeto(paths["bintable"])
    write_image_fov(paths["image"], primary("IMAGE_FOV"), sky(fits.Header()), frame()[0])
    cube = [fits.PrimaryHDU(header=primary("DATACUBE_FINAL"))]
    for name in ("DATA", "STAT"):
        cube.append(fits.ImageHDU(np.stack([frame()[0]] * 3), header=sky(fits.Header(), spectral=True), name=name))
    fits.HDUList(cube).writeto(paths["cube"])
    OffsetList((DATE, "2014-07-27T03:14:30.417"), (56865.1, 56865.2), (0.0, -1e-4), (0.0, 2e-5), (np.nan, 1.1)).write(
        paths["offsets"]
    )
    paths["packed"] = folder / "image.fits.gz"
    paths["packed"].write_bytes(gzip.compress(paths["image"].read_bytes(), mtime=0))
    paths["compressed"] = folder / "object_red.fits.fz"
    data, dq, stat = frame()
    parts = [
        fits.CompImageHDU(a, name=n, quantize_level=0, compression_type="GZIP_1")
        for n, a in (("DATA", data), ("STAT", stat))
    ]
    parts.insert(1, fits.CompImageHDU(dq.astype("u4").view("i4"), name="DQ"))
    fits.HDUList([fits.PrimaryHDU(header=primary("OBJECT_RED", EXTNAME="CHAN12")), *parts]).writeto(paths["compressed"])
    return paths


def _object_red(path: Path) -> list[np.ndarray | None]:
    return [layer for frame in open_object_red(path) for layer in (frame.data, frame.dq, frame.stat)]


def _pixtable(path: Path) -> list[np.ndarray]:
    table = PixelTable.open(path)
    return [table.read(name) for name in COLUMNS]


def _image(path: Path) -> list[object]:
    image = ImageFov.open(path)
    return [image.data, image.wcs.wcs.crval, image.mjd_obs, image.posang, image.exptime, image.date_obs]


def _cube(path: Path) -> list[object]:
    cube = CubeFile.open(path)
    names = [name for name in ("DATA", "STAT") if cube.has(name)]
    return [*(plane.copy() for name in names for plane in cube.planes(name)), cube.wavelength(1), cube.wcs]


READERS: dict[str, Callable[[Path], list]] = {
    "object_red": _object_red,
    "compressed": _object_red,
    "pixtable": _pixtable,
    "bintable": _pixtable,
    "image": _image,
    "packed": _image,
    "cube": _cube,
    "offsets": lambda path: [OffsetList.read(path)],
}
