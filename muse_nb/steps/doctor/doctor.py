"""What the recipes would get wrong with the files of a folder: the refusals' own checks, all at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from muse_nb.core.errors import MuseError
from muse_nb.core.text import listed, printable
from muse_nb.recipes.checks.faults import Fault, Severity
from muse_nb.steps.doctor.runs import planned_checks
from muse_nb.steps.survey.classify import UNREADABLE
from muse_nb.steps.survey.files import relative
from muse_nb.steps.survey.survey import Survey, survey

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["Diagnosis", "doctor"]

_CHEAP = 2e9  # bytes of pixel tables that are read without being asked


@dataclass(frozen=True)
class Diagnosis:
    """What the doctor found.

    Attributes
    ----------
    folder : pathlib.Path
    files : int
        Files that were looked at.
    findings : tuple of Fault
        What would go wrong, the worst first.
    notes : tuple of Fault
        What is good to know; part of a good night.
    data : bool
        Whether values were looked at, too, not headers alone.
    """

    folder: Path
    files: int
    findings: tuple[Fault, ...] = field(repr=False)
    notes: tuple[Fault, ...] = field(repr=False)
    data: bool

    def rows(self, faults: Iterable[Fault] | None = None) -> list[dict[str, str]]:
        """One dictionary a finding: file, what, consequence, remedy, severity, check."""
        return [
            {
                "file": listed([_name(path, self.folder) for path in fault.files]),
                "what": printable(fault.what),
                "consequence": printable(fault.consequence),
                "remedy": printable(fault.remedy),
                "severity": fault.severity.name.lower(),
                "check": fault.check,
            }
            for fault in (self.findings if faults is None else faults)
        ]

    @property
    def table(self) -> Table:
        """The findings, a row each."""
        from astropy.table import Table

        names = ("file", "what", "consequence", "remedy", "severity", "check")
        rows = self.rows()
        return Table({name: [row[name] for row in rows] for name in names}, names=names, dtype=[str] * len(names))

    def __str__(self) -> str:
        """Say it in a sentence a finding."""
        looked = (
            f"{printable(self.folder)}: {self.files} files{'' if self.data else ', headers only (--data: values too)'}"
        )
        lines = [f"{looked}; {len(self.findings) or 'no'} finding{'s' * (len(self.findings) != 1)}"]
        for label, faults in (("finding", self.findings), ("note", self.notes)):
            for row in self.rows(faults):
                lines.append(
                    f"{label}: {row['file']} {row['what']}: {row['consequence']}; {row['remedy']}".replace(":  ", ": ")
                )
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        names = {"file": "file", "what": "what is wrong", "consequence": "what would happen", "remedy": "what to do"}
        head = "".join(f"<th>{text}</th>" for text in names.values())
        body = "".join(
            "<tr>" + "".join(f"<td style='text-align:left'>{escape(row[name])}</td>" for name in names) + "</tr>"
            for row in self.rows()
        )
        notes = "".join(f"<li>{escape(printable(str(note)))}</li>" for note in self.notes)
        looked = f"<p>{self.files} files{'' if self.data else ', headers only'}: "
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        found = f"<b>{len(self.findings)} would go wrong</b></p>{table}"
        found = found if self.findings else "✓ nothing would go wrong.</p>"
        return f"{looked}{found}{f'<ul>{notes}</ul>' if notes else ''}"


def doctor(
    folder: str | Path, *, data: bool | None = None, progress: Callable[[int, int], object] | None = None
) -> Diagnosis:
    """Look for what ESO's recipes would turn into a wrong result without a word.

    Parameters
    ----------
    folder
        Raw frames, calibrations, products, OFFSET_LISTs, in any subfolders.
    data
        Look at the values too, not at headers alone; by default, where the pixel tables are small.
    progress
        Called with the checks done and all.

    Returns
    -------
    Diagnosis

    Raises
    ------
    MuseError
        It is no folder, or holds no FITS files.
    """
    found = survey(folder)
    if not found.facts and not found.findings:
        raise MuseError(f"{folder} holds no FITS files: name the folder with your raw frames or products")
    size = sum(fact.size for fact in found.facts if fact.category.startswith("PIXTABLE_"))
    deep = size < _CHEAP if data is None else data
    faults = list(_broken(found))
    todo = planned_checks(found, data=deep)
    for number, planned in enumerate(todo, 1):
        try:
            faults += planned.faults()
        except MuseError as error:
            what, _, remedy = str(error).partition(": ")
            faults.append(Fault("unreadable", planned.files, what, "it cannot be used", remedy or "make it again"))
        if progress is not None:
            progress(number, len(todo))
    ordered = sorted(dict.fromkeys(faults), key=lambda fault: (-fault.severity, fault.files))
    return Diagnosis(
        found.folder,
        len(found.facts),
        tuple(fault for fault in ordered if fault.severity > Severity.NOTE),
        tuple(fault for fault in ordered if fault.severity is Severity.NOTE),
        deep,
    )


def _broken(found: Survey) -> Iterator[Fault]:
    """Files that cannot be read, or lack a part."""
    for fact in found.facts:
        if fact.category == UNREADABLE:
            yield Fault("unreadable", (fact.path,), "cannot be read", "the recipes would fail", "copy or make it again")
        if fact.incomplete:
            what = f"is a {printable(fact.category)} without {listed(fact.incomplete)}"
            yield Fault("incomplete", (fact.path,), what, "it was cut short", "copy or make it again")


def _name(path: Path, folder: Path) -> str:
    try:
        return relative(path, folder)
    except ValueError:
        return str(path)
