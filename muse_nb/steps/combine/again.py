"""A cube that was made before, held against its exposures as if it had been made now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

from muse_nb.core.errors import MuseError
from muse_nb.core.html import Shown
from muse_nb.products.cube_file import CubeFile
from muse_nb.products.offset_list import OffsetList
from muse_nb.steps.combine.combine import prepare
from muse_nb.steps.combine.output import grid_of
from muse_nb.steps.combine.result import Check, checks_html
from muse_nb.steps.combine.settings import CombineOptions, CombineSettings
from muse_nb.steps.combine.verify import check_cube as check

__all__ = ["CubeChecks", "check_cube"]


@dataclass(frozen=True)
class CubeChecks(Shown):
    """What a cube was held against.

    Attributes
    ----------
    path : pathlib.Path
        The cube.
    checks : list of Check
    """

    path: Path
    checks: list[Check]

    @property
    def findings(self) -> list[str]:
        """Checks that failed, a sentence each."""
        return [check.text for check in self.checks if check.good is False]

    def __str__(self) -> str:
        """Say each check in a line."""
        return "\n".join(f"{check.name}: {check.text}" for check in self.checks)

    def _repr_html_(self) -> str:
        return checks_html(self.checks)


def check_cube(
    cube: str | Path,
    pixtables: Iterable[str | Path],
    offsets: str | Path | OffsetList | None = None,
    **settings: Unpack[CombineOptions],
) -> CubeChecks:
    """Hold a cube against its exposures as `muse_nb.combine` does when it has made one.

    Parameters
    ----------
    cube
        The cube's file.
    pixtables, offsets, **settings
        As they were given to `muse_nb.combine`.

    Returns
    -------
    CubeChecks
        Star widths, positions and fluxes, noise, and edges of fields; borders of slabs are known only when it is made.

    Raises
    ------
    MuseError
        The cube lies on another grid, or something cannot be read.

    Examples
    --------
    >>> tables = muse_nb.survey("night").files_of("PIXTABLE_REDUCED")
    >>> checked = muse_nb.check_cube("CUBE.fits", tables, "OFFSET_LIST.fits")
    >>> [check.name for check in checked.checks]
    ['widths', 'positions', 'fluxes', 'noise', 'fields']
    """
    cube = Path(cube)
    options: CombineOptions = {**settings, "force": True}
    job = prepare(pixtables, offsets, cube, CombineSettings.of("combine", **options), None, None)
    with job.open_inputs() as inputs:
        grid = grid_of(job, inputs)
        if (there := CubeFile.open(cube).shape) != grid.shape:
            nz, ny, nx = there
            raise MuseError(
                f"{cube} has {nx} x {ny} spaxels and {nz} planes, these exposures make"
                f" {grid.shape[2]} x {grid.shape[1]} and {grid.shape[0]}: combine them again"
            )
        found = check(cube, inputs, grid, job.resampling)
    return CubeChecks(cube, [one for one in found if one.name != "slabs"])  # where they met is not known any more
