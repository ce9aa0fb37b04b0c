"""OBJECT_RED frames, good or bad: statistics of every frame and a sentence for everything that is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from muse_nb.core.atomic import write_table
from muse_nb.core.errors import MuseError
from muse_nb.core.html import findings_html
from muse_nb.products.detector import TraceTable, by_ifu
from muse_nb.steps.inspect.judge import Finding, judge_frame, judge_set, limits
from muse_nb.steps.inspect.sample import QUADRANTS, frames
from muse_nb.steps.inspect.stats import FrameStatistics, frame_statistics

if TYPE_CHECKING:
    from astropy.table import Table
    from matplotlib.axes import Axes

__all__ = ["Inspection", "inspect"]


@dataclass(frozen=True)
class Inspection:
    """Statistics and findings of a set of frames.

    Attributes
    ----------
    frames : tuple of FrameStatistics
        One for each IFU of each exposure, in the order of the files.
    verdicts : tuple of Finding
        What is wrong, with the number and the limit it passed.
    limits : dict of str to float
        The limits that were used.
    """

    frames: tuple[FrameStatistics, ...]
    verdicts: tuple[Finding, ...]
    limits: dict[str, float] = field(repr=False)

    @property
    def findings(self) -> list[str]:
        """One sentence for everything that is wrong; empty when all frames are good."""
        names = {frame.exposure for frame in self.frames}
        if len(names) < 2:
            return [finding.text for finding in self.verdicts]
        return [
            finding.text if finding.exposure in finding.text else f"{finding.exposure} {finding.text}"
            for finding in self.verdicts
        ]

    @property
    def notes(self) -> list[str]:
        """What could not be looked at because a file lacks it: no fault, but no proof either."""
        said = []
        for name, lacks in (("DQ", lambda f: f.dq is None), ("STAT", lambda f: not f.has_stat)):
            files = sorted({Path(frame.file).name for frame in self.frames if lacks(frame)})
            if files:
                what = "flags are unknown" if name == "DQ" else "the noise cannot be compared with its variance"
                said.append(f"{_first(files)} has no {name}: {what}.")
        if files := sorted({Path(frame.file).name for frame in self.frames if frame.assumed}):
            said.append(f"{_first(files)} has no ESO PRO CATG: taken for OBJECT_RED by the names of its extensions.")
        return said + self.without_ifu

    @property
    def without_ifu(self) -> list[str]:
        """A sentence on frames that have the form of an OBJECT_RED but do not say which IFU they are; else nothing."""
        lost = [f for f in self.frames if not f.ifu and len(f.shape) == 2 and f.dq is not None and f.has_stat]
        if not (files := sorted({Path(frame.file).name for frame in lost})):
            return []
        what = "it has no place in the mosaic, and slices and quadrants were not judged"
        return [f"{_first(files)} does not say its IFU (EXTNAME CHANnn, ESO PRO CATG OBJECT_RED): {what}."]

    @cached_property
    def table(self) -> Table:
        """One row a frame: file, exposure, ifu, background by quadrant, noise_ratio, counts by DQ bit, findings.

        ``cosmic_rate`` is in hits per cm^2 and second; -1 stands for a count that cannot be had.
        """
        from astropy.table import Table

        names = list(dict.fromkeys(name for frame in self.frames for name in frame.dq or {}))
        rows = [_row(frame, names, sum(_concerns(f, frame) for f in self.verdicts)) for frame in self.frames]
        table = Table(rows=rows)
        for column in table.itercols():
            if column.dtype.kind == "f":
                column.info.format = ".4g"
        return table

    @property
    def middle(self) -> dict[str, str]:
        """The middle exposure of the set, DATE-OBS by ``time`` and by ``quality`` (nearest to the median of all)."""
        groups: dict[str, list[FrameStatistics]] = {}
        for frame in self.frames:
            groups.setdefault(frame.exposure, []).append(frame)
        names = sorted(groups)
        values = np.array(
            [[_mean(groups[name], what) for what in ("level", "noise_ratio", "usable")] for name in names]
        )
        centre = np.nanmedian(values, axis=0)
        spread = np.nanmedian(np.abs(values - centre), axis=0)
        distance = np.nansum(np.abs(values - centre) / np.where(spread > 0, spread, 1), axis=1)
        return {"time": names[(len(names) - 1) // 2], "quality": names[int(np.argmin(distance))]}

    def records(self) -> list[dict[str, Any]]:
        """One dictionary a frame, as ``muse-nb inspect --json`` prints it."""
        return [
            {
                "file": frame.file,
                "exposure": frame.exposure,
                "ifu": frame.ifu,
                "background": {name: _finite(value) for name, value in frame.background.items()},
                "noise_ratio": _finite(frame.noise_ratio),
                "dq": frame.dq,
                "usable": _finite(frame.usable),
                "saturated": frame.saturated,
                "cosmic_hits": None if frame.cosmics is None else frame.cosmics.hits,
                "cosmic_rate": None if frame.cosmics is None else _finite(frame.cosmics.rate),
                "nonfinite": frame.nonfinite,
                "findings": [finding.text for finding in self.verdicts if _concerns(finding, frame)],
            }
            for frame in self.frames
        ]

    def plot(self, ax: Axes | None = None, exposure: str | None = None) -> Axes:
        """Draw the detector frames of an exposure side by side; see `steps.inspect_plot.plot_frames`."""
        from muse_nb.steps.inspect.figures import plot_frames

        return plot_frames(self, ax=ax, exposure=exposure)

    def plot_mosaic(self, statistic: str = "noise", ax: Axes | None = None) -> Axes:
        """Draw all exposures and IFUs as MUSE tiles the field; see `steps.inspect_plot.plot_mosaic`."""
        from muse_nb.steps.inspect.figures import plot_mosaic

        return plot_mosaic(self, statistic, ax=ax)

    def write(self, path: str | Path, *, force: bool = False) -> Path:
        """Write the table as CSV (or in any form that astropy knows from the ending); return its path."""
        return write_table(self.table, path, force=force, inputs=[frame.file for frame in self.frames])

    def __str__(self) -> str:
        """Tell the findings as text."""
        exposures = len({frame.exposure for frame in self.frames})
        head = f"{len(self.frames)} frames of {exposures} exposure{'s' * (exposures != 1)}: "
        head += f"{len(self.verdicts)} finding{'s' * (len(self.verdicts) != 1)}"
        return "\n".join([head, *(f"- {text}" for text in self.findings + self.notes + self._middle)])

    @property
    def _middle(self) -> list[str]:
        """A sentence on the middle exposure, where there are enough for one."""
        if len({frame.exposure for frame in self.frames}) < 3:
            return []
        middle = self.middle
        return [f"The middle exposure is {middle['time']} by time, {middle['quality']} by quality."]

    def _repr_html_(self) -> str:
        found = findings_html(self.findings) or "<p>✓ No findings.</p>"
        notes = "".join(f"<li><i>{escape(text)}</i></li>" for text in self.notes + self._middle)
        table = self.table[[name for name in self.table.colnames if name != "file"]]
        return f"<p><b>{escape(str(self).splitlines()[0])}</b></p>{found}<ul>{notes}</ul>{_html(table)}"


def inspect(
    paths: str | Path | Iterable[str | Path],
    *,
    limits_table: str | Path | None = None,
    trace: str | Path | Iterable[str | Path] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Inspection:
    """Look at OBJECT_RED frames and say what is wrong with them.

    Images and cubes with DATA (and STAT, DQ) are measured too, without a verdict on slices and quadrants.

    Parameters
    ----------
    paths
        One file or several: OBJECT_RED of one IFU, merged, compressed (.fits.fz), or any image or cube.
    limits_table
        CSV with columns ``name`` and ``limit`` that replaces some of the limits in ``steps/limits.csv``.
    trace
        TRACE_TABLE files: slices are then looked for where these have them, else where the siblings have them.
    progress
        Called with (files done, files) after each file.

    Returns
    -------
    Inspection
        With ``.table``, ``.findings``, ``.plot()`` and ``.write(csv)``.

    Raises
    ------
    MuseError
        There is no file, or one cannot be read.
    """
    files = [Path(paths)] if isinstance(paths, str | Path) else [Path(path) for path in paths]
    if not files:
        raise MuseError("no frame to inspect: give at least one OBJECT_RED file")
    table, traces = limits(limits_table), by_ifu(trace, TraceTable.open)
    measured: list[FrameStatistics] = []
    for number, path in enumerate(files, 1):
        measured += [frame_statistics(frame) for frame in frames(path)]
        if progress is not None:
            progress(number, len(files))
    found = [finding for frame in measured for finding in judge_frame(frame, table)] + judge_set(
        measured, table, traces
    )
    return Inspection(tuple(measured), tuple(found), table)


def _first(names: list[str]) -> str:
    return f"{names[0]} and {len(names) - 1} more" if len(names) > 1 else names[0]


def _row(frame: FrameStatistics, flags: list[str], findings: int) -> dict[str, Any]:
    row: dict[str, Any] = {
        "file": frame.file,
        "exposure": frame.exposure,
        "ifu": -1 if frame.ifu is None else frame.ifu,
    }
    row |= {f"background_{name}": frame.background[name] for name in QUADRANTS}
    row |= {"noise_ratio": frame.noise_ratio, "usable": frame.usable, "saturated": frame.saturated}
    row |= {"cosmic_hits": -1, "cosmic_rate": float("nan")}
    if frame.cosmics is not None:
        row |= {"cosmic_hits": frame.cosmics.hits, "cosmic_rate": frame.cosmics.rate}
    row |= {"nonfinite": frame.nonfinite, "stripe": frame.stripe, "bad_columns": len(frame.bad_columns)}
    row |= {f"dq_{name}": -1 if frame.dq is None else frame.dq.get(name, 0) for name in flags}
    return row | {"findings": findings}


def _concerns(finding: Finding, frame: FrameStatistics) -> bool:
    """A finding belongs to its frame; one of an exposure as a whole to the first file of it."""
    same = finding.file == frame.file and finding.exposure == frame.exposure
    return same and (finding.ifu == frame.ifu or finding.name in ("missing_ifu",) or finding.ifu is None)


def _mean(group: list[FrameStatistics], what: str) -> float:
    values = np.array([getattr(frame, what) for frame in group])
    return float(values[np.isfinite(values)].mean()) if np.isfinite(values).any() else float("nan")


def _finite(value: float) -> float | None:
    """JSON has no NaN."""
    return float(value) if np.isfinite(value) else None


def _html(table: Table) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in table.colnames)
    cells = [
        [escape(text) for text in column]
        for column in (table[name].pformat(max_lines=-1, show_name=False) for name in table.colnames)
    ]
    body = "".join(
        "<tr>" + "".join(f"<td>{text.strip()}</td>" for text in row) + "</tr>" for row in zip(*cells, strict=True)
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
