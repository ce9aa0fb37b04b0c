"""Whether the disk has room for a night."""

from __future__ import annotations

import shutil
from pathlib import Path

from muse_nb.core.errors import MuseError

__all__ = ["check_disk"]


def check_disk(folder: Path, need: int, remedy: str) -> None:
    """Make the folder, unless its disk is too small for what it does not hold yet of `need` bytes.

    Raises
    ------
    MuseError
        It is too small, `remedy` says what to do; or the folder cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise MuseError(f"{folder} cannot be written to: {error.strerror}") from error
    there = sum(path.stat().st_size for path in folder.rglob("*.fits") if path.is_file())
    if need - there > free:
        raise MuseError(f"{folder} has {free / 1e9:.1f} GB free and the night takes {need / 1e9:.1f} GB: {remedy}")
