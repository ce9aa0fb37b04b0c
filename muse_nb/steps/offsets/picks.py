"""picks.ecsv: the stars an observer chose, saved whole, shared by notebooks that are open side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from muse_nb.core.atomic import atomic_write
from muse_nb.core.errors import MuseError

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["PickFile", "empty_picks", "merge_picks", "read_picks", "save_picks"]

COLUMNS: dict[str, type] = {
    "star": int, "ra": float, "dec": float, "exposure": str, "x": float, "y": float, "dropped": bool,
}  # fmt: skip
LOCK_TIMEOUT = 10.0  # seconds for another notebook to finish its save
_SAME_STAR = 0.5  # arcsec

_Key: TypeAlias = tuple[int, str]  # star, exposure
_Values: TypeAlias = tuple[float | None, float | None, float | None, float | None, bool]  # ra, dec, x, y, dropped


def empty_picks() -> Table:
    """A table of picks without rows.

    Columns: star (number), ra and dec [deg, as the reference exposure has them], exposure (DATE-OBS, or "" for all),
    x and y (0-based pixel where the star was put by hand in that exposure, else NaN), dropped (not to be used).
    """
    from astropy.table import Table

    table = Table(names=list(COLUMNS), dtype=[int, float, float, "U32", float, float, bool])
    table["ra"].unit = table["dec"].unit = "deg"
    table["x"].unit = table["y"].unit = "pixel"
    return table


def read_picks(path: str | Path) -> Table:
    """Read picks.ecsv.

    Raises
    ------
    MuseError
        The file is not there, is no ECSV, or lacks a column.
    """
    from astropy.table import Table

    path = Path(path)
    try:
        table = Table.read(path, format="ascii.ecsv")
    except OSError as error:
        raise MuseError(f"{path} cannot be read: {error.strerror or error}") from error
    except Exception as error:
        first = (str(error).splitlines() or ["unknown format"])[0]
        raise MuseError(f"{path} is no table of picks ({first}): pick the stars again") from error
    missing = [name for name in COLUMNS if name not in table.colnames]
    if missing:
        raise MuseError(f"{path} lacks the column {', '.join(missing)}: pick the stars again")
    picks = empty_picks()
    for row in table:
        try:
            picks.add_row(
                [kind("" if row[n] is np.ma.masked and kind is str else row[n]) for n, kind in COLUMNS.items()]
            )
        except (TypeError, ValueError) as error:
            raise MuseError(f"{path} holds a row that is no pick ({error}): correct or delete it") from error
    return picks


def save_picks(path: str | Path, picks: Table) -> None:
    """Write picks, whole or not at all, in place of those that are there."""
    PickFile(path).save(picks)


class PickFile:
    """picks.ecsv, and what it held when this notebook looked last: what another one wrote since then is kept.

    Parameters
    ----------
    path
        The file; it need not be there.

    Attributes
    ----------
    path : pathlib.Path
    picks : astropy.table.Table
        What the file held when it was read or written last.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._seen = self._stamp()
        self.picks = read_picks(self.path) if self._seen else empty_picks()

    def save(self, picks: Table) -> Table:
        """Write picks, merged with what another notebook wrote meanwhile, and give them as they were written.

        Raises
        ------
        MuseError
            The file is locked, damaged, or cannot be written.
        """
        from filelock import FileLock, Timeout

        path, lock = self.path, self.path.with_name(f".{self.path.name}.lock")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(lock, timeout=LOCK_TIMEOUT):
                stamp = self._stamp()
                if stamp not in (self._seen, None):
                    picks = merge_picks(self.picks, picks, read_picks(path))
                with atomic_write(path, force=True) as part:
                    picks.write(part, format="ascii.ecsv", overwrite=True)
                self.picks, self._seen = picks.copy(), self._stamp()
        except Timeout as error:
            raise MuseError(
                f"{path} is locked by another notebook: close it, or save to another name; if there is none, a machine"
                f" that went down has left the lock: remove {lock}"
            ) from error
        except OSError as error:
            raise MuseError(f"{path} cannot be written: {error.strerror or error}") from error
        return picks

    def _stamp(self) -> tuple[int, int, int] | None:
        """What tells one version of the file from another; every save makes a new file."""
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size


def merge_picks(before: Table, mine: Table, theirs: Table) -> Table:
    """Three-way merge, row by row (a row is a star in an exposure): my changes win, theirs are kept otherwise.

    A star that both added within half an arcsec is one. A star of mine whose number they took meanwhile gets another:
    numbers in the file stay, or a third notebook would take one star for the next.
    """
    old, own, other = (_rows(table) for table in (before, mine, theirs))
    number = _numbers_in_file(old, own, other)
    own = {(number.get(star, star), exposure): row for (star, exposure), row in own.items()}
    table = empty_picks()
    for key in sorted({*own, *other}):
        unchanged = own.get(key) == old.get(key)
        row = other.get(key) if unchanged else own.get(key)
        if row is not None:
            ra, dec, x, y, dropped = row
            table.add_row([key[0], *_numbers(ra, dec), key[1], *_numbers(x, y), dropped])
    return table


def _numbers_in_file(old: dict[_Key, _Values], own: dict[_Key, _Values], other: dict[_Key, _Values]) -> dict[int, int]:
    """Numbers of the stars that I added: those of the same stars in the file, else free ones."""
    known = {star for star, _ in old}
    added = {star: row for (star, _), row in other.items() if star not in known}
    taken = known | set(added)
    found: dict[int, int] = {}
    for star, row in ((star, row) for (star, _), row in own.items() if star not in known):
        if star not in found:
            twin = next((s for s, r in added.items() if _close(row, r) and s not in found.values()), None)
            found[star] = twin if twin is not None else max(taken) + 1 if star in taken else star
            taken.add(found[star])
    return found


def _rows(table: Table) -> dict[_Key, _Values]:
    """(star, exposure) -> the rest, with NaN as None so that equal rows compare equal."""

    def plain(value: float) -> float | None:
        return float(value) if np.isfinite(value) else None

    return {
        (int(row["star"]), str(row["exposure"])): (
            plain(row["ra"]), plain(row["dec"]), plain(row["x"]), plain(row["y"]), bool(row["dropped"])
        )
        for row in table
    }  # fmt: skip


def _numbers(*values: float | None) -> list[float]:
    return [np.nan if value is None else value for value in values]


def _close(one: _Values, two: _Values) -> bool:
    (ra, dec), (other_ra, other_dec) = one[:2], two[:2]
    if ra is None or dec is None or other_ra is None or other_dec is None:
        return False
    return bool(np.hypot((ra - other_ra) * np.cos(np.radians(dec)), dec - other_dec) < _SAME_STAR / 3600)
