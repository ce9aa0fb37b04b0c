"""What the recipes would get wrong with the files of a folder: the refusals' own checks, all at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from muse_nb.core.errors import MuseError
from muse_nb.core.progress import Progress
from muse_nb.core.text import listed, printable
from muse_nb.recipes.checks.faults import Fault, Severity
from muse_nb.steps.doctor.result import Diagnosis
from muse_nb.steps.doctor.runs import planned_checks
from muse_nb.steps.survey.classify import UNREADABLE
from muse_nb.steps.survey.result import Survey
from muse_nb.steps.survey.survey import survey

__all__ = ["doctor"]

_MAX_READ_UNASKED = 2e9  # bytes of pixel tables and raw frames


def doctor(folder: str | Path, *, data: bool | None = None, progress: Progress | None = None) -> Diagnosis:
    """Look for what ESO's recipes would turn into a wrong result without a word.

    Parameters
    ----------
    folder
        Raw frames, calibrations, products, OFFSET_LISTs, in any subfolders.
    data
        Look at the values too, not at headers and small tables alone; by default, where they are small.
    progress
        Told of the headers that are read, then of the checks that are done, of all.

    Returns
    -------
    Diagnosis

    Raises
    ------
    MuseError
        It is no folder, or holds no FITS files.

    Examples
    --------
    >>> diagnosis = muse_nb.doctor("night")
    >>> diagnosis.findings
    ()
    >>> diagnosis.files
    70
    """
    found = survey(folder, progress=progress)
    if not found.facts and not found.findings:
        raise MuseError(f"{folder} holds no FITS files: name the folder with your raw frames or products")
    size = sum(fact.size for fact in found.facts if fact.category.startswith(("PIXTABLE_", "RAW OBJECT")))
    deep = size < _MAX_READ_UNASKED if data is None else data
    faults = list(_broken(found))
    todo = planned_checks(found, data=deep)
    for number, planned in enumerate(todo, 1):
        try:
            faults += planned.faults()
        except MuseError as error:
            what, _, remedy = str(error).partition(": ")
            faults.append(Fault("unreadable", planned.files, what, "it cannot be used", remedy or "make it again"))
        if progress is not None:
            progress("checks done", number, len(todo))
    checked = {path for planned in todo for path in planned.files}
    unknown = [f.path for f in found.facts if f.path not in checked and f.category != UNREADABLE]
    ordered = sorted(dict.fromkeys(faults), key=lambda fault: (-fault.severity, fault.files))
    return Diagnosis(
        found.folder,
        len(found.facts),
        tuple(fault for fault in ordered if fault.severity > Severity.NOTE),
        tuple(fault for fault in ordered if fault.severity is Severity.NOTE),
        deep,
        tuple(unknown),
    )


def _broken(found: Survey) -> Iterator[Fault]:
    """Files that cannot be read, or lack a part."""
    for fact in found.facts:
        if fact.category == UNREADABLE:
            yield Fault("unreadable", (fact.path,), "cannot be read", "the recipes would fail", "copy or make it again")
        if fact.incomplete:
            what = f"is a {printable(fact.category)} without {listed(fact.incomplete)}"
            yield Fault("incomplete", (fact.path,), what, "it was cut short", "copy or make it again")
