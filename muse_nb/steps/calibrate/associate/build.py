"""From groups of raw files and calibrations at hand to tasks, each with what serves it."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from muse_nb.steps.calibrate.associate.choose import Choice, Provider, choose, choose_illum
from muse_nb.steps.calibrate.associate.rows import RawFile
from muse_nb.steps.calibrate.associate.rules import OF_A_STANDARD, Kind
from muse_nb.steps.calibrate.associate.templates import Group
from muse_nb.steps.calibrate.tasks import Task

__all__ = ["Built", "build"]

_BETTER_NONE = ("MASTER_DARK", "SKY_CONTINUUM")  # optional, and worse than nothing where they are too old

_LSF = Kind("lsf", "muse_lsf", ("LSF_PROFILE",), ("MASTER_BIAS", "TRACE_TABLE", "LINE_CATALOG"))


@dataclass
class Built:
    """Tasks, and how each tag of each was chosen.

    Attributes
    ----------
    tasks : list of Task
    choices : dict
        (id, tag) to `Choice`, for all that a task needs or takes.
    needed : set of (str, str)
        Those without which the recipe fails.
    times : dict
        Id to MJD.
    """

    tasks: list[Task] = field(default_factory=list)
    choices: dict[tuple[str, str], Choice] = field(default_factory=dict)
    needed: set[tuple[str, str]] = field(default_factory=set)
    times: dict[str, float] = field(default_factory=dict)


def build(groups: Sequence[Group], files: Sequence[RawFile], *, dark: bool = True) -> Built:
    """Make the tasks, in an order in which they can run.

    Parameters
    ----------
    groups
        Raw frames to reduce together.
    files
        All files: the calibrations among them serve, too, and attached flats.
    dark
        Whether MASTER_DARKs are used; they are optional.
    """
    return _Builder(files, dark).run(groups)


class _Builder:
    def __init__(self, files: Sequence[RawFile], dark: bool) -> None:
        self.built = Built()
        self.dark = dark
        self.providers: dict[str, list[Provider]] = defaultdict(list)
        self.illum = [f for f in files if f.kind == "FLAT,LAMP,ILLUM" and math.isfinite(f.mjd)]
        self.lsf: dict[str, Group] = {}
        for file in _one_an_exposure(files):
            self.providers[file.tag].append(
                Provider(file.name, file.mjd, file.mode, file.readout, file.optics, file.night, at_hand=True)
            )

    def run(self, groups: Sequence[Group]) -> Built:
        single = [g for g in groups if g.type in OF_A_STANDARD]
        for group in groups:
            if group.type not in OF_A_STANDARD:
                self._add(group.id, group.kind, group, [f.name for f in group.files])
                if group.type == "WAVE":
                    self._offer_lsf(group)
        for type_ in OF_A_STANDARD:  # standards and skies before what they serve
            for group in single:
                if group.type == type_:
                    self._expose(group)
        if not any(group.type == "OBJECT" for group in groups):  # no exposure that asks for one: masters alone
            for name in list(self.lsf):
                self._make_lsf(name)
        return self.built

    def _expose(self, group: Group) -> None:
        """muse_scibasic, and what is made of its pixel tables."""
        self._add(group.id, group.kind, group, [group.first.name])
        after = OF_A_STANDARD[group.type]
        name = after.name + group.id.removeprefix(group.kind.name)
        self._add(name, after, group, [group.id])

    def _offer_lsf(self, group: Group) -> None:
        """Arcs give a line-spread function, too; the task is made when something takes it."""
        name = "lsf" + group.id.removeprefix(group.kind.name)
        self.lsf[name] = group
        self.providers["LSF_PROFILE"].append(_provider(name, group))

    def _add(self, name: str, kind: Kind, group: Group, inputs: list[str], given: dict[str, str] | None = None) -> None:
        calibrations = dict(given or {})
        for tag in (*kind.needs, *kind.takes):
            choice = choose_illum(self.illum, group) if tag == "ILLUM" else self._choose(tag, group)
            if tag == "MASTER_DARK" and not self.dark:
                continue
            self.built.choices[name, tag] = choice
            if tag in kind.needs:
                self.built.needed.add((name, tag))
            if choice.value:
                calibrations[tag] = choice.value
        if sky := calibrations.get("SKY_CONTINUUM"):  # the lines that were measured with it
            calibrations["SKY_LINES"] = sky
        for value in set(calibrations.values()) & set(self.lsf):
            self._make_lsf(value)
        first = group.first
        self.built.tasks.append(
            Task(kind.recipe, name, first.mode, first.night, tuple(inputs), calibrations, kind.products)
        )
        self.built.times[name] = group.mjd
        for product in kind.products:
            if product != "SKY_LINES":
                self.providers[product].append(_provider(name, group))

    def _choose(self, tag: str, group: Group) -> Choice:
        choice = choose(tag, self.providers[tag], group)
        return Choice() if tag in _BETTER_NONE and choice.outside else choice

    def _make_lsf(self, name: str) -> None:
        group = self.lsf.pop(name)
        offered = [p for p in self.providers["LSF_PROFILE"] if p.value != name]
        self.providers["LSF_PROFILE"] = offered
        self._add(name, _LSF, group, [f.name for f in group.files], {"WAVECAL_TABLE": group.id})


def _provider(name: str, group: Group) -> Provider:
    first = group.first
    return Provider(name, group.mjd, first.mode, first.readout, first.optics, first.night, group.whole)


def _one_an_exposure(files: Sequence[RawFile]) -> list[RawFile]:
    """Calibrations at hand; of masters, a file an IFU, the first stands for all."""
    seen: dict[tuple[str, float, str], RawFile] = {}
    for file in sorted((f for f in files if f.tag and f.tag != "?"), key=lambda f: f.name):
        seen.setdefault((file.tag, file.mjd, file.mode), file)
    return list(seen.values())
