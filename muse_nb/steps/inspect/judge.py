"""Findings: sentences with the number and the limit it passed. Good frames give none."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np

from muse_nb.core.errors import MuseError
from muse_nb.core.robust import mad_sigma, median
from muse_nb.products.detector import TraceTable
from muse_nb.products.field import IFUS
from muse_nb.steps.inspect.judge_slices import moved_lines, moved_slices
from muse_nb.steps.inspect.raw import raw_faults
from muse_nb.steps.inspect.slices import SLICES
from muse_nb.steps.inspect.stats import FrameStatistics

__all__ = ["Finding", "judge_frame", "judge_set", "limits"]

MAX_IFUS_LOST = 2  # of an exposure that is taken for a full one
MIN_IFUS = 4  # with a background, for one of them to be odd
MIN_EXPOSURES = 3  # for one of them to be odd
MIN_STEP_ERRORS = 4.0  # by which the quadrants' step is over its limit
Limits = Mapping[str, float]
Add = Callable[[str, float, str], None]  # name of the limit, value, sentence


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: where, the sentence, and what passed which limit."""

    file: str
    ifu: int | None
    exposure: str
    name: str
    value: float
    limit: float
    text: str

    def __str__(self) -> str:
        """Tell the sentence."""
        return self.text


def limits(path: str | Path | None = None) -> dict[str, float]:
    """Read the limits: the package's table, with the rows of an own table of the same form put over it.

    Parameters
    ----------
    path
        CSV file with the columns ``name`` and ``limit``; others are ignored.

    Raises
    ------
    MuseError
        The table cannot be read, names an unknown limit, or a limit is not a number.
    """
    table = _read(str(files("muse_nb.steps.inspect") / "limits.csv"))
    if path is not None:
        own = _read(str(path))
        if unknown := sorted(set(own) - set(table)):
            raise MuseError(f"{path} names a limit that does not exist, {unknown[0]!r}: known are {', '.join(table)}")
        table |= own
    return table


def _read(path: str) -> dict[str, float]:
    try:
        with Path(path).open(newline="", encoding="utf-8") as file:
            return {row["name"].strip(): float(row["limit"]) for row in csv.DictReader(file)}
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise MuseError(f"{path} is not a table of limits (columns name and limit): {error}") from error


def judge_frame(frame: FrameStatistics, limit: Limits) -> list[Finding]:
    """Findings of one frame by itself."""
    found: list[Finding] = []

    def add(name: str, value: float, text: str) -> None:
        where = f"IFU {frame.ifu}" if frame.ifu is not None else Path(frame.file).name
        sentence = f"{where}: {text}"
        found.append(Finding(frame.file, frame.ifu, frame.exposure, name, float(value), limit[name], sentence))

    if frame.raw is not None:
        return found  # with the other channels of its frame
    if not np.isfinite(frame.level):
        add("flagged", 1.0, "no pixel is usable: all are flagged or not finite")
        return found
    _judge_values(frame, limit, add)
    if frame.ifu is None:
        return found
    _judge_quadrants(frame, limit, add)
    _judge_noise(frame, limit, add)
    part = frame.flagged / np.prod(frame.shape)
    if part > limit["flagged"]:
        add("flagged", part, f"{100 * part:.1f} % of the pixels are flagged (limit {100 * limit['flagged']:.0f} %)")
    if frame.nonfinite > limit["nonfinite"]:
        text = f"{frame.nonfinite} pixels are not finite though their DQ is 0 (limit {limit['nonfinite']:.0f})"
        add("nonfinite", frame.nonfinite, text)
    if frame.saturated > limit["saturated"]:
        add("saturated", frame.saturated, f"{frame.saturated} pixels are saturated (limit {limit['saturated']:.0f})")
    if frame.stripe > limit["stripe"]:
        text = f"the rows are striped: their medians scatter {frame.stripe:.1f} times more than the noise explains"
        add("stripe", frame.stripe, f"{text} (limit {limit['stripe']:g})")
    number = len(frame.bad_columns)
    if number > limit["bad_columns"]:
        some = ", ".join(str(x + 1) for x in frame.bad_columns[:6]) + (", ..." if number > 6 else "")
        text = (
            f"{number} unflagged columns stand out from their neighbours (limit {limit['bad_columns']:.0f}): x = {some}"
        )
        add("bad_columns", number, text)
    _judge_slices(frame, limit, add)
    return found


def _judge_quadrants(frame: FrameStatistics, limit: Limits, add: Add) -> None:
    skies = frame.slices.quadrant_sky if frame.slices is not None else {}
    dead = set()
    for name, value in frame.background.items():
        others = [sky for other, sky in skies.items() if other != name and np.isfinite(sky)]
        reference = median(others) if others else float("nan")
        if not np.isfinite(value):
            dead.add(name)
            text = f"quadrant {name} is dead: none of its pixels is usable (limit"
            add("quadrant_flagged", 1.0, f"{text} {100 * limit['quadrant_flagged']:.0f} % flagged)")
        elif abs(value) < limit["quadrant_dark"] * reference:
            dead.add(name)
            text = (
                f"quadrant {name} has no light: background {value:.3g} where the others have a sky of {reference:.3g}"
            )
            add("quadrant_dark", value / reference, f"{text} (limit {limit['quadrant_dark']:g} of it)")
    left, right, error = frame.step
    apart = abs(left / right - 1) if right else float("nan")
    if not dead and apart > limit["quadrant_step"] + MIN_STEP_ERRORS * error:
        text = f"a quadrant's gain is wrong: the signal changes by a factor {left:.3f} over the middle row at left,"
        text += f" {right:.3f} at right (limit {100 * limit['quadrant_step']:.0f} % apart)"
        add("quadrant_step", apart, text)


def _judge_values(frame: FrameStatistics, limit: Limits, add: Add) -> None:
    if frame.no_variance > limit["no_variance"]:
        text = f"STAT is 0, negative or not finite in {100 * frame.no_variance:.3g} % of its good pixels"
        text += f" (limit {100 * limit['no_variance']:g} %): errors that are taken from it are wrong there"
        add("no_variance", frame.no_variance, text)
    if frame.zeros > limit["zeros"]:
        text = (
            f"{100 * frame.zeros:.2g} % of its values are exactly 0 (limit {100 * limit['zeros']:g} %): they look like"
        )
        add("zeros", frame.zeros, f"{text} no data, and means and noise take them for light")


def _judge_noise(frame: FrameStatistics, limit: Limits, add: Add) -> None:
    if frame.dq is None:  # the gaps between slices, whose STAT says nothing of their noise, are among the pixels
        return
    ratio = frame.noise_ratio
    for name, wrong, which in (
        ("noise_high", ratio > limit["noise_high"], "small"),
        ("noise_low", ratio < limit["noise_low"], "large"),
    ):
        if wrong:
            text = f"the noise is {ratio:.2f} times sqrt(STAT) (limit {limit[name]:g}):"
            text += f" STAT is too {which} or the gain is wrong"
            add(name, ratio, text)
    for quadrant, value in frame.noise_ratios.items():
        others = [v for other, v in frame.noise_ratios.items() if other != quadrant]
        reference = float(np.median(others))
        if (
            abs(value - reference) > limit["noise_quadrant"]
            and frame.background[quadrant] > limit["quadrant_dark"] * frame.level
        ):
            text = f"the noise of quadrant {quadrant} is {value:.2f} times sqrt(STAT), in the others {reference:.2f}"
            add("noise_quadrant", abs(value - reference), f"{text} (limit {limit['noise_quadrant']:g} apart)")


def _judge_slices(frame: FrameStatistics, limit: Limits, add: Add) -> None:
    slices = frame.slices
    if slices is None:
        return
    missing = np.flatnonzero(~slices.found)
    if 0 < len(missing) < SLICES:
        add("slice_dark", len(missing), f"{_slices(missing)} flagged as a whole: no column is usable")
    with np.errstate(invalid="ignore"):
        dark = np.flatnonzero(np.abs(slices.light) < limit["slice_dark"])
    if len(dark):
        text = f"{_slices(dark)} without light: {slices.light[dark[0]]:.2f} of the frame's sky"
        add("slice_dark", slices.light[dark[0]], f"{text} (limit {limit['slice_dark']:g})")
    for side, lost in (("left", slices.lost_left), ("right", slices.lost_right)):
        with np.errstate(invalid="ignore"):
            shifted = np.flatnonzero(lost > limit["slice_shift"])
        for number in shifted:
            text = f"slice {number + 1} is shifted: {lost[number]:.0f} columns of its {side} half do not have its light"
            add("slice_shift", lost[number], f"{text} (limit {limit['slice_shift']:g})")


def _slices(numbers: np.ndarray) -> str:
    names = ", ".join(str(n + 1) for n in numbers[:8]) + (", ..." if len(numbers) > 8 else "")
    return f"slice {names} is" if len(numbers) == 1 else f"{len(numbers)} slices ({names}) are"


def judge_set(
    frames: Iterable[FrameStatistics], limit: Limits, traces: Mapping[int, TraceTable] | None = None
) -> list[Finding]:
    """Findings that need the siblings (other IFUs, other exposures of the set) or the IFUs' trace tables."""
    exposures: dict[str, list[FrameStatistics]] = defaultdict(list)
    for frame in frames:
        if frame.ifu is not None:
            exposures[frame.exposure].append(frame)
    found: list[Finding] = []
    common = Counter(
        ifu for group in exposures.values() for ifu in {frame.ifu for frame in group if frame.ifu is not None}
    )
    for exposure, group in exposures.items():
        found += _raw(exposure, group, limit)
        found += _missing(exposure, group, common, len(exposures), limit)
        found += _odd_ifus(group, limit)
    reduced = {exposure: [frame for frame in group if frame.raw is None] for exposure, group in exposures.items()}
    found += _odd_exposures({exposure: group for exposure, group in reduced.items() if group}, limit)
    found += _moved([frame for group in exposures.values() for frame in group], limit, traces)
    return found


def _raw(exposure: str, group: list[FrameStatistics], limit: Limits) -> list[Finding]:
    """What is wrong with the channels of raw frames."""
    found = []
    for file in dict.fromkeys(frame.file for frame in group if frame.raw is not None):
        channels = [frame.raw for frame in group if frame.file == file and frame.raw is not None]
        for ifu, faults in raw_faults(channels, dict(limit)).items():
            for name, value, text in faults:
                found.append(Finding(file, ifu, exposure, name, value, limit.get(name, 1.0), f"IFU {ifu}: {text}"))
    return found


def _missing(
    exposure: str, group: list[FrameStatistics], common: Counter[int], exposures: int, limit: Limits
) -> list[Finding]:
    here = {frame.ifu for frame in group if frame.ifu is not None}
    span = set(range(min(here), max(here) + 1))
    expected = {ifu for ifu, times in common.items() if 2 * times > exposures}
    if 2 * len(here) > len(span):  # a few IFUs picked by hand are not an exposure with gaps
        expected |= span
    if IFUS - len(here) <= MAX_IFUS_LOST:
        expected |= set(range(1, IFUS + 1))
    return [
        Finding(group[0].file, ifu, exposure, "missing_ifu", 0.0, 1.0, f"IFU {ifu} of exposure {exposure} is missing")
        for ifu in sorted(expected - here)
    ]


def _odd_ifus(group: list[FrameStatistics], limit: Limits) -> list[Finding]:
    """An IFU whose sky differs from that of its siblings; a star raises its background, not its faintest slice."""
    levels = np.array([frame.sky for frame in group])
    if np.isfinite(levels).sum() < MIN_IFUS:
        return []
    middle, scatter = median(levels), mad_sigma(levels)
    found = []
    for frame, level in zip(group, levels, strict=True):
        away = abs(level - middle)
        if not (away > limit["ifu_background"] * abs(middle) and away > limit["ifu_sigma"] * scatter):
            continue
        near = [other.sky for other in group if 0 < abs(_number(other) - _number(frame)) <= 2]
        if not any(abs(sky - level) <= limit["ifu_background"] * sky for sky in near):  # stars' light is no one IFU's
            text = f"IFU {frame.ifu}: the background of its faintest slice is {level:.3g} where its siblings have"
            text += f" {middle:.3g} (limit {100 * limit['ifu_background']:.0f} % apart)"
            apart = away / abs(middle)
            where = (frame.file, frame.ifu, frame.exposure)
            found.append(Finding(*where, "ifu_background", apart, limit["ifu_background"], text))
    return found


def _faintest(levels: list[float]) -> float:
    """Sky of an exposure: that of the IFU that has the fewest stars; NaN of too few IFUs to have one without."""
    known = [level for level in levels if np.isfinite(level)]
    return min(known) if len(known) >= MIN_IFUS else float("nan")


def _number(frame: FrameStatistics) -> int:
    return frame.ifu or 0


def _odd_exposures(exposures: Mapping[str, list[FrameStatistics]], limit: Limits) -> list[Finding]:
    """An exposure that differs from the others, measured on the IFUs that all of them have."""
    if len(exposures) < MIN_EXPOSURES:
        return []
    summary = {
        exposure: (
            _faintest([frame.sky / frame.exptime for frame in group]),
            median([frame.noise_ratio for frame in group]),
            float(np.mean([frame.usable for frame in group])),
        )
        for exposure, group in exposures.items()
    }
    level, noise, usable = (np.array(column) for column in zip(*summary.values(), strict=True))
    middle = [median(column) for column in (level, noise, usable)]
    found = []
    for exposure, (own_level, own_noise, own_usable) in summary.items():
        checks = (
            (
                "exposure_background",
                abs(own_level / middle[0] - 1) if middle[0] else float("nan"),
                f"its background is {own_level:.3g} a second, theirs {middle[0]:.3g}",
            ),
            (
                "exposure_noise",
                abs(own_noise - middle[1]),
                f"its noise is {own_noise:.2f} sqrt(STAT), theirs {middle[1]:.2f}",
            ),
            (
                "exposure_usable",
                middle[2] - own_usable,
                f"{100 * own_usable:.1f} % of it is usable, {100 * middle[2]:.1f} % of them",
            ),
        )
        for name, value, text in checks:
            if value > limit[name]:
                text = f"exposure {exposure} differs from the others: {text} (limit {limit[name]:g} apart)"
                found.append(
                    Finding(exposures[exposure][0].file, None, exposure, name, float(value), limit[name], text)
                )
    return found


def _moved(frames: list[FrameStatistics], limit: Limits, traces: Mapping[int, TraceTable] | None) -> list[Finding]:
    """Slices that lie elsewhere than they should, on the detector and in wavelength."""
    places = moved_slices(frames, limit["slice_moved"], traces)
    lines = moved_lines(frames, limit["slice_wavelength"])
    found = []
    for name, moved, what in (
        *(("slice_moved", one, "{} {} {:+.1f} pixels in x from {} place in {}") for one in places),
        *(("slice_wavelength", one, "the sky lines of {} {} {:+.1f} pixels in y from {} place in {}") for one in lines),
    ):
        which = f"slice {moved.slice}" if moved.slice else "all slices"
        verb = "lie" if name == "slice_wavelength" or not moved.slice else "lies"
        text = what.format(which, verb, moved.by, "its" if verb == "lies" else "their", moved.reference)
        text = f"IFU {moved.frame.ifu}: {text} (limit {limit[name]:g})"
        at = moved.frame
        found.append(Finding(at.file, at.ifu, at.exposure, name, abs(moved.by), limit[name], text))
    return found
