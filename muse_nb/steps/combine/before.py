"""What must be right before exposures are combined: the recipes combine all the same, and wrongly."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from muse_nb.core.errors import MuseError
from muse_nb.products.header import number_of
from muse_nb.products.offset_list import OffsetList
from muse_nb.products.pixtable import PixelTable
from muse_nb.recipes.checks.every import examine
from muse_nb.recipes.checks.faults import Fault, Frame, Run, Severity
from muse_nb.recipes.checks.sets import judge_offsets, stars
from muse_nb.resample.inputs import applied

__all__ = ["check_list", "check_offsets", "check_tables", "turned_exposures"]

_NUMBERS = ("RA", "DEC", "EXPTIME")
_RECIPES_OWN = ("numbers", "not_finite")  # what our engine reads, leaves out and says


def check_tables(tables: list[PixelTable], crsigma: float = 10.0) -> list[str]:
    """Hold the exposures against each other.

    Parameters
    ----------
    tables
        The exposures.
    crsigma
        Threshold of the rejection of cosmic rays; 0 for none.

    Returns
    -------
    list of str
        What is odd but can be combined, a sentence each.

    Raises
    ------
    MuseError
        A keyword is missing without which the cube would be wrong, an exposure is there twice, or modes are mixed.
    """
    if not tables:
        raise MuseError("no pixel tables: name at least one PIXTABLE_REDUCED")
    frames = tuple(Frame(table.path, "PIXTABLE_REDUCED", table.header) for table in tables)
    run = Run("muse_exp_combine", frames, {"crsigma": crsigma})
    notes = _sentences(examine(run, without=_RECIPES_OWN))
    for table in tables:
        for keyword in _NUMBERS:
            if number_of(table.header[keyword]) is None:
                raise MuseError(f"{table.path}: {keyword} is {table.header[keyword]!r}, not a number: reduce it again")
    nameless = [table.path.name for table in tables if not table.header.get("ESO INS MODE")]
    if nameless:
        notes.append(
            f"{', '.join(nameless)} lacks ESO INS MODE: it cannot be told whether the exposures belong together"
        )
    kinds = {table.kind for table in tables}
    if len(kinds) > 1:
        raise MuseError("the pixel tables are of different kinds: combine PIXTABLE_REDUCED, or POSITIONED, not both")
    return notes


def check_offsets(tables: list[PixelTable], offsets: OffsetList | None, *, allow_missing: bool = False) -> list[str]:
    """Hold an offset list against the exposures.

    Returns
    -------
    list of str
        What is odd, a sentence each.

    Raises
    ------
    MuseError
        An exposure has no row (unless `allow_missing`) or its offset already, or an offset is too large to be one.
    """
    moved = [table.path for table in tables if any(applied(table))]
    if moved and offsets is not None:
        raise MuseError(
            f"{moved[0]} has its offset applied already (ESO DRS MUSE OFFSET1): combine it without an offset list"
        )
    if moved:
        return []
    if offsets is None:
        return ["no offsets were given: stars will be smeared by the derotator's wobble"] if len(tables) > 1 else []
    dates = [str(table.header["DATE-OBS"]) for table in tables]
    missing = offsets.missing(dates) if allow_missing else []
    there = [date for date in dates if date not in missing]
    return [f"{date} was combined without an offset" for date in missing] + _sentences(judge_offsets(offsets, there))


def turned_exposures(tables: list[PixelTable], offsets: OffsetList | None, *, applied: bool) -> list[str]:
    """Say which exposures the list has an angle for, and what becomes of it.

    Parameters
    ----------
    tables, offsets
        The exposures and their list.
    applied
        Whether the engine turns them; muse_exp_combine does not.
    """
    if offsets is None:
        return []
    dates = [str(table.header["DATE-OBS"]) for table in tables]
    told = ", ".join(f"{date} by {offsets.angle_of(date):+.4f} deg" for date in dates if offsets.angle_of(date))
    if not told:
        return []
    if applied:
        return [f"turned about their field's centre, as ROTANGLE asks for: {told}"]
    return [
        f"ROTANGLE asks to turn {told}: muse_exp_combine does not, so that stars are smeared at the field's edge;"
        " combine with the stream engine, or add the angle to ESO INS DROT POSANG of the PIXTABLE_OBJECTs, run"
        " muse_scipost again and measure the offsets of the new images"
    ]


def check_list(path: Path) -> list[str]:
    """Say what an OFFSET_LIST's own header tells against it."""
    return _sentences(stars(Run("muse_exp_combine", (Frame.open(path, "OFFSET_LIST"),))))


def _sentences(faults: Iterable[Fault]) -> list[str]:
    """Sentences of faults; the first that is to be refused is raised."""
    found = list(faults)
    for fault in found:
        if fault.severity is Severity.REFUSE:
            raise MuseError(str(fault))
    return [str(fault) for fault in found]
