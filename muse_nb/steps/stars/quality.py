"""What may be wrong with a star's spectrum: bits of a number, and their words."""

from __future__ import annotations

__all__ = ["BLENDED", "CROWDED", "EDGE", "FAINT", "HOLES", "MISFIT", "WORDS", "words"]

BLENDED = 1  # its flux cannot be told from that of a neighbour
FAINT = 2
EDGE = 4
MISFIT = 8
HOLES = 16
CROWDED = 32

WORDS = {
    BLENDED: "blended: take it with its group",
    FAINT: "faint",
    EDGE: "at the edge of the data",
    MISFIT: "the profile does not fit",
    HOLES: "half of its planes are missing",
    CROWDED: "neighbours share its light",
}
"""Of each bit of the column quality."""


def words(quality: int) -> str:
    """Say what the bits of a star's quality mean; nothing where all is well."""
    return ", ".join(text for bit, text in WORDS.items() if quality & bit)
