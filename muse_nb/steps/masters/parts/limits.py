"""The table of limits: what may be, what a real night had, and what it means where a number lies outside."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path

from muse_nb.core.errors import MuseError

__all__ = ["Limit", "Limits", "read_limits"]


@dataclass(frozen=True)
class Limit:
    """What a number may be.

    Attributes
    ----------
    name : str
        ``bias_noise`` and the like.
    kind : str
        PRO CATG of the master.
    low, high : float
        Values outside are found; minus and plus infinity where there is no limit.
    unit : str
        Empty for ratios.
    what : str
        What the number is, in words.
    below, above : str
        What it means below and above.
    keyword : str
        Of the real night's quality control.
    real_low, real_high : float
        Lowest and highest value there; NaN where none is known.
    source : str
        Why the limit is what it is.
    """

    name: str
    kind: str
    low: float
    high: float
    unit: str
    what: str
    below: str
    above: str
    keyword: str
    real_low: float
    real_high: float
    source: str

    @property
    def range_text(self) -> str:
        """The limits in words."""
        if math.isinf(self.low):
            return f"at most {self.high:g}"
        if math.isinf(self.high):
            return f"at least {self.low:g}"
        return f"{self.low:g} to {self.high:g}"

    @property
    def real_text(self) -> str:
        """The real night's range, empty where none is known."""
        return "" if math.isnan(self.real_low) else f"{self.real_low:g} to {self.real_high:g}"

    def passed(self, value: float) -> float | None:
        """Return the limit that a value lies beyond, None where it lies within or is not known."""
        return self.low if value < self.low else self.high if value > self.high else None


Limits = Mapping[str, Limit]


def read_limits(path: str | Path | None = None) -> dict[str, Limit]:
    """Read the package's limits, with those of an own table put over them.

    Parameters
    ----------
    path
        CSV file with the columns ``name``, ``low`` and ``high``; an empty cell is no limit.

    Raises
    ------
    MuseError
        The table cannot be read, names an unknown limit, or a limit is not a number.
    """
    table = {row["name"]: _limit(row) for row in _rows(str(files("muse_nb.steps.masters") / "limits.csv"))}
    if path is None:
        return table
    for row in _rows(str(path)):
        name = (row.get("name") or "").strip()
        if name not in table:
            raise MuseError(f"{path} names a limit that does not exist, {name!r}: known are {', '.join(table)}")
        try:
            low, high = _number(row["low"], -math.inf), _number(row["high"], math.inf)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise MuseError(f"{path} is not a table of limits (columns name, low and high): {error}") from error
        table[name] = replace(table[name], low=low, high=high)
    return table


def _rows(path: str) -> list[dict[str, str]]:
    try:
        with Path(path).open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except (OSError, UnicodeError, csv.Error) as error:
        raise MuseError(f"{path} is not a table of limits (columns name, low and high): {error}") from error


def _number(text: str, otherwise: float) -> float:
    return float(text) if text.strip() else otherwise


def _limit(row: Mapping[str, str]) -> Limit:
    return Limit(
        name=row["name"],
        kind=row["master"],
        low=_number(row["low"], -math.inf),
        high=_number(row["high"], math.inf),
        unit=row["unit"],
        what=row["what"],
        below=row["below"],
        above=row["above"],
        keyword=row["keyword"],
        real_low=_number(row["real_low"], math.nan),
        real_high=_number(row["real_high"], math.nan),
        source=row["source"],
    )
