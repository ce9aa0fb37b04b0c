"""Night logs of the archive (``MUSE.<date>.NL.txt``): seeing of each exposure, clouds by the hour."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from muse_nb.core.errors import MuseError

__all__ = ["Logged", "NightLog", "Weather", "read_night_log"]

LARGEST = 4 * 1024 * 1024  # bytes; a log has a few thousand
_RULE = re.compile(r"-{20,}\s*$")
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)$")
_RANGE = re.compile(r"([\d.]+)\s*-\s*([\d.]+)")
_NOON, _DAY = 12 * 60, 24 * 60  # minutes


@dataclass(frozen=True)
class Weather:
    """What the observer saw.

    Attributes
    ----------
    minute : int
        Minutes after 12:00 UT, so that a night's count up.
    time : str
        UT, as in ``02:04``.
    sky : str
        As in ``ThinCirrus``.
    comment : str
    """

    minute: int
    time: str
    sky: str
    comment: str


@dataclass(frozen=True)
class Logged:
    """An exposure in the log; None where it says nothing.

    Attributes
    ----------
    exptime : float or None
        [s].
    airmass : float or None
    seeing : float or None
        Of the seeing monitor (DIMM) [arcsec].
    """

    exptime: float | None
    airmass: float | None
    seeing: float | None


@dataclass(frozen=True)
class NightLog:
    """A night log.

    Attributes
    ----------
    seeing : (float, float) or None
        Smallest and largest of the night [arcsec].
    weather : tuple of Weather
        In time order.
    exposures : dict
        The archive's name to what is logged.
    programme, block, grade : str
        Run, name of the observing block, and its grade from A to D or X.
    """

    seeing: tuple[float, float] | None
    weather: tuple[Weather, ...]
    exposures: dict[str, Logged]
    programme: str
    block: str
    grade: str

    def sky_at(self, date: str) -> str:
        """The last that was seen of the sky before a moment, or the first after it; empty where there is none.

        Parameters
        ----------
        date
            UT, as in DATE-OBS.
        """
        found = re.search(r"T(\d\d):(\d\d)", date)
        if not found or not self.weather:
            return ""
        minute = _minute(int(found[1]), int(found[2]))
        before = [seen for seen in self.weather if seen.minute <= minute]
        return (before[-1] if before else self.weather[0]).sky


def read_night_log(path: str | Path) -> NightLog:
    """Read a night log.

    Raises
    ------
    MuseError
        It cannot be read, or is none.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST).decode("utf-8", "replace")
    except OSError as error:
        raise MuseError(f"{path} cannot be read: {error.strerror}") from error
    lines = text.splitlines()
    facts = dict(_pairs(lines))
    weather = tuple(sorted(_weather(lines), key=lambda seen: seen.minute))
    exposures = dict(_exposures(lines))
    if not (weather or exposures or "Instrument" in facts):
        raise MuseError(f"{path} is no night log of the archive: it has neither weather nor exposures")
    found = _RANGE.search(facts.get("Seeing", ""))
    seeing = (_number(found[1]), _number(found[2])) if found else (None, None)
    return NightLog(
        seeing=None if seeing[0] is None or seeing[1] is None else (seeing[0], seeing[1]),
        weather=weather,
        exposures=exposures,
        programme=facts.get("Run", ""),
        block=facts.get("Name", ""),
        grade=facts.get("Grade", ""),
    )


def _pairs(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Lines ``name: value``; of a name that is there twice, the first counts."""
    seen = set()
    for line in lines:
        name, colon, value = line.partition(":")
        if colon and name.strip() and name.strip() not in seen:
            seen.add(name.strip())
            yield name.strip(), " ".join(value.split())


def _weather(lines: list[str]) -> Iterator[Weather]:
    """Rows below the heading Time, Conditions, Comment."""
    inside = False
    for line in lines:
        cells = [cell.strip() for cell in line.split("\t")]
        if cells[:2] == ["Time", "Conditions"]:
            inside = True
        elif _RULE.match(line):
            inside = False
        elif inside and len(cells) > 1 and (found := _TIME.match(cells[0])) and cells[1]:
            comment = " ".join(cells[2:]).strip()
            yield Weather(_minute(int(found[1]), int(found[2])), cells[0], cells[1], comment)


def _exposures(lines: list[str]) -> Iterator[tuple[str, Logged]]:
    """Rows below the heading Original Filename, Archive Filename, and so on; columns by their names."""
    head: list[str] = []
    for line in lines:
        cells = [cell.strip() for cell in line.split("\t")]
        if "Archive Filename" in cells:
            head = cells
        elif _RULE.match(line):
            head = []
        elif head and len(cells) > 1:
            row = dict(zip(head, cells, strict=False))
            if name := row.get("Archive Filename", ""):
                numbers = (_number(row.get(key)) for key in ("EXPTIME", "AIRMASS", "DIMM"))
                yield name, Logged(*numbers)


def _minute(hour: int, minute: int) -> int:
    return (60 * hour + minute - _NOON) % _DAY


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None
