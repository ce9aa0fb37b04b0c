"""What was fetched: files, those that were there, those that could not be had and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from muse_nb.archive.listing import Listing, size_text
from muse_nb.core.html import Shown, findings_html
from muse_nb.core.text import printable

__all__ = ["Fetched"]


@dataclass(frozen=True)
class Fetched(Shown):
    """What came of fetching.

    Attributes
    ----------
    folder : pathlib.Path
    listing : Listing
        What was asked for.
    files, kept : list of pathlib.Path
        Fetched now, and there before; night logs among them.
    failed : Mapping of str to str
        Name in the archive to the reason, a sentence.
    bytes : int
        Received now.
    notes : tuple of str
        What the archive said, a sentence each.
    """

    folder: Path
    listing: Listing = field(repr=False)
    files: list[Path]
    kept: list[Path]
    failed: Mapping[str, str]
    bytes: int
    notes: tuple[str, ...] = ()

    @property
    def findings(self) -> tuple[str, ...]:
        """What could not be had, and the notes."""
        return (*self.failed.values(), *self.notes)

    def summary(self) -> dict[str, Any]:
        """Everything as plain lists, as ``muse-nb fetch --json`` prints it."""
        return {
            "folder": str(self.folder),
            "fetched": [path.name for path in self.files],
            "kept": [path.name for path in self.kept],
            "failed": dict(self.failed),
            "bytes": self.bytes,
            "notes": list(self.notes),
        }

    @property
    def headline(self) -> str:
        """Numbers and size in a sentence."""
        failed = f", {len(self.failed)} could not be had" if self.failed else ""
        number = len(self.files)
        return (
            f"{number} file{'s' * (number != 1)} fetched to {printable(self.folder)}, {size_text(self.bytes)};"
            f" {len(self.kept)} were there{failed}"
        )

    def __str__(self) -> str:
        """Tell it in lines."""
        bad = [f"not fetched: {printable(text)}" for text in self.failed.values()]
        return "\n".join([self.headline, *bad, *(f"note: {printable(text)}" for text in self.notes)])

    def _repr_html_(self) -> str:
        return f"<p>{escape(self.headline)}</p>{findings_html(printable(text) for text in self.findings)}"
