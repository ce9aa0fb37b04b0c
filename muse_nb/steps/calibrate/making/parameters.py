"""Parameters of the recipes that make masters: ours where they are better than a recipe's own, and the user's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from muse_nb.core.errors import MuseError

__all__ = ["OURS", "bright_lines_reach", "parameters_of"]

OURS: Mapping[str, Mapping[str, object]] = {
    "muse_wavecal": {"residuals": True},  # what the wavelengths are judged by
    "muse_scibasic": {"saveimage": False},  # nobody looks at the images of a standard
    "muse_standard": {"filter": "white"},
}
_BRIGHT = 5  # quality of the lines that a LINE_CATALOG has for the measurement of widths
_FIRST, _LAST = 4800.0, 9100.0  # Angstrom: bright lines should be found below and above
_WIDEST_GAP = 700.0  # Angstrom between two of them


def parameters_of(
    recipe: str, ifu: int, frames: Iterable[tuple[Path, str]], given: Mapping[str, object]
) -> dict[str, object]:
    """Parameters of a run; what the user gives goes before what we set.

    Parameters
    ----------
    recipe
        Its name.
    ifu
        The one to work on; 0: all.
    frames
        Files and tags.
    given
        By the user.

    Raises
    ------
    MuseError
        The user gives ``nifu``, which a job has of its own.
    """
    if "nifu" in given:
        raise MuseError(f"{recipe}: nifu is set for each IFU apart; choose IFUs with ifus (--ifu)")
    ours = dict(OURS.get(recipe, {}))
    if recipe == "muse_lsf" and all(bright_lines_reach(path) for path, tag in frames if tag == "LINE_CATALOG"):
        ours["line_quality"] = _BRIGHT  # four times as fast, and no worse
    return ours | dict(given) | ({"nifu": ifu} if ifu else {})


def bright_lines_reach(catalogue: str | Path) -> bool:
    """Whether the lines of quality 5 of a LINE_CATALOG lie all over the wavelengths, without a wide gap.

    Then they alone give a line-spread function that is as good as that of all lines.

    Parameters
    ----------
    catalogue
        LINE_CATALOG, a table with the columns ``lambda`` [Angstrom] and ``quality``.
    """
    from astropy.io import fits

    try:
        table = fits.getdata(catalogue, 1)
        lines = np.sort(np.asarray(table["lambda"], float)[np.asarray(table["quality"]) == _BRIGHT])
    except (OSError, KeyError, IndexError, TypeError):  # the recipe will say what is wrong with it
        return False
    reach = lines.size > 1 and lines[0] < _FIRST and lines[-1] > _LAST
    return bool(reach and np.diff(lines[(lines > 0)]).max() < _WIDEST_GAP)
