"""What masters were made from, a small file beside them: so that a rerun makes only what is stale, and says why."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock

from muse_nb.core.atomic import atomic_write
from muse_nb.core.errors import MuseError
from muse_nb.core.process import Stop
from muse_nb.core.progress import Progress, watched
from muse_nb.core.text import listed
from muse_nb.core.waiting import as_done
from muse_nb.products.fits.fingerprint import content_digest

__all__ = ["Digests", "Made", "Record", "Request", "read_records", "stale"]

SUFFIX = ".made_from.json"
_SUMS = "checksums.json"
_FORM = "muse_nb masters 1"


@dataclass(frozen=True)
class Request:
    """What a job is asked to do: all that decides what comes of it.

    Attributes
    ----------
    recipe, pipeline : str
        Name, and version of ESO's pipeline.
    parameters : mapping
    frames : tuple of (str, str, str)
        Tag, name and digest of each frame.
    """

    recipe: str
    pipeline: str
    parameters: Mapping[str, object]
    frames: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Made:
    """A file that a job made.

    Attributes
    ----------
    tag, name : str
        PRO CATG, and its name in the folder.
    size, mtime : int
        [byte], [ns]
    digest : str
    """

    tag: str
    name: str
    size: int
    mtime: int
    digest: str


@dataclass(frozen=True)
class Record:
    """What a job made, and from what.

    Attributes
    ----------
    job : str
        Its id.
    request : Request
    files : tuple of Made
    seconds, cpu_seconds, peak_memory : float
        What it took: [s], [s], [byte].
    findings : tuple of str
        What was odd about its frames or products, a sentence each.
    """

    job: str
    request: Request
    files: tuple[Made, ...]
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory: int = 0
    findings: tuple[str, ...] = ()

    def write(self, folder: Path) -> None:
        """Write it beside the products, named after the first of them.

        Raises
        ------
        MuseError
            The folder cannot be written to.
        """
        stem = self.files[0].name.removesuffix(".fits")
        with atomic_write(folder / f"{stem}{SUFFIX}", force=True) as part:
            part.write_text(json.dumps({"form": _FORM, **asdict(self)}, indent=1) + "\n")

    def of_tag(self, tag: str) -> list[str]:
        """Names of the files of a tag."""
        return [file.name for file in self.files if file.tag == tag]


def read_records(folder: Path) -> dict[str, Record]:
    """Read all records of a folder by job; what is no record of ours, or damaged, is as if it were not there."""
    found = {}
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        try:
            told = json.loads(path.read_text())
            if told.pop("form") != _FORM:
                continue
            asked = told.pop("request")
            request = Request(**{**asked, "frames": tuple(tuple(map(str, frame)) for frame in asked["frames"])})
            files = tuple(Made(**file) for file in told.pop("files"))
            if not files or any(Path(file.name).name != file.name for file in files):
                continue  # names that lead out of the folder
            found[str(told["job"])] = Record(**told, request=request, files=files)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
    return found


def stale(record: Record | None, request: Request, folder: Path) -> str:
    """Say why a job is to be done; empty where all that it makes is there, made from the same.

    A product that was copied or touched is read and held against its digest.

    Parameters
    ----------
    record
        Of the job's last run.
    request
        What it would be made from now.
    folder
        With the products.
    """
    if record is None:
        return "it was not made yet"
    was = record.request
    if was.pipeline != request.pipeline:
        return f"it was made by {was.pipeline}, here is {request.pipeline}"
    if dict(was.parameters) != json.loads(json.dumps(dict(request.parameters))):
        keys = sorted({*was.parameters, *request.parameters})
        changed = [key for key in keys if was.parameters.get(key) != request.parameters.get(key)]
        told = [f"{key} was {was.parameters.get(key, 'not set')}" for key in changed]
        return f"other parameters: {listed(told)}"
    if why := _other_frames(was.frames, request.frames):
        return why
    for file in record.files:
        path = folder / file.name
        if not path.exists():
            return f"{file.name} is gone"
        state = path.stat()
        if state.st_size != file.size:
            return f"{file.name} is not as it was made"
        if state.st_mtime_ns != file.mtime and _digest_of(path) != file.digest:
            return f"{file.name} is not as it was made"
    return ""


def _digest_of(path: Path) -> str:
    try:
        return content_digest(path)
    except MuseError:
        return ""


def _other_frames(was: Sequence[tuple[str, str, str]], now: Sequence[tuple[str, str, str]]) -> str:
    if sorted((tag, digest) for tag, _, digest in was) == sorted((tag, digest) for tag, _, digest in now):
        return ""
    old, new = {(tag, name): digest for tag, name, digest in was}, {(tag, name): digest for tag, name, digest in now}
    changed = [name for tag, name in new if (tag, name) in old and old[tag, name] != new[tag, name]]
    added = [f"{name} ({tag})" for tag, name in new if (tag, name) not in old]
    gone = [f"{name} ({tag})" for tag, name in old if (tag, name) not in new]
    parts = [
        f"{listed(names)} {'are' if len(names) > 1 else 'is'} {what}"
        for names, what in ((changed, "another than before"), (added, "new"), (gone, "left out now"))
        if names
    ]
    return "; ".join(parts)


class Digests:
    """Digests of files, kept in a folder so that a file that did not change is read once.

    Parameters
    ----------
    folder
        Where they are kept.
    """

    def __init__(self, folder: Path) -> None:
        self._path, self._lock = folder / _SUMS, Lock()
        try:
            told = json.loads(self._path.read_text())
            self._known = {str(name): (int(s), int(t), str(d)) for name, (s, t, d) in told.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            self._known = {}

    def of(self, path: Path) -> str:
        """Digest of a file.

        Raises
        ------
        MuseError
            It cannot be read.
        """
        try:
            state = path.stat()
        except OSError as error:
            raise MuseError(f"{path} cannot be read: {error.strerror}") from error
        with self._lock:
            size, time, digest = self._known.get(str(path), (-1, -1, ""))
        if (size, time) == (state.st_size, state.st_mtime_ns):
            return digest
        digest = content_digest(path)
        with self._lock:
            self._known[str(path)] = (state.st_size, state.st_mtime_ns, digest)
        return digest

    def read(self, paths: Iterable[Path], jobs: int, progress: Progress | None, cancel: Stop | None) -> None:
        """Take the digests of files, several side by side, and keep them.

        Raises
        ------
        MuseError
            One cannot be read, or it was cancelled.
        """
        step = watched(progress, cancel, "calibrate")
        todo = list(dict.fromkeys(paths))
        with ThreadPoolExecutor(jobs) as pool:
            futures = [pool.submit(self.of, path) for path in todo]
            try:
                for done, future in enumerate(as_done(futures), 1):
                    future.result()
                    step("files read", done, len(todo))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        with self._lock, atomic_write(self._path, force=True) as part:
            part.write_text(json.dumps(self._known, indent=0) + "\n")
