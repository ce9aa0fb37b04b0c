"""One job, here or on a worker that sees the disk: the recipe, then all its products with their record, or none."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

from muse_nb.core.errors import MuseError
from muse_nb.core.process import Stop
from muse_nb.core.progress import Progress
from muse_nb.core.work import work_folder
from muse_nb.products.fits.fingerprint import content_digest
from muse_nb.recipes.run import run_recipe
from muse_nb.steps.calibrate.making.record import Made, Record, Request, read_records, stale

__all__ = ["LOGS", "Order", "StopFile", "execute"]

LOGS = "logs"
_LOCKS = ".locks"
_NAP = 0.5  # seconds between two looks whether another process is done


@dataclass(frozen=True)
class Order:
    """All that a worker must know to do a job.

    Attributes
    ----------
    job : str
        Its id.
    request : Request
        What it is made from.
    frames : tuple of (str, str)
        Path and tag.
    products : tuple of str
        Tags without which the run is no success.
    folder : str
        Where the products go.
    suffix : str
        What their names have behind the tag, where other jobs make the like.
    timeout : float
        [s]
    backend : str or None
    force : bool
        Make it even where it is there.
    """

    job: str
    request: Request
    frames: tuple[tuple[str, str], ...]
    products: tuple[str, ...]
    folder: str
    suffix: str
    timeout: float
    backend: str | None = None
    force: bool = field(default=False)


@dataclass(frozen=True)
class StopFile:
    """Set when a file is gone that lives as long as the work is wanted, so that it can be seen from other machines."""

    path: str

    def is_set(self) -> bool:
        """Whether to stop."""
        return not Path(self.path).exists()


def execute(order: Order, cancel: Stop | None = None, progress: Progress | None = None) -> Record:
    """Do a job, unless another process has done it meanwhile.

    Raises
    ------
    MuseError
        The recipe failed, or its products cannot be written. Nothing of it is kept but its log.
    """
    folder = Path(order.folder)
    with _alone(folder, order.job, cancel):
        there = read_records(folder).get(order.job)
        if there is not None and not order.force and not stale(there, order.request, folder):
            return there
        with work_folder(folder) as work:
            result = run_recipe(
                order.request.recipe,
                order.frames,
                order.request.parameters,
                output=work / "products",
                backend=order.backend,
                timeout=order.timeout,
                progress=progress,
                cancel=cancel,
                log=folder / LOGS / f"{order.job}.log",
                warn=False,  # it is told once, by the calibration's result
            )
            if lacking := [tag for tag in order.products if tag not in result.products]:
                raise MuseError(
                    f"{order.request.recipe} ended without {', '.join(lacking)}: read {result.log}; nothing of this run"
                    " is kept"
                )
            made = {path: _made(tag, path, order.suffix) for tag, paths in result.products.items() for path in paths}
            files = tuple(sorted(made.values(), key=lambda file: (_rank(file.tag, order.products), file.name)))
            record = Record(
                order.job,
                order.request,
                files,
                result.seconds,
                result.cpu_seconds,
                result.peak_memory,
                tuple(result.findings),
            )
            _publish(record, made, folder, there)
    return record


def _rank(tag: str, products: tuple[str, ...]) -> int:
    return products.index(tag) if tag in products else len(products)


def _made(tag: str, path: Path, suffix: str) -> Made:
    state = path.stat()
    rest = path.name.removeprefix(tag) if path.name.startswith(tag) else f"_{path.name}"
    return Made(tag, f"{tag}{suffix}{rest}", state.st_size, state.st_mtime_ns, content_digest(path))


def _publish(record: Record, made: Mapping[Path, Made], folder: Path, before: Record | None) -> None:
    """Put the record down, then move the products: what a kill in between leaves does not fit the record.

    Files that an earlier run left and this one did not make go first.
    """
    names = {file.name for file in record.files}
    try:
        for file in before.files if before is not None else ():
            if file.name not in names:
                (folder / file.name).unlink(missing_ok=True)
        record.write(folder)
        for path, file in made.items():
            os.replace(path, folder / file.name)  # noqa: PTH105
    except OSError as error:
        raise MuseError(f"{folder} cannot be written to: {error.strerror}") from error


@contextmanager
def _alone(folder: Path, job: str, cancel: Stop | None) -> Iterator[None]:
    """Hold a job's lock, which dies with its process; wait for another process that does the same job."""
    (folder / _LOCKS).mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / _LOCKS / f"{job}.lock")
    while True:
        with suppress(Timeout):
            lock.acquire(timeout=_NAP)
            break
        if cancel is not None and cancel.is_set():
            raise MuseError(f"{job} was cancelled: nothing was written")
    try:
        yield
    finally:
        lock.release()
