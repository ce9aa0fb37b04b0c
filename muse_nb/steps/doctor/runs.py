"""The runs of recipes that the files of a folder call for, each with the checks that belong to it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from muse_nb.core.errors import MuseError
from muse_nb.products.history import history
from muse_nb.products.offset_list import OffsetList
from muse_nb.recipes.calibrations import PER_IFU, SCIBASIC, SCIPOST
from muse_nb.recipes.checks.every import AFTER, BEFORE, DATA, examine
from muse_nb.recipes.checks.faults import Check, Fault, Frame, Run
from muse_nb.steps.doctor.raw import check_raw_frames
from muse_nb.steps.doctor.stars import check_against_stars
from muse_nb.steps.survey.classify import UNREADABLE, FileFacts
from muse_nb.steps.survey.result import Survey

__all__ = ["PlannedCheck", "planned_checks"]

_CALIBRATIONS = {*PER_IFU, *SCIBASIC, *SCIPOST, "BADPIX_TABLE"}
_TABLES = ("PIXTABLE_REDUCED", "PIXTABLE_POSITIONED")
_OF_LISTS = ("offsets", "stars")
_OF_EXPOSURES = ("flat_reach",)  # values of all tables of an exposure are held against each other


@dataclass(frozen=True)
class PlannedCheck:
    """Files, and what finds the faults that they have."""

    files: tuple[Path, ...]
    faults: Callable[[], Iterable[Fault]]


def planned_checks(found: Survey, *, data: bool) -> list[PlannedCheck]:
    """List what there is to check in a folder: headers, and values where `data`."""
    by_tag: dict[str, list[Frame]] = defaultdict(list)
    for fact in found.facts:
        if tag := _tag(fact):
            by_tag[tag].append(Frame.open(fact.path, tag))
    single = DATA.difference(_OF_EXPOSURES)
    checks = _some(BEFORE, without={*(single if data else DATA), *_OF_LISTS})
    answer = [_planned(run, checks) for run in _runs(by_tag)]
    for run in _with_lists(found, by_tag):
        answer.append(_planned(run, _some(BEFORE, only=_OF_LISTS)))
    for run in _finished(found, by_tag):
        checks = _some(AFTER, without=() if data else DATA) | _some(BEFORE, only=("nearest", "cosmics"))
        answer.append(_planned(run, checks))
    if data:
        kinds = {
            "PIXTABLE_OBJECT": "muse_scipost",
            "IMAGE_FOV": "muse_exp_align",
            **dict.fromkeys(_TABLES, "muse_exp_combine"),
        }
        each = [Run(recipe, (frame,)) for tag, recipe in kinds.items() for frame in by_tag[tag]]
        answer += [_planned(run, _some(BEFORE, only=single)) for run in each]
        if by_tag["OBJECT"]:
            raw = tuple(frame.path for frame in by_tag["OBJECT"])
            answer.append(PlannedCheck(raw, partial(check_raw_frames, raw)))
        images = [frame.path for frame in by_tag["IMAGE_FOV"]]
        for frame in by_tag["OFFSET_LIST"]:
            answer.append(PlannedCheck((frame.path,), partial(check_against_stars, frame.path, images)))
    return answer


def _some(
    checks: Mapping[str, Check], only: Iterable[str] | None = None, without: Iterable[str] = ()
) -> dict[str, Check]:
    names = set(checks if only is None else only) - set(without)
    return {name: check for name, check in checks.items() if name in names}


def _planned(run: Run, checks: dict[str, Check]) -> PlannedCheck:
    files = tuple(frame.path for frame in (*run.frames, *run.products))
    return PlannedCheck(files, partial(examine, run, checks))


def _tag(fact: FileFacts) -> str:
    """Tag that a recipe would be given the file with; empty for none."""
    if fact.category == UNREADABLE:
        return ""
    if fact.category.startswith("RAW OBJECT"):
        return "OBJECT"
    named = fact.path.name.startswith("OFFSET_LIST")  # one of the wrong form may not say what it is
    return "OFFSET_LIST" if named else fact.category


def _runs(by_tag: Mapping[str, list[Frame]]) -> Iterator[Run]:
    """One run for all exposures of a mode: muse_scibasic and muse_scipost; one to align and to combine all."""
    calibrations = [frame for tag in _CALIBRATIONS for frame in by_tag.get(tag, [])]
    for tag, recipe in (("OBJECT", "muse_scibasic"), ("PIXTABLE_OBJECT", "muse_scipost")):
        modes: dict[str, list[Frame]] = defaultdict(list)
        for frame in by_tag.get(tag, []):
            modes[_mode(frame)].append(frame)
        for mode, frames in modes.items():
            others = set(modes) - {mode}
            yield Run(recipe, (*frames, *(c for c in calibrations if _mode(c) not in others or not _mode(c))))
    tables = [frame for tag in _TABLES for frame in by_tag.get(tag, [])]
    if tables:
        yield Run("muse_exp_combine", tuple(tables))


def _mode(frame: Frame) -> str:
    return str(frame.cards.get("ESO INS MODE") or "")


def _with_lists(found: Survey, by_tag: Mapping[str, list[Frame]]) -> Iterator[Run]:
    """Each OFFSET_LIST with the exposures of the pointings that it names any exposure of."""
    pointing = {exposure.date_obs: exposure.pointing for exposure in found.exposures}
    tables = [frame for tag in _TABLES for frame in by_tag.get(tag, [])]
    for given in by_tag.get("OFFSET_LIST", []):
        try:
            names = OffsetList.read(given.path)
        except MuseError:
            yield Run("muse_exp_combine", (given,))
            continue
        meant = {number for date, number in pointing.items() if names.of(date)}
        of_them = [table for table in tables if not meant or pointing.get(_date(table)) in meant]
        yield Run("muse_exp_combine", (*of_them, given))


def _date(frame: Frame) -> str:
    return str(frame.cards.get("DATE-OBS"))


def _finished(found: Survey, by_tag: Mapping[str, list[Frame]]) -> Iterator[Run]:
    """Runs that have been: the cubes in the folder, with what their headers say of how they were made."""
    tables = {_date(frame): frame for tag in _TABLES for frame in by_tag.get(tag, [])}
    facts = {fact.path: fact for fact in found.facts}
    for cube in by_tag.get("DATACUBE_FINAL", []):
        fact = facts[cube.path]
        applied = [str(v) for k, v in cube.cards.items() if re.fullmatch(r"ESO DRS MUSE OFFSET\d+ DATE-OBS", k)]
        inputs = tuple(tables[date] for date in applied if date in tables)
        made = history(cube.cards)
        yield Run(fact.recipe, inputs, made[-1].parameters if made else {}, (cube,), fact.exposures)
