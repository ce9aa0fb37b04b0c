"""Offsets of exposures from their stars."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from muse_nb.core.errors import renamed_keyword
from muse_nb.core.progress import Progress
from muse_nb.products.image_fov import ImageFov
from muse_nb.steps.offsets.absolute import onto_catalogue
from muse_nb.steps.offsets.measurement import Measurement, damage_told
from muse_nb.steps.offsets.picked import solve_picks
from muse_nb.steps.offsets.picks import read_picks
from muse_nb.steps.offsets.result import Offsets
from muse_nb.steps.offsets.table import assemble

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["measure_offsets"]


@renamed_keyword("tell", "progress", "0.2", lambda tell: lambda what, done, total: tell(what))
def measure_offsets(
    images: Iterable[str | Path | ImageFov] | Measurement,
    picks: Table | str | Path | None = None,
    reference: str | None = None,
    catalogue: Table | str | Path | None = None,
    radius: float = 6.0,
    progress: Progress | None = None,
) -> Offsets:
    """Measure the offsets of exposures by one fit of their stars to all images at once.

    Parameters
    ----------
    images
        IMAGE_FOVs, paths or opened, or a `Measurement` that keeps what was prepared before.
    picks
        Stars to use (a table with the columns of picks.ecsv, or its path); default: all that are found.
    reference
        DATE-OBS of the exposure that keeps its position, or "mean"; default: the first exposure.
    catalogue
        Table or file with ra, dec [deg] and, where known, pmra, pmdec [mas/yr] and ref_epoch: puts the exposures on
        the catalogue's positions at the epoch of observation.
    radius
        Largest offset looked for [arcsec].
    progress
        Told a line of text at every stage.

    Returns
    -------
    Offsets

    Raises
    ------
    MuseError
        Fewer than two images, two of one exposure, an unknown reference, or a file that cannot be read.

    Examples
    --------
    >>> offsets = muse_nb.measure_offsets(muse_nb.survey("night").files_of("IMAGE_FOV"))
    >>> print(*offsets.table["verdict"])
    agree agree agree agree
    >>> print(*[f"{value:.2f}" for value in offsets.table["ra_offset"]])  # arcsec on the sky
    0.00 0.33 0.35 -0.05
    >>> offsets.write("MEASURED.fits")
    """
    measurement = images if isinstance(images, Measurement) else Measurement(images, radius, progress)
    if reference not in (None, "mean"):
        measurement.index(str(reference))
    if picks is None:
        solution, method = measurement.solution, "stars"
    else:
        table = read_picks(picks) if isinstance(picks, str | Path) else picks
        with damage_told(image.path for image in measurement.images):
            solution, method = solve_picks(measurement, table), "picks"
    offsets = replace(assemble(measurement, solution, method, reference), picks=None if picks is None else table)
    if catalogue is not None:
        offsets = onto_catalogue(offsets, measurement, solution, catalogue)
    return offsets
