"""From a plan to jobs: one run of a recipe on one IFU, or on all of them where the recipe takes them together."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from muse_nb.core.text import listed
from muse_nb.products.fits.blocks import hdus
from muse_nb.recipes.calibrations import channels_of, masters_like
from muse_nb.steps.calibrate.associate.rows import RawFile
from muse_nb.steps.calibrate.associate.rules import KINDS, OF_A_STANDARD, RAW_TAGS, Kind
from muse_nb.steps.calibrate.associate.statics import SHIPPED
from muse_nb.steps.calibrate.making.parameters import parameters_of
from muse_nb.steps.calibrate.making.settings import CalibrateSettings
from muse_nb.steps.calibrate.tasks import Plan, Task

__all__ = ["Job", "Work", "plain", "work_of"]

_EACH_IFU = ("muse_bias", "muse_dark", "muse_flat", "muse_wavecal", "muse_lsf", "muse_scibasic")
_MASTERS = ("MASTER_BIAS", "MASTER_DARK", "MASTER_FLAT", "TRACE_TABLE", "WAVECAL_TABLE", "LSF_PROFILE")
_KINDS = {kind.name: kind for kind in (*KINDS.values(), *OF_A_STANDARD.values())}
_SCIENCE = ("object", "cube")  # what `muse_nb.reduce` does


@dataclass(frozen=True)
class Job:
    """One run of a recipe.

    Attributes
    ----------
    id : str
        Unique: the task's, and the IFU's number.
    task, recipe : str
    ifu : int
        0: all.
    files : tuple of (pathlib.Path, str)
        Raw frames and calibrations at hand, each with its tag.
    made : tuple of (str, str)
        Tags, each with the id of the job that makes it.
    parameters : mapping
    products : tuple of str
        Tags without which the run is no success.
    """

    id: str
    task: str
    recipe: str
    ifu: int
    files: tuple[tuple[Path, str], ...]
    made: tuple[tuple[str, str], ...]
    parameters: Mapping[str, object] = field(hash=False)
    products: tuple[str, ...]

    @property
    def needs(self) -> tuple[str, ...]:
        """Ids of the jobs that come before it."""
        return tuple(dict.fromkeys(name for _, name in self.made))

    @property
    def raws(self) -> int:
        """Number of raw frames."""
        return sum(tag in RAW_TAGS.values() for _, tag in self.files)


@dataclass(frozen=True)
class Work:
    """All jobs of a plan.

    Attributes
    ----------
    jobs : dict of str to Job
        Each after those that it needs.
    tasks : tuple of Task
        Those that make calibrations.
    missing : dict of str to str
        Tasks that cannot be done, wholly or for some IFUs, and why, a sentence each.
    """

    jobs: dict[str, Job]
    tasks: tuple[Task, ...]
    missing: dict[str, str]

    def of_task(self, name: str) -> list[Job]:
        """Jobs of a task."""
        return [job for job in self.jobs.values() if job.task == name]


def work_of(plan: Plan, files: Iterable[RawFile], folder: Path, settings: CalibrateSettings) -> Work:
    """Make jobs of the tasks that make calibrations; say of the others why not.

    Parameters
    ----------
    plan
        What makes what.
    files
        All that was planned with.
    folder
        That names are relative to.
    settings
        IFUs, and parameters of the recipes.
    """
    tasks = tuple(task for task in plan.tasks if _kind(task).name not in _SCIENCE)
    return _Maker(tasks, {file.name: file for file in files}, folder, settings).run()


def plain(name: str) -> str:
    """Make a task's id, which holds what headers say, fit for the name of a file."""
    return re.sub(r"[^\w.+-]", "_", name, flags=re.ASCII)


def _kind(task: Task) -> Kind:
    return _KINDS[task.id.split("-")[0]]


class _Maker:
    def __init__(
        self, tasks: Sequence[Task], files: Mapping[str, RawFile], folder: Path, settings: CalibrateSettings
    ) -> None:
        self.files, self.folder, self.settings = files, folder, settings
        self.work = Work({}, tuple(tasks), {})
        self.known = {task.id: task for task in tasks}
        self.channels: dict[str, frozenset[int]] = {}

    def run(self) -> Work:
        for task in self.work.tasks:
            why = self._lacks(task)
            ifus = self._ifus(task) if not why else []
            if not why and not ifus:
                wanted = " that were asked for" if self.settings.ifus is not None else ""
                why = f"its frames hold none of the IFUs{wanted}"
            if not why and task.recipe == "muse_twilight" and 1 not in ifus:
                why = "IFU 1 is not among its IFUs, to which muse_twilight scales all others"
            if why:
                self.work.missing[task.id] = why
                continue
            for ifu in ifus if task.recipe in _EACH_IFU else [0]:
                if why := self._add(task, ifu, ifus):
                    self.work.missing[task.id] = why
        return self.work

    def _lacks(self, task: Task) -> str:
        """Why a task cannot be done for any IFU."""
        if task.recipe == "muse_geometry":
            return "muse_geometry is left to you: it takes all 24 IFUs at once; the archive has a GEOMETRY_TABLE"
        for tag in _kind(task).needs:
            if tag not in task.calibrations:
                where = f": {SHIPPED[tag]}" if tag in SHIPPED else ""
                return f"{task.recipe} needs {tag}, and there is none{where}"
        above = [name for name in (*task.inputs, *task.calibrations.values()) if name in self.known]
        undone = [name for name in above if not self.work.of_task(name)]
        return f"it needs {listed(undone)}, which cannot be made" if undone else ""

    def _ifus(self, task: Task) -> list[int]:
        raws = [name for name in task.inputs if name in self.files]
        if raws:
            there = frozenset.intersection(*(self._channels(name) for name in raws))
        else:
            there = frozenset(job.ifu for name in task.inputs for job in self.work.of_task(name))
        wanted = self.settings.ifus
        return sorted(there if wanted is None else there & set(wanted))

    def _channels(self, name: str) -> frozenset[int]:
        if name not in self.channels:
            self.channels[name] = frozenset(channels_of(hdus(self.folder / name)))
        return self.channels[name]

    def _add(self, task: Task, ifu: int, ifus: Collection[int]) -> str:
        """Add a job, or say why it cannot be."""
        wanted = [ifu] if ifu else list(ifus)
        files: list[tuple[Path, str]] = []
        made: list[tuple[str, str]] = []
        for name in task.inputs:
            if name in self.known:
                made += [(self.known[name].products[0], job.id) for job in self.work.of_task(name)]
            else:
                files.append((self.folder / name, RAW_TAGS[self.files[name].kind]))
        for tag, name in task.calibrations.items():
            if name in self.known:
                found = self._made_by(name, tag, wanted)
                if isinstance(found, str):
                    return found
                made += found
            elif tag in _MASTERS:
                masters = masters_like(self.folder / name, tag)
                if lacking := [number for number in wanted if number not in masters]:
                    return f"{name} and the files like it have no {tag} of IFU {listed(lacking)}"
                files += [(path, tag) for path in dict.fromkeys(masters[number] for number in wanted)]
            else:
                files.append((self.folder / name, tag))
        number = f"-{ifu:02d}" if ifu else ""
        needed = tuple(tag for tag in task.products if tag != "STD_TELLURIC")
        given = parameters_of(task.recipe, ifu, files, self.settings.parameters.get(task.recipe, {}))
        job = Job(f"{plain(task.id)}{number}", task.id, task.recipe, ifu, tuple(files), tuple(made), given, needed)
        self.work.jobs[job.id] = job
        return ""

    def _made_by(self, name: str, tag: str, ifus: Iterable[int]) -> list[tuple[str, str]] | str:
        jobs = {job.ifu: job for job in self.work.of_task(name)}
        if 0 in jobs:
            return [(tag, jobs[0].id)]
        lacking = [number for number in ifus if number not in jobs]
        if lacking:
            return f"there is no {tag} of IFU {listed(lacking)}, {name} cannot make it"
        return [(tag, jobs[number].id) for number in ifus]
