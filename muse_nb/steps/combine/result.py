"""What a combine gives back: the cube, what it took, and what it was held against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from muse_nb.core.html import Shown, findings_html, table_html

__all__ = ["Check", "Combination", "checks_html"]


@dataclass(frozen=True)
class Check:
    """A check of the cube and what came of it.

    Attributes
    ----------
    name : str
        ``widths``, ``positions``, ``fluxes``, ``noise``, ``slabs`` or ``fields``.
    good : bool or None
        None where it could not be made.
    text : str
        A sentence.
    """

    name: str
    good: bool | None
    text: str


@dataclass(frozen=True)
class Combination(Shown):
    """A cube that was made, and what it took.

    Attributes
    ----------
    path : pathlib.Path
        The cube.
    images : dict of str to pathlib.Path
        IMAGE_FOV by filter.
    engine : str
    exposures, rows : int
    used, flagged : int or None
        Rows that fell into the cube and, of those, rejected as cosmic rays; None where the engine does not say.
    shape : tuple of int
        (nz, ny, nx).
    seconds, cpu_seconds : float
        Wall and CPU time [s].
    peak_memory : int
        What the combine took at its largest, not what the process held before it [byte].
    findings : list of str
        What is odd about the result, a sentence each.
    checks : list of Check
        The cube held against its exposures: star widths, positions and fluxes, noise, seams.
    """

    path: Path
    images: dict[str, Path]
    engine: str
    exposures: int
    rows: int
    used: int | None
    flagged: int | None
    shape: tuple[int, int, int]
    seconds: float
    cpu_seconds: float
    peak_memory: int
    findings: list[str]
    checks: list[Check] = field(default_factory=list)

    def __str__(self) -> str:
        """Say it in a sentence."""
        nz, ny, nx = self.shape
        return (
            f"{self.path}: {self.exposures} exposure{'s' * (self.exposures > 1)}, {self.rows / 1e6:.1f} million rows,"
            f" {nx} x {ny} spaxels and {nz} planes in {self.seconds:.1f} s ({self.cpu_seconds:.1f} s of CPU,"
            f" {self.peak_memory / 1e6:.0f} MB, engine {self.engine})"
        )

    def _repr_html_(self) -> str:
        return f"<p>{escape(str(self))}</p>{findings_html(self.findings)}{checks_html(self.checks)}"


def checks_html(checks: Sequence[Check]) -> str:
    """Write checks as a table; nothing where there is none."""
    rows = [(_MARK[check.good], check.name, check.text) for check in checks]
    return table_html(("", "check", "what it says"), rows, kind="sentences") if rows else ""


_MARK = {True: "good", False: "look", None: "–"}
