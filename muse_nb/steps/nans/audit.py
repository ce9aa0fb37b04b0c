"""Where every NaN of a cube comes from: each voxel with exactly one cause."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from html import escape
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import numpy as np

from muse_nb.core.atomic import write_table
from muse_nb.core.errors import MuseError
from muse_nb.core.progress import Progress, watched
from muse_nb.kernels.nans import Coverage
from muse_nb.products import dq as flags
from muse_nb.products.badpix_table import BadpixTable
from muse_nb.products.cube_file import CubeFile
from muse_nb.products.pixtable import PixelTable
from muse_nb.steps.nans.causes import Cause, Holes, causes_of_plane
from muse_nb.steps.nans.dq_causes import slice_centres, tells, told_holes
from muse_nb.steps.nans.layout import Empty, at_the_edge, border, explain_empty
from muse_nb.steps.nans.trace import Reach, Tables, coverage_of, trace

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["NanAudit", "audit_nans"]


@dataclass(frozen=True)
class NanAudit:
    """Every NaN of a cube with its cause.

    Attributes
    ----------
    cube : CubeFile
        The cube.
    exact : bool
        True when the pixel tables were there, or the cube's own DQ says why: then every cause is known.
    first, last : numpy.ndarray
        First and last plane of each spaxel with data (or, with pixel tables, that rows reach), shape (ny, nx).
    count : numpy.ndarray
        Planes of each spaxel that are not NaN, shape (ny, nx).
    missing : numpy.ndarray
        NaN in each plane, shape (nz,).
    infinite : int
        Voxels that are infinite; they are not NaN and have no cause.
    empty : Empty
        Why some spaxels have no data at all.
    holes : Holes
        The other NaN voxels within the range of their spaxel; only listed when their causes can be told.
    source, reach : Tables, Reach or None
        The pixel tables and where their rows fall, for the way back to the detector (see `provenance`).
    """

    cube: CubeFile
    exact: bool
    first: np.ndarray = field(repr=False)
    last: np.ndarray = field(repr=False)
    count: np.ndarray = field(repr=False)
    missing: np.ndarray = field(repr=False)
    infinite: int
    empty: Empty = field(repr=False)
    holes: Holes = field(repr=False)
    source: Tables | None = field(default=None, repr=False)
    reach: Reach | None = field(default=None, repr=False)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(nz, ny, nx)."""
        return self.cube.shape

    @property
    def voxels(self) -> int:
        """Number of NaN voxels."""
        return int(self.missing.sum())

    @property
    def nan_fraction(self) -> float:
        """NaN voxels over all voxels."""
        return self.voxels / float(np.prod(self.shape))

    @property
    def nan_fraction_in_field(self) -> float:
        """NaN voxels over all voxels of the spaxels inside the field; 1 when nothing is inside."""
        inside = self.empty.inside
        number = int(inside.sum()) * self.shape[0]
        return float((self.shape[0] - self.count[inside]).sum() / number) if number else 1.0

    @property
    def dead_spaxels(self) -> int:
        """Spaxels inside the field without a single finite voxel; all of them when the whole cube is NaN."""
        inside = self.empty.inside
        return int(((self.count == 0) & inside).sum()) if (self.count > 0).any() else self.count.size

    @property
    def dead_planes(self) -> int:
        """Planes that are NaN as a whole."""
        return int((self.missing == self.count.size).sum())

    @cached_property
    def table(self) -> Table:
        """Columns cause, dq, ifu, slice, voxels, fraction (of all NaN); sorted by voxels. ifu 0: does not apply."""
        from astropy.table import Table

        rows = sorted(self._groups(), key=lambda row: -row[-1])
        total = max(1, self.voxels)
        names = ("cause", "dq", "ifu", "slice", "voxels", "fraction")
        kinds = (str, str, int, int, int, float)
        table = Table(rows=[(*row, row[-1] / total) for row in rows] or None, names=names, dtype=kinds)
        table["fraction"].info.format = ".4f"
        return table

    def _groups(self) -> list[tuple[str, str, int, int, int]]:
        """Voxels by cause, dq, IFU and slice."""
        nz = self.shape[0]
        empty = self.empty.cause > 0
        sums: Counter[tuple[str, str, int, int]] = Counter()
        keys = np.stack([self.empty.cause[empty], self.empty.ifu[empty], self.empty.slice[empty]], axis=1)
        kinds, inverse = np.unique(keys, axis=0, return_inverse=True)
        unfilled = np.bincount(inverse.reshape(-1), (nz - self.count)[empty], minlength=len(kinds))
        for (code, ifu, slice_), number in zip(kinds.tolist(), unfilled, strict=True):
            sums[list(Cause)[code - 1].value, "", ifu, slice_] += int(number)
        sums[Cause.OUTSIDE_RANGE.value, "", 0, 0] += int((nz - (self.last - self.first + 1)[~empty]).sum())
        for cause, dq, ifu, slice_, number in self._listed():
            sums[cause, dq, ifu, slice_] += number
        sums[Cause.UNKNOWN.value, "", 0, 0] += max(0, self.voxels - sum(sums.values()))
        return [(*key, number) for key, number in sums.items() if number]

    def _listed(self) -> list[tuple[str, str, int, int, int]]:
        holes = self.holes
        if not len(holes):
            return []
        keys = np.stack([holes.cause, holes.dq, holes.ifu, holes.slice], axis=1).astype(np.int64)
        kinds, numbers = np.unique(keys, axis=0, return_counts=True)
        return [
            (list(Cause)[code - 1].value, "+".join(flags.names(dq)), ifu, slice_, int(number))
            for (code, dq, ifu, slice_), number in zip(kinds.tolist(), numbers, strict=True)
        ]

    def totals(self) -> dict[str, int]:
        """NaN voxels by cause, most first."""
        sums: dict[str, int] = {}
        for cause, *_, number in self._groups():
            sums[cause] = sums.get(cause, 0) + number
        return dict(sorted(sums.items(), key=lambda item: -item[1]))

    def cause_plane(self, k: int) -> np.ndarray:
        """Causes in plane `k`: int8 codes of `nan_causes.CODES`, 0 where there are data; shape (ny, nx)."""
        return causes_of_plane(k, np.isnan(self.cube.plane(k)), self.first, self.last, self.empty.cause, self.holes)

    def fraction_map(self) -> np.ndarray:
        """Fraction of NaN over all planes, float32, shape (ny, nx)."""
        return (1 - self.count / self.shape[0]).astype(np.float32)

    def profile(self) -> np.ndarray:
        """Fraction of NaN over the spaxels inside the field by plane, float32, shape (nz,)."""
        inside = int(self.empty.inside.sum())
        outside = self.count.size - inside
        return ((self.missing - outside) / max(1, inside)).astype(np.float32)

    @property
    def findings(self) -> list[str]:
        """What to know, one sentence each, with numbers."""
        from muse_nb.steps.nans.figures import findings

        return findings(self)

    def plot(self, axes: Any = None) -> Any:
        """Draw the map of the fraction over wavelength and its profile over planes."""
        from muse_nb.steps.nans.figures import plot

        return plot(self, axes)

    def summary(self) -> dict[str, Any]:
        """Everything as plain numbers and lists, as ``muse-nb nans --json`` prints it."""
        return {
            "cube": str(self.cube.path),
            "shape": list(self.shape),
            "exact": self.exact,
            "nan_fraction": self.nan_fraction,
            "nan_fraction_in_field": self.nan_fraction_in_field,
            "dead_spaxels": self.dead_spaxels,
            "dead_planes": self.dead_planes,
            "infinite": self.infinite,
            "causes": [
                {
                    "cause": str(row["cause"]),
                    "dq": str(row["dq"]) or None,
                    "ifu": int(row["ifu"]) or None,
                    "slice": int(row["slice"]) or None,
                    "voxels": int(row["voxels"]),
                    "fraction": float(row["fraction"]),
                }
                for row in self.table
            ],
            "findings": self.findings,
        }

    def write(self, path: str | Path, *, force: bool = False) -> Path:
        """Write the table of causes as CSV (or in any form that astropy knows from the ending); return its path."""
        tables = self.source.tables if self.source else ()
        return write_table(self.table, path, force=force, inputs=[self.cube.path, *(table.path for table in tables)])

    def __str__(self) -> str:
        """Tell the findings as text."""
        return "\n".join([f"{self.cube.path}: {self.nan_fraction:.2%} NaN", *(f"- {text}" for text in self.findings)])

    def _repr_html_(self) -> str:
        items = "".join(f"<li>{escape(text)}</li>" for text in self.findings)
        rows = "".join(
            f"<tr><td>{escape(cause)}</td><td>{number}</td><td>{number / max(1, self.voxels):.2%}</td></tr>"
            for cause, number in self.totals().items()
        )
        head = "<tr><th>cause</th><th>voxels</th><th>of the NaN</th></tr>"
        return f"<p><b>{escape(str(self).splitlines()[0])}</b></p><ul>{items}</ul><table>{head}{rows}</table>"


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
        Called with (what, done, all).
    cancel
        Stops when set.

    Raises
    ------
    MuseError
        A file cannot be read, the pixel tables do not belong to the cube, or it was cancelled.
    """
    step = watched(progress, cancel, f"the audit of {cube}")
    opened = CubeFile.open(cube)
    coverage = _cover(opened, step)
    paths = [pixtables] if isinstance(pixtables, str | Path) else list(pixtables or [])
    if not paths:
        if badpix is not None:
            raise MuseError("a bad-pixel table tells nothing without the pixel tables: give them too")
        return _told(opened, coverage, step) if tells(opened) else _without_tables(opened, coverage)
    from muse_nb.steps.nans.placement import Placement

    tables = [PixelTable.open(path) for path in paths]
    placement = Placement.of(opened.header, opened.primary, opened.shape, opened.path, tables)
    source = Tables(tables, placement, None if badpix is None else BadpixTable.open(badpix))
    reach = coverage_of(source, step)
    source = replace(source, cut=reach.cut)
    _check(opened, coverage, reach)
    empty = explain_empty(reach.last >= 0, reach.centres)
    nan = (np.isnan(plane) for plane in opened.planes())
    holes = at_the_edge(trace(nan, source, reach, step), border(empty.inside))
    return NanAudit(
        opened,
        True,
        reach.first,
        reach.last,
        coverage.count,
        coverage.missing,
        coverage.infinite,
        empty,
        holes,
        source,
        reach,
    )


def _told(cube: CubeFile, coverage: Coverage, progress: Progress) -> NanAudit:
    """Audit by the cube's own DQ; the way back to the detector needs the tables all the same."""
    first, last, holes = told_holes(cube, progress)
    empty = explain_empty(last >= 0, slice_centres(cube.path))
    holes = at_the_edge(holes, border(empty.inside))
    return NanAudit(
        cube, True, first, last, coverage.count, coverage.missing, coverage.infinite, empty, holes, None, None
    )


def _without_tables(cube: CubeFile, coverage: Coverage) -> NanAudit:
    empty = explain_empty(coverage.last >= 0)
    return NanAudit(
        cube,
        False,
        coverage.first,
        coverage.last,
        coverage.count,
        coverage.missing,
        coverage.infinite,
        empty,
        Holes.none(),
    )


def _cover(cube: CubeFile, progress: Progress) -> Coverage:
    """Pass over the planes of a cube."""
    coverage = Coverage(cube.shape)
    for k, plane in enumerate(cube.planes()):
        coverage.add(k, plane)
        progress("planes read", k + 1, cube.shape[0])
    return coverage


def _check(cube: CubeFile, coverage: Coverage, reach: Reach) -> None:
    """Refuse tables that the cube was not made from: data where no row falls."""
    filled = coverage.count > 0
    stray = filled & (reach.last < 0)
    if stray.sum() > 0.01 * max(1, filled.sum()):
        raise MuseError(
            f"{cube.path} has data in {int(stray.sum())} spaxels that no row of the pixel tables reaches: give all the"
            " tables that this cube was made from"
        )
