"""Private folders that vanish: at the end, after an error, and after a ``kill -9`` at the next run."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from muse_nb.core.errors import MuseError
from muse_nb.core.owner import abandoned, owned_name

__all__ = ["PREFIX", "scratch_folder", "work_folder"]

PREFIX = ".muse_nb-"
_YOUNG = 60.0  # seconds that a folder has to get its lock


@contextmanager
def work_folder(output: Path) -> Iterator[Path]:
    """Make a private folder inside the output folder and remove it at the end; remove those of runs that were killed.

    A lock that dies with its process tells the living from the dead, also across containers that share a disk.

    Raises
    ------
    MuseError
        The output folder cannot be written to.
    """
    work = output.absolute() / f"{PREFIX}{owned_name()}"
    try:
        try:
            _make(work)
        except OSError as error:
            raise MuseError(f"{output} cannot be written to: {error.strerror}") from error
        with (work / "lock").open("w") as lock:
            with suppress(OSError):  # a file system without locks: nobody else will remove the folder there
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _make(work: Path) -> None:
    work.parent.mkdir(parents=True, exist_ok=True)
    for old in work.parent.glob(f"{PREFIX}*"):
        if not _in_use(old):
            shutil.rmtree(old, ignore_errors=True)
    try:
        work.mkdir(mode=0o700)
    except FileNotFoundError:  # the last of the others went, and took the empty folder along
        _make(work)


@contextmanager
def scratch_folder(root: Path | None = None) -> Iterator[Path]:
    """Make a private folder where the system keeps temporary files, or in `root`; what killed runs left there goes too.

    Raises
    ------
    MuseError
        It cannot be written to, or somebody else has taken its name.
    """
    place = (root or Path(tempfile.gettempdir())) / f"muse_nb-{os.getuid()}"
    if place.is_symlink() or (place.exists() and place.stat().st_uid != os.getuid()):
        raise MuseError(f"{place} belongs to somebody else: remove it, or set TMPDIR to a folder of your own")
    try:
        with work_folder(place) as work:
            yield work
    finally:
        with suppress(OSError):  # others work in it
            place.rmdir()


def _in_use(folder: Path) -> bool:
    if abandoned(folder.name):
        return False
    try:
        with (folder / "lock").open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return _young(folder)
    except OSError:
        return True
    return _young(folder)  # its owner may be about to lock it


def _young(folder: Path) -> bool:
    try:
        return time.time() - folder.stat().st_mtime < _YOUNG
    except OSError:  # it is gone
        return False
