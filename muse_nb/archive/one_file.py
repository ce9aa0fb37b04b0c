"""One file of the archive: resumed after a break, checked, unpacked, and there whole or not at all."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import requests
import urllib3

from muse_nb.archive.session import TRIES, Archive, Refused
from muse_nb.core.errors import MuseError
from muse_nb.core.reading import looking_around
from muse_nb.core.text import printable
from muse_nb.products.fits.blocks import hdus

__all__ = ["HIDDEN", "DiskFull", "fetch_one", "find", "partial_size"]

HIDDEN = ".fetch-"
PIECE = 1 << 18  # bytes; a few of them a thread are all the memory that a file takes
ENDINGS = (".fits.fz", ".fits", ".fits.gz", ".txt", "")
_FULL = (errno.ENOSPC, errno.EDQUOT)
_WHOLE_TRIES = 3  # of a file that arrives broken
_NAP = 0.05


class DiskFull(MuseError):
    """There is no room for more."""


class _Broken(Exception):
    """The bytes arrived, and are not what they should be."""


@dataclass(frozen=True)
class _Begun:
    """What is known of a file that was begun: as long as it stays the same, the rest can follow."""

    name: str
    length: int | None
    tag: str

    @classmethod
    def read(cls, path: Path) -> _Begun | None:
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
            length = facts["length"]
            return cls(str(facts["name"]), None if length is None else int(length), str(facts["tag"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, path: Path) -> None:
        fresh = path.with_name(path.name + ".new")
        fresh.write_text(json.dumps(vars(self)), encoding="utf-8")
        fresh.replace(path)


def find(folder: Path, dp_id: str) -> Path | None:
    """Find a file that was fetched before."""
    for name in dict.fromkeys((dp_id, dp_id.replace(":", "_"))):
        for ending in ENDINGS:
            if (path := folder / f"{name}{ending}").is_file():
                return path
    return None


def partial_size(folder: Path, dp_id: str) -> int:
    """Bytes that are there of a file that was begun."""
    try:
        return (folder / f"{HIDDEN}{_safe(dp_id)}").stat().st_size
    except OSError:
        return 0


def fetch_one(
    archive: Archive, dp_id: str, url: str, folder: Path, count: Callable[[int], object]
) -> tuple[Path, bool]:
    """Fetch a file, unless it is there.

    Parameters
    ----------
    archive
        Where from.
    dp_id, url
        Its name and address there.
    folder
        Where to; bytes of an unfinished file stay here under a hidden name.
    count
        Called with the bytes that came, or with a negative number where some were in vain.

    Returns
    -------
    pathlib.Path
    bool
        Whether it was fetched now.

    Raises
    ------
    DiskFull
        The disk is full.
    MuseError
        It could not be had.
    """
    part = folder / f"{HIDDEN}{_safe(dp_id)}"
    try:
        with _locked(part, archive) as file:
            try:
                return _fetch_locked(archive, dp_id, url, folder, part, file, count)
            finally:
                _tidy(folder, dp_id, part, file)
    except OSError as error:
        if error.errno in _FULL:
            raise DiskFull(
                f"the disk of {folder} is full: make room and run the same again, what is there is kept"
            ) from None
        raise MuseError(f"{folder} cannot be written to: {error.strerror or error}") from None


def _fetch_locked(
    archive: Archive, dp_id: str, url: str, folder: Path, part: Path, file: IO[bytes], count: Callable[[int], object]
) -> tuple[Path, bool]:
    facts = _facts(part)
    if there := find(folder, dp_id):
        return there, False
    for attempt in range(1, _WHOLE_TRIES + 1):
        try:
            begun = _receive(archive, dp_id, url, folder, file, facts, count)
            final = folder / _final(begun.name)
            if final.exists():
                file.truncate(0)
                return final, False
            return _finish(begun, dp_id, part, file, folder), True
        except _Broken as error:
            count(-os.fstat(file.fileno()).st_size)
            file.truncate(0)
            if attempt == _WHOLE_TRIES:
                raise MuseError(
                    f"{printable(dp_id)} arrives broken ({error}): tell the archive, or try later"
                ) from None
    raise AssertionError


def _tidy(folder: Path, dp_id: str, part: Path, file: IO[bytes]) -> None:
    """Remove what is hidden of a file that has its name by now, or of which nothing came."""
    size = os.fstat(file.fileno()).st_size
    with suppress(OSError):
        ours = os.path.samestat(part.stat(), os.fstat(file.fileno()))
        if ours and (size == 0 or find(folder, dp_id) is not None):
            part.unlink()
    if not part.exists():
        for rest in (_facts(part), _unpacked(part)):
            with suppress(OSError):
                rest.unlink()


def _facts(part: Path) -> Path:
    return part.with_name(part.name + ".json")


@contextmanager
def _locked(part: Path, archive: Archive) -> Iterator[IO[bytes]]:
    """Open the bytes that are there for this process alone; the lock dies with it."""
    while True:
        file = part.open("a+b")
        try:
            with suppress_unless_taken():
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            same = part.exists() and os.path.samestat(part.stat(), os.fstat(file.fileno()))
        except BlockingIOError:
            same = False
            archive.check()
            time.sleep(_NAP)
        except FileNotFoundError:
            same = False
        if same:
            break
        file.close()  # another fetches it, or has just given it its name
    try:
        yield file
    finally:
        file.close()


@contextmanager
def suppress_unless_taken() -> Iterator[None]:
    """Go on where a file system knows no locks."""
    try:
        yield
    except BlockingIOError:
        raise
    except OSError:
        pass


def _receive(
    archive: Archive,
    dp_id: str,
    url: str,
    folder: Path,
    file: IO[bytes],
    facts: Path,
    count: Callable[[int], object],
) -> _Begun:
    """Get the bytes that are missing; a break is waited for and gone on from."""
    failed = 0
    while True:
        archive.check()
        start, begun = os.fstat(file.fileno()).st_size, _Begun.read(facts)
        if start and begun is None:
            file.truncate(0)
            count(-start)
            start = 0
        if begun is not None and start and start == begun.length:
            return begun
        headers = {"Accept-Encoding": "identity"}
        if start and begun is not None:
            headers["Range"] = f"bytes={start}-"
            if begun.tag:
                headers["If-Range"] = begun.tag
        answer = archive.request("GET", url, headers=headers, stream=True)
        with answer:
            fresh = _described(answer, dp_id, start)
            if fresh is None or (start and begun is not None and not _same(begun, fresh, answer)):
                file.truncate(0)  # it is another by now, or cannot be gone on with
                count(-start)
                failed += 1
                if failed >= TRIES:
                    raise MuseError(f"{dp_id} cannot be fetched: the archive's answers contradict each other")
                continue
            if answer.status_code == 200 and start:
                file.truncate(0)
                count(-start)
                start = 0
            if (folder / _final(fresh.name)).exists():
                return fresh
            if not start:
                fresh.write(facts)
            why = _write(answer, file, count, archive)
        got = os.fstat(file.fileno()).st_size
        if fresh.length is not None and got > fresh.length:
            raise _Broken(f"{got} bytes instead of {fresh.length}")
        if not why and (fresh.length is None or got == fresh.length):
            return fresh
        failed = 0 if got > start else failed + 1
        if failed >= TRIES:
            raise MuseError(f"{dp_id} breaks off at byte {got} again and again: try again later, it goes on from there")
        archive.wait(archive.delay(failed + 1), f"{dp_id} broke off at byte {got}")


def _described(answer: requests.Response, dp_id: str, start: int) -> _Begun | None:
    """Read what an answer's headers say of the file; None where the rest cannot be had in this way."""
    headers = answer.headers
    if answer.status_code == 404:
        raise Refused(f"the archive has no file {printable(dp_id)}", 404)
    if answer.status_code in (405, 501):
        raise Refused(f"the archive does not give {printable(dp_id)} ({answer.status_code})", answer.status_code)
    if answer.status_code == 416:
        return None
    length: int | None = None
    if answer.status_code == 206:
        told = headers.get("Content-Range", "").strip() or f"bytes {start}-{start}/*"
        found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", told)
        if not found or int(found[1]) != start:
            return None
        length = None if found[3] == "*" else int(found[3])
        if length is None and headers.get("Content-Length", "").isdigit():
            length = start + int(headers["Content-Length"])
    elif headers.get("Content-Length", "").isdigit() and not headers.get("Content-Encoding"):
        length = int(headers["Content-Length"])
    tag = headers.get("ETag", "")
    tag = "" if tag.startswith("W/") else tag or headers.get("Last-Modified", "")
    return _Begun(_named(headers.get("Content-Disposition", "")) or dp_id, length, tag)


def _same(begun: _Begun, fresh: _Begun, answer: requests.Response) -> bool:
    if answer.status_code == 200:
        return True  # all of it, from its first byte
    lengths = begun.length is None or fresh.length is None or begun.length == fresh.length
    return lengths and (not begun.tag or not fresh.tag or begun.tag == fresh.tag)


def _write(answer: requests.Response, file: IO[bytes], count: Callable[[int], object], archive: Archive) -> str:
    """Append an answer's bytes; say why it ended early, if it did.

    read1 gives bytes as they come, so that a kill loses few of them; read would wait for a whole piece.
    """
    decode = bool(answer.headers.get("Content-Encoding"))
    try:
        while piece := answer.raw.read1(PIECE, decode_content=decode):
            file.write(piece)
            count(len(piece))
            archive.check()
    except (urllib3.exceptions.HTTPError, requests.RequestException, ConnectionError, TimeoutError) as error:
        return type(error).__name__
    finally:
        file.flush()
    return ""


def _named(disposition: str) -> str:
    """The plain file name of a Content-Disposition; empty where there is none that can be used."""
    from email.message import Message

    message = Message()
    message["Content-Disposition"] = disposition
    return _safe(message.get_filename() or "") if disposition else ""


def _safe(name: str) -> str:
    """No folder, no hidden file, nothing that a terminal would act on."""
    plain = re.split(r"[/\\]", name)[-1].strip()
    plain = "".join(c if c.isprintable() else "_" for c in plain).lstrip(".")
    return plain[:200]


def _final(name: str) -> str:
    return name.removesuffix(".Z")


def _unpacked(part: Path) -> Path:
    return part.with_name(part.name + ".unpacked")


def _finish(begun: _Begun, dp_id: str, part: Path, file: IO[bytes], folder: Path) -> Path:
    """Unpack, check, and give the file its name."""
    whole = part
    file.seek(0)
    if file.read(2) == b"\x1f\x9d":
        whole = _unpack(part, _unpacked(part))
    name = _final(begun.name)
    if name == dp_id:  # the archive gave no name
        name += _ending(whole)
    _check(whole, name)
    with whole.open("rb") as done:
        os.fsync(done.fileno())
    final = folder / name
    whole.replace(final)
    if whole != part:
        part.unlink()
    return final


def _unpack(packed: Path, target: Path) -> Path:
    """Unpack what Unix compress packed (LZW, .Z)."""
    try:
        from ncompress import decompress
    except ImportError:
        raise MuseError(f"{packed.name} was packed by compress (.Z): pip install ncompress unpacks it") from None
    with packed.open("rb") as source, target.open("wb") as sink:
        try:
            decompress(source, sink)
        except OSError:
            raise
        except Exception as error:
            raise _Broken(f"it cannot be unpacked: {error}") from None
    return target


def _ending(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(30)
    if start.startswith(b"SIMPLE  ="):
        with suppress(MuseError), looking_around():
            return ".fits.fz" if any(unit.cards.get("ZIMAGE") is True for unit in hdus(path)) else ".fits"
        return ".fits"
    return ".fits.gz" if start.startswith(b"\x1f\x8b") else ".txt"


def _check(path: Path, name: str) -> None:
    """Hold a file against what its own headers say of its length."""
    if path.stat().st_size == 0:
        raise _Broken("it is empty")
    if not re.search(r"\.fits?(\.fz|\.gz)?$", name):
        return
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    if zipped:
        return
    try:
        with looking_around():
            hdus(path)
    except MuseError as error:
        raise _Broken(str(error).replace(str(path), "it").partition(";")[0].partition(": copy")[0]) from None
