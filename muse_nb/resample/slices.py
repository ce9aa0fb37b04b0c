"""Where the slices of each exposure lie in a cube: a small table behind its DQ, to tell gaps from missing slices."""

from __future__ import annotations

import struct

import numpy as np

from muse_nb.core.errors import MuseError
from muse_nb.kernels.reasons import slice_sums
from muse_nb.products.fits.cards import card, header_block
from muse_nb.resample.grid import CubeGrid
from muse_nb.resample.inputs import Inputs
from muse_nb.resample.stream import Settings

__all__ = ["NAME", "slices_table"]

NAME = "SLICES"
BLOCK = 2880
_ROW = struct.Struct(">hhhiff")
_COLUMNS = (
    *(("EXPOSURE", "I", ""), ("IFU", "I", ""), ("SLICE", "I", ""), ("ROWS", "J", "")),
    *(("X", "E", "pixel"), ("Y", "E", "pixel")),
)


def slices_table(inputs: Inputs, grid: CubeGrid, settings: Settings) -> bytes:
    """Make the binary table of all slices that are there.

    A row for each exposure, IFU and slice: how many pixels of it were placed on the cube, one in seven of all, and
    their mean x and y, counted from 0.

    Raises
    ------
    MuseError
        A pixel table cannot be read.
    """
    kernel = grid.kernel((0.5, 0.5), (settings.low, settings.high), swap=False)  # the size of drops does not matter
    rows = b""
    count = 0
    for number, exposure in enumerate(inputs.exposures, 1):
        column = exposure.table.columns["origin"]
        if column.dtype.itemsize != 4:
            raise MuseError(f"{exposure.table.path}: column origin is not of 4 bytes: make the table again")
        try:
            origin = (column.offset + exposure.first * column.stride, column.stride)
            sums = slice_sums(kernel, exposure.kernel, origin)
        except OSError as error:
            raise MuseError(f"{exposure.table.path} cannot be read to its end: copy or make it again") from error
        for ifu, slice_ in zip(*np.nonzero(sums[1:, 1:49, 0]), strict=True):
            pixels, x, y = sums[ifu + 1, slice_ + 1]
            rows += _ROW.pack(number, ifu + 1, slice_ + 1, int(pixels), x / pixels, y / pixels)
            count += 1
    cards = [card("XTENSION", "BINTABLE"), card("BITPIX", 8), card("NAXIS", 2), card("NAXIS1", _ROW.size)]
    cards += [card("NAXIS2", count), card("PCOUNT", 0), card("GCOUNT", 1), card("TFIELDS", len(_COLUMNS))]
    for index, (name, form, unit) in enumerate(_COLUMNS, 1):
        cards += [card(f"TTYPE{index}", name), card(f"TFORM{index}", form)]
        cards += [card(f"TUNIT{index}", unit)] if unit else []
    cards.append(card("EXTNAME", NAME, "where the slices of each exposure lie in the cube"))
    return header_block(cards) + rows.ljust(-(-len(rows) // BLOCK) * BLOCK, b"\0")
