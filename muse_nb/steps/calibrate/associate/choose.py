"""Choosing a calibration: of those that the rules allow, the nearest in time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from muse_nb.steps.calibrate.associate.rows import RawFile
from muse_nb.steps.calibrate.associate.rules import (
    ILLUM_HOURS,
    ILLUM_KELVIN,
    MASKED_UNTIL,
    SERVES,
    STATIC,
    Rule,
)
from muse_nb.steps.calibrate.associate.templates import Group

__all__ = ["Choice", "Provider", "choose", "choose_illum"]


@dataclass(frozen=True)
class Provider:
    """What can serve as a calibration.

    Attributes
    ----------
    value : str
        Id of the task that makes it, or file.
    mjd : float
    mode, readout, optics, night : str
        Empty where they are not known.
    whole : bool
        Whether nothing about it is doubtful.
    at_hand : bool
        Whether it is a file, not a task.
    """

    value: str
    mjd: float
    mode: str
    readout: str
    optics: str
    night: str = ""
    whole: bool = True
    at_hand: bool = False


@dataclass(frozen=True)
class Choice:
    """What serves, and how well.

    Attributes
    ----------
    value : str
        Empty where nothing does.
    days : float
        How far it is in time [d].
    limit : float or None
        How far it may be [d].
    night : str
        Its night.
    reason : str
        Why nothing serves, or why it is doubtful.
    """

    value: str = ""
    days: float = math.nan
    limit: float | None = None
    night: str = ""
    reason: str = ""

    @property
    def outside(self) -> bool:
        """Whether it is further off than it may be."""
        return self.limit is not None and self.days > self.limit


def choose(tag: str, providers: Sequence[Provider], group: Group) -> Choice:
    """Choose what serves a group as a tag: within the rules, without doubt, the nearest in time, in this order."""
    if tag == "VIGNETTING_MASK" and not group.mjd < MASKED_UNTIL:
        return Choice()
    rule = Rule(None, same_readout=False) if tag in STATIC or tag not in SERVES else SERVES[tag]
    good = [p for p in providers if not _unlike(p, group, rule)]
    if not good:
        return Choice(reason=_reason(providers, group, rule))
    limit = math.inf if rule.days is None else rule.days

    def rank(provider: Provider) -> tuple[bool, bool, bool, float, str]:
        days, second = _days(provider, group), rule.at_hand_first and not provider.at_hand
        return days > limit, not provider.whole, second, days, provider.value

    best = min(good, key=rank)
    return Choice(best.value, _days(best, group), rule.days, best.night)


def _days(provider: Provider, group: Group) -> float:
    days = abs(provider.mjd - group.mjd)
    return days if math.isfinite(days) else 1e6  # of no date: after all others


def _unlike(provider: Provider, group: Group, rule: Rule) -> str:
    """Name the setting in which they differ; what is not known is taken for the same."""
    first = group.first
    pairs = (
        (rule.same_readout, "DET READ CURNAME", provider.readout, first.readout),
        (rule.same_mode, "INS MODE", provider.mode, first.mode),
        (rule.same_optics, "INS OPTI2 NAME", provider.optics, first.optics),
    )
    return next((name for wanted, name, ours, theirs in pairs if wanted and ours and theirs and ours != theirs), "")


def _reason(providers: Sequence[Provider], group: Group, rule: Rule) -> str:
    if not providers:
        return "there is none"
    near = min(providers, key=lambda p: (_days(p, group), p.value))
    name = _unlike(near, group, rule)
    ours, theirs = {
        "INS MODE": (near.mode, group.first.mode),
        "DET READ CURNAME": (near.readout, group.first.readout),
        "INS OPTI2 NAME": (near.optics, group.first.optics),
    }[name]
    return f"none is of {name} {theirs}, the nearest ({near.value}) is of {ours}"


def choose_illum(lamps: Iterable[RawFile], group: Group) -> Choice:
    """Choose an attached flat: within 2 hours that of the closest temperature, else the nearest of half a day.

    For science it may be a day off. Its INS MODE does not matter.
    """
    first = group.first
    known = [f for f in lamps if not (f.readout and first.readout and f.readout != first.readout)]
    if not known:
        return Choice(reason="there is none")
    limit = 1.0 if group.type in ("OBJECT", "SKY") else 0.5
    near = [f for f in known if abs(f.mjd - group.mjd) * 24 <= ILLUM_HOURS]
    warmth = _temperature(group)

    def rank(file: RawFile) -> tuple[float, float, str]:
        off = abs(file.temperature - warmth)
        return (round(off, 2) if math.isfinite(off) else 0.0), abs(file.mjd - group.mjd), file.name

    best = min(near, key=rank) if near else min(known, key=lambda f: (abs(f.mjd - group.mjd), f.name))
    days, off = abs(best.mjd - group.mjd), abs(best.temperature - warmth)
    if days > limit:
        return Choice(reason=f"none within {limit:g} d, the nearest ({best.name}) is {days:.1f} d off")
    if off > ILLUM_KELVIN:
        return Choice(reason=f"the nearest ({best.name}) is {off:.1f} degrees warmer or colder, more than 1")
    reason = "" if near else f"none within {ILLUM_HOURS:g} h, {best.name} is {24 * days:.1f} h off"
    return Choice(best.name, days, limit, best.night, reason)


def _temperature(group: Group) -> float:
    values = [file.temperature for file in group.files if math.isfinite(file.temperature)]
    return sum(values) / len(values) if values else math.nan
