"""What may be wrong with a night's calibrations, each by a name and on the frames that it concerns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from muse_nb.core.errors import MuseError

__all__ = ["FAULTS", "Fault", "checked"]


@dataclass(frozen=True)
class Fault:
    """One thing that went wrong, unnoticed by the headers.

    Attributes
    ----------
    tags
        Frames that it concerns, by the tag that a recipe knows them by.
    text
        What the truth says of it.
    lamp
        Of these frames only those of this lamp; of any where it is empty.
    number
        Only the frame of this number in its template; all where it is 0.
    """

    tags: tuple[str, ...]
    text: str
    lamp: str = ""
    number: int = 0


FAULTS = {
    "lamp-off": Fault(("ARC",), "the xenon lamp did not burn though the header says so", lamp="Xe"),
    "saturated-arc": Fault(
        ("ARC",), "the neon lamp was 12 times too bright: its strong lines are saturated", lamp="Ne"
    ),
    "light-in-bias": Fault(("BIAS",), "light of the flat's lamp fell on the chip, 300 electrons in the mean", number=2),
    "shifted-detector": Fault(
        ("FLAT", "ARC"), "the chip lay one column to the right: all slices are found one column further left"
    ),
    "other-standard": Fault(("STD",), "the telescope looked at another star: cooler, and 0.8 mag fainter"),
}
"""By name."""

ARC_EXCESS = 12.0  # of the saturated arc
BIAS_LIGHT = 300.0  # mean of the light in the bias [electron]
SHIFT = 1  # of the detector [column]
OTHER_STAR = 0.8  # by how much the other star is fainter [mag]


def checked(names: Iterable[str]) -> tuple[str, ...]:
    """Return the faults' names, each once and sorted.

    Raises
    ------
    MuseError
        There is no fault of a name.
    """
    names = (names,) if isinstance(names, str) else tuple(names)
    for name in names:
        if name not in FAULTS:
            raise MuseError(f"there is no fault {name!r}: choose from {', '.join(FAULTS)}")
    return tuple(sorted(set(names)))
