"""The FITS files of a folder, and nothing outside of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from muse_nb.core.errors import MuseError
from muse_nb.core.progress import Progress
from muse_nb.core.text import printable

__all__ = ["PACKAGE", "fits_files", "locate", "relative", "told_in_bytes"]

SUFFIXES = (".fits", ".fits.fz", ".fits.gz", ".fit", ".fts")
PACKAGE = "package:"


def locate(folder: str | Path, base: Path | None = None) -> Path:
    """Find a folder: a path, relative to `base`, or ``package:NAME/PATH`` in an installed Python package.

    Raises
    ------
    MuseError
        There is no such package.
    """
    if not str(folder).startswith(PACKAGE):
        return Path(folder) if base is None else base / folder
    name, _, rest = str(folder)[len(PACKAGE) :].partition("/")
    spec = find_spec(name) if name.isidentifier() else None
    if spec is None or not spec.submodule_search_locations or ".." in rest.split("/"):
        raise MuseError(f"{printable(folder)} is not there: there is no installed package {printable(name)!r}")
    return Path(spec.submodule_search_locations[0]) / rest


def relative(path: Path, folder: Path) -> str:
    """Name a file as seen from a folder, with forward slashes."""
    try:
        return path.relative_to(folder).as_posix()
    except ValueError:
        return path.absolute().relative_to(folder.absolute()).as_posix()


def fits_files(folder: Path) -> tuple[list[Path], list[str]]:
    """List the FITS files of a folder and its subfolders by name, and what was left out, a sentence each.

    Links are not followed: those that stay in the folder lead to files that are listed anyway.

    Raises
    ------
    MuseError
        It is not a folder.
    """
    if not folder.is_dir():
        demo = folder.parts[-2:] == ("demo", "night")
        more = ", or make the demo's night there: make demo, or the button in start.ipynb" if demo else ""
        raise MuseError(f"{printable(folder)} is not a folder: check its name{more}")
    root, found, left_out = folder.resolve(), [], []

    def unreadable(error: OSError) -> None:
        place = relative(Path(error.filename), folder)
        left_out.append(f"{printable(place)} cannot be looked into ({error.strerror}): it is left out")

    for place, folders, names in os.walk(folder, onerror=unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted([*folders, *names]):
            path, wanted = Path(place) / name, name in folders or _is_fits(name)
            if path.is_symlink():
                target, shown = path.resolve(), printable(relative(path, folder))
                if wanted and not target.is_relative_to(root):
                    left_out.append(f"{shown} is a link that leads out of the folder: survey {printable(target)} too")
                elif wanted and not target.exists():
                    left_out.append(f"{shown} is a link to nothing: copy the file that it should lead to")
            elif name not in folders and wanted and path.is_file():
                found.append(path)
    return sorted(found), left_out


def told_in_bytes(progress: Progress | None, what: str, total: int) -> Callable[[int], None] | None:
    """Make the progress of `products.manifest.sha256`, which gets the bytes of each piece; None where nobody is told.

    Parameters
    ----------
    progress
        Told of the bytes so far.
    what
        What is done with them.
    total
        Of all files [byte].
    """
    if progress is None or total <= 0:
        return None
    read = 0

    def step(size: int) -> None:
        nonlocal read
        read += size
        progress(what, read, total)

    return step


def _is_fits(name: str) -> bool:
    return not name.startswith(".") and name.lower().endswith(SUFFIXES)
