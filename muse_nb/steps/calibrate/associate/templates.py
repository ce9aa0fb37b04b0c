"""Files of one template belong together: they are grouped, and a group that a recipe would refuse is told."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from muse_nb.core.text import listed, printable
from muse_nb.products.header import label
from muse_nb.steps.calibrate.associate.rows import RawFile, told
from muse_nb.steps.calibrate.associate.rules import KINDS, Kind

__all__ = ["Group", "grouped", "judged"]

ARC_LAMPS = 3  # neon, xenon, mercury and cadmium


@dataclass(frozen=True)
class Group:
    """Raw frames that are reduced together.

    Attributes
    ----------
    id : str
        Of the task that reduces them.
    kind : Kind
    type : str
        DPR TYPE.
    files : tuple of RawFile
        In time order.
    whole : bool
        False where something is doubtful: a group without doubt is taken first.
    """

    id: str
    kind: Kind
    type: str
    files: tuple[RawFile, ...]
    whole: bool = True

    @property
    def mjd(self) -> float:
        """Mean of its frames' MJD."""
        known = [file.mjd for file in self.files if math.isfinite(file.mjd)]
        return sum(known) / len(known) if known else math.nan

    @property
    def first(self) -> RawFile:
        """The frame that speaks for all."""
        return self.files[0]


def grouped(files: Iterable[RawFile]) -> tuple[list[Group], list[str]]:
    """Put raw frames together by template, INS MODE and read-out; say which templates were mixed.

    Returns
    -------
    list of Group
        Those of each kind in time order, the kinds in the order in which they can be reduced.
    list of str
        What is doubtful, a sentence each.
    """
    said: list[str] = []
    templates: dict[tuple[str, str], list[RawFile]] = defaultdict(list)
    for file in _usable(files, said):
        templates[file.kind, file.template or f"night of {file.night or '?'}"].append(file)
    groups: list[Group] = []
    for (type_, template), members in templates.items():
        setups = Counter((file.mode, file.readout) for file in members)
        if len(setups) > 1 and KINDS[type_].together:
            parts = ", ".join(f"{n} of {printable(' '.join(filter(None, s)) or '?')}" for s, n in setups.most_common())
            said.append(
                f"the template {printable(template)} ({printable(type_)}) is mixed: {parts}; they are reduced apart,"
                " hold the odd ones against the night log"
            )
        for setup in setups:
            some = sorted((f for f in members if (f.mode, f.readout) == setup), key=lambda f: (f.mjd, f.name))
            groups += _tasks(type_, template, some, len(setups) > 1)
    order = list(KINDS)
    groups.sort(key=lambda g: (order.index(g.type), g.mjd, g.id))
    return _distinct(groups), said


def _usable(files: Iterable[RawFile], said: list[str]) -> list[RawFile]:
    """Raw frames of known types with a date, each once."""
    kept: dict[str, RawFile] = {}
    unknown, undated = [], []
    for file in files:
        if not file.kind:
            continue
        plain = file.name.rsplit("/", 1)[-1].split(".fits")[0]
        if file.kind not in KINDS and file.kind != "FLAT,LAMP,ILLUM":
            unknown.append(file)
        elif not math.isfinite(file.mjd):
            undated.append(file)
        elif plain in kept:
            said.append(f"{printable(file.name)} is there twice, as {printable(kept[plain].name)} too: one is taken")
        else:
            kept[plain] = file
    if unknown:
        types = ", ".join(sorted({printable(file.kind) for file in unknown}))
        said.append(f"{told(unknown)}: no recipe of the plan takes DPR TYPE {types}")
    if undated:
        said.append(f"{told(undated)}: neither MJD-OBS nor DATE-OBS is a date, so nothing can be associated")
    return [file for file in kept.values() if file.kind in KINDS]


def _tasks(type_: str, template: str, files: list[RawFile], mixed: bool) -> list[Group]:
    kind = KINDS[type_]
    if not kind.together:
        return [Group(f"{kind.name}-{_when(file)}", kind, type_, (file,)) for file in files]
    when = label(template) if files[0].template else (files[0].night or "undated")
    mode = f"-{files[0].mode}" if mixed else ""
    return [Group(f"{kind.name}-{when}{mode}", kind, type_, tuple(files))]


def _when(file: RawFile) -> str:
    """The archive's time in a frame's name, or its name."""
    plain = file.name.rsplit("/", 1)[-1].split(".fits")[0]
    return "".join(c for c in plain.removeprefix("MUSE.") if c.isalnum() or c in "-_.")


def _distinct(groups: list[Group]) -> list[Group]:
    seen: Counter[str] = Counter()
    found = []
    for group in groups:
        seen[group.id] += 1
        name = group.id if seen[group.id] == 1 else f"{group.id}-{seen[group.id]}"
        found.append(Group(name, group.kind, group.type, group.files))
    return found


def judged(groups: Sequence[Group]) -> tuple[list[Group], list[str]]:
    """Leave out what a recipe would refuse, and mark what is doubtful."""
    kept, said = [], []
    for group in groups:
        kind, number = group.kind, len(group.files)
        if number < kind.at_least:
            said.append(
                f"{group.id} has {number} {printable(group.type)} frame{'s' * (number != 1)} ({told(group.files)}),"
                f" {kind.recipe} needs {kind.at_least}: it is left out"
            )
            continue
        doubt = _arcs(group) if group.type in ("WAVE", "WAVE,LSF") else ""
        said += [doubt] if doubt else []
        kept.append(Group(group.id, kind, group.type, group.files, whole=not doubt))
    return kept, said


def _arcs(group: Group) -> str:
    """Say which lamps are missing; where headers name none, lamps are told by their exposure times."""
    if all(file.lamps is not None for file in group.files):
        lamps = sorted({name for file in group.files for name in file.lamps or ()})
        dark = [file for file in group.files if not file.lamps]
        if len(lamps) < ARC_LAMPS:
            off = f" ({told(dark)}: no lamp was on)" if dark else ""
            return (
                f"{group.id} has arcs of {listed(lamps) or 'no lamp'} alone{off}: of the three lamps (neon, xenon,"
                f" mercury and cadmium) {ARC_LAMPS - len(lamps)} missing; wavelengths are worse at the ends"
            )
        return f"{group.id}: {told(dark)}: no lamp was on; leave these arcs out" if dark else ""
    times = Counter(round(file.exptime, 3) for file in group.files if math.isfinite(file.exptime))
    if not times:
        return f"{group.id}: neither lamps nor exposure times of the arcs are known, so no lamp can be missed"
    fewest = min(times.values())
    if len(times) == 1 and len(group.files) >= ARC_LAMPS:
        return (
            f"{group.id}: the headers name no lamps and all arcs have one exposure time: whether all three lamps"
            " (neon, xenon, mercury and cadmium) are there cannot be told"
        )
    # two lamps may burn for the same time: twice as many frames stand for both
    seen = sum(count // fewest if count % fewest == 0 else 1 for count in times.values())
    if seen < ARC_LAMPS:
        seconds = " and ".join(f"{time:g} s" for time in sorted(times))
        return (
            f"{group.id} has arcs of {seconds} alone: the headers name no lamps, but of three (neon, xenon, mercury and"
            f" cadmium) {ARC_LAMPS - seen} seems to be missing; wavelengths are worse at the ends"
        )
    return ""
