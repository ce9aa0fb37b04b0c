"""Work that hangs together: tasks, what each waits for, how far each is, and a drawing of it that needs no script."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

__all__ = ["STATES", "Node", "Watch", "graph_html", "graph_svg"]

STATES = {  # state -> colour (Okabe and Ito, lightened), sign
    "waiting": ("#e8e8e8", "·"),
    "stale": ("#f6e3b4", "↻"),
    "running": ("#9ad1f2", "▶"),
    "done": ("#8fd3bd", "✓"),
    "kept": ("#cfe9df", "✓"),
    "failed": ("#f0a878", "✗"),
    "impossible": ("#f3d3bf", "–"),
}
"""State of a job, in the order in which they are told: colour and sign."""

_WIDE, _HIGH, _BESIDE, _BELOW = 166, 38, 16, 26  # pixels: a box, and the room between boxes
_LONGEST = 25  # characters of a task's name in its box


@dataclass(frozen=True)
class Node:
    """A task.

    Attributes
    ----------
    name : str
        Unique.
    title : str
        What it runs, above its name.
    needs : tuple of str
        Names of the tasks whose results it takes.
    states : tuple of str
        Of its jobs, one or several, of `STATES`.
    note : str
        Why it is made again, why it failed or cannot be made.
    """

    name: str
    title: str
    needs: tuple[str, ...]
    states: tuple[str, ...]
    note: str = ""

    @property
    def state(self) -> str:
        """State of the task as a whole: what fails, then what runs, what is left to do, what was made."""
        if not self.states:
            return "impossible"
        for state in ("failed", "running", "impossible", "stale", "waiting", "done"):
            if state in self.states:
                started = state in ("stale", "waiting") and set(self.states) & {"done", "kept"}
                return "running" if started else state
        return "kept"


Watch = Callable[[Sequence[Node]], object]
"""Called with all tasks whenever a job changes its state."""


def graph_html(nodes: Sequence[Node]) -> str:
    """Draw tasks as a picture that lives in one element, with a line that counts the jobs by state.

    Parameters
    ----------
    nodes
        Each after those that it needs.
    """
    if not nodes:
        return ""
    picture = base64.b64encode(graph_svg(nodes).encode()).decode()
    counts = Counter(state for node in nodes for state in node.states)
    told = ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])
    notes = "".join(f"<li>{escape(node.name)}: {escape(node.note)}</li>" for node in nodes if node.note)
    words = "; ".join(f"{node.name} {node.state}" for node in nodes)
    return (
        f'<p class="graph">{escape(told)}</p>'
        f'<div style="overflow:auto"><img alt="{escape(f"tasks by state: {words}")}"'
        f' src="data:image/svg+xml;base64,{picture}"></div>' + (f"<ul>{notes}</ul>" if notes else "")
    )


def graph_svg(nodes: Sequence[Node]) -> str:
    """Draw tasks as boxes from top to bottom, lines from what is needed to what needs it."""
    place = _places(nodes)
    wide = max(x for x, _ in place.values()) + _WIDE + 8
    high = max(y for _, y in place.values()) + _HIGH + 8
    lines = [_line(place[need], place[node.name]) for node in nodes for need in node.needs if need in place]
    boxes = [_box(node, *place[node.name]) for node in nodes]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{high}" viewBox="0 0 {wide} {high}"'
        f' font-family="sans-serif" font-size="11">{"".join(lines)}{"".join(boxes)}</svg>'
    )


def _places(nodes: Sequence[Node]) -> dict[str, tuple[int, int]]:
    """Top left corner of each box [pixel]: a row for each step away from the first tasks."""
    row: dict[str, int] = {}
    for node in nodes:
        row[node.name] = max((row[need] + 1 for need in node.needs if need in row), default=0)
    rows, place = Counter(row.values()), {}
    widest, beside = max(rows.values()), Counter[int]()
    for node in nodes:
        at = row[node.name]
        centred = (widest - rows[at]) * (_WIDE + _BESIDE) // 2
        place[node.name] = (6 + centred + beside[at] * (_WIDE + _BESIDE), 4 + at * (_HIGH + _BELOW))
        beside[at] += 1
    return place


def _line(start: tuple[int, int], end: tuple[int, int]) -> str:
    x, y, to_x, to_y = start[0] + _WIDE // 2, start[1] + _HIGH, end[0] + _WIDE // 2, end[1]
    bend = _BELOW
    return (
        f'<path d="M{x} {y} C{x} {y + bend} {to_x} {to_y - bend} {to_x} {to_y}" fill="none" stroke="#9a9a9a"'
        ' stroke-width="1"/>'
    )


def _box(node: Node, x: int, y: int) -> str:
    colour, sign = STATES[node.state]
    several = len(node.states) > 1
    ready = sum(state in ("done", "kept") for state in node.states)
    count = f"{ready}/{len(node.states)} " if several else ""
    edge = "#d55e00" if node.state == "failed" else "#0072b2" if node.state == "running" else "#777777"
    name = node.name if len(node.name) <= _LONGEST else f"{node.name[: _LONGEST - 1]}…"
    filled = round(_WIDE * ready / max(len(node.states), 1))
    return (
        f"<g><title>{escape(f'{node.name}: {node.state}')}</title>"
        f'<rect x="{x}" y="{y}" width="{_WIDE}" height="{_HIGH}" rx="5" fill="{colour}" stroke="{edge}"/>'
        f'<rect x="{x}" y="{y + _HIGH - 3}" width="{filled}" height="3" fill="#009e73"/>'
        f'<text x="{x + 8}" y="{y + 16}" font-weight="bold" fill="#111111">{escape(node.title)}</text>'
        f'<text x="{x + _WIDE - 8}" y="{y + 16}" text-anchor="end" fill="#111111">{count}{sign}</text>'
        f'<text x="{x + 8}" y="{y + 31}" font-size="10" fill="#333333">{escape(name)}</text></g>'
    )
