"""What a survey finds missing or out of place, a sentence each."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from muse_nb.core.text import listed, printable
from muse_nb.products.field import IFUS
from muse_nb.steps.survey.classify import FileFacts
from muse_nb.steps.survey.files import relative

if TYPE_CHECKING:
    from muse_nb.steps.survey.exposures import Exposure

__all__ = ["judge"]

MAX_IFUS_OF_SMALL_LAYOUT = 16  # of simulated nights; a frame with more was meant to have all
_OF_A_MODE = ("MASTER_FLAT", "TRACE_TABLE", "WAVECAL_TABLE", "GEOMETRY_TABLE", "TWILIGHT_CUBE", "ASTROMETRY_WCS")


def judge(folder: Path, facts: Sequence[FileFacts], exposures: Sequence[Exposure]) -> list[str]:
    """Hold the files of a folder against each other."""
    return [
        *_missing_keywords(folder, facts),
        *_incomplete(folder, facts),
        *_impossible(folder, facts),
        *_without_products(exposures),
        *_missing_ifus(exposures),
        *_mixed_modes(facts, exposures),
        *_twice(folder, exposures),
    ]


def _missing_keywords(folder: Path, facts: Sequence[FileFacts]) -> list[str]:
    groups: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for fact in facts:
        if fact.missing:
            groups[fact.missing].append(relative(fact.path, folder))
    return [
        f"{listed(names)} lack{'s' * (len(names) == 1)} {', '.join(missing)}:"
        " the recipes would crash or go wrong without a word"
        for missing, names in groups.items()
    ]


def _incomplete(folder: Path, facts: Sequence[FileFacts]) -> list[str]:
    return [
        f"{printable(relative(fact.path, folder))} is a {printable(fact.category)} without {listed(fact.incomplete)}:"
        " it was cut short; copy or make it again"
        for fact in facts
        if fact.incomplete
    ]


def _impossible(folder: Path, facts: Sequence[FileFacts]) -> list[str]:
    return [f"{printable(relative(fact.path, folder))} {what}" for fact in facts for what in fact.impossible]


def _without_products(exposures: Sequence[Exposure]) -> list[str]:
    """Exposures that were reduced but have no OBJECT_RED, or lack a product that most others have."""
    reduced = [e for e in exposures if any(not name.startswith("RAW") for name in e.categories)]
    if exposures and not reduced:
        return [f"no exposure is reduced yet, there is no OBJECT_RED: muse-nb reduce makes them ({len(exposures)})"]
    have = Counter(name for e in reduced for name in e.categories if not name.startswith("RAW"))
    wanted = {name for name, number in have.items() if 2 * number > len(reduced)} | {"OBJECT_RED"}
    groups: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for exposure in exposures:
        if lacking := tuple(sorted(wanted - set(exposure.categories))):
            groups[lacking].append(exposure.label)
    return [
        f"exposure{'s' * (len(labels) > 1)} {listed(labels)} {'have' if len(labels) > 1 else 'has'} no"
        f" {', '.join(map(printable, lacking))}"
        for lacking, labels in groups.items()
    ]


def _missing_ifus(exposures: Sequence[Exposure]) -> list[str]:
    """IFUs that an exposure's raw frame or the other exposures have, or that a full instrument has."""
    every = {ifu for e in exposures for kind in ("OBJECT_RED", "RAW OBJECT") for ifu in e.ifus_of(kind)}
    if len(every) > MAX_IFUS_OF_SMALL_LAYOUT:
        every = set(range(1, IFUS + 1))
    groups: dict[tuple[int, ...], list[str]] = defaultdict(list)
    for exposure in exposures:
        lacking = tuple(sorted(every - set(exposure.ifus)))
        if lacking and exposure.ifus:
            groups[lacking].append(exposure.label)
    return [
        f"exposure{'s' * (len(labels) > 1)} {listed(labels)} lack{'s' * (len(labels) == 1)}"
        f" IFU{'s' * (len(lacking) > 1)} {', '.join(map(str, lacking))}"
        for lacking, labels in groups.items()
    ]


def _mixed_modes(facts: Sequence[FileFacts], exposures: Sequence[Exposure]) -> list[str]:
    modes = Counter(mode for e in exposures for mode in {fact.ins_mode for fact in e.facts if fact.ins_mode})
    found = []
    if len(modes) > 1:
        said = ", ".join(f"{printable(mode)} ({number})" for mode, number in modes.most_common())
        found.append(f"the exposures are of different INS MODEs: {said}; reduce and combine them apart")
    others: dict[str, set[str]] = defaultdict(set)
    for fact in facts:
        if modes and fact.category in _OF_A_MODE and fact.ins_mode and fact.ins_mode not in modes:
            others[fact.ins_mode].add(fact.category)
    return found + [
        f"{', '.join(sorted(names))} are of INS MODE {printable(mode)}, the exposures of {printable(', '.join(modes))}:"
        " take calibrations of the exposures' mode"
        for mode, names in others.items()
    ]


def _twice(folder: Path, exposures: Sequence[Exposure]) -> list[str]:
    found = []
    for exposure in exposures:
        groups: dict[tuple[object, ...], list[str]] = defaultdict(list)
        for fact in exposure.facts:
            groups[fact.category, fact.ifus, fact.filter].append(relative(fact.path, folder))
        doubled = {key: names for key, names in groups.items() if len(names) > 1}
        if doubled:
            kinds = sorted({str(key[0]) for key in doubled})
            found.append(
                f"the DATE-OBS {printable(exposure.date_obs)} is there twice as {', '.join(map(printable, kinds))}"
                f" ({listed(next(iter(doubled.values())))}): muse_exp_combine ignores the second;"
                " keep one of them in the folder"
            )
    return found
