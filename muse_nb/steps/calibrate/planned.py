"""A plan that shows itself: as text, as a table, as a graph, as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from muse_nb.core.html import Html, Shown, findings_html, table_html
from muse_nb.core.text import listed, printable
from muse_nb.steps.calibrate.tasks import Plan, Task

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["CalibrationPlan"]


@dataclass(frozen=True)
class CalibrationPlan(Shown, Plan):
    """What makes what, and what serves what.

    Attributes
    ----------
    tasks : tuple of Task
        Each after those whose products it takes.
    notes : tuple of str
        What is missing or doubtful, a sentence each.
    source : str
        What was planned.
    times : Mapping of str to float
        Id to mean MJD of a task's raw frames [d].
    outside : frozenset of (str, str)
        Id and tag of what serves though it is further off in time than the rules allow.
    """

    source: str = ""
    times: Mapping[str, float] = field(default_factory=dict, repr=False)
    outside: frozenset[tuple[str, str]] = field(default=frozenset(), repr=False)

    @property
    def findings(self) -> tuple[str, ...]:
        """The notes."""
        return self.notes

    def task(self, name: str) -> Task:
        """Return a task by its id.

        Raises
        ------
        KeyError
            There is none.
        """
        for task in self.tasks:
            if task.id == name:
                return task
        raise KeyError(name)

    def summary(self) -> dict[str, Any]:
        """Everything as plain lists and dictionaries, as ``muse-nb calibrate --plan --json`` prints it."""
        return {
            "tasks": [
                {
                    "recipe": task.recipe,
                    "id": task.id,
                    "mode": task.mode,
                    "night": task.night,
                    "inputs": list(task.inputs),
                    "calibrations": dict(task.calibrations),
                    "products": list(task.products),
                }
                for task in self.tasks
            ],
            "notes": list(self.notes),
        }

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the graph: tasks by time, a row a recipe, and lines from what serves to what is served."""
        from muse_nb.steps.calibrate.associate.figures import plot_plan

        return plot_plan([asdict(task) for task in self.tasks], self.times, self.outside, ax)

    def __str__(self) -> str:
        """Tell it in lines: counts, a line a task, the notes."""
        counts = Counter(task.recipe for task in self.tasks)
        lines = [f"{len(self.tasks)} tasks: " + ", ".join(f"{n} {recipe}" for recipe, n in counts.items())]
        for task in self.tasks:
            lines.append(f"  {task.recipe:<16} {printable(task.id)}  {_inputs(task)}")
            lines += [f"      {tag:<15} {printable(value)}" for tag, value in task.calibrations.items()]
        lines += [f"note: {printable(text)}" for text in self.notes]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = [
            [
                task.recipe,
                printable(task.id),
                f"{printable(task.mode) or '?'}, {task.night or '?'}",
                _inputs(task),
                _lines(f"{tag}: {Path(value).name}" for tag, value in task.calibrations.items()),
                _lines(task.products),
            ]
            for task in self.tasks
        ]
        head = ["recipe", "task", "mode and night", "inputs", "calibrations", "products"]
        notes = findings_html(printable(text) for text in self.notes)
        return (
            f"<p><b>{len(self.tasks)} tasks</b> for {escape(printable(self.source))}</p>"
            + table_html(head, rows, kind="plan", cell_style="text-align:left;vertical-align:top;white-space:nowrap")
            + (f"<p>Look at this:</p>{notes}" if notes else "<p>✓ Nothing is missing or doubtful.</p>")
        )


def _lines(texts: Iterable[str]) -> Html:
    """One below the other."""
    return Html("<br>".join(escape(printable(text)) for text in texts))


def _inputs(task: Task) -> str:
    return listed(task.inputs, 1)
