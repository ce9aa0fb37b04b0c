"""Files side by side: a few threads take one after the other; a break of one does not stop the rest."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from muse_nb.archive.night_logs import log_address
from muse_nb.archive.one_file import DiskFull, fetch_one, find, partial_size
from muse_nb.archive.session import Archive, Cancelled
from muse_nb.core.errors import MuseError
from muse_nb.core.process import Stop
from muse_nb.core.progress import Progress
from muse_nb.core.text import printable

__all__ = ["Done", "Job", "work_off"]

_NAP = 0.1  # seconds between two looks at the threads
_PARTING = 2.0  # seconds that threads have to end after a cancel
_STEP = 1 << 20  # bytes between two words about progress


@dataclass(frozen=True)
class Job:
    """One file to fetch.

    Attributes
    ----------
    dp_id : str
    url : str
    bytes : int
        As far as it is known.
    log : bool
        Its night log, whose address has to be asked for.
    """

    dp_id: str
    url: str
    bytes: int
    log: bool = False


@dataclass
class Done:
    """What came of the jobs.

    Attributes
    ----------
    files, kept : list of pathlib.Path
        Fetched now, and there before.
    failed : dict
        Name in the archive to the reason.
    bytes : int
        Received now.
    notes : list of str
    stopped : MuseError or None
        What ended the work early.
    """

    files: list[Path] = field(default_factory=list)
    kept: list[Path] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    bytes: int = 0
    notes: list[str] = field(default_factory=list)
    stopped: MuseError | None = None


class _Either:
    """A stop of the caller's or of our own."""

    def __init__(self, other: Stop | None) -> None:
        self.own, self._other = threading.Event(), other

    def is_set(self) -> bool:
        return self.own.is_set() or (self._other is not None and self._other.is_set())


class _Work:
    def __init__(self, archive: Archive, jobs: Sequence[Job], folder: Path, progress: Progress) -> None:
        self.archive, self.folder, self.progress = archive, folder, progress
        self.left, self.done, self.lock = deque(jobs), Done(), threading.Lock()
        self.stop = _Either(archive.cancel)
        archive.cancel = self.stop
        self.total = sum(job.bytes for job in jobs)
        self.got = sum(_there(job, folder) for job in jobs)
        self.told = 0

    def run(self) -> None:
        """Take jobs until there is none, or all has to stop."""
        while True:
            with self.lock:
                if self.stop.is_set() or not self.left:
                    return
                job = self.left.popleft()
            try:
                self._one(job)
            except (DiskFull, Cancelled) as error:
                with self.lock:
                    if self.done.stopped is None:
                        self.done.stopped = error
                self.stop.own.set()
                return
            except MuseError as error:
                with self.lock:
                    if job.log:
                        self.done.notes.append(f"no night log of {printable(job.dp_id)}: {error}")
                    else:
                        self.done.failed[job.dp_id] = str(error)
            except BaseException as error:  # a bug must not vanish with its thread
                self.bug = error
                self.stop.own.set()
                return

    bug: BaseException | None = None

    def _one(self, job: Job) -> None:
        if job.log:
            path, fresh = self._log(job)
        else:
            path, fresh = fetch_one(self.archive, job.dp_id, job.url, self.folder, self._count)
        if path is None:
            return
        with self.lock:
            (self.done.files if fresh else self.done.kept).append(path)

    def _log(self, job: Job) -> tuple[Path | None, bool]:
        name = f"{job.dp_id}.NL"
        if (there := find(self.folder, name)) is not None:
            return there, False
        address = log_address(self.archive, job.dp_id)
        if address is None:
            with self.lock:
                self.done.notes.append(f"the archive has no night log of {printable(job.dp_id)}")
            return None, False
        return fetch_one(self.archive, name, address, self.folder, lambda _: None)

    def _count(self, number: int) -> None:
        with self.lock:
            self.got += number
            self.done.bytes += max(number, 0)
            said = abs(self.got - self.told) >= _STEP or self.got >= self.total
            if said:
                self.told = self.got
            got, total = self.got, max(self.total, self.got)
        if said:
            self.progress("fetching", got, total)


def _there(job: Job, folder: Path) -> int:
    if job.log:
        return 0
    if find(folder, job.dp_id) is not None:
        return job.bytes
    return partial_size(folder, job.dp_id)


def work_off(
    archive: Archive, jobs: Sequence[Job], folder: Path, *, workers: int, progress: Progress, cancel: Stop | None = None
) -> Done:
    """Fetch files, several at a time.

    Returns
    -------
    Done
        Also after a cancel or on a full disk: ``stopped`` says so.
    """
    work = _Work(archive, jobs, folder, progress)
    number = max(1, min(workers, len(jobs)))
    threads = [threading.Thread(target=work.run, name=f"fetch {n}", daemon=True) for n in range(number)]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            while thread.is_alive():  # in naps: only so does Ctrl-C end the wait at once
                thread.join(_NAP)
                if work.stop.is_set():
                    break
    finally:
        work.stop.own.set()
        for thread in threads:
            with suppress(RuntimeError):
                thread.join(_PARTING)
    if work.bug is not None:
        raise work.bug
    if work.done.stopped is None and cancel is not None and cancel.is_set():
        work.done.stopped = Cancelled("fetching was cancelled: what is there is kept, and the next run goes on from it")
    work.done.files.sort()
    work.done.kept.sort()
    return work.done
