"""The grid of a cube that is given: an OUTPUT_WCS, another cube, or any FITS file with such a header."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from muse_nb.core.atomic import atomic_write
from muse_nb.core.errors import MuseError
from muse_nb.products.axes.sky import SkyAxes
from muse_nb.products.fits.blocks import hdus
from muse_nb.products.fits.cards import card, header_block
from muse_nb.products.header import number_of
from muse_nb.products.spectral_axis import SpectralAxis
from muse_nb.resample.grid import CubeGrid

__all__ = ["cut_planes", "read_grid", "write_output_wcs"]

BLOCK = 2880


def read_grid(path: str | Path) -> CubeGrid:
    """Read the grid of a cube from the first header that has one.

    Raises
    ------
    MuseError
        There is none, it is not understood, or it is one that only muse_exp_combine can make: not north up, of other
        projections, of logarithmic or vacuum wavelengths.
    """
    path = Path(path)
    for hdu in hdus(path):
        if "CTYPE3" in hdu.cards and ("NAXIS3" in hdu.cards or "ZNAXIS3" in hdu.cards):
            return _grid(hdu.cards, path)
    raise MuseError(f"{path} holds no grid of a cube (CTYPE3, NAXIS3): give a cube, or an OUTPUT_WCS with three axes")


def _grid(cards: Mapping[str, object], path: Path) -> CubeGrid:
    def number(keyword: str, default: float | None = None) -> float:
        found = number_of(cards.get(keyword))
        if found is None and default is None:
            raise MuseError(f"{path} lacks {keyword}: its grid is unknown, give another file")
        return float(default or 0.0) if found is None else found

    sky, wave = SkyAxes.of(cards, path), SpectralAxis.of(cards, path)
    if not sky.on_tangent_plane:
        kind = f"CTYPE1 is {str(cards.get('CTYPE1')).strip()!r}, LONPOLE {sky.lonpole:g}"
        raise MuseError(f"{path}: {kind}, our engine makes RA---TAN, DEC--TAN only: use the engine eso")
    if not sky.upright:
        raise MuseError(
            f"{path}: the grid is not north up with square spaxels, and our engine makes no other: use the engine eso"
        )
    if wave.medium != "air" or wave.logarithmic or wave.step < 0:
        kind = str(cards.get("CTYPE3", "")).strip()
        what = f"CTYPE3 is {kind!r}" if wave.step > 0 else "wavelengths fall from plane to plane"
        raise MuseError(f"{path}: {what}, our engine makes rising AWAV only: use the engine eso")
    prefix = "Z" if cards.get("ZIMAGE") else ""
    shape = tuple(int(number(f"{prefix}NAXIS{axis}")) for axis in (3, 2, 1))
    if min(shape) < 1:
        raise MuseError(
            f"{path}: the grid has {shape[2]} x {shape[1]} spaxels and {shape[0]} planes: give another file"
        )
    return CubeGrid(
        shape,  # type: ignore[arg-type]
        (sky.ra, sky.dec, wave.start),
        (number("CRPIX1"), number("CRPIX2"), wave.reference),
        float(sky.matrix[1, 1]),
        wave.step,
    )


def cut_planes(grid: CubeGrid, planes: range) -> CubeGrid:
    """Cut a range of planes out of a grid, its spaxels as they are."""
    start = (*grid.crval[:2], grid.wavelength(planes.start))
    return replace(grid, shape=(len(planes), *grid.shape[1:]), crval=start, crpix=(*grid.crpix[:2], 1.0))


def write_output_wcs(path: Path, grid: CubeGrid) -> None:
    """Write the grid as an OUTPUT_WCS: the header of a cube, its data a hole in the file.

    Raises
    ------
    MuseError
        The file cannot be written.
    """
    primary = [card("SIMPLE", True), card("BITPIX", 8), card("NAXIS", 0), card("EXTEND", True)]
    cards = [card("XTENSION", "IMAGE"), card("BITPIX", 8), card("NAXIS", 3)]
    cards += [card(f"NAXIS{n}", length) for n, length in enumerate(reversed(grid.shape), 1)]
    cards += [card("PCOUNT", 0), card("GCOUNT", 1), *(card(key, value) for key, value in grid.cards())]
    head = header_block(primary) + header_block(cards)
    with atomic_write(path) as part:
        part.write_bytes(head)
        os.truncate(part, len(head) + -(-math.prod(grid.shape) // BLOCK) * BLOCK)  # a hole, which takes no room
