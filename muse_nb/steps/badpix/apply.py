"""An exposure reduced with another bad-pixel table: by the recipes, or by flagging the rows of its pixel table."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from muse_nb.core.atomic import atomic_write
from muse_nb.core.errors import MuseError
from muse_nb.products.badpix_table import BadpixTable
from muse_nb.products.pixtable import PixelTable, detector_pixels, frame_size

__all__ = ["flag_pixtable", "reduce_with_badpix"]

CHUNK = 1 << 20  # rows


def reduce_with_badpix(
    exposure: str | Path, badpix: str | Path, output: str | Path, raw: str | Path | None = None
) -> Path:
    """Bring an exposure to pixel table and cube with another bad-pixel table.

    Parameters
    ----------
    exposure
        Folder of its reduction (PIXTABLE_REDUCED_0001.fits).
    badpix
        The table, beside the other calibrations.
    output
        Folder for the new reduction; what is there is kept.
    raw
        The raw frame. Where it and ESO's recipes are there, they reduce it again. Otherwise the rows of the pixel table
        get the table's bits besides those they have, which does the same to the cube.

    Returns
    -------
    pathlib.Path
        Folder with PIXTABLE_REDUCED_0001.fits and DATACUBE_FINAL.fits.

    Raises
    ------
    MuseError
        A file is missing or damaged, or a recipe fails.

    Examples
    --------
    >>> one = muse_nb.survey("night").files_of("PIXTABLE_REDUCED")[0].parent
    >>> again = muse_nb.reduce_with_badpix(one, "night/calib/BADPIX_TABLE_zealous.fits", "zealous")
    >>> (again / "DATACUBE_FINAL.fits").exists()
    True
    """
    from muse_nb.recipes.backends import available
    from muse_nb.recipes.reduce import reduce
    from muse_nb.steps.combine.combine import cube

    badpix = Path(badpix)
    if raw is not None and any(way.usable for way in available().values()):
        return reduce(raw, badpix.parent, output, badpix=badpix).folder
    folder = Path(output) / Path(exposure).name
    table, product = folder / "PIXTABLE_REDUCED_0001.fits", folder / "DATACUBE_FINAL.fits"
    if not table.exists():
        flag_pixtable(Path(exposure) / table.name, badpix, table)
    if not product.exists():
        cube(table, output=product, filters=())
    return folder


def flag_pixtable(pixtable: str | Path, badpix: str | Path, output: str | Path, *, force: bool = False) -> int:
    """Copy a pixel table, with the bits of a bad-pixel table raised in its dq.

    Parameters
    ----------
    pixtable
        A pixel table in the image form.
    badpix
        BADPIX_TABLE.
    output
        The pixel table to make.
    force
        Replace one that is there.

    Returns
    -------
    int
        Rows that got a bit.

    Raises
    ------
    MuseError
        A file cannot be read, is of another form, or `output` is there.
    """
    source = PixelTable.open(pixtable)
    if source.form != "image":
        raise MuseError(f"{pixtable} is a binary table: make it again without MUSE_PIXTABLE_SAVE_AS_TABLE")
    lookup = BadpixTable.open(badpix).lookup(*frame_size(source))
    column, flagged = source.columns["dq"], 0
    with atomic_write(output, force=force, inputs=[source.path, badpix]) as part:
        shutil.copyfile(source.path, part)
        with part.open("r+b") as file:
            for start in range(0, source.nrow, CHUNK):
                rows = np.arange(start, min(start + CHUNK, source.nrow))
                ifu, _, x, y = detector_pixels(source, source.read("origin", start, start + CHUNK), rows)
                bits = lookup(ifu, x, y).astype(np.int32)
                flagged += int(np.count_nonzero(bits))
                file.seek(column.offset + start * column.stride)
                file.write((source.read("dq", start, start + CHUNK) | bits).astype(">i4").tobytes())
    return flagged
