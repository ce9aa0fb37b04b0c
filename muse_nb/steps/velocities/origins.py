"""Which IFU saw a star, as the SLICES of a cube of one exposure tell."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.errors import MuseError
from muse_nb.products.cube_file import CubeFile
from muse_nb.steps.judge.parts.places import CODE, Places
from muse_nb.steps.nans.dq_causes import slice_centres

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["ifus_of"]


def ifus_of(cube: Path, stars: Table) -> NDArray[np.int64]:
    """Number of the IFU behind each star's centre, -1 where no slice lies there.

    Raises
    ------
    MuseError
        The cube has no SLICES, or is of several exposures, whose IFUs share the light of each star.
    """
    opened = CubeFile.open(cube)
    ny, nx = opened.shape[1:]
    places = Places.of(slice_centres(opened.path), np.ones((ny, nx), bool))
    if places is None:
        raise MuseError(f"{cube} does not say where its IFUs are: make it again with --extensions DQ")
    if len(places.codes) > 1:
        raise MuseError(f"{cube} is of {len(places.codes)} exposures: take the cube of one, whose IFUs are known")
    x, y = (np.round(np.asarray(stars[name], float) - 1) for name in ("x", "y"))
    inside = (x >= 0) & (x < nx) & (y >= 0) & (y < ny)
    found = np.full(len(stars), -1, np.int64)
    ifu = places.codes[0][y[inside].astype(int), x[inside].astype(int)] // CODE
    found[inside] = np.where(ifu > 0, ifu, -1)
    return found
