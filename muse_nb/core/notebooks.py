"""Where the project's notebooks lie: beside the package in a clone, in it where it was installed."""

from __future__ import annotations

import shutil
from pathlib import Path

from muse_nb.core.errors import MuseError

__all__ = ["copy_notebooks", "in_clone", "notebooks_folder"]

_PACKAGE = Path(__file__).parents[1]


def in_clone() -> bool:
    """Whether the package is used from a clone of the project."""
    return (_PACKAGE.parent / "notebooks" / "start.ipynb").is_file()


def notebooks_folder() -> Path:
    """Folder of the notebooks as they came with this version.

    Raises
    ------
    MuseError
        They are not there: the installation is not whole.
    """
    folder = _PACKAGE.parent / "notebooks" if in_clone() else _PACKAGE / "notebooks"
    if not (folder / "start.ipynb").is_file():
        raise MuseError(f"{folder} holds no notebooks: install muse_nb again")
    return folder


def copy_notebooks(folder: Path) -> list[Path]:
    """Copy the notebooks that a folder does not have yet; return the copies.

    Raises
    ------
    MuseError
        The folder cannot be written to.
    """
    made = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for source in sorted(notebooks_folder().glob("*.ipynb")):
            copy = folder / source.name
            if not copy.exists():
                shutil.copyfile(source, copy)
                made.append(copy)
    except OSError as error:
        raise MuseError(f"{folder} cannot be written to: {error.strerror or error}") from error
    return made
