"""What an OFFSET_LIST was made from, in its header; and whether offsets that are known now are still those in it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from muse_nb.core.errors import MuseError
from muse_nb.products.fits.blocks import hdus
from muse_nb.products.fits.fingerprint import fingerprint
from muse_nb.products.image_fov import ImageFov
from muse_nb.products.offset_list import MATCHED, OffsetList
from muse_nb.steps.offsets.picks import read_picks

if TYPE_CHECKING:
    from astropy.io.fits import Header
    from astropy.table import Table

__all__ = ["apart", "header_of", "picks_mark", "stale_list", "why_stale"]

SAME = 0.05  # mas: offsets of the same fit, written and read
_PICKS, _IMAGE = "ESO DRS MUSE LIST PICKS", "ESO DRS MUSE LIST IMAGE"


def picks_mark(picks: Table | None) -> str:
    """Give a mark of the stars that are used, and of where they were put by hand; ``all stars`` without picks."""
    if picks is None:
        return "all stars"
    dropped = {int(row["star"]) for row in picks if row["dropped"] and not str(row["exposure"])}
    rows = sorted(
        f"{row['ra']:.9f} {row['dec']:.9f} {row['exposure']} {row['x']:.4f} {row['y']:.4f}"
        for row in picks
        if int(row["star"]) not in dropped
    )
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()[:32]


def header_of(images: Iterable[ImageFov], mark: str) -> Header:
    """Make the keywords that say what a list is made from: which stars, and which images by the sums of their data."""
    from astropy.io import fits

    header = fits.Header()
    header[f"HIERARCH {_PICKS}"] = (mark, "stars")  # a longer comment does not fit
    for number, image in enumerate(images, 1):
        header[f"HIERARCH {_IMAGE}{number} DATE-OBS"] = image.date_obs
        with suppress(MuseError):  # it was there when it was measured
            header[f"HIERARCH {_IMAGE}{number} SUM"] = fingerprint(image.path)
    return header


def apart(one: OffsetList, other: OffsetList, dec: float) -> float:
    """Give the largest difference [mas] of an exposure's offset in two lists at declination `dec` [deg]."""
    cos, largest = np.cos(np.radians(dec)), 0.0
    for date in one.date_obs:
        mine, theirs = one.of(date), other.of(date)
        if mine is not None and theirs is not None:
            largest = max(largest, float(np.hypot((mine[0] - theirs[0]) * cos, mine[1] - theirs[1])) * 3.6e6)
    return largest


def why_stale(path: Path, now: OffsetList, dec: float, mark: str, images: Iterable[ImageFov] = ()) -> str:
    """Say in a sentence why a list is not what would be written now; empty where it is.

    Parameters
    ----------
    path
        The OFFSET_LIST.
    now
        What would be written.
    dec
        Declination of the field [deg].
    mark
        `picks_mark` of the stars that are used now.
    images
        That they were measured on.

    Raises
    ------
    MuseError
        The list cannot be read.
    """
    listed = OffsetList.read(path)
    before, after = ({date[:MATCHED] for date in one.date_obs} for one in (listed, now))
    if lacks := len(after - before):
        return f"{path.name} is stale: it lacks {lacks} of the {len(after)} exposures"
    if more := len(before - after):
        return f"{path.name} is stale: it has {more} exposure{'s' * (more > 1)} that could not be measured now"
    if (difference := apart(now, listed, dec)) <= SAME:
        return ""
    reason = _reason(hdus(path)[0].cards, mark, images)
    return f"{path.name} is stale: made from {reason}, its offsets are up to {difference:.1f} mas from these"


def _reason(cards: Mapping[str, object], mark: str, images: Iterable[ImageFov]) -> str:
    """Name what is different: the images, the stars, or what made it."""
    sums = {
        str(cards[key]): str(cards.get(key.replace("DATE-OBS", "SUM"), ""))
        for key in cards
        if key.startswith(_IMAGE) and key.endswith("DATE-OBS")
    }
    with suppress(MuseError):
        if any(image.date_obs in sums and sums[image.date_obs] != fingerprint(image.path) for image in images):
            return "other images"
    if str(cards.get(_PICKS, mark)) != mark:
        return "other stars"
    return "other offsets"


def stale_list(path: str | Path, picks: str | Path) -> str:
    """Say in a sentence that an OFFSET_LIST was not measured on the stars that are picked now.

    Parameters
    ----------
    path
        The OFFSET_LIST.
    picks
        picks.ecsv; where there is none, or it holds no star in use, all stars count.

    Returns
    -------
    str
        Empty where the list is of these stars, or is not there; another tool's list does not say, and that is said.

    Raises
    ------
    MuseError
        A file cannot be read.

    Examples
    --------
    >>> muse_nb.stale_list("OFFSET_LIST.fits", "picks.ecsv")  # of all stars, and none was picked
    ''
    """
    path, picks = Path(path), Path(picks)
    if not path.exists():
        return ""
    mark = hdus(path)[0].cards.get(_PICKS)
    if mark is None:
        return f"{path.name} does not say which stars it was measured on"
    table = read_picks(picks) if picks.exists() else None
    used = None if table is None or not _in_use(table) else table
    if str(mark) == picks_mark(used):
        return ""
    return f"{path.name} is stale: it was measured on other stars than are picked now; notebook 03 makes it again"


def _in_use(picks: Table) -> bool:
    return any(not row["dropped"] for row in picks if not str(row["exposure"]))
