"""Doing the jobs: each when what it needs is there, as many together as memory and cores allow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, field
from pathlib import Path

from muse_nb.core.errors import MuseError
from muse_nb.core.graph import Node, Watch
from muse_nb.core.process import Stop
from muse_nb.core.progress import Progress
from muse_nb.steps.calibrate.making.execute import Order
from muse_nb.steps.calibrate.making.forecast import Cost
from muse_nb.steps.calibrate.making.jobs import Job, Work, plain
from muse_nb.steps.calibrate.making.record import Digests, Record, Request, stale

__all__ = ["Schedule", "Team"]

_NAP = 0.1  # seconds between two looks at whether to stop


@dataclass(frozen=True)
class Team:
    """Who does the jobs.

    Attributes
    ----------
    pool : concurrent.futures.Executor
        Threads here, or a cluster's workers.
    do : callable
        Submitted to the pool with an `Order`; returns a `Record`.
    places : int
        Jobs at a time.
    memory : float
        What they may take together [byte].
    lost : tuple of exception types
        What says that a worker was lost with its job.
    """

    pool: Executor
    do: Callable[[Order], Record]
    places: int
    memory: float
    lost: tuple[type[BaseException], ...] = ()


@dataclass
class Schedule:
    """The jobs, and how far each is.

    Attributes
    ----------
    work : Work
    folder : pathlib.Path
        For the products.
    pipeline : str
        Version of ESO's pipeline.
    records : dict of str to Record
        Of earlier runs and of this one, by job.
    costs : mapping of str to Cost
    timeout : callable
        Time limit of a job [s].
    digests : Digests
    backend : str or None
    force : bool
        Make all anew.
    states : dict of str to str
        By job, of `muse_nb.core.graph.STATES`.
    why : dict of str to str
        By job: why it is made, why it failed or cannot be made.
    """

    work: Work
    folder: Path
    pipeline: str
    records: dict[str, Record]
    costs: Mapping[str, Cost]
    timeout: Callable[[Job], float]
    digests: Digests
    backend: str | None = None
    force: bool = False
    states: dict[str, str] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)

    def look(self) -> list[Job]:
        """Tell what is stale from what can be kept, as far as that is known before anything is made."""
        todo = []
        for job in self.work.jobs.values():
            above = [name for name in job.needs if self.states[name] != "kept"]
            reason = self._reason(job, guess=True) if not above else f"{above[0]} is made first"
            self.states[job.id] = ("stale" if job.id in self.records else "waiting") if reason else "kept"
            if reason:
                self.why[job.id] = reason
                todo.append(job)
        return todo

    def run(self, team: Team, stop: Stop, progress: Progress, watch: Watch) -> None:
        """Do what is to be done; a job that fails stops those that need it, and no others.

        Raises
        ------
        MuseError
            It was cancelled; what was made is kept.
        """
        waiting = [job for job in self.work.jobs.values() if self.states[job.id] != "kept"]
        total, running = len(waiting), dict[Future[Record], Job]()
        watch(self.nodes())
        while waiting or running:
            if stop.is_set():
                raise MuseError("calibrate was cancelled: what was made is kept, and the next run goes on from there")
            for job in self._startable(waiting, list(running.values()), team):
                waiting.remove(job)
                if self.states[job.id] == "impossible":
                    continue
                if not (reason := self._reason(job)):
                    self.states[job.id] = "kept"
                    self.why.pop(job.id, None)
                else:
                    self.states[job.id], self.why[job.id] = "running", reason
                    progress(f"{job.id}: {job.recipe}, {reason}", 0, 0)
                    running[team.pool.submit(team.do, self._order(job))] = job
                    watch(self.nodes())
            if not running:
                continue
            for future in wait(running, timeout=_NAP, return_when=FIRST_COMPLETED).done:
                self._end(running.pop(future), future, progress, team.lost)
                watch(self.nodes())
            progress("recipes", total - len(waiting) - len(running), total)
        watch(self.nodes())

    def nodes(self) -> list[Node]:
        """All tasks with the states of their jobs, for who looks on."""
        found = []
        ids = {task.id for task in self.work.tasks}
        for task in self.work.tasks:
            jobs = self.work.of_task(task.id)
            needs = dict.fromkeys(n for n in (*task.inputs, *task.calibrations.values()) if n in ids)
            states = tuple(self.states.get(job.id, "waiting") for job in jobs)
            notes = [self.work.missing[task.id]] if task.id in self.work.missing else []
            notes += [self.why[job.id] for job in jobs if self.states.get(job.id) in ("failed", "impossible", "stale")]
            found.append(Node(task.id, task.recipe, tuple(needs), states, next(iter(dict.fromkeys(notes)), "")))
        return found

    def _startable(self, waiting: list[Job], running: list[Job], team: Team) -> list[Job]:
        """Jobs that can start now; and those that never can, which are told so."""
        chosen: list[Job] = []
        memory = sum(self.costs[job.id].memory for job in running)
        for job in waiting:
            states = {name: self.states[name] for name in job.needs}
            if lost := [name for name, state in states.items() if state in ("failed", "impossible")]:
                how = "failed" if states[lost[0]] == "failed" else "cannot be made"
                self.states[job.id], self.why[job.id] = "impossible", f"{lost[0]} {how}"
                chosen.append(job)
            elif all(state in ("done", "kept") for state in states.values()):
                number = len(running) + sum(self.states[one.id] != "impossible" for one in chosen)
                memory += self.costs[job.id].memory
                if number < team.places and (not number or memory <= team.memory):
                    chosen.append(job)
                else:
                    memory -= self.costs[job.id].memory
        return chosen

    def _end(self, job: Job, future: Future[Record], progress: Progress, lost: tuple[type[BaseException], ...]) -> None:
        try:
            self.records[job.id] = future.result()
        except lost:
            self.states[job.id] = "failed"
            self.why[job.id] = "its worker was lost, several times or with all others: give workers more memory"
        except MuseError as error:
            self.states[job.id], self.why[job.id] = "failed", str(error)
            progress(f"{job.id} failed: {error}", 0, 0)
        else:
            self.states[job.id] = "done"

    def _frames(self, job: Job) -> list[tuple[str, Path, str]]:
        """Tag, path and digest of each frame."""
        found = [(tag, path, self.digests.of(path)) for path, tag in job.files]
        for tag, name in job.made:
            found += [
                (tag, self.folder / file.name, file.digest) for file in self.records[name].files if file.tag == tag
            ]
        return found

    def _request(self, job: Job) -> Request:
        frames = tuple((tag, path.name, digest) for tag, path, digest in self._frames(job))
        return Request(job.recipe, self.pipeline, job.parameters, frames)

    def _reason(self, job: Job, *, guess: bool = False) -> str:
        if self.force and (guess or self.states[job.id] in ("stale", "waiting")):
            return "all is made anew"
        return stale(self.records.get(job.id), self._request(job), self.folder)

    def _order(self, job: Job) -> Order:
        frames = tuple((str(path), tag) for tag, path, _ in self._frames(job))
        return Order(
            job.id,
            self._request(job),
            frames,
            job.products,
            str(self.folder),
            self._suffixes()[job.task],
            self.timeout(job),
            self.backend,
            self.force,
        )

    def _suffixes(self) -> dict[str, str]:
        """What each task's products are called behind their tag: nothing for the first of its kind, else its own time.

        Products that are there keep their names.
        """
        given: dict[str, str] = {}
        for task in self.work.tasks:
            first = next((self.records[job.id] for job in self.work.of_task(task.id) if job.id in self.records), None)
            if first is not None:
                file = first.files[0]
                stamp = _stamp(task.id)
                given[task.id] = stamp if file.name.startswith(f"{file.tag}{stamp}") else ""
        taken = Counter(self._products_of(name) for name, suffix in given.items() if not suffix)
        for task in self.work.tasks:
            if task.id not in given:
                free = not taken[self._products_of(task.id)]
                given[task.id] = "" if free else _stamp(task.id)
                taken[self._products_of(task.id)] += free
        return given

    def _products_of(self, name: str) -> tuple[str, ...]:
        """Tags of what a task makes."""
        return next(task.products for task in self.work.tasks if task.id == name)


def _stamp(task: str) -> str:
    return f"_{plain(task).partition('-')[2]}"
