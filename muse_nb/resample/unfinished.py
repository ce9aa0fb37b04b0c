"""A file in the making that survives an interruption: finished planes are kept, checked and not made again."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from muse_nb.core.atomic import publish, refuse_existing
from muse_nb.core.errors import MuseError

__all__ = ["Interrupted", "Piece", "Unfinished", "write_at"]


_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)  # of network file systems without a lock service


class Interrupted(MuseError):
    """The work ends through no fault of the data: what is done is kept for a rerun."""


@dataclass(frozen=True)
class Piece:
    """A piece of a file.

    Attributes
    ----------
    name : str
    blocks : list of tuple
        Position and content.
    facts : dict
        To be kept with it.
    """

    name: str
    blocks: list[tuple[int, memoryview]]
    facts: dict[str, object]

    def note(self) -> dict[str, object]:
        """Say for the journal where it is and what its checksums are."""
        checks = [[position, len(content), zlib.crc32(content)] for position, content in self.blocks]
        return {"piece": self.name, "blocks": checks, **self.facts}


class Unfinished:
    """The part of a file that is written, and a journal of the pieces that are complete.

    Both lie beside the file to make, under hidden names that depend on its name only, so that a rerun finds them.

    Parameters
    ----------
    path
        The file to make.
    size
        Its bytes; the room for them is reserved at once.
    recipe
        All that the content depends on. Pieces made with another recipe are thrown away.
    force
        Replace a file that is there.

    Raises
    ------
    MuseError
        The file is there, another process is making it, or the disk has no room for it.
    """

    def __init__(self, path: str | Path, size: int, recipe: dict[str, object], *, force: bool = False) -> None:
        self.path = Path(path)
        refuse_existing(self.path, force=force)
        self._force = force
        self.part = self.path.with_name(f".part-{self.path.name}")
        self._notes = self.path.with_name(f".part-{self.path.name}.journal")
        self._key = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.fd = os.open(self.part, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise MuseError(f"{self.path} cannot be written: {error.strerror}") from error
        try:
            self._lock()
            self.pieces = self._kept()
            self._journal = self._notes.open("a" if self.pieces else "w")
            if not self.pieces:
                os.ftruncate(self.fd, 0)
                print(json.dumps({"recipe": self._key}), file=self._journal, flush=True)
            reserve(self.fd, size, self.path)
        except BaseException:  # Ctrl-C, too: a traceback that a notebook keeps would hold the lock
            if hasattr(self, "pieces") and not self.pieces:
                self._remove()
            os.close(self.fd)
            raise

    def _lock(self) -> None:
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.path.samestat(os.fstat(self.fd), self.part.stat()):  # it has its name, and is not ours to cut
                raise FileNotFoundError(self.part)
        except OSError as error:
            if error.errno in _NO_LOCKS:
                raise MuseError(
                    f"{self.path} cannot be locked against other processes ({error.strerror}): write to a disk of this"
                    " machine, or have locks switched on for the file system"
                ) from error
            raise MuseError(
                f"{self.path} is being made by another process: wait for it, or choose another name; if none runs, on"
                f" no other machine either, remove {self.part}"
            ) from error

    def _kept(self) -> dict[str, dict[str, object]]:
        """Pieces in the journal of an earlier run with the same recipe; a line that was cut off is left out."""
        try:
            lines = self._notes.read_text().splitlines()
            if json.loads(lines[0])["recipe"] != self._key:
                return {}
        except (OSError, ValueError, IndexError, KeyError, TypeError):
            return {}
        found = {}
        for line in lines[1:]:
            try:
                note = json.loads(line)
                found[str(note["piece"])] = note
            except (ValueError, KeyError, TypeError):
                break
        return found

    def write(self, position: int, content: bytes | memoryview) -> None:
        """Write bytes at a position of the file."""
        try:
            write_at(self.fd, position, content)
        except OSError as error:
            raise MuseError(f"{self.path} cannot be written: {error.strerror}") from error

    def read(self, position: int, size: int) -> bytes:
        """Read bytes that are in the file already, fewer at its end."""
        return os.pread(self.fd, size, position)

    def note(self, piece: Piece) -> None:
        """Write a piece and put it down in the journal."""
        for position, content in piece.blocks:
            self.write(position, content)
        self._put_down(piece.note())

    def collect(self, note: dict[str, object]) -> bool:
        """Put down a piece that another process wrote; False where the file does not hold what its note says."""
        if self._checked(note) is None:
            return False
        self._put_down(note)
        return True

    def _put_down(self, note: dict[str, object]) -> None:
        self.pieces[str(note["piece"])] = note
        try:
            print(json.dumps(note), file=self._journal, flush=True)
        except OSError as error:
            raise MuseError(f"{self.path} cannot be written: {error.strerror}") from error

    def kept(self, piece: str) -> tuple[dict[str, object], list[bytes]] | None:
        """Return the facts and the content of a piece that was put down, None where it is missing or was changed."""
        note = self.pieces.get(piece)
        content = None if note is None else self._checked(note)
        return None if note is None or content is None else (note, content)

    def _checked(self, note: dict[str, object]) -> list[bytes] | None:
        content = []
        for position, size, check in note["blocks"]:  # type: ignore[attr-defined]
            content.append(self.read(position, size))
            if zlib.crc32(content[-1]) != check or len(content[-1]) != size:
                return None
        return content

    def __enter__(self) -> Unfinished:
        """Use as a context: complete at its end, thrown away after an error, kept after an interruption."""
        return self

    def __exit__(self, kind: type | None, value: BaseException | None, trace: TracebackType | None) -> None:
        """Give the file its name, or leave what a rerun can use."""
        try:
            if kind is None:
                self._publish()
            elif issubclass(kind, Exception) and not issubclass(kind, Interrupted):
                self._remove()
        except OSError as error:
            raise MuseError(f"{self.path} cannot be written: {error.strerror}") from error
        finally:
            self._journal.close()
            os.close(self.fd)

    def _publish(self) -> None:
        os.fsync(self.fd)
        publish(self.part, self.path, force=self._force)
        self._remove()

    def _remove(self) -> None:
        self.part.unlink(missing_ok=True)
        self._notes.unlink(missing_ok=True)


def write_at(fd: int, position: int, content: bytes | memoryview) -> None:
    """Write bytes at a position of a file, however many calls that takes."""
    view = memoryview(content).cast("B")
    while view:
        done = os.pwrite(fd, view, position)
        position, view = position + done, view[done:]


def reserve(fd: int, size: int, path: Path) -> None:
    """Take the room on the disk now rather than find it full after an hour.

    Raises
    ------
    MuseError
        There is not enough.
    """
    try:
        free = os.fstatvfs(fd)
        have = os.fstat(fd)
        room = free.f_bavail * free.f_frsize + have.st_blocks * 512
        if room < size:
            raise MuseError(
                f"{path} needs {size / 1e9:.2f} GB, its disk has {room / 1e9:.2f} GB free:"
                " make room, or write elsewhere"
            )
        os.truncate(fd, max(size, have.st_size))
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(fd, 0, size)
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.EINVAL):
            return  # this file system cannot reserve
        raise MuseError(f"{path} cannot be written: {error.strerror}") from error
