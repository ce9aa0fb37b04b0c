"""What other tools take: a list of stars for PampelMuse, a mask of sources for ZAP."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from muse_nb.core.atomic import atomic_write
from muse_nb.core.errors import MuseError
from muse_nb.core.progress import Progress, watched
from muse_nb.core.robust import median
from muse_nb.products.cube_file import CubeFile
from muse_nb.steps.look.headers import sky_axes

if TYPE_CHECKING:
    from astropy.table import Table

    from muse_nb.core.process import Stop

__all__ = ["for_pampelmuse", "for_zap"]

SIGMA = 3.0  # of the smoothed white light that is a source's
GROWN = 2  # spaxels that sources are grown by
MOST = 0.7  # of the field: a mask of more leaves ZAP too little sky
PLANES = 400  # that are averaged, at most


def for_zap(
    cube: str | Path | CubeFile,
    output: str | Path,
    *,
    sigma: float = SIGMA,
    force: bool = False,
    progress: Progress | None = None,
    cancel: Stop | None = None,
) -> Path:
    """Write the mask of sources with which ZAP looks at the sky only: ``zap.process(CUBE, mask=MASK)``.

    Parameters
    ----------
    cube
        As the recipes and ours write it; ZAP reads it itself.
    output
        The mask: 1 on sources, 0 on the sky.
    sigma
        Above the sky's scatter in white light that a source begins.
    force
        Replace a mask that is there.
    progress, cancel
        Told of planes; stops when set.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    MuseError
        The cube is none that ZAP reads, or hardly any sky is left.

    Examples
    --------
    >>> muse_nb.for_zap("CUBE.fits", "SKY.fits", sigma=50)
    PosixPath('SKY.fits')
    """
    from astropy.io import fits
    from scipy import ndimage

    opened = cube if isinstance(cube, CubeFile) else CubeFile.open(cube)
    if opened.extensions["DATA"] != 1 or str(opened.primary.get("INSTRUME", "")).strip() != "MUSE":
        raise MuseError(f"{opened.path} is no cube that ZAP reads: it wants INSTRUME MUSE, and DATA as first extension")
    step = watched(progress, cancel, f"the mask of {opened.path}")
    nz, ny, nx = opened.shape
    total, number = np.zeros((ny, nx)), np.zeros((ny, nx))
    with opened.reader() as read:
        chosen = np.unique(np.linspace(0, nz - 1, min(nz, PLANES)).astype(int))
        for done, plane in enumerate(chosen, 1):
            values = np.asarray(read(int(plane)), float)
            good = np.isfinite(values)
            total[good] += values[good]
            number += good
            step("planes", done, len(chosen))
    white = np.where(number > 0.5 * len(chosen), total / np.maximum(number, 1), np.nan)
    if not np.isfinite(white).any():
        raise MuseError(f"{opened.path} has no spaxel with data in half of its planes: no sources can be found")
    level = median(white)
    below = white[np.isfinite(white) & (white <= level)]
    for _ in range(5):  # the sky is what lies about the mode, whatever share of the field is a source's
        noise = float(np.sqrt(np.mean((below - level) ** 2)))
        level = median(white[np.isfinite(white) & (white <= level + 2 * noise)])
        below = white[np.isfinite(white) & (white <= level)]
    smooth = ndimage.uniform_filter(np.where(np.isfinite(white), white, level) - level, 3)
    mask = ndimage.binary_dilation(smooth > sigma * noise / 2, iterations=GROWN)  # neighbours share noise: 2, not 3
    share = float(mask[np.isfinite(white)].mean())
    if share > MOST:
        raise MuseError(f"{opened.path}: sources cover {100 * share:.0f} % of the field: ZAP needs a sky cube (extSVD)")
    header = sky_axes(opened)
    with atomic_write(output, force=force, inputs=[opened.path]) as part:
        fits.PrimaryHDU(mask.astype(np.uint8), header).writeto(part, overwrite=True)
    return Path(output)


def for_pampelmuse(stars: Table, output: str | Path, magnitude: str, *, force: bool = False) -> Path:
    """Write stars as the reference catalogue that PampelMuse's INITFIT wants: id, ra, dec and a column by the passband.

    Parameters
    ----------
    stars
        ``StarSpectra.stars``, a catalogue, or the simulator's: number (or id, star), ra and dec [deg], magnitudes.
    output
        CSV.
    magnitude
        The column of magnitudes; without ``mag_`` before it, it is the passband's name.
    force
        Replace a file that is there.

    Raises
    ------
    MuseError
        A column is missing, or no star has a place and a magnitude.

    Examples
    --------
    >>> from astropy.table import Table
    >>> stars = Table.read("night/truth/stars.ecsv")
    >>> muse_nb.for_pampelmuse(stars, "STARS.csv", "magnitude")
    PosixPath('STARS.csv')
    """
    from astropy.table import Table

    name = next((name for name in ("id", "ID", "number", "star") if name in stars.colnames), None)
    missing = [column for column in ("ra", "dec", magnitude) if column not in stars.colnames]
    if missing or name is None:
        raise MuseError(f"the list of stars lacks {', '.join(missing) or 'id'}: give id, ra, dec, magnitude")
    numbers = np.asarray(stars[name])
    if numbers.dtype.kind not in "iu" or len(np.unique(numbers)) < len(numbers):  # the tool wants whole numbers
        numbers = np.arange(1, len(stars) + 1)
    values = np.array([np.asarray(stars[column], float) for column in ("ra", "dec", magnitude)])
    good = np.isfinite(values).all(axis=0)
    if not good.any():
        raise MuseError(f"no star of the list has a place and a magnitude in {magnitude}: choose another passband")
    made = Table({"id": numbers[good], "ra": values[0][good], "dec": values[1][good]})
    made[magnitude.removeprefix("mag_")] = values[2][good]
    with atomic_write(output, force=force) as part:
        made.write(part, format="ascii.csv", overwrite=True)
    return Path(output)
