"""Values that a recipe spreads, loops on or makes itself, and says nothing of."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.errors import MuseError
from muse_nb.products.cube_file import CubeFile
from muse_nb.products.image_fov import ImageFov
from muse_nb.products.pixtable import PixelTable
from muse_nb.recipes.checks.faults import Fault, Reads, Run, Severity, check

__all__ = ["not_finite", "runaway_cube", "runaway_image"]

_ROWS_AT_A_TIME = 1 << 20
_BRIGHT_PERCENTILE = 99  # of the absolute values of a plane or an image: all but a few pixels are below
_MAX_CONTRAST = 1e4  # of an end plane to the cube's other planes, of an image's brightest pixel to its bright ones
_MAX_FLUX = 1e8  # 10^-20 erg/s/cm2/Angstrom, a star of the fifth magnitude in every pixel
_MIN_PIXELS = 100  # finite ones of an image, below which its brightness is not judged
_END_PLANES = 3  # at each end of a cube
_MIDDLE_PLANES = 8  # between them that are looked at
_CUT = "cut 20-30 Angstrom from both ends of the range (--lambdamin, --lambdamax)"


@check(Reads.PIXELS)
def not_finite(run: Run) -> Iterator[Fault]:
    """Data are NaN or infinite though dq is 0: resampling spreads them to their neighbours."""
    for frame in run.tagged("PIXTABLE_OBJECT", "PIXTABLE_REDUCED", "PIXTABLE_POSITIONED"):
        number = count_not_finite(frame.path)
        if number:
            what = f"has {number} rows with dq 0 whose data are not finite"
            consequence = f"{run.recipe} would spread them to their neighbours"
            yield Fault(
                "not_finite",
                (frame.path,),
                what,
                consequence,
                "combine with muse-nb's stream engine, which leaves them out, or raise their dq",
            )


def count_not_finite(path: Path) -> int:
    """Count the rows of a pixel table that are not flagged and whose data or variance are not finite."""
    table, number = PixelTable.open(path), 0
    for start in range(0, table.nrow, _ROWS_AT_A_TIME):
        bad = ~np.isfinite(table.read("data", start, start + _ROWS_AT_A_TIME))
        bad |= ~np.isfinite(table.read("stat", start, start + _ROWS_AT_A_TIME))
        if bad.any():
            number += int(np.count_nonzero(bad & (table.read("dq", start, start + _ROWS_AT_A_TIME) == 0)))
    return number


@check(Reads.PIXELS)
def runaway_image(run: Run) -> Iterator[Fault]:
    """A value of an image ran away: muse_exp_align steps its threshold 100 000 times."""
    for frame in run.tagged("IMAGE_FOV"):
        data = ImageFov.open(frame.path).data
        if np.isinf(data).any() or _ran_away(data):
            what = f"reaches {np.nanmax(np.abs(data)):.3g}"
            consequence = "muse_exp_align would hardly come to an end"
            yield Fault("runaway", (frame.path,), what, consequence, f"make the image again, and {_CUT}")


def _ran_away(data: NDArray[np.float32]) -> bool:
    values = np.abs(data[np.isfinite(data)])
    if values.size < _MIN_PIXELS:
        return False
    usual = np.percentile(values, _BRIGHT_PERCENTILE)
    return bool(usual > _MAX_FLUX or values.max() > _MAX_CONTRAST * max(usual, np.finfo(np.float32).tiny))


@check(Reads.PIXELS)
def runaway_cube(run: Run) -> Iterator[Fault]:
    """The flux of the first or last planes of a cube ran away."""
    for frame in run.made("DATACUBE_FINAL"):
        try:
            planes = _planes_that_ran_away(CubeFile.open(frame.path))
        except MuseError:
            continue
        if planes:
            what = f"has {len(planes)} planes with absurd values, the first at {planes[0]:.0f} Angstrom"
            consequence = "images made from it are dominated by them"
            yield Fault("runaway", (frame.path,), what, consequence, f"make it again, and {_CUT}", Severity.FLAG)


def _planes_that_ran_away(cube: CubeFile) -> list[float]:
    """Wavelengths [Angstrom] of planes at the ends that are infinite, or far above those in the middle."""
    nz = cube.shape[0]
    if nz < 4 * _END_PLANES:
        return []
    ends = [*range(_END_PLANES), *range(nz - _END_PLANES, nz)]
    middle = np.unique(np.linspace(nz // 4, nz - 1 - nz // 4, _MIDDLE_PLANES).astype(int))
    with cube.reader() as read, warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # an empty plane has no maximum
        usual = np.nanmedian([np.nanpercentile(np.abs(read(int(k))), _BRIGHT_PERCENTILE) for k in middle])
        found = [
            k
            for k in ends
            if (plane := read(k)).size
            and (np.isinf(plane).any() or np.nanpercentile(np.abs(plane), _BRIGHT_PERCENTILE) > _MAX_CONTRAST * usual)
        ]
    return [float(cube.wavelength(k)) for k in found]
