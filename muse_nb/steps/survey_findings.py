"""What a survey finds missing or out of place, a sentence each."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from muse_nb.steps.classify import FileFacts

if TYPE_CHECKING:
    from muse_nb.steps.survey import Exposure

__all__ = ["judge"]


def judge(folder: Path, facts: Sequence[FileFacts], exposures: Sequence[Exposure]) -> list[str]:
    """Hold the files of a folder against each other."""
    return [
        *_missing_keywords(folder, facts),
        *_without_frames(exposures),
        *_missing_ifus(exposures),
        *_mixed_modes(exposures),
        *_twice(folder, facts),
    ]


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)


def _missing_keywords(folder: Path, facts: Sequence[FileFacts]) -> list[str]:
    return [
        f"{_name(fact.path, folder)} lacks {', '.join(fact.missing)}: the recipes would crash or go wrong without a word"
        for fact in facts
        if fact.missing
    ]


def _without_frames(exposures: Sequence[Exposure]) -> list[str]:
    """Exposures that were reduced but have no OBJECT_RED, or lack a product that the others have."""
    wanted = Counter(c for e in exposures for c in {f.category for f in e.facts if not f.category.startswith("RAW")})
    reduced = [e for e in exposures if any(not f.category.startswith("RAW") for f in e.facts)]
    found = []
    for exposure in exposures:
        lacking = [c for c, number in wanted.items() if 2 * number > len(reduced) and not exposure.files(c)]
        if exposure in reduced and not exposure.files("OBJECT_RED") and "OBJECT_RED" not in lacking:
            lacking.append("OBJECT_RED")
        if lacking:
            found.append(f"exposure {exposure.label} has no {', '.join(sorted(lacking))}")
    return found


def _missing_ifus(exposures: Sequence[Exposure]) -> list[str]:
    usual = Counter(tuple(e.ifus) for e in exposures if e.ifus)
    if not usual:
        return []
    every = max(usual, key=lambda ifus: (usual[ifus], len(ifus)))
    found = []
    for exposure in exposures:
        lacking = sorted(set(every) - set(exposure.ifus))
        if lacking and exposure.ifus:
            numbers = ", ".join(map(str, lacking))
            found.append(
                f"exposure {exposure.label} lacks IFU{'s' * (len(lacking) > 1)} {numbers} that the others have"
            )
    return found


def _mixed_modes(exposures: Sequence[Exposure]) -> list[str]:
    modes = Counter(e.ins_mode for e in exposures if e.ins_mode)
    if len(modes) < 2:
        return []
    said = ", ".join(f"{mode} ({number})" for mode, number in modes.most_common())
    return [f"the exposures are of different INS MODEs: {said}; reduce and combine them apart"]


def _twice(folder: Path, facts: Sequence[FileFacts]) -> list[str]:
    groups: dict[tuple[object, ...], list[Path]] = defaultdict(list)
    for fact in facts:
        if fact.date_obs:
            groups[fact.category, fact.date_obs, fact.ifus].append(fact.path)
    return [
        f"{_name(paths[1], folder)} has the DATE-OBS {key[1]} of {_name(paths[0], folder)} and is {key[0]} too:"
        " muse_exp_combine would ignore one of them"
        for key, paths in groups.items()
        if len(paths) > 1
    ]
