"""What the doctor found: faults, their sentences, their table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from muse_nb.core.html import Shown, table_html
from muse_nb.core.text import listed, printable
from muse_nb.recipes.checks.faults import Fault
from muse_nb.steps.survey.files import relative

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["Diagnosis"]

_HEADINGS = {"file": "file", "what": "what is wrong", "consequence": "what would happen", "remedy": "what to do"}


@dataclass(frozen=True)
class Diagnosis(Shown):
    """What the doctor found.

    Attributes
    ----------
    folder : pathlib.Path
    files : int
        Files that were looked at.
    faults : tuple of Fault
        What would go wrong, the worst first.
    notes : tuple of Fault
        What is good to know; part of a good night.
    data : bool
        Whether values were looked at, too, not headers alone.
    unknown : tuple of pathlib.Path
        Files that no check is for: nothing is said of them.
    """

    folder: Path
    files: int
    faults: tuple[Fault, ...] = field(repr=False)
    notes: tuple[Fault, ...] = field(repr=False)
    data: bool
    unknown: tuple[Path, ...] = field(default=(), repr=False)

    @property
    def findings(self) -> tuple[str, ...]:
        """What would go wrong, the worst first, a sentence each; empty for a good night."""
        return self._sentences(self.faults)

    def rows(self, faults: Iterable[Fault] | None = None) -> list[dict[str, str]]:
        """One dictionary a fault: file, what, consequence, remedy, severity, check; by default of all but the notes."""
        return [
            {
                "file": listed([_name(path, self.folder) for path in fault.files]),
                "what": printable(fault.what),
                "consequence": printable(fault.consequence),
                "remedy": printable(fault.remedy),
                "severity": fault.severity.name.lower(),
                "check": fault.check,
            }
            for fault in (self.faults if faults is None else faults)
        ]

    @property
    def table(self) -> Table:
        """The faults, a row each."""
        from astropy.table import Table

        names = ("file", "what", "consequence", "remedy", "severity", "check")
        rows = self.rows()
        return Table({name: [row[name] for row in rows] for name in names}, names=names, dtype=[str] * len(names))

    def _sentences(self, faults: Iterable[Fault]) -> tuple[str, ...]:
        """Say it in a sentence a fault, files by their names in the folder."""
        rows = self.rows(faults)
        return tuple(f"{row['file']} {row['what']}: {row['consequence']}; {row['remedy']}".lstrip() for row in rows)

    def __str__(self) -> str:
        """Say it in a sentence a finding."""
        looked = f"{printable(self.folder)}: {self._looked(' (--data: values too)')}"
        number = len(self.faults)
        return "\n".join(
            [
                f"{looked}; {number or 'no'} finding{'s' * (number != 1)}",
                *(f"finding: {text}" for text in self.findings),
                *(f"note: {text}" for text in self._sentences(self.notes)),
            ]
        )

    def _looked(self, way: str = "") -> str:
        """What was looked at, in words."""
        unknown = f" ({len(self.unknown)} of them of kinds that no check is for)" if self.unknown else ""
        return f"{self.files} files{unknown}{'' if self.data else f', headers only{way}'}"

    def _repr_html_(self) -> str:
        rows = [[row[name] for name in _HEADINGS] for row in self.rows()]
        notes = "".join(f"<li>{escape(printable(str(note)))}</li>" for note in self.notes)
        looked = f"<p>{escape(self._looked())}: "
        table = table_html(list(_HEADINGS.values()), rows, cell_style="text-align:left")
        found = (
            f"<b>{len(rows)} would go wrong</b></p>{table}"
            if rows
            else "✓ nothing would go wrong of all that is checked.</p>"
        )
        return f"{looked}{found}{f'<p>Good to know of this night:</p><ul>{notes}</ul>' if notes else ''}"


def _name(path: Path, folder: Path) -> str:
    try:
        return relative(path, folder)
    except ValueError:
        return str(path)
