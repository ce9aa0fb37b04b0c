"""What a calibration made, kept and could not make."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from muse_nb.core.graph import Node, graph_html
from muse_nb.core.html import Shown, findings_html, table_html
from muse_nb.core.text import listed, printable
from muse_nb.steps.calibrate.making.forecast import Forecast
from muse_nb.steps.calibrate.planned import CalibrationPlan

__all__ = ["Calibration"]


@dataclass(frozen=True)
class Calibration(Shown):
    """What was made of a night's raw calibrations.

    Attributes
    ----------
    folder : pathlib.Path
        With the masters: what `muse_nb.reduce` takes as its calibrations.
    plan : CalibrationPlan
        What makes what.
    tasks : tuple of muse_nb.core.graph.Node
        How each task ended.
    products : dict of str to tuple of pathlib.Path
        Files by tag.
    made, kept : tuple of str
        Jobs that were done, and those whose products were there, made from the same.
    why : mapping of str to str
        By job that was done: why.
    failed : mapping of str to str
        By job: why its recipe failed.
    missing : mapping of str to str
        By task: why it cannot be done, wholly or for some IFUs.
    forecast : Forecast
        What was expected.
    seconds, cpu_seconds : float
        What it took: wall and CPU time [s].
    peak_memory : int
        Of the largest recipe [byte].
    notes : tuple of str
        What was odd about frames or products.
    """

    folder: Path
    plan: CalibrationPlan
    tasks: tuple[Node, ...]
    products: Mapping[str, tuple[Path, ...]]
    made: tuple[str, ...]
    kept: tuple[str, ...]
    why: Mapping[str, str]
    failed: Mapping[str, str]
    missing: Mapping[str, str]
    forecast: Forecast
    seconds: float
    cpu_seconds: float
    peak_memory: int
    notes: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether all that was planned is there."""
        return not self.failed and not self.missing

    @property
    def findings(self) -> tuple[str, ...]:
        """What failed, what could not be made, what is odd or doubtful, a sentence each."""
        said = [f"{name} failed: {text}" for name, text in self.failed.items()]
        said += [f"{name} was not made: {text}" for name, text in self.missing.items()]
        return (*said, *self.notes, *self.plan.notes)

    def summary(self) -> dict[str, Any]:
        """Everything as plain lists and dictionaries, as ``muse-nb calibrate --json`` prints it."""
        return {
            "folder": str(self.folder),
            "made": list(self.made),
            "kept": list(self.kept),
            "why": dict(self.why),
            "failed": dict(self.failed),
            "missing": dict(self.missing),
            "products": {tag: [str(path) for path in paths] for tag, paths in self.products.items()},
            "seconds": self.seconds,
            "cpu_seconds": self.cpu_seconds,
            "peak_memory": self.peak_memory,
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        """Tell it in lines."""
        return "\n".join([self.headline, *self._lines()])

    @property
    def headline(self) -> str:
        """What was made, in a line."""
        memory = f", {self.peak_memory / 1e9:.1f} GB" if self.peak_memory else ""
        took = f" in {self.seconds:.0f} s ({self.cpu_seconds:.0f} s of CPU{memory})" if self.made else ""
        return f"{self.folder}: {len(self.made)} made{took}, {len(self.kept)} kept, {len(self.failed)} failed"

    def _lines(self) -> list[str]:
        lines = [f"  {tag:<15} {listed([path.name for path in paths], 2)}" for tag, paths in self.products.items()]
        return [*lines, *(f"finding: {printable(text)}" for text in self.findings)]

    def _repr_html_(self) -> str:
        rows = [[tag, len(paths), listed([path.name for path in paths], 2)] for tag, paths in self.products.items()]
        reasons = Counter(self.why[name] for name in self.made if name in self.why)
        told = "".join(f"<li>{number} × {escape(text)}</li>" for text, number in reasons.most_common(5))
        return (
            f"<p><b>{escape(printable(self.headline))}</b></p>"
            + graph_html(self.tasks)
            + table_html(["product", "files", "names"], rows, kind="masters")
            + (f"<p>Why they were made:</p><ul>{told}</ul>" if told else "")
            + findings_html(printable(text) for text in self.findings)
        )
