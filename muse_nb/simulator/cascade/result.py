"""A simulated night of raw calibrations on disk."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from muse_nb.simulator.layouts import Layout

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["Cascade"]


@dataclass(frozen=True)
class Cascade:
    """Raw frames, static calibrations and the truth.

    Attributes
    ----------
    folder
        Holds ``raw``, ``static`` and ``truth``.
    layout, seed
        What was asked for.
    raw
        Raw frames by tag, in time order.
    static
        Static calibrations by tag.
    truth
        Tables of the truth by name (`muse_nb.simulator.cascade.truth`).
    frames
        One row for each raw frame, as in ``truth/frames.ecsv``.
    made
        How many files were written by this call; the others were there.
    """

    folder: Path
    layout: Layout
    seed: int
    raw: dict[str, list[Path]]
    static: dict[str, Path]
    truth: dict[str, Path]
    frames: Table = field(repr=False)
    made: int = 0

    def summary(self) -> dict[str, Any]:
        """Everything as plain lists and dictionaries, as ``muse-nb simulate --cascade --json`` prints it."""
        return {
            "folder": str(self.folder),
            "layout": self.layout.name,
            "seed": self.seed,
            "faults": list(self.frames.meta["faults"]),
            "made": self.made,
            "raw": {tag: [str(path) for path in paths] for tag, paths in self.raw.items()},
            "static": {tag: str(path) for tag, path in self.static.items()},
            "truth": {name: str(path) for name, path in self.truth.items()},
        }

    def __str__(self) -> str:
        """Tell it in a line."""
        number = sum(len(paths) for paths in self.raw.values())
        return f"{self.folder}: {number} raw frames, {len(self.static)} static calibrations, {self.made} files made"

    def _repr_html_(self) -> str:
        words = f"layout {self.layout.name} ({self.layout.text}), seed {self.seed}"
        return f"<p><b>{escape(str(self))}</b>: {escape(words)}</p>{self.frames._repr_html_()}"
