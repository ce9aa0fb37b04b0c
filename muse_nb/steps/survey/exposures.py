"""Exposures and pointings: files grouped by DATE-OBS, exposures grouped by where they pointed."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from muse_nb.products.header import label as label_of
from muse_nb.steps.survey.classify import FileFacts

__all__ = ["Exposure", "group"]

_DITHER_WFM, _DITHER_NFM = 30.0 / 3600, 3.75 / 3600  # deg, half a field of view: closer is a dither of one pointing


@dataclass(frozen=True)
class Exposure:
    """One exposure and its files.

    Attributes
    ----------
    date_obs, label : str
    pointing : int
        From 1; exposures less than half a field of view apart belong together. 0 where RA or DEC is missing.
    ra, dec, posang, exptime : float or None
        [deg], [deg], [deg], [s].
    ins_mode, object : str
    facts : tuple of FileFacts
        Its files.
    seeing : float or None
        Of the seeing monitor (DIMM), by the night log [arcsec].
    sky : str
        What the observer saw of it, by the night log; empty where there is none.
    """

    date_obs: str
    label: str
    pointing: int
    ra: float | None
    dec: float | None
    posang: float | None
    exptime: float | None
    ins_mode: str
    object: str
    facts: tuple[FileFacts, ...] = field(repr=False)
    seeing: float | None = None
    sky: str = ""

    def files(self, category: str) -> list[Path]:
        """List the exposure's files of a category, as in ``OBJECT_RED``, by name."""
        return sorted(fact.path for fact in self.facts if fact.category == category)

    @property
    def categories(self) -> dict[str, int]:
        """Number of its files by category, by name."""
        names = sorted(fact.category for fact in self.facts)
        return {name: names.count(name) for name in dict.fromkeys(names)}

    @property
    def ifus(self) -> list[int]:
        """The IFUs of its OBJECT_REDs, or else of its raw frame."""
        return self.ifus_of("OBJECT_RED") or self.ifus_of("RAW OBJECT")

    def ifus_of(self, category: str) -> list[int]:
        """The IFUs in its files of a category."""
        return sorted({ifu for fact in self.facts if fact.category == category for ifu in fact.ifus})


def group(facts: Iterable[FileFacts]) -> tuple[Exposure, ...]:
    """Put files together to exposures, in time order; files without a DATE-OBS of their own are left out."""
    groups: dict[str, list[FileFacts]] = defaultdict(list)
    for fact in facts:
        if fact.date_obs:
            groups[fact.date_obs].append(fact)
    centres: list[tuple[float, float]] = []
    return tuple(_exposure(date, groups[date], centres) for date in sorted(groups))


def _exposure(date: str, facts: list[FileFacts], centres: list[tuple[float, float]]) -> Exposure:
    mode = next((fact.ins_mode for fact in facts if fact.ins_mode), "")
    ra, dec = _first(fact.ra for fact in facts), _first(fact.dec for fact in facts)
    return Exposure(
        date_obs=date,
        label=label_of(date),
        pointing=_pointing(centres, ra, dec, _DITHER_NFM if mode.startswith("NFM") else _DITHER_WFM),
        ra=ra,
        dec=dec,
        posang=_first(fact.posang for fact in facts),
        exptime=_first(fact.exptime for fact in facts),
        ins_mode=mode,
        object=next((fact.object for fact in facts if fact.object), ""),
        facts=tuple(facts),
    )


def _first(values: Iterable[float | None]) -> float | None:
    """First value that a header gave."""
    return next((value for value in values if value is not None), None)


def _pointing(centres: list[tuple[float, float]], ra: float | None, dec: float | None, radius: float) -> int:
    """Number of the pointing that a position belongs to, a new one if need be; 0 where the position is unknown."""
    if ra is None or dec is None:
        return 0
    for number, (ra0, dec0) in enumerate(centres, 1):
        east = ((ra - ra0 + 180) % 360 - 180) * math.cos(math.radians(dec0))
        if math.hypot(east, dec - dec0) < radius:
            return number
    centres.append((ra, dec))
    return len(centres)
