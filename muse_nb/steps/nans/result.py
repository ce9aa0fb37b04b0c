"""The audit of a cube's NaN: how many there are, why, and which IFU, slice and flag stand behind them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.atomic import write_table
from muse_nb.core.errors import MuseError
from muse_nb.core.html import Shown, findings_html, table_html
from muse_nb.products import dq as flags
from muse_nb.products.cube_file import CubeFile
from muse_nb.steps.nans.causes import CAUSE_OF_CODE, CODES, MEANING, Cause, Holes, causes_of_plane
from muse_nb.steps.nans.layout import Empty
from muse_nb.steps.nans.notch import notch_findings
from muse_nb.steps.nans.reach import Reach, Tables

if TYPE_CHECKING:
    from astropy.table import Table
    from matplotlib.axes import Axes

__all__ = ["NanAudit"]


@dataclass(frozen=True)
class NanAudit(Shown):
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
    odd_values : tuple of str
        What of the values that are there cannot be right, each the rest of a sentence that starts with the cube.
    empty : Empty
        Why some spaxels have no data at all.
    holes : Holes
        The other NaN voxels within the range of their spaxel; only listed when their causes can be told.
    source, reach : Tables, Reach or None
        The pixel tables and where their rows fall, for the way back to the detector (see `muse_nb.steps.nans.story`).
    """

    cube: CubeFile
    exact: bool
    first: NDArray[np.int32] = field(repr=False)
    last: NDArray[np.int32] = field(repr=False)
    count: NDArray[np.int32] = field(repr=False)
    missing: NDArray[np.int64] = field(repr=False)
    infinite: int
    empty: Empty = field(repr=False)
    holes: Holes = field(repr=False)
    odd_values: tuple[str, ...] = ()
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
        """NaN voxels inside the field over all voxels there; 1 when nothing is inside."""
        inside = self.empty.inside
        beyond = int((self.holes.cause == CODES[Cause.OUTSIDE_FIELD]).sum())  # the field moves a little with wavelength
        number = int(inside.sum()) * self.shape[0] - beyond
        return float(((self.shape[0] - self.count[inside]).sum() - beyond) / number) if number > 0 else 1.0

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
            sums[CAUSE_OF_CODE[code].value, "", ifu, slice_] += int(number)
        sums[Cause.OUTSIDE_RANGE.value, "", 0, 0] += int((nz - (self.last - self.first + 1)[~empty]).sum())
        for cause, dq, ifu, slice_, number in self._listed():
            sums[cause, dq, ifu, slice_] += number
        sums[Cause.UNKNOWN.value, "", 0, 0] += max(0, self.voxels - sum(sums.values()))
        return [(*key, number) for key, number in sums.items() if number]

    def _listed(self) -> list[tuple[str, str, int, int, int]]:
        """The same of the holes that are listed with their causes."""
        holes = self.holes
        if not len(holes):
            return []
        keys = np.stack([holes.cause, holes.dq, holes.ifu, holes.slice], axis=1).astype(np.int64)
        kinds, numbers = np.unique(keys, axis=0, return_counts=True)
        return [
            (CAUSE_OF_CODE[code].value, "+".join(flags.names(dq)), ifu, slice_, int(number))
            for (code, dq, ifu, slice_), number in zip(kinds.tolist(), numbers, strict=True)
        ]

    def totals(self) -> dict[str, int]:
        """NaN voxels by cause, most first."""
        sums: dict[str, int] = {}
        for cause, *_, number in self._groups():
            sums[cause] = sums.get(cause, 0) + number
        return dict(sorted(sums.items(), key=lambda item: -item[1]))

    def cause_plane(self, k: int) -> NDArray[np.int8]:
        """Causes in plane `k`: codes of `muse_nb.steps.nans.causes.CODES`, 0 where there are data; shape (ny, nx)."""
        return causes_of_plane(k, np.isnan(self.cube.plane(k)), self.first, self.last, self.empty.cause, self.holes)

    def fraction_map(self) -> NDArray[np.float32]:
        """Fraction of NaN over all planes, float32, shape (ny, nx)."""
        return np.asarray(1 - self.count / self.shape[0], np.float32)

    def profile(self) -> NDArray[np.float32]:
        """Fraction of NaN over the spaxels inside the field by plane, float32, shape (nz,)."""
        inside = int(self.empty.inside.sum())
        outside = self.count.size - inside
        return np.asarray((self.missing - outside) / max(1, inside), np.float32)

    @property
    def findings(self) -> list[str]:
        """What to know, one sentence each, with numbers."""
        nz = self.shape[0]
        if self.voxels == int(np.prod(self.shape)):
            return [f"All {self.voxels} voxels are NaN: the cube is empty."]
        within, where, of = (
            (f", {self.nan_fraction_in_field:.2%} of those inside the field", " inside the field", "field")
            if self.exact
            else ("", "", "cube")  # where its field ends a cube alone does not tell
        )
        said = [
            f"{self.nan_fraction:.2%} of the voxels are NaN{within}; {self.dead_spaxels} spaxels{where} and"
            f" {self.dead_planes} of {nz} planes have no data at all."
        ]
        inside = max(1, int(self.empty.inside.sum()) * nz)
        for cause, number in self.totals().items():
            if cause in (Cause.OUTSIDE_FIELD, Cause.OUTSIDE_RANGE):
                continue
            share = f"{number} voxels, {number / inside:.3%} of the {of}"
            said.append(f"{cause[0].upper() + cause[1:]}: {share} ({MEANING[Cause(cause)]}){self._most(cause)}.")
        if self.infinite:
            said.append(f"{self.infinite} voxels are infinite, not NaN: the pixel tables hold data that overflow.")
        said += [f"The cube {what}." for what in self.odd_values]
        said += notch_findings(self.cube, self.missing, int(self.empty.inside.sum()))
        if not self.exact:
            said.append(
                "Without the pixel tables, flags, gaps between slices, missing IFUs, rejected cosmic rays and data that"
                " are not finite cannot be told apart: give them with pixtables=... (--pixtable), or combine with"
                " --extensions DQ."
            )
        return said

    def _most(self, cause: str) -> str:
        """Which IFU, slice and flag stand behind a cause most often."""
        rows = self.table[self.table["cause"] == cause]
        parts = []
        for name, label in (("dq", "flag"), ("ifu", "IFU"), ("slice", "slice")):
            values = np.asarray(rows[name])
            if not values.astype(bool).any():
                continue
            kinds, inverse = np.unique(values, return_inverse=True)
            numbers = np.bincount(inverse, np.asarray(rows["voxels"]))
            best = int(np.argmax(numbers))
            parts.append(f"{label} {kinds[best]} {numbers[best] / numbers.sum():.0%}")
        return ", most by " + ", ".join(parts) if parts else ""

    def plot(self, axes: Sequence[Axes] | None = None) -> Sequence[Axes]:
        """Draw the fraction of NaN by spaxel and by wavelength, on two axes or in a new figure."""
        from muse_nb.steps.nans.figures import plot_nans

        wavelength = None
        with suppress(MuseError):  # the cube does not say: planes then
            wavelength = self.cube.wavelength(np.arange(self.shape[0]))
        return plot_nans(self.fraction_map(), self.profile(), self.cube.header, wavelength, axes)

    def summary(self) -> dict[str, object]:
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
        rows = [(cause, number, f"{number / max(1, self.voxels):.2%}") for cause, number in self.totals().items()]
        table = table_html(("cause", "voxels", "of the NaN"), rows)
        return f"<p><b>{escape(str(self).splitlines()[0])}</b></p>{findings_html(self.findings)}{table}"
