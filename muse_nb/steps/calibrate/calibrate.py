"""``calibrate``: raw calibrations to master calibrations, by ESO's recipes and the plan of `plan_calibrations`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Unpack

from filelock import FileLock, Timeout

from muse_nb.core.errors import MuseError
from muse_nb.core.graph import Node, Watch
from muse_nb.core.machine.room import free_disk, free_memory
from muse_nb.core.process import Stop
from muse_nb.core.progress import Progress, silent
from muse_nb.recipes.backends import available
from muse_nb.recipes.parameters import check
from muse_nb.recipes.run import choose_backend, known_parameters
from muse_nb.recipes.together import together
from muse_nb.steps.calibrate.associate.rows import RawFile
from muse_nb.steps.calibrate.making.cluster import cluster_team
from muse_nb.steps.calibrate.making.execute import execute
from muse_nb.steps.calibrate.making.forecast import Cost, Forecast, cost_of, forecast_of
from muse_nb.steps.calibrate.making.index import copy_statics, used_names, write_index
from muse_nb.steps.calibrate.making.jobs import Job, work_of
from muse_nb.steps.calibrate.making.record import Digests, read_records
from muse_nb.steps.calibrate.making.schedule import Schedule, Team
from muse_nb.steps.calibrate.making.settings import CalibrateOptions, CalibrateSettings
from muse_nb.steps.calibrate.plan import plan_of, read_files
from muse_nb.steps.calibrate.planned import CalibrationPlan
from muse_nb.steps.calibrate.result import Calibration

__all__ = ["calibrate"]

_READY = ("done", "kept")
_FREE = 0.9  # of the memory that is free, what recipes may take
_PATIENCE, _LEAST = 20.0, 600.0  # a recipe's time limit: so many times what is expected, and so many seconds


def calibrate(
    folder: str | Path,
    output: str | Path,
    *,
    force: bool = False,
    progress: Progress | None = None,
    cancel: Stop | None = None,
    watch: Watch | None = None,
    **options: Unpack[CalibrateOptions],
) -> Calibration:
    """Make master calibrations of a folder's raw frames: bias, flat, trace, wavelengths, LSF, twilight, response ...

    What makes what is planned as by `muse_nb.plan_calibrations`. Each recipe runs in a process of its own, once an IFU
    where it works on single ones; its log is kept in ``logs``. What is there already is kept where it was made from the
    same frames (by their content), parameters and version of the pipeline; all else is made, and it is said why. A
    recipe that fails leaves nothing but its log, and stops those that need its products, no others.

    Parameters
    ----------
    folder
        With the raw frames, and static calibrations in it or in a folder ``static`` beside it.
    output
        Folder for the masters; `muse_nb.reduce` takes it as its calibrations.
    force
        Make all anew.
    progress
        Called with lines of the recipes' logs (and 0 and 0), and with the recipes done and all; from several threads.
    cancel
        Stops all when set. What was made is kept.
    watch
        Called with all tasks (`muse_nb.core.graph.Node`) whenever one changes its state.
    static
        Folder with static calibrations.
    dark
        Make and use MASTER_DARKs, where there are dark frames.
    ifus
        By default all that are in the raw frames.
    parameters
        Recipe to its parameters, as in ``{"muse_lsf": {"line_quality": 3}}``.
    jobs
        Recipes side by side, as far as the memory goes.
    memory
        What they may take together [byte]; by default nine tenths of what is free.
    timeout
        Time limit of each recipe [s]; by default twenty times what is expected, ten minutes at least.
    backend
        ``python-cpl`` or ``esorex``, by default what is there.
    scheduler
        Address of a dask scheduler whose workers see the same disk: they run the recipes.
    workers
        A dask cluster of so many processes on this machine, where there is no scheduler.

    Returns
    -------
    Calibration
        `failed` and `missing` say what could not be made.

    Raises
    ------
    MuseError
        ESO's recipes are not installed, the folder holds no raw frames, the disk is too small, another process makes
        masters in the same folder, or it was cancelled.
    TypeError
        There is no such keyword.

    Examples
    --------
    >>> try:
    ...     muse_nb.calibrate("night/raw", "calib")
    ... except muse_nb.MuseError as error:
    ...     print(str(error).split("/")[-1])  # this night has science frames only
    raw holds no raw calibrations: there is nothing to make masters of
    """
    started = time.monotonic()
    how, tell = CalibrateSettings.of("calibrate", **options), progress or silent
    _check_parameters(how.parameters, choose_backend(how.backend, "calibrate"))
    source, place = Path(folder), Path(output).absolute()
    if source.is_file():
        raise MuseError(f"{source} is a file: name the folder with the raw frames; a table can be planned with --plan")
    files, said = read_files(source, how.static, without=place, progress=progress)
    plan = plan_of(_without_darks(files, how.dark), said, str(folder), dark=how.dark)
    night = _Night(source.absolute(), place, plan, files, how, force)
    with _alone(place):
        return night.run(tell, cancel, watch or _nobody, started)


def _check_parameters(given: Mapping[str, Mapping[str, object]], backend: str) -> None:
    """Refuse at once what a recipe would refuse after hours."""
    for recipe, wanted in given.items():
        check(recipe, wanted, known_parameters(recipe, backend))


def _nobody(_: Sequence[Node]) -> None:
    pass


def _without_darks(files: list[RawFile], dark: bool) -> list[RawFile]:
    return files if dark else [file for file in files if file.kind != "DARK"]


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """Refuse to work in a folder in which another process makes masters."""
    try:
        place.mkdir(parents=True, exist_ok=True)
        lock = FileLock(place / ".calibrate.lock")
        lock.acquire(timeout=0)
    except Timeout:
        raise MuseError(f"another muse-nb calibrate is at work in {place}: wait, or choose another folder") from None
    except OSError as error:
        raise MuseError(f"{place} cannot be written to: {error.strerror}") from error
    try:
        yield
    finally:
        lock.release()


@dataclass(frozen=True)
class _Night:
    """One calibration, from its plan to its result."""

    source: Path
    place: Path
    plan: CalibrationPlan
    files: list[RawFile]
    how: CalibrateSettings
    force: bool

    def run(self, tell: Progress, cancel: Stop | None, watch: Watch, started: float) -> Calibration:
        work = work_of(self.plan, self.files, self.source, self.how)
        if not work.jobs and not work.missing:
            raise MuseError(f"{self.source} holds no raw calibrations: there is nothing to make masters of")
        for name, why in work.missing.items():
            tell(f"{name} is not made: {why}", 0, 0)
        digests = Digests(self.place)
        digests.read((path for job in work.jobs.values() for path, _ in job.files), self.how.jobs, tell, cancel)
        costs = {job.id: cost_of(job, work.jobs) for job in work.jobs.values()}
        schedule = Schedule(
            work,
            self.place,
            _pipeline(),
            read_records(self.place),
            costs,
            partial(self._limit, costs),
            digests,
            self.how.backend,
            self.force,
        )
        ahead = self._forecast(schedule)
        tell(f"{self.place}: {ahead}", 0, 0)
        copied = copy_statics(self.files, self.source, self.place, digests, used_names(self.plan.tasks))
        try:
            with self._team(tell, cancel) as (team, stop):
                schedule.run(team, stop, tell, watch)
        finally:  # what is there is of use, even where the rest was cancelled
            good = {name: schedule.records[name] for name, state in schedule.states.items() if state in _READY}
            notes = write_index(self.plan, self.source, self.place, work, good, copied)
        return self._result(schedule, ahead, notes, time.monotonic() - started)

    def _limit(self, costs: dict[str, Cost], job: Job) -> float:
        return self.how.timeout or max(_LEAST, _PATIENCE * costs[job.id].seconds)

    def _memory(self) -> float:
        return self.how.memory or _FREE * free_memory()

    def _forecast(self, schedule: Schedule) -> Forecast:
        """Say what is ahead, and refuse it where the disk is too small."""
        ahead = forecast_of(schedule.look(), schedule.work.jobs, self.how.workers or self.how.jobs, self._memory())
        free = free_disk(self.place)
        if ahead.disk > free:
            raise MuseError(
                f"{self.place} has {free / 1e9:.1f} GB left, the masters take about {ahead.disk / 1e9:.1f} GB: free"
                " some, choose another folder with -o, or fewer IFUs with --ifu"
            )
        return ahead

    @contextmanager
    def _team(self, tell: Progress, cancel: Stop | None) -> Iterator[tuple[Team, Stop]]:
        with together(self.how.jobs, cancel) as (pool, stop):
            if self.how.scheduler is None and not self.how.workers:
                yield Team(pool, partial(execute, cancel=stop, progress=tell), self.how.jobs, self._memory()), stop
                return
            with cluster_team(self.how.scheduler, self.how.workers, self.place) as team:
                yield team, stop

    def _result(self, schedule: Schedule, ahead: Forecast, notes: Sequence[str], seconds: float) -> Calibration:
        states, records, work = schedule.states, schedule.records, schedule.work
        of = {state: tuple(name for name in work.jobs if states[name] == state) for state in ("done", "kept", "failed")}
        made = [records[name] for name in of["done"]]
        products: dict[str, tuple[Path, ...]] = {}
        for name in (*of["done"], *of["kept"]):
            for file in records[name].files:
                products[file.tag] = (*products.get(file.tag, ()), self.place / file.name)
        odd = [
            f"{record.job}: {text}" for name in work.jobs if (record := records.get(name)) for text in record.findings
        ]
        impossible = {job.task: schedule.why[name] for name, job in work.jobs.items() if states[name] == "impossible"}
        return Calibration(
            self.place,
            self.plan,
            tuple(schedule.nodes()),
            {tag: tuple(sorted(paths)) for tag, paths in sorted(products.items())},
            of["done"],
            of["kept"],
            {name: schedule.why[name] for name in of["done"]},
            {name: schedule.why[name] for name in of["failed"]},
            {**work.missing, **impossible},
            ahead,
            seconds,
            sum(record.cpu_seconds for record in made),
            max((record.peak_memory for record in made), default=0),
            (*notes, *dict.fromkeys(odd)),
        )


def _pipeline() -> str:
    return next(way.detail for way in available().values() if way.usable)
