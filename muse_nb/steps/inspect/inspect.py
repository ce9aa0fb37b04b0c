"""OBJECT_RED frames, good or bad: statistics of every frame and a sentence for everything that is wrong."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from muse_nb.core.errors import MuseError
from muse_nb.core.progress import Progress
from muse_nb.products.detector import TraceTable, by_ifu
from muse_nb.steps.inspect.judge import judge_frame, judge_set, limits
from muse_nb.steps.inspect.result import Inspection
from muse_nb.steps.inspect.sample import frames
from muse_nb.steps.inspect.stats import FrameStatistics, frame_statistics

__all__ = ["inspect"]


def inspect(
    paths: str | Path | Iterable[str | Path],
    *,
    limits_table: str | Path | None = None,
    trace: str | Path | Iterable[str | Path] | None = None,
    progress: Progress | None = None,
) -> Inspection:
    """Look at OBJECT_RED frames and say what is wrong with them.

    Raw frames are judged channel by channel: light, saturation, read-out noise. Images and cubes with DATA (and STAT,
    DQ) are measured too, without a verdict on slices and quadrants.

    Parameters
    ----------
    paths
        One file or several: OBJECT_RED of one IFU, merged, compressed (.fits.fz), or any image or cube.
    limits_table
        CSV with columns ``name`` and ``limit`` that replaces some of the limits in ``steps/inspect/limits.csv``.
    trace
        TRACE_TABLE files: slices are then looked for where these have them, else where the siblings have them.
    progress
        Told of the files that are done, of all.

    Returns
    -------
    Inspection
        With ``.table``, ``.findings``, ``.plot()`` and ``.write(csv)``.

    Raises
    ------
    MuseError
        There is no file, or one cannot be read.

    Examples
    --------
    >>> one = muse_nb.survey("night").exposure(0)
    >>> frames = muse_nb.inspect(one.files("OBJECT_RED"))
    >>> frames.findings
    []
    >>> print(*frames.table["ifu"])
    10 11 12 13 14 15
    """
    files = [Path(paths)] if isinstance(paths, str | Path) else [Path(path) for path in paths]
    if not files:
        raise MuseError("no frame to inspect: give at least one OBJECT_RED file")
    table, traces = limits(limits_table), by_ifu(trace, TraceTable.open)
    measured: list[FrameStatistics] = []
    for number, path in enumerate(files, 1):
        measured += [frame_statistics(frame) for frame in frames(path)]
        if progress is not None:
            progress("frames measured", number, len(files))
    found = [finding for frame in measured for finding in judge_frame(frame, table)]
    found += judge_set(measured, table, traces)
    with_pixels = tuple(frame for frame in measured if frame.raw is None or frame.raw.trimmed is not None)
    if not with_pixels:
        raise MuseError(f"{files[0]} has no channel with pixels: fetch the frame again")
    return Inspection(with_pixels, tuple(found), table)
