"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from muse_nb.core.errors import MuseError
from muse_nb.core.owner import abandoned, owned_name

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["atomic_write", "publish", "refuse_existing", "write_table"]


def refuse_existing(path: str | Path, *, force: bool = False, inputs: Iterable[str | Path] = ()) -> None:
    """Refuse at once what `atomic_write` would refuse at the end.

    Parameters
    ----------
    path
        The file to make.
    force
        Replace a file that is already there.
    inputs
        Files that are not replaced even then, under whatever name.

    Raises
    ------
    MuseError
        `path` is one of `inputs`, or it exists and `force` is not set.
    """
    path = Path(path)
    if not path.exists():
        return
    if any(Path(given).exists() and path.samefile(given) for given in inputs):
        raise MuseError(f"{path} is one of the inputs, which are never written to: write elsewhere")
    if not force:
        raise MuseError(f"{path} is already there: write elsewhere, or replace it with --force (force=True)")


@contextmanager
def atomic_write(path: str | Path, *, force: bool = False, inputs: Iterable[str | Path] = ()) -> Iterator[Path]:
    """Give a temporary name beside `path` to write to; rename it to `path` at the end, or remove it after an error.

    Parameters
    ----------
    path, force, inputs
        As of `refuse_existing`.

    Yields
    ------
    pathlib.Path
        The name to write to: same folder and same suffixes as `path`, absolute.

    Raises
    ------
    MuseError
        As `refuse_existing`; or the folder of `path` cannot be written to, or the disk is full.
    """
    path = Path(path)
    refuse_existing(path, force=force, inputs=inputs)
    part = path.parent.absolute() / f".part-{owned_name()}-{path.name}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path.parent)
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        yield part
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.chmod(0o666 & ~_umask())
        publish(part, path, force=force)
    except OSError as error:
        raise MuseError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            part.unlink()


def write_table(table: Table, path: str | Path, *, force: bool = False, inputs: Iterable[str | Path] = ()) -> Path:
    """Write a table as CSV, or in any form that astropy knows from the ending of the name; return its path.

    Raises
    ------
    MuseError
        As `atomic_write`.
    """
    path = Path(path)
    with atomic_write(path, force=force, inputs=inputs) as part:
        table.write(part, format="ascii.csv" if path.suffix == ".csv" else None, overwrite=True)
    return path


def _sweep(folder: Path) -> None:
    """Remove what was being written by processes that were killed."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".part-") and abandoned(entry.name):
                with suppress(OSError):
                    Path(entry.path).unlink()


def publish(part: Path, path: Path, *, force: bool) -> None:
    """Give a finished file its name; without `force` never that of a file that another process made meanwhile.

    Raises
    ------
    MuseError
        There is such a file.
    OSError
        It cannot be renamed.
    """
    if force:
        part.replace(path)
        return
    try:
        os.link(part, path)
    except FileExistsError:
        raise MuseError(f"{path} was written by another process meanwhile: choose another name or --force") from None
    except OSError:  # a file system without hard links
        part.replace(path)


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
