"""What a cube was judged to be: checks with their limits, shown as text, JSON and a one-page report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from muse_nb.core.atomic import atomic_write
from muse_nb.core.errors import MuseError
from muse_nb.core.html import Html, Shown, findings_html, table_html
from muse_nb.core.text import printable
from muse_nb.steps.judge.parts.panel import Panel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Check", "Judgement", "Section"]

_WORD = {True: "good", False: "bad", None: "not known"}


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes
    ----------
    name : str
        Short, the same from cube to cube.
    value, limit : float or None
        What was measured and what it may be; None where there is none.
    good : bool or None
        None where it could not be known.
    text : str
        A sentence with the numbers and their units.
    """

    name: str
    value: float | None
    limit: float | None
    good: bool | None
    text: str

    @classmethod
    def unknown(cls, name: str, text: str, limit: float | None = None) -> Check:
        """Say what could not be known, and why."""
        return cls(name, None, limit, None, text)

    def record(self) -> dict[str, object]:
        """The check as JSON has it; numbers that are not finite are None."""
        numbers = {
            key: None if value is None or not math.isfinite(value) else float(value)
            for key, value in (("value", self.value), ("limit", self.limit))
        }
        good = None if self.good is None else bool(self.good)
        return {"name": self.name, **numbers, "good": good, "text": printable(self.text)}


@dataclass(frozen=True)
class Section:
    """Checks of one kind with the figures that show them."""

    title: str
    checks: tuple[Check, ...]
    panels: tuple[Panel, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Judgement(Shown):
    """A cube, judged.

    Attributes
    ----------
    cube : pathlib.Path
    sections : tuple of Section
    facts : tuple of str
        What the cube is and what it was judged with, a sentence each.
    inputs : tuple of pathlib.Path
        All files that were read.
    """

    cube: Path
    sections: tuple[Section, ...]
    facts: tuple[str, ...] = ()
    inputs: tuple[Path, ...] = field(default=(), repr=False)

    @property
    def checks(self) -> tuple[Check, ...]:
        """All checks, in the order of the report."""
        return tuple(check for section in self.sections for check in section.checks)

    @property
    def good(self) -> bool:
        """Whether no check is bad; those that could not be made do not count."""
        return all(check.good is not False for check in self.checks)

    @property
    def findings(self) -> list[str]:
        """What is wrong with the cube, a sentence each."""
        return [printable(check.text) for check in self.checks if check.good is False]

    def summary(self) -> dict[str, object]:
        """The judgement as ``muse-nb judge --json`` prints it."""
        return {"cube": printable(self.cube), "checks": [check.record() for check in self.checks]}

    def __str__(self) -> str:
        """Tell it as text: a line a check."""
        width = max((len(check.name) for check in self.checks), default=0)
        lines = [self.verdict, *self.facts]
        for check in self.checks:
            lines.append(f"{_WORD[check.good]:9}  {check.name:{width}}  {check.text}")
        return "\n".join(printable(line) for line in lines)

    @property
    def verdict(self) -> str:
        """One sentence on all of it."""
        return f"{self.cube.name}: {verdict_of(self.checks)}"

    def _repr_html_(self) -> str:
        rows = [
            (check.name, _number(check.value), _number(check.limit), _WORD[check.good], check.text)
            for check in self.checks
        ]
        table = table_html(
            ("check", "value", "limit", "", "what was found"), rows, kind="sentences", cell_style="text-align:left"
        )
        facts = "".join(f"<p>{escape(printable(fact))}</p>" for fact in self.facts)
        return f"<p><b>{escape(printable(self.verdict))}</b></p>{findings_html(self.findings)}{facts}{Html(table)}"

    def plot(self, title: str | None = None) -> Figure:
        """Draw all figures of the report, or those of one section by its title.

        Raises
        ------
        MuseError
            There is no such section, or it has no figure.
        """
        from muse_nb.steps.judge.figures import draw_all

        panels = [panel for section in self.sections if title in (None, section.title) for panel in section.panels]
        if not panels:
            there = ", ".join(section.title for section in self.sections if section.panels)
            raise MuseError(f"{self.cube.name}: there is no figure of {title!r}: there are those of {there or 'none'}")
        return draw_all(panels)

    def write(self, path: str | Path, *, force: bool = False) -> Path:
        """Write the report: one HTML page that needs no network and no script.

        Raises
        ------
        MuseError
            It is there already, or cannot be written.
        """
        from muse_nb.steps.judge.report import page

        path = Path(path)
        with atomic_write(path, force=force, inputs=self.inputs) as part:
            part.write_text(page(self.cube.name, self.verdict, self.facts, _shown(self.sections)), encoding="utf-8")
        return path


def verdict_of(checks: Sequence[Check]) -> str:
    """Count what was found."""
    bad, unknown = (sum(check.good is state for check in checks) for state in (False, None))
    made = len(checks) - unknown
    told = f"{made} check{'s' * (made != 1)} made, "
    told += f"{bad} of them found something wrong" if bad else "nothing wrong was found" if made else "nothing is known"
    return told + (f"; {unknown} could not be made" if unknown else "")


def _shown(sections: Sequence[Section]) -> list[dict[str, object]]:
    """Sections as the report's template takes them."""
    return [
        {
            "title": section.title,
            "panels": section.panels,
            "checks": [
                {
                    "name": check.name,
                    "value": _number(check.value),
                    "limit": _number(check.limit),
                    "state": {True: "good", False: "bad", None: "unknown"}[check.good],
                    "word": _WORD[check.good],
                    "text": printable(check.text),
                }
                for check in section.checks
            ],
        }
        for section in sections
    ]


def _number(value: float | None) -> str:
    return "" if value is None or not math.isfinite(value) else f"{value:.3g}"
