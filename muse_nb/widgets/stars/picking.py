"""What clicks do to a table of picks: pure functions that give a new table, as `muse_nb.steps.offsets.picks` has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["add_star", "by_hand", "drop_star", "in_use", "nearest", "numbers_in_use", "put_star", "stars"]


def stars(picks: Table) -> Table:
    """The rows that stand for a star in all exposures, one a star."""
    return picks[picks["exposure"] == ""]


def numbers_in_use(picks: Table) -> set[int]:
    """Numbers of the stars that are not dropped."""
    rows = stars(picks)
    return {int(star) for star, dropped in zip(rows["star"], rows["dropped"], strict=True) if not dropped}


def in_use(picks: Table) -> int:
    """How many stars are not dropped."""
    return len(numbers_in_use(picks))


def add_star(picks: Table, ra: float, dec: float) -> Table:
    """Add a star [deg, as the reference exposure has it] to be used in all exposures; it gets the next number."""
    new = picks.copy()
    number = int(max(picks["star"], default=0)) + 1
    new.add_row([number, ra, dec, "", np.nan, np.nan, False])
    return new


def drop_star(picks: Table, star: int, dropped: bool = True) -> Table:
    """Drop a star, or take it back; what was corrected by hand stays."""
    new = picks.copy()
    new["dropped"][(new["star"] == star) & (new["exposure"] == "")] = dropped
    return new


def put_star(picks: Table, star: int, exposure: str, x: float, y: float) -> Table:
    """Say where a star is in one exposure [0-based pixel]."""
    new = picks[~((picks["star"] == star) & (picks["exposure"] == exposure))]
    whole = new[(new["star"] == star) & (new["exposure"] == "")]
    new.add_row([star, whole["ra"][0], whole["dec"][0], exposure, x, y, False])
    return new


def by_hand(picks: Table) -> Table:
    """The rows that say where a star is in one exposure."""
    return picks[picks["exposure"] != ""]


def nearest(positions: NDArray[np.float64], x: float, y: float, reach: float) -> int | None:
    """Which of some positions (n, 2) is next to a point, within a reach; None where none is."""
    if not len(positions):
        return None
    apart = np.hypot(positions[:, 0] - x, positions[:, 1] - y)
    best = int(np.nanargmin(np.where(np.isfinite(apart), apart, np.inf)))
    return best if apart[best] <= reach else None
