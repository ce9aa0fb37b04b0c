"""A night at Paranal runs from noon to noon in Chile, and is called by the date of its evening."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

__all__ = ["bounds", "evening", "mjd_of"]

_EPOCH = datetime(1858, 11, 17, tzinfo=UTC)  # MJD 0
_NOON = time(12)
_WINTER = timezone(timedelta(hours=-4))


def _chile() -> ZoneInfo | timezone:
    try:
        return ZoneInfo("America/Santiago")
    except ZoneInfoNotFoundError:  # a machine without a table of time zones
        return _WINTER


def mjd_of(text: str) -> float:
    """MJD [d] of a DATE-OBS; NaN where it is none."""
    try:
        when = datetime.fromisoformat(text.strip().rstrip("Z"))
    except ValueError:
        return math.nan
    return (when.replace(tzinfo=UTC) - _EPOCH) / timedelta(days=1)


def evening(mjd: float) -> str:
    """Date of the evening of the night that an MJD lies in; empty where that is no number.

    Examples
    --------
    >>> evening(57920.06593596)
    '2017-06-15'
    """
    if not (math.isfinite(mjd) and 0 < mjd < 200_000):
        return ""
    local = (_EPOCH + timedelta(days=mjd)).astimezone(_chile())
    return (local.replace(tzinfo=None) - timedelta(hours=12)).date().isoformat()


def bounds(night: str) -> tuple[datetime, datetime]:
    """First moment of a night and of the next, in UTC.

    Raises
    ------
    ValueError
        It is no date as ``2017-06-15``.
    """
    day = date.fromisoformat(night)
    noons = (datetime.combine(day + timedelta(days=n), _NOON, _chile()).astimezone(UTC) for n in (0, 1))
    first, last = noons
    return first, last
