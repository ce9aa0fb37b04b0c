"""A bad-pixel table that flags other pixels than it means."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from muse_nb.core.errors import MuseError
from muse_nb.products.badpix_table import BORDER, BadpixTable
from muse_nb.products.fits.blocks import Hdu, hdus
from muse_nb.recipes.checks.faults import Fault, Reads, Run, check

__all__ = ["badpix"]

_MAX_IN_BORDERS = 0.01  # share of the positions that may lie in the borders of the frame
_MIN_POSITIONS = 50  # so many cannot all be in one quarter of the detector by chance
_CONSEQUENCE = "good pixels would be flagged and bad ones used"


@check(Reads.HEADERS)
def badpix(run: Run) -> Iterator[Fault]:
    """Positions are of another binning, or counted on the frame without its borders."""
    for frame in run.tagged("BADPIX_TABLE"):
        looked_at: set[tuple[object, ...]] = set()
        for raw in run.tagged("OBJECT"):
            chips = hdus(raw.path)[1:]
            kind = tuple((_size(chip), _binning(chip)) for chip in chips)
            what = _wrong(frame.path, chips) if kind not in looked_at else ""
            looked_at.add(kind)
            if what:
                remedy = f"make a table for {raw.path.name}: positions count on the raw frame, its borders included"
                yield Fault("badpix", (frame.path,), what, _CONSEQUENCE, remedy)
                break


def _wrong(path: Path, chips: list[Hdu]) -> str:
    sizes = [size for chip in chips if (size := _size(chip))]
    if not sizes:
        return ""
    nx, ny = max(sizes)
    binning = {_binning(chip) for chip in chips} - {None}
    own = {_binning(hdu) for hdu in hdus(path)} - {None}
    if own and binning and own != binning:
        return f"is for a binning of {own.pop()}, the exposure has {binning.pop()}"
    try:
        table = BadpixTable.open(path)
    except MuseError:
        return "cannot be read as a bad-pixel table"
    if not len(table):
        return ""
    if table.x.max() > nx + 4 * BORDER or table.y.max() > ny + 4 * BORDER or min(table.x.min(), table.y.min()) < 1:
        return f"has positions up to ({table.x.max()}, {table.y.max()}), outside of the raw frame: of another binning"
    if len(table) >= _MIN_POSITIONS and table.x.max() <= nx // 2 + 2 * BORDER and table.y.max() <= ny // 2 + 2 * BORDER:
        return "has all its positions in one quarter of the raw frame: of another binning"
    x, y = table.trimmed(nx, ny)
    strays = np.count_nonzero((x == 0) | (y == 0))
    if strays > _MAX_IN_BORDERS * len(table):
        return f"has {strays} of {len(table)} positions in the borders of the raw frame: they count without them"
    return ""


def _size(chip: Hdu) -> tuple[int, int] | None:
    """Pixels of a raw frame without its borders."""
    found = [chip.cards.get(f"ESO DET CHIP N{axis}") for axis in "XY"]
    if all(type(length) is int for length in found):
        return int(str(found[0])), int(str(found[1]))
    shape = chip.shape
    return (shape[1] - 4 * BORDER, shape[0] - 4 * BORDER) if len(shape) == 2 else None


def _binning(hdu: Hdu) -> tuple[object, object] | None:
    found = hdu.cards.get("ESO DET BINX"), hdu.cards.get("ESO DET BINY")
    return found if None not in found else None
