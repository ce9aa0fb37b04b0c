"""What the masters were judged to be: findings, what is not known, numbers, and what moved since another night."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from muse_nb.core.atomic import write_table
from muse_nb.core.errors import MuseError
from muse_nb.core.html import Shown, findings_html, table_html
from muse_nb.core.text import printable
from muse_nb.steps.masters.compare import SURE, Moved
from muse_nb.steps.masters.parts.judge import Finding, number_text
from muse_nb.steps.masters.parts.limits import Limit, Limits
from muse_nb.steps.masters.parts.measured import Array, Measured

if TYPE_CHECKING:
    from astropy.table import Table
    from matplotlib.figure import Figure

__all__ = ["Masters"]


@dataclass(frozen=True)
class Masters(Shown):
    """Master calibrations, judged.

    Attributes
    ----------
    measured : tuple of Measured
        The masters with their numbers, by kind and IFU.
    verdicts : tuple of Finding
        What is wrong, and what moved beyond its limit.
    notes : tuple of str
        What could not be judged or compared, a sentence each: no fault, but no proof either.
    limits : dict of str to Limit
        Those that were used.
    moved : tuple of Moved
        Every number that was compared with the other night's; empty where there was none.
    others : tuple of Measured
        The other night's masters.
    """

    measured: tuple[Measured, ...]
    verdicts: tuple[Finding, ...]
    notes: tuple[str, ...]
    limits: Limits = field(repr=False)
    moved: tuple[Moved, ...] = ()
    others: tuple[Measured, ...] = field(default=(), repr=False)

    @property
    def findings(self) -> list[str]:
        """One sentence for everything that is wrong; empty where nothing was found."""
        return [printable(finding.text) for finding in self.verdicts]

    @property
    def good(self) -> bool:
        """Whether nothing was found wrong; what could not be judged does not count."""
        return not self.verdicts

    @property
    def kinds(self) -> list[str]:
        """Kinds of masters that have a number, which `plot` can show."""
        return list(dict.fromkeys(one.master.kind for one in self.measured if one.quantities))

    @cached_property
    def table(self) -> Table:
        """One row a number of a master.

        Columns: file, kind, ifu (0 of the whole field), name, unit; values, how many it is of; lowest, median,
        highest; limit_low, limit_high; real_low, real_high, a real night's range (NaN where none is known); outside,
        how many lie beyond a limit.
        """
        from astropy.table import Table

        rows = [
            {
                "file": str(one.master.path),
                "kind": one.master.kind,
                "ifu": one.master.ifu,
                "name": quantity.name,
                "unit": self.limits[quantity.name].unit,
                **_statistics(quantity.values, self.limits[quantity.name]),
            }
            for one in self.measured
            for quantity in one.quantities
        ]
        if not rows:
            return Table(names=["file", "kind", "ifu", "name"], dtype=[str, str, int, str])
        table = Table(rows=rows)
        for column in table.itercols():
            if column.dtype.kind == "f":
                column.info.format = ".4g"
        return table

    @cached_property
    def moved_table(self) -> Table:
        """One row a number that was compared.

        Columns: kind, ifu (0 of the whole field), place, name; value, this night's less the other's, error and sigma
        (NaN where nothing tells them); unit; limit_low, limit_high; sure, more than 5 sigma; beyond, over its limit.
        """
        from astropy.table import Table

        rows = [row | {"ifu": row["ifu"] or 0} for row in self._moved_rows()]
        return Table(rows=rows) if rows else Table(names=["kind", "ifu", "place", "name"], dtype=[str, int, str, str])

    def _moved_rows(self) -> list[dict[str, object]]:
        return [
            {
                "kind": row.kind,
                "ifu": row.ifu,
                "place": row.place,
                "name": row.name,
                "value": row.value,
                "error": row.error,
                "sigma": row.significance,
                "unit": row.unit,
                "limit_low": self.limits[row.name].low,
                "limit_high": self.limits[row.name].high,
                "sure": abs(row.significance) > SURE,
                "beyond": self.limits[row.name].passed(row.value) is not None,
            }
            for row in self.moved
        ]

    def summary(self) -> dict[str, object]:
        """The judgement as ``muse-nb masters --json`` prints it; numbers that are not known are None."""
        rows = [dict(zip(self.table.colnames, row, strict=True)) for row in self.table.iterrows()]
        return {
            "masters": [
                {"file": str(one.master.path), "kind": one.master.kind, "ifu": one.master.ifu or None}
                for one in self.measured
            ],
            "numbers": [_plain(row) | {"ifu": int(row["ifu"]) or None} for row in rows],
            "findings": [_plain(vars(finding)) for finding in self.verdicts],
            "notes": [printable(note) for note in self.notes],
            "moved": [_plain(row) for row in self._moved_rows()],
        }

    def plot(self, kind: str) -> Figure:
        """Draw the numbers of one kind of master by slice, quadrant or IFU, with limits and a real night's range.

        Parameters
        ----------
        kind
            One of `kinds`.

        Raises
        ------
        MuseError
            There is no such master.
        """
        from muse_nb.steps.masters.figures import draw_kind

        if kind not in self.kinds:
            raise MuseError(f"there is no {kind!r} to draw: there are {', '.join(self.kinds) or 'none'}")
        return draw_kind(kind, [one for one in self.measured if one.master.kind == kind], self.limits)

    def plot_moved(self, kind: str | None = None) -> Figure:
        """Draw what moved since the other night, with errors and limits.

        Parameters
        ----------
        kind
            PRO CATG; all kinds when None.

        Raises
        ------
        MuseError
            Nothing of it was compared.
        """
        from muse_nb.steps.masters.figures import draw_moved

        rows = [row for row in self.moved if kind in (None, row.kind)]
        if not rows:
            raise MuseError(f"nothing of {kind or 'any master'} was compared with another night: give one as other=")
        return draw_moved(rows, self.limits)

    def write(self, path: str | Path, *, force: bool = False) -> Path:
        """Write the table as CSV (or in any form that astropy knows from the ending); return its path."""
        inputs = [one.master.path for one in (*self.measured, *self.others)]
        return write_table(self.table, path, force=force, inputs=inputs)

    @property
    def head(self) -> str:
        """One line on all of it."""
        counts: dict[str, int] = defaultdict(int)
        for one in self.measured:
            counts[one.master.kind] += 1
        told = ", ".join(f"{number} {kind}" for kind, number in counts.items())
        found = f"{len(self.verdicts)} finding{'s' * (len(self.verdicts) != 1)}"
        compared = f"; {len(self.moved)} numbers compared with another night" if self.others else ""
        return f"{told}: {found}{compared}"

    def __str__(self) -> str:
        """Tell it as text: findings, what could not be judged, and what moved."""
        lines = [self.head, *(f"- {text}" for text in self.findings)]
        lines += [f"  ({printable(note)})" for note in self.notes]
        lines += [f"  {line}" for line in self._moved_lines()]
        return "\n".join(lines)

    def _moved_lines(self) -> list[str]:
        """A line on each number of the whole that was compared, moved or not."""
        said = []
        for row in self.moved:
            if row.place:
                continue
            where = f"{row.kind}{f' of IFU {row.ifu}' if row.ifu else ''}"
            error = f" +- {row.error:.2g}" if np.isfinite(row.error) else ""
            unit = f" {row.unit}" if row.unit else ""
            said.append(f"{where}: {self.limits[row.name].what} moved by {row.value:+.3g}{error}{unit}")
        return said

    def _repr_html_(self) -> str:
        found = findings_html(self.findings) or "<p>✓ No findings.</p>"
        notes = "".join(f"<li><i>{escape(printable(note))}</i></li>" for note in self.notes)
        head = f"<p><b>{escape(self.head)}</b></p>{found}<ul>{notes}</ul>"
        names = ("master", "number", "of", "lowest", "median", "highest", "", "limit", "a real night")
        page = head + table_html(names, self._rows(), kind="masters")
        if self.moved:
            columns = ("master", "moved", "of", "lowest", "median", "highest", "", "limit", f"beyond {SURE:g} sigma")
            page += table_html(columns, self._rows_moved())
        return page

    def _rows(self) -> list[tuple[object, ...]]:
        """A row each number, over all IFUs."""
        groups: dict[str, list[Array]] = defaultdict(list)
        for one in self.measured:
            for quantity in one.quantities:
                groups[quantity.name].append(quantity.values)
        return [
            (limit.kind, limit.what, len(values), *_three(values), limit.unit, limit.range_text, limit.real_text)
            for limit, values in ((self.limits[name], np.concatenate(all_)) for name, all_ in groups.items())
        ]

    def _rows_moved(self) -> list[tuple[object, ...]]:
        groups: dict[str, list[Moved]] = defaultdict(list)
        for row in self.moved:
            groups[row.name].append(row)
        rows: list[tuple[object, ...]] = []
        for name, moved in groups.items():
            limit, values = self.limits[name], [row.value for row in moved]
            sure = sum(abs(row.significance) > SURE for row in moved)
            rows.append((limit.kind, limit.what, len(values), *_three(values), limit.unit, limit.range_text, sure))
        return rows


def _statistics(values: Array, limit: Limit) -> dict[str, float | int]:
    low, middle, high = _ends(values)
    return {
        "values": int(np.count_nonzero(np.isfinite(values))),
        "lowest": low,
        "median": middle,
        "highest": high,
        "limit_low": limit.low,
        "limit_high": limit.high,
        "real_low": limit.real_low,
        "real_high": limit.real_high,
        "outside": sum(limit.passed(float(value)) is not None for value in values),
    }


def _ends(values: Sequence[float] | Array) -> tuple[float, float, float]:
    known = np.asarray(values, float)
    known = known[np.isfinite(known)]
    if not known.size:
        return (float("nan"),) * 3
    return float(known.min()), float(np.median(known)), float(known.max())


def _three(values: Sequence[float] | Array) -> Iterable[str]:
    return ["" if np.isnan(value) else number_text(value) for value in _ends(values)]


def _plain(row: dict[str, object]) -> dict[str, object]:
    """Fit for JSON: what is not finite is None, text is printable."""
    return {
        str(key): printable(value)
        if isinstance(value, str)
        else (float(value) if np.isfinite(value) else None)
        if isinstance(value, (float, np.floating))
        else value.item()
        if isinstance(value, np.generic)
        else value
        for key, value in row.items()
    }
