"""Where every NaN of a cube comes from: each voxel with exactly one cause."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from threading import Event

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.errors import MuseError
from muse_nb.core.progress import Progress, watched
from muse_nb.kernels.nans import Coverage
from muse_nb.products.badpix_table import BadpixTable
from muse_nb.products.cube_file import CubeFile
from muse_nb.products.pixtable import PixelTable
from muse_nb.recipes.checks.values import odd_values
from muse_nb.steps.nans.causes import Holes
from muse_nb.steps.nans.dq_causes import has_dq_causes, read_dq_causes, slice_centres
from muse_nb.steps.nans.layout import Empty, border, explain_empty, put_edge_outside
from muse_nb.steps.nans.placement import Placement
from muse_nb.steps.nans.reach import Reach, Tables, coverage_of
from muse_nb.steps.nans.result import NanAudit
from muse_nb.steps.nans.trace import trace

__all__ = ["audit_nans"]

MAX_STRAY = 0.01  # of the spaxels with data: more of them where no row falls, and the tables are those of another cube


def audit_nans(
    cube: str | Path,
    pixtables: str | Path | Iterable[str | Path] | None = None,
    badpix: str | Path | None = None,
    *,
    progress: Progress | None = None,
    cancel: Event | None = None,
) -> NanAudit:
    """Find the cause of every NaN voxel of a cube.

    Parameters
    ----------
    cube
        DATACUBE_FINAL or any cube with a DATA extension.
    pixtables
        The pixel tables it was made from (PIXTABLE_REDUCED of each exposure, or PIXTABLE_COMBINED). With them every
        cause is known, as it is where the cube has a DQ that says so (``combine(..., extensions=["DQ"])``). Without
        either, only the field and the ends of the wavelength range can be told from other holes.
    badpix
        BADPIX_TABLE that went into the reduction, to tell its flags from those that the recipes set.
    progress
        Called with what is done, how much of it, and of how much.
    cancel
        Stops when set.

    Raises
    ------
    MuseError
        A file cannot be read, the pixel tables do not belong to the cube, or it was cancelled.

    Examples
    --------
    >>> audit = muse_nb.audit_nans("CUBE.fits")
    >>> print(f"{100 * audit.nan_fraction_in_field:.1f} % of the field")
    0.4 % of the field
    >>> list(audit.totals())[:2]
    ['outside the field', 'outside the wavelength range']
    """
    step = watched(progress, cancel, f"the audit of {cube}")
    opened = CubeFile.open(cube)
    coverage = _cover(opened, step)
    paths = [pixtables] if isinstance(pixtables, str | Path) else list(pixtables or [])
    if not paths:
        if badpix is not None:
            raise MuseError("a bad-pixel table tells nothing without the pixel tables: give them too")
        return _by_dq(opened, coverage, step) if has_dq_causes(opened) else _without_tables(opened, coverage)
    tables = [PixelTable.open(path) for path in paths]
    placement = Placement.of(opened.header, opened.primary, opened.shape, opened.path, tables)
    source = Tables(tables, placement, None if badpix is None else BadpixTable.open(badpix))
    reach = coverage_of(source, step)
    source = replace(source, cut=reach.cut)
    _refuse_other_tables(opened, coverage, reach)
    empty = explain_empty(reach.last >= 0, reach.centres)
    nan = (np.isnan(plane) for plane in opened.planes())
    holes = put_edge_outside(trace(nan, source, reach, step), border(empty.inside))
    return _audit(opened, coverage, reach.first, reach.last, empty, holes, source=source, reach=reach)


def _by_dq(cube: CubeFile, coverage: Coverage, progress: Progress) -> NanAudit:
    """Audit by the cube's own DQ; the way back to the detector needs the tables all the same."""
    first, last, holes = read_dq_causes(cube, progress)
    empty = explain_empty(last >= 0, slice_centres(cube.path))
    return _audit(cube, coverage, first, last, empty, put_edge_outside(holes, border(empty.inside)))


def _without_tables(cube: CubeFile, coverage: Coverage) -> NanAudit:
    """Audit by the cube's data alone."""
    empty = explain_empty(coverage.last >= 0)
    return _audit(cube, coverage, coverage.first, coverage.last, empty, Holes.none(), exact=False)


def _audit(
    cube: CubeFile,
    coverage: Coverage,
    first: NDArray[np.int32],
    last: NDArray[np.int32],
    empty: Empty,
    holes: Holes,
    *,
    exact: bool = True,
    source: Tables | None = None,
    reach: Reach | None = None,
) -> NanAudit:
    """Put together what was found; the arguments are the attributes of `NanAudit`."""
    return NanAudit(
        cube=cube,
        exact=exact,
        first=first,
        last=last,
        count=coverage.count,
        missing=coverage.missing,
        infinite=coverage.infinite,
        odd_values=tuple(odd_values(cube)),
        empty=empty,
        holes=holes,
        source=source,
        reach=reach,
    )


def _cover(cube: CubeFile, progress: Progress) -> Coverage:
    """Pass over the planes of a cube."""
    coverage = Coverage(cube.shape)
    for k, plane in enumerate(cube.planes()):
        coverage.add(k, plane)
        progress("planes read", k + 1, cube.shape[0])
    return coverage


def _refuse_other_tables(cube: CubeFile, coverage: Coverage, reach: Reach) -> None:
    """Refuse tables that the cube was not made from: data where no row falls."""
    filled = coverage.count > 0
    stray = filled & (reach.last < 0)
    if stray.sum() > MAX_STRAY * max(1, filled.sum()):
        raise MuseError(
            f"{cube.path} has data in {int(stray.sum())} spaxels that no row of the pixel tables reaches: give all the"
            " tables that this cube was made from"
        )
