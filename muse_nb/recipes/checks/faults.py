"""A fault that a recipe would pass over in silence, the run it belongs to, and the check that finds it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from pathlib import Path

from muse_nb.core.text import listed
from muse_nb.products.fits.blocks import hdus

__all__ = ["Check", "Fault", "Frame", "Reads", "Run", "Severity", "check"]


class Severity(IntEnum):
    """How bad a fault is."""

    NOTE = 0  # good to know; part of a good night
    FLAG = 1  # the result may be wrong
    REFUSE = 2  # the result would be wrong, or the recipe would crash


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong.

    Attributes
    ----------
    check : str
        Name of the check that found it.
    files : tuple of pathlib.Path
    what : str
        What is wrong with them, as the rest of a sentence that starts with their names.
    consequence, remedy : str
    severity : Severity
    """

    check: str
    files: tuple[Path, ...]
    what: str
    consequence: str
    remedy: str
    severity: Severity = Severity.REFUSE

    @property
    def sentence(self) -> str:
        """What is wrong, what comes of it and what to do: the rest of a sentence that starts with the files."""
        return f"{self.what}: {self.consequence}; {self.remedy}"

    def __str__(self) -> str:
        """Say it in one sentence."""
        return f"{listed(self.files)} {self.sentence}".lstrip()


@dataclass(frozen=True)
class Frame:
    """A file as a recipe is given it: path, tag and the cards of its primary header."""

    path: Path
    tag: str
    cards: Mapping[str, object] = field(repr=False)

    @classmethod
    def open(cls, path: Path, tag: str) -> Frame:
        """Read the header.

        Raises
        ------
        MuseError
            It is no FITS file, or truncated.
        """
        return cls(path, tag, hdus(path)[0].cards)


@dataclass(frozen=True)
class Run:
    """A recipe with what it is given and, afterwards, what it made."""

    recipe: str
    frames: tuple[Frame, ...]
    parameters: Mapping[str, object] = field(default_factory=dict)
    products: tuple[Frame, ...] = ()
    exposures: int = 0  # of a run that has been, where its frames are not all at hand

    def number(self, name: str) -> float | None:
        """Value of a parameter as a number; None where it is not set or none. Headers of products hold it as text."""
        try:
            value = float(str(self.parameters[name]))
        except (KeyError, ValueError):
            return None
        return value if math.isfinite(value) else None

    def tagged(self, *tags: str) -> Iterable[Frame]:
        """Frames with one of these tags."""
        return [frame for frame in self.frames if frame.tag in tags]

    def made(self, category: str) -> Iterable[Frame]:
        """Products of a category."""
        return [frame for frame in self.products if frame.tag == category]


class Reads(Enum):
    """What a check opens of the files of a run."""

    HEADERS = "headers, and the rows of offset lists and bad-pixel tables"
    PIXELS = "values of pixel tables, images or cubes"


@dataclass(frozen=True)
class Check:
    """One check: it finds the faults of a run, and says what it must read for that.

    Attributes
    ----------
    find : callable
        Gives the faults of a run.
    reads : Reads
    """

    find: Callable[[Run], Iterator[Fault]]
    reads: Reads

    def __call__(self, run: Run) -> Iterator[Fault]:
        """Find the faults of a run."""
        return self.find(run)


def check(reads: Reads) -> Callable[[Callable[[Run], Iterator[Fault]]], Check]:
    """Make a check of a function, as a decorator."""
    return lambda find: Check(find, reads)
