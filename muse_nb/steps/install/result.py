"""What of muse_nb is installed: its parts, and the machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape

from muse_nb.core.html import Shown, table_html
from muse_nb.core.text import printable

__all__ = ["Installation", "Machine", "Part"]


@dataclass(frozen=True)
class Part:
    """Something that muse_nb needs or can use.

    Attributes
    ----------
    name : str
    there : bool
        It is here and can be used.
    detail : str
        Its version, or why it cannot be used.
    adds : str
        What works with it and does not without.
    remedy : str
        How to get it; empty where it is there.
    needed : bool
        Without it muse_nb does not work as a whole.
    """

    name: str
    there: bool
    detail: str
    adds: str
    remedy: str = ""
    needed: bool = False

    def __str__(self) -> str:
        """Say it in a sentence."""
        if self.there:
            return printable(f"{self.name}: {self.detail}")
        return printable(f"{self.name}: {self.detail}; it adds {self.adds}; to get it: {self.remedy}")


@dataclass(frozen=True)
class Machine:
    """What there is to work with.

    Attributes
    ----------
    system, python : str
    cores : int
        That this process may use.
    memory, free_memory, free_disk : int
        In bytes; the disk is the one that `folder` lies on.
    folder : str
    """

    system: str
    python: str
    cores: int
    memory: int
    free_memory: int
    free_disk: int
    folder: str

    def __str__(self) -> str:
        """Say it in a line."""
        memory = f"{self.memory / 1e9:.1f} GB of memory, {self.free_memory / 1e9:.1f} GB of them free"
        disk = f"{self.free_disk / 1e9:.0f} GB free on the disk of {self.folder}"
        cores = f"{self.cores} core{'s' * (self.cores != 1)}"
        return printable(f"{self.system}, Python {self.python}; {cores}; {memory}; {disk}")


@dataclass(frozen=True)
class Installation(Shown):
    """What of muse_nb is installed.

    Attributes
    ----------
    version, place : str
        Of muse_nb.
    parts : tuple of Part
        What it needs, then what it can use.
    packages : mapping
        Version by name of the Python packages that it asks for; empty for one that is missing.
    machine : Machine
    """

    version: str
    place: str
    parts: tuple[Part, ...]
    packages: Mapping[str, str] = field(repr=False)
    machine: Machine

    @property
    def findings(self) -> tuple[str, ...]:
        """What is needed and not there, a sentence each."""
        return tuple(str(part) for part in self.parts if part.needed and not part.there)

    def __str__(self) -> str:
        """Say it in a line a part."""
        lines = [f"{_state(part):8} {part}" for part in self.parts]
        return "\n".join([f"muse_nb {self.version} in {printable(self.place)}", str(self.machine), *lines])

    def _repr_html_(self) -> str:
        rows = [[_state(part), part.name, part.detail, part.adds, part.remedy] for part in self.parts]
        head = ["", "part", "what is here", "what it adds", "how to get it"]
        table = table_html(head, rows, cell_style="text-align:left")
        return f"<p>muse_nb {escape(self.version)} in {escape(self.place)}<br>{escape(str(self.machine))}</p>{table}"


def _state(part: Part) -> str:
    if part.there:
        return "there"
    return "MISSING" if part.needed else "missing"
