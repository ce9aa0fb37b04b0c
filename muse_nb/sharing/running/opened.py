"""Which data files a notebook's kernel reads: what its page lists as inputs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from muse_nb.core.reading import is_looking_around

__all__ = ["DATA", "opened", "watch"]

DATA = (".fits", ".fits.fz", ".fits.gz", ".ecsv")
_WRITING = os.O_WRONLY | os.O_RDWR


def watch(log: str) -> None:
    """Note every data file that this process opens for reading; `opened` reads the notes.

    Parameters
    ----------
    log
        File to write them to: it is complete also when the process dies.
    """
    seen: set[str] = set()
    notes = Path(log).open("a", encoding="utf-8", errors="surrogateescape")  # noqa: SIM115

    def hook(event: str, arguments: tuple) -> None:
        if event != "open" or not isinstance(arguments[0], (str, bytes, os.PathLike)):
            return
        name, flags = os.fsdecode(arguments[0]), arguments[2]
        if not name.endswith(DATA) or name in seen or (isinstance(flags, int) and flags & _WRITING):
            return
        if is_looking_around():  # a survey opens every file of a night, which makes none of them an input
            return
        seen.add(name)
        notes.write(str(Path(name).absolute()) + "\n")
        notes.flush()

    sys.addaudithook(hook)


def opened(log: str | Path) -> list[Path]:
    """Read the notes: files that are still there, each once, in the order of their names."""
    path = Path(log)
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    return sorted({Path(line) for line in lines if Path(line).is_file()})
