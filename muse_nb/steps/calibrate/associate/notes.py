"""What is missing or doubtful in a plan, a sentence each; what holds for many tasks is said once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from muse_nb.core.text import listed, printable
from muse_nb.steps.calibrate.associate.build import Built
from muse_nb.steps.calibrate.associate.choose import Choice
from muse_nb.steps.calibrate.associate.rows import RawFile, told
from muse_nb.steps.calibrate.tasks import Task

__all__ = ["of_choices", "of_files"]

# What a plan should say where it is absent though the recipe runs without it.
_MISSED = ("ILLUM", "TWILIGHT_CUBE", "STD_TELLURIC", "ASTROMETRY_WCS", "LSF_PROFILE")
_SAID = ("SKY_LINES", "SKY_CONTINUUM")  # any date and none at all are usual


def of_files(files: Sequence[RawFile], tasks: Sequence[Task]) -> list[str]:
    """Say what could not be told from the headers."""
    said = []
    unknown = [f for f in files if f.tag == "?"]
    if unknown:
        said.append(
            f"{told(unknown)}: {'these calibrations do' if len(unknown) > 1 else 'this calibration does'} not say what"
            f" {'they are' if len(unknown) > 1 else 'it is'}, so {'they serve' if len(unknown) > 1 else 'it serves'}"
            " nothing in the plan; their files have it as PRO CATG"
        )
    raw = [f for f in files if f.kind]
    blind = [f for f in raw if not f.readout]
    if blind:
        which = "no raw frame's" if len(blind) == len(raw) else f"{len(blind)} of {len(raw)} raw frames'"
        said.append(f"{which} read-out mode (DET READ CURNAME) is known: it is taken for the same")
    blind = [f for f in raw if not f.mode]
    if blind:
        said.append(f"{told(blind)}: no INS MODE, taken for the mode that is wanted; muse_scipost crashes without it")
    if not any(task.recipe == "muse_scipost" for task in tasks):
        said.append("there is no science exposure among the files: masters alone are planned")
    return said


def of_choices(built: Built) -> list[str]:
    """Say what serves outside the rules or from another night, and what nothing serves."""
    tasks = {task.id: task for task in built.tasks}
    groups: dict[tuple[str, ...], list[tuple[Task, Choice]]] = defaultdict(list)
    for (name, tag), choice in built.choices.items():
        task, needed = tasks[name], (name, tag) in built.needed
        if tag == "ILLUM" and choice.reason:
            groups["illum", choice.value, choice.reason if len(choice.reason) < 40 else ""].append((task, choice))
        elif not choice.value:
            if needed or (tag in _MISSED and task.recipe != "muse_create_sky"):
                groups["none", tag, choice.reason, str(needed)].append((task, choice))
        elif choice.outside:
            groups["outside", tag, choice.value].append((task, choice))
        elif choice.limit is not None and choice.night and task.night and choice.night != task.night:
            groups["night", tag, choice.night].append((task, choice))
    say = {"none": _none, "outside": _outside, "illum": _illum}
    said = [say[kind](key, found) for kind in say for key, found in groups.items() if key[0] == kind]
    return list(dict.fromkeys([*said, *_of_other_nights(groups)]))


def _none(key: tuple[str, ...], found: list[tuple[Task, Choice]]) -> str:
    recipes = sorted({task.recipe for task, _ in found})
    serious = f"{', '.join(recipes)} need{'s' * (len(recipes) == 1)} it" if key[3] == "True" else "goes without"
    return f"{key[1]} for {_users(found)}: {printable(key[2]) or 'there is none'}; {serious}"


def _outside(key: tuple[str, ...], found: list[tuple[Task, Choice]]) -> str:
    return (
        f"{key[1]} for {_users(found)}: nothing within {found[0][1].limit:g} d; the nearest, {printable(key[2])}, is"
        f" {_apart(found)} off and is offered all the same"
    )


def _illum(_: tuple[str, ...], found: list[tuple[Task, Choice]]) -> str:
    choice = found[0][1]
    return f"ILLUM for {_users(found)}: {printable(choice.reason)}" + ("" if choice.value else "; goes without")


def _of_other_nights(groups: dict[tuple[str, ...], list[tuple[Task, Choice]]]) -> list[str]:
    """One sentence for all tags that are of the same night for the same tasks."""
    alike: dict[tuple[str, str], list[tuple[str, list[tuple[Task, Choice]]]]] = defaultdict(list)
    for key, found in groups.items():
        if key[0] == "night":
            alike[key[2], _users(found)].append((key[1], found))
    return [
        f"{', '.join(tag for tag, _ in some)} for {users}: of another night ({night}),"
        f" {_apart([pair for _, found in some for pair in found])} off, which the rules allow"
        for (night, users), some in alike.items()
    ]


def _users(found: list[tuple[Task, Choice]]) -> str:
    return listed(list(dict.fromkeys(task.id for task, _ in found)))


def _apart(found: list[tuple[Task, Choice]]) -> str:
    days = [choice.days for _, choice in found]
    low, high = f"{min(days):.1f}", f"{max(days):.1f}"
    return f"{low} d" if low == high else f"{low} to {high} d"
