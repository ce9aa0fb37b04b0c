"""What an inspection found: statistics of every frame and a sentence for everything that is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from muse_nb.core.atomic import write_table
from muse_nb.core.errors import MuseError
from muse_nb.core.html import Shown, findings_html, table_html
from muse_nb.steps.inspect.judge import Finding
from muse_nb.steps.inspect.sample import QUADRANTS
from muse_nb.steps.inspect.stats import FrameStatistics
from muse_nb.steps.inspect.tiles import STATISTICS, Tile, finite_or_none, spans, tile_of

if TYPE_CHECKING:
    from astropy.table import Table
    from matplotlib.axes import Axes

__all__ = ["FrameRecord", "Inspection"]


class FrameRecord(TypedDict):
    """What was measured of one frame and found in it, fit for JSON: None where a number cannot be had."""

    file: str
    exposure: str
    ifu: int | None
    background: dict[str, float | None]
    noise_ratio: float | None
    dq: dict[str, int] | None
    usable: float | None
    saturated: int
    cosmic_hits: int | None
    cosmic_rate: float | None
    nonfinite: int
    findings: list[str]


@dataclass(frozen=True)
class Inspection(Shown):
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
        without: tuple[tuple[str, Callable[[FrameStatistics], bool], str], ...] = (
            ("DQ", lambda frame: frame.dq is None, "flags are unknown"),
            ("STAT", lambda frame: not frame.has_stat, "the noise cannot be compared with its variance"),
        )
        said = []
        for name, lacks, consequence in without:
            if files := sorted({Path(frame.file).name for frame in self.frames if lacks(frame) and not frame.raw}):
                said.append(f"{_first(files)} has no {name}: {consequence}.")
        if files := sorted({Path(frame.file).name for frame in self.frames if frame.raw}):
            what = "light, saturation and read-out noise of each channel were judged; slices need OBJECT_RED"
            said.append(f"{_first(files)}: raw, {what} (muse-nb reduce).")
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
        rows = [_row(frame, names, len(self._said_of(frame))) for frame in self.frames]
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
        values[:, ~np.isfinite(values).any(axis=0)] = 0.0  # unknown in all of them
        centre = np.nanmedian(values, axis=0)
        spread = np.nanmedian(np.abs(values - centre), axis=0)
        distance = np.nansum(np.abs(values - centre) / np.where(spread > 0, spread, 1), axis=1)
        return {"time": names[(len(names) - 1) // 2], "quality": names[int(np.argmin(distance))]}

    @cached_property
    def tiles(self) -> list[Tile]:
        """What each frame shows on the sheet of all of them, in the order of `frames`."""
        return [tile_of(frame, self._said_of(frame)) for frame in self.frames]

    def _said_of(self, frame: FrameStatistics) -> list[str]:
        return [finding.text for finding in self.verdicts if _concerns(finding, frame)]

    def records(self) -> list[FrameRecord]:
        """One dictionary a frame, as ``muse-nb inspect --json`` prints it."""
        return [
            {
                "file": frame.file,
                "exposure": frame.exposure,
                "ifu": frame.ifu,
                "background": {name: finite_or_none(value) for name, value in frame.background.items()},
                "noise_ratio": finite_or_none(frame.noise_ratio),
                "dq": frame.dq,
                "usable": finite_or_none(frame.usable),
                "saturated": frame.saturated,
                "cosmic_hits": None if frame.cosmics is None else frame.cosmics.hits,
                "cosmic_rate": None if frame.cosmics is None else finite_or_none(frame.cosmics.rate),
                "nonfinite": frame.nonfinite,
                "findings": self._said_of(frame),
            }
            for frame in self.frames
        ]

    def plot(self, ax: Axes | None = None, exposure: str | None = None) -> Axes:
        """Draw the detector frames of an exposure side by side, those with findings framed.

        Parameters
        ----------
        ax
            Axes to draw into; a new figure when None.
        exposure
            DATE-OBS of the exposure; the middle one (by time) when None.

        Raises
        ------
        MuseError
            There is no such exposure.
        """
        from muse_nb.steps.inspect.figures import plot_frames

        exposure = exposure or self.middle["time"]
        frames = sorted((f for f in self.frames if f.exposure == exposure), key=lambda f: f.ifu or 0)
        if not frames:
            there = sorted({f.exposure for f in self.frames})
            raise MuseError(f"no frame of exposure {exposure!r} here: choose one of {there}")
        return plot_frames(frames, {(finding.file, finding.ifu) for finding in self.verdicts}, ax=ax)

    def plot_mosaic(self, statistic: str = "noise", ax: Axes | None = None) -> Axes:
        """Draw all exposures and IFUs as MUSE tiles the field, coloured by a statistic.

        Parameters
        ----------
        statistic
            One of `tiles.STATISTICS`.
        ax
            Axes to draw into; a new figure when None.

        Raises
        ------
        MuseError
            There is no such statistic, or no frame.
        """
        from muse_nb.steps.inspect.figures import plot_mosaic

        if statistic not in STATISTICS:
            raise MuseError(f"there is no statistic {statistic!r}: choose one of {', '.join(STATISTICS)}")
        if not self.frames:
            raise MuseError("there is no frame to draw: inspect at least one OBJECT_RED file")
        return plot_mosaic(self.frames, self.tiles, spans(self.tiles, self.limits)[statistic], statistic, ax=ax)

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


def _first(names: list[str]) -> str:
    return f"{names[0]} and {len(names) - 1} more" if len(names) > 1 else names[0]


def _row(frame: FrameStatistics, flags: list[str], findings: int) -> dict[str, str | float]:
    row: dict[str, str | float] = {
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


def _html(table: Table) -> str:
    columns = [table[name].pformat(max_lines=-1, show_name=False) for name in table.colnames]
    return table_html(table.colnames, ([text.strip() for text in row] for row in zip(*columns, strict=True)))
