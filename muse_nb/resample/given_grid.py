"""The grid of a cube that is given: an OUTPUT_WCS, another cube, or any FITS file with such a header."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from muse_nb.core.atomic import atomic_write
from muse_nb.core.errors import MuseError
from muse_nb.products.fits.blocks import hdus
from muse_nb.products.fits.cards import card, header_block
from muse_nb.products.header import number_of
from muse_nb.resample.grid import CubeGrid

__all__ = ["cut_planes", "read_grid", "write_output_wcs"]

BLOCK = 2880
_UNITS = {"Angstrom": 1.0, "nm": 10.0, "um": 1e4, "m": 1e10}
_TURNED = 1e-6  # of a step, by which an axis may lean


def read_grid(path: str | Path) -> CubeGrid:
    """Read the grid of a cube from the first header that has one.

    Raises
    ------
    MuseError
        There is none, or it is one that only muse_exp_combine can make: not north up, of other projections, of
        logarithmic or vacuum wavelengths.
    """
    path = Path(path)
    for hdu in hdus(path):
        if "CTYPE3" in hdu.cards and "NAXIS3" in hdu.cards:
            return _grid(hdu.cards, path)
    raise MuseError(f"{path} holds no grid of a cube (CTYPE3, NAXIS3): give a cube, or an OUTPUT_WCS with three axes")


def _grid(cards: Mapping[str, object], path: Path) -> CubeGrid:
    def number(*keywords: str, default: float | None = None) -> float:
        found = next((v for key in keywords if (v := number_of(cards.get(key))) is not None), default)
        if found is None:
            raise MuseError(f"{path} lacks {keywords[0]}: its grid is unknown, give another file")
        return found

    for axis, wanted in ((1, "RA---TAN"), (2, "DEC--TAN"), (3, "AWAV")):
        kind = str(cards.get(f"CTYPE{axis}", "")).strip()
        if kind != wanted:
            raise MuseError(f"{path}: CTYPE{axis} is {kind!r}, our engine makes {wanted} only: use the engine eso")
    west, north = (number(f"CD{n}_{n}", f"CDELT{n}") for n in (1, 2))
    lean = max(abs(number(key, default=0.0)) for key in ("CD1_2", "CD2_1", "PC1_2", "PC2_1"))
    if not west < 0 < north or lean > _TURNED * north or abs(west + north) > 1e-4 * north:
        raise MuseError(
            f"{path}: the grid is not north up with square spaxels, and our engine makes no other: use the engine eso"
        )
    unit = str(cards.get("CUNIT3", "Angstrom")).strip()
    if unit not in _UNITS:
        raise MuseError(f"{path}: CUNIT3 is {unit!r}, no unit of a wavelength: give Angstrom")
    scale = _UNITS[unit]
    shape = tuple(int(number(f"NAXIS{axis}")) for axis in (3, 2, 1))
    if min(shape) < 1:
        raise MuseError(
            f"{path}: the grid has {shape[2]} x {shape[1]} spaxels and {shape[0]} planes: give another file"
        )
    return CubeGrid(
        shape,  # type: ignore[arg-type]
        (number("CRVAL1"), number("CRVAL2"), number("CRVAL3") * scale),
        (number("CRPIX1"), number("CRPIX2"), number("CRPIX3", default=1.0)),
        north,
        number("CD3_3", "CDELT3") * scale,
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
