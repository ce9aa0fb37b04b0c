"""What went wrong in a recipe, in one sentence."""

from __future__ import annotations

import re
from pathlib import Path

from muse_nb.core.errors import MuseError

__all__ = ["RecipeError", "passed_over", "reasons", "remedy"]

_LINE = re.compile(r"^\s*(?:\d\d:\d\d:\d\d\s*)?\[\s*(?P<level>ERROR|WARNING|INFO|DEBUG)\s*\]\s*(?P<text>.*)$")
_DECORATION = re.compile(r"^(?:[\w.]+:\s*)?(?:\[tid=\d+\]\s*)?")
_EMPTY = (  # what CPL prints around the reason
    "Execution of recipe",
    "An error occurred",
    "Error message:",
    "Error code:",
    "Failed to execute",
    "Recipe 'muse",
    "Found ",  # ... error(s), the sum of those before
)


_DUMP = "Dumping the "  # ... most recent error(s): what a recipe went on after
# Errors in the log of a recipe that ended well, each with what it did to the products; others were seen to do nothing.
_MATTERS = {
    ("muse_scibasic", re.compile(r"n=0 < 1.*\bcpl_vector_wrap\b")): (
        "found no good pixel around a sky line: the wavelengths of this IFU were not corrected by it, or were moved at"
        " random; look at ESO QC SCIBASIC LAMBDA SHIFT, and at the flags of its flat field there"
    ),
}


# What to do about a failure whose reason does not say it: recipe, pattern of its log, remedy.
_TIME = "time limit"
_REMEDIES = (
    ("muse_(wavecal|lsf)", _TIME, "a LINE_CATALOG with fluxes of another unit than the frames' keeps it from ending"),
    ("muse_", _TIME, "give it more time with --timeout (timeout=), if nothing else keeps the machine busy"),
    ("muse_twilight", "no pixels", "are masters of IFU 1 among its frames, to which it scales all others?"),
    ("muse_flat", "slice is too narrow|No slices", "are these lamp flats of a whole chip, with the lamp on?"),
    ("muse_wavecal", "too small", "the chip must have 4000 rows and more"),
    (
        "muse_(wavecal|lsf)",
        "[Nn]o (arc )?lines|[Tt]oo few",
        "is a lamp off or saturated, or the LINE_CATALOG another's?",
    ),
    ("muse_standard", "STD_FLUX_TABLE|reference|no .*standard", "has the STD_FLUX_TABLE this star, within 60 arcsec?"),
    (
        "muse_astrometry",
        "WCS|solution|detect",
        "a sparse field with all its stars in the ASTROMETRY_REFERENCE is needed",
    ),
    ("muse_", "bad_alloc|[Mm]emory", "give it less to do at a time: --jobs 1, or a machine with more memory"),
)


class RecipeError(MuseError):
    """A recipe could not be run, failed, crashed or was stopped.

    Attributes
    ----------
    recipe : str
    log : pathlib.Path or None
        The recipe's log, where it got as far as writing one.
    """

    def __init__(self, message: str, recipe: str = "", log: Path | None = None) -> None:
        super().__init__(message)
        self.recipe = recipe
        self.log = log


def reasons(log: str, most: int = 2) -> str:
    """Extract from a recipe's log why it failed: its first error lines, cleaned; empty where it has none.

    Parameters
    ----------
    log
        Text of the log.
    most
        How many different lines at the most.
    """
    found: list[str] = []
    for line in log.splitlines():
        match = _LINE.match(line)
        if not match or match["level"] != "ERROR":
            continue
        text = " ".join(_DECORATION.sub("", match["text"]).split()).strip(" .")
        if text and text not in found and not text.startswith(_EMPTY):
            found.append(text)
    return "; ".join(found[:most])


def remedy(recipe: str, text: str) -> str:
    """Say what may help after a failure, the rest of a sentence; empty where nothing is known of it.

    Parameters
    ----------
    recipe
        Its name.
    text
        Reason of the failure, and why it was stopped.
    """
    for name, pattern, what in _REMEDIES:
        if re.match(name, recipe) and re.search(pattern, text):
            return what
    return ""


def passed_over(recipe: str, log: str) -> list[str]:
    """Say which errors a recipe went on after though they spoil its products, each the rest of a sentence.

    Parameters
    ----------
    recipe
        Its name.
    log
        Text of the log of a run that ended well.
    """
    _, found, dump = log.partition(_DUMP)
    return [what for (name, error), what in _MATTERS.items() if found and name == recipe and error.search(dump)]
