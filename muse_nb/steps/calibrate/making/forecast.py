"""What jobs will take: time, memory and disk, from a table of what they took, scaled to frames, IFUs and chips."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from muse_nb.products.fits.blocks import hdus
from muse_nb.steps.calibrate.making.jobs import Job

__all__ = ["Cost", "Forecast", "cost_of", "forecast_of"]

_CHIP = 4224 * 4240  # pixels of a raw chip with its overscans, on which the table was measured
_PROGRAM = 60e6  # bytes that a recipe's process takes besides its pixels
_START = 0.5  # seconds to start one


@dataclass(frozen=True)
class Cost:
    """What a job takes.

    Attributes
    ----------
    seconds : float
        On one core [s].
    memory, disk : float
        At its largest, and of its products [byte].
    """

    seconds: float
    memory: float
    disk: float


@dataclass(frozen=True)
class Forecast:
    """What is to be done, and what it takes.

    Attributes
    ----------
    jobs : int
        Runs of recipes.
    seconds : float
        Time until all are done, `side_by_side` at a time [s].
    cpu_seconds : float
    memory, disk : float
        Of those that run together at the most; of all products that are to be made [byte].
    side_by_side : int
        How many run together.
    """

    jobs: int
    seconds: float
    cpu_seconds: float
    memory: float
    disk: float
    side_by_side: int

    def __str__(self) -> str:
        """Say it in a line."""
        if not self.jobs:
            return "nothing is to be made"
        time = f"{self.seconds / 60:.0f} min" if self.seconds > 90 else f"{self.seconds:.0f} s"
        return (
            f"{self.jobs} run{'s' * (self.jobs != 1)} of recipes, {self.side_by_side} side by side: about {time},"
            f" {self.memory / 1e9:.1f} GB of memory, {self.disk / 1e9:.2f} GB of disk"
        )


@cache
def _table() -> dict[str, dict[str, float | str]]:
    with Path(__file__).with_name("costs.csv").open(newline="") as file:
        return {
            row["recipe"]: {key: value if key in ("recipe", "of") else float(value) for key, value in row.items()}
            for row in csv.DictReader(file)
        }


def cost_of(job: Job, jobs: Mapping[str, Job]) -> Cost:
    """Estimate what a job takes.

    Parameters
    ----------
    job
        The job.
    jobs
        All, by their ids: one on pixel tables takes what their frames are.
    """
    row = {key: value for key, value in _table()[job.recipe].items() if isinstance(value, float)}
    sizes = [_pixels(path) for path in _raws(job, jobs)]
    chip = max(sizes, default=_CHIP) / _CHIP
    ifus = 1 if job.ifu else max(1, len({jobs[name].ifu for name in job.needs if name in jobs and jobs[name].ifu}))
    more = max(0.0, (job.raws or 1) - row["frames"]) if job.raws else 0.0
    scale = chip * ifus
    few = 1.0 if job.parameters.get("line_quality", 5) == 5 else 4.0  # all lines of muse_lsf, not the bright ones alone
    return Cost(
        _START + scale * few * (row["seconds"] + more * row["seconds_a_frame"]),
        _PROGRAM + 1e6 * scale * (row["memory_mb"] + more * row["memory_mb_a_frame"]),
        1e6 * scale * row["disk_mb"],
    )


def _raws(job: Job, jobs: Mapping[str, Job]) -> Iterable[Path]:
    if job.raws:
        return [path for path, _ in job.files][:1]
    return [path for name in job.needs if name in jobs for path in _raws(jobs[name], jobs)][:1]


@cache
def _pixels(path: Path) -> int:
    """Pixels of the first image of a file."""
    return next((math.prod(unit.shape) for unit in hdus(path) if len(unit.shape) == 2), _CHIP)


def forecast_of(jobs: Iterable[Job], every: Mapping[str, Job], side_by_side: int, memory: float) -> Forecast:
    """Add up what jobs take.

    Parameters
    ----------
    jobs
        Those that are to be done.
    every
        All, by their ids.
    side_by_side
        How many at a time at the most.
    memory
        What they may take together [byte].
    """
    costs = {job.id: cost_of(job, every) for job in jobs}
    if not costs:
        return Forecast(0, 0.0, 0.0, 0.0, 0.0, side_by_side)
    largest = sorted((cost.memory for cost in costs.values()), reverse=True)
    at_a_time = min(side_by_side, len(largest))
    while at_a_time > 1 and sum(largest[:at_a_time]) > memory:
        at_a_time -= 1
    cpu = sum(cost.seconds for cost in costs.values())
    ends: dict[str, float] = {}  # when each would end with any number side by side: no night is shorter than that
    for name, cost in costs.items():
        ends[name] = cost.seconds + max((ends.get(need, 0.0) for need in every[name].needs), default=0.0)
    seconds = max(cpu / at_a_time, max(ends.values()))
    disk = sum(cost.disk for cost in costs.values())
    return Forecast(len(costs), seconds, cpu, sum(largest[:at_a_time]), disk, at_a_time)
