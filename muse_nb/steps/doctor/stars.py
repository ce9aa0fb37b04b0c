"""An OFFSET_LIST held against the stars themselves: sign, unit and cos(dec)."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

from muse_nb.core.errors import MuseError
from muse_nb.products.image_fov import ImageFov
from muse_nb.products.offset_list import MATCHED, OffsetList
from muse_nb.recipes.checks.faults import Fault, Severity

__all__ = ["check_against_stars"]

_MAX_MEASURED = 4  # exposures: a mistake of sign or unit is in all rows


def check_against_stars(path: Path, images: Iterable[Path]) -> Iterator[Fault]:
    """Measure the exposures with the largest offsets, and say which mistake explains the list."""
    from muse_nb.steps.offsets.crosscheck import check_offset_list
    from muse_nb.steps.offsets.measure import measure_offsets

    try:
        given = OffsetList.read(path)
        chosen = _largest(given, images)
        if len(chosen) < 2:
            number = "one IMAGE_FOV" if chosen else "no IMAGE_FOV"
            yield _unheld(path, f"there is {number} of its exposures here")
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            measured = measure_offsets(chosen)
    except MuseError as error:  # of a wrong form, which is said elsewhere, or no stars
        yield _unheld(path, str(error).partition(": ")[0])
        return
    ours = set(measured.table["date_obs"])
    listed = [n for n, date in enumerate(given.date_obs) if any(str(name)[:MATCHED] == date for name in ours)]
    part = OffsetList(*(tuple(column[n] for n in listed) for column in vars(given).values()))
    for sentence in check_offset_list(part, measured):
        what, _, remedy = sentence.partition(": ")
        remedy = remedy or "measure them with muse-nb offsets"
        yield Fault("signs", (path,), f"does not put the stars together: {what}", "they would be smeared", remedy)


def _unheld(path: Path, why: str) -> Fault:
    consequence = "its signs and units are not vouched for"
    remedy = "put the IMAGE_FOVs of its exposures into the folder"
    return Fault("signs", (path,), f"was not held against the stars ({why})", consequence, remedy, Severity.NOTE)


def _largest(given: OffsetList, images: Iterable[Path]) -> list[ImageFov]:
    """The first image and those with the largest offsets, one an exposure."""
    named: dict[str, ImageFov] = {}
    for path in images:
        image = ImageFov.open(path)
        if given.of(image.date_obs) is not None:
            named.setdefault(image.date_obs[:MATCHED], image)

    def size(date: str) -> float:
        ra, dec, _ = given.of(date) or (0.0, 0.0, 0.0)
        return abs(ra) + abs(dec)

    first, *others = sorted(named) or [""]
    wanted = [first, *sorted(others, key=size, reverse=True)[: _MAX_MEASURED - 1]]
    return [named[date] for date in sorted(wanted) if date in named]
