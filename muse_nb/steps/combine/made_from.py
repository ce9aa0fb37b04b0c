"""Whether a cube that is there is still the one that a combine would make now: of these tables, with these offsets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from muse_nb.core.text import listed
from muse_nb.products.fits.blocks import hdus
from muse_nb.products.fits.fingerprint import fingerprint
from muse_nb.products.header import label, number_of
from muse_nb.products.offset_list import MATCHED, OffsetList
from muse_nb.resample.cube_header import EXPOSURE, OFFSET

__all__ = ["stale_cube"]

SAME = 0.05  # mas: the same offset, written and read


def stale_cube(
    cube: str | Path, pixtables: Iterable[str | Path], offsets: str | Path | OffsetList | None = None
) -> str:
    """Say in a sentence why a cube is not what `muse_nb.combine` would make of these files now.

    The offsets that were applied, the exposures and the sums of their data stand in the cube's header; cubes of
    muse_exp_combine name the offsets and exposures, too.

    Parameters
    ----------
    cube
        The cube's file.
    pixtables
        PIXTABLE_REDUCED that it should be made from.
    offsets
        OFFSET_LIST that should be applied, or its file.

    Returns
    -------
    str
        Empty where the cube is up to date, or not there.

    Raises
    ------
    MuseError
        A file cannot be read.

    Examples
    --------
    >>> tables = muse_nb.survey("night").files_of("PIXTABLE_REDUCED")
    >>> muse_nb.stale_cube("CUBE.fits", tables, "OFFSET_LIST.fits")
    ''
    """
    cube = Path(cube)
    if not cube.exists():
        return ""
    cards = hdus(cube)[0].cards
    wanted = offsets if offsets is None or isinstance(offsets, OffsetList) else OffsetList.read(offsets)
    paths = {_date(path): Path(path) for path in pixtables}
    number = _numbers(cards)
    if number and (found := _other_exposures(set(paths), set(number))):
        return f"{cube.name} is stale: {found}"
    changed = [date for date, n in number.items() if _changed(cards.get(f"{EXPOSURE}{n} SUM"), paths[date])]
    if changed:
        return f"{cube.name} is stale: the pixel tables of {listed(list(map(label, changed)))} were made again since"
    far = max((_distance(cards, number.get(date), wanted, date) for date in paths), default=0.0)
    return f"{cube.name} is stale: made from other offsets, up to {far:.1f} mas from these" if far > SAME else ""


def _date(path: str | Path) -> str:
    return str(hdus(path)[0].cards.get("DATE-OBS", "")).strip()[:MATCHED]


def _numbers(cards: Mapping[str, object]) -> dict[str, int]:
    """Number of each exposure in the cube's header, by DATE-OBS; empty where nothing is told of exposures."""
    found: dict[str, int] = {}
    for start in (EXPOSURE, OFFSET):
        n = 1
        while (date := str(cards.get(f"{start}{n} DATE-OBS", "")).strip()) != "":
            found.setdefault(date[:MATCHED], n)
            n += 1
    return found


def _other_exposures(wanted: set[str], there: set[str]) -> str:
    if new := len(wanted - there):
        return f"{new} exposure{'s' * (new > 1)} of {len(wanted)} came after it was made"
    if gone := len(there - wanted):
        return f"it was made with {gone} exposure{'s' * (gone > 1)} more than the {len(wanted)} of now"
    return ""


def _changed(mark: object, path: Path) -> bool:
    return mark is not None and str(mark) != fingerprint(path)


def _distance(cards: Mapping[str, object], number: int | None, wanted: OffsetList | None, date: str) -> float:
    """Offset that was applied from the one that should be [mas]."""
    applied = [number_of(cards.get(f"{OFFSET}{number} {name}")) or 0.0 for name in ("DRA", "DDEC")]
    should = None if wanted is None else wanted.of(date)
    ra, dec = (0.0, 0.0) if should is None else should[:2]
    cos = np.cos(np.radians(number_of(cards.get("DEC")) or 0.0))
    return float(np.hypot((applied[0] - ra) * cos, applied[1] - dec)) * 3.6e6
