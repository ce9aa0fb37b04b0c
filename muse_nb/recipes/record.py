"""What a reduction was made from, written beside it: so that a second run knows what it can keep."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path

from muse_nb.core.atomic import atomic_write
from muse_nb.core.errors import MuseError

__all__ = ["NAME", "check", "fingerprint", "publish"]

NAME = "reduction.json"
_ENDS = 1 << 18  # bytes at both ends of a file that tell it from another; whole raw frames are gigabytes


def fingerprint(frames: Iterable[tuple[Path, str]]) -> list[list[str]]:
    """Tag, name and a digest of size and ends of each frame."""
    return sorted([tag, path.name, _digest(path)] for path, tag in frames)


def _digest(path: Path) -> str:
    size = path.stat().st_size
    digest = hashlib.blake2b(str(size).encode(), digest_size=16)
    with path.open("rb") as file:
        digest.update(file.read(_ENDS))
        file.seek(max(size - _ENDS, 0))
        digest.update(file.read(_ENDS))
    return digest.hexdigest()


def check(folder: Path, request: dict[str, object], *, force: bool) -> bool:
    """Look at what is in the folder: True when all of it is there, made by the same request.

    Raises
    ------
    MuseError
        There are products of another request, or of unknown origin, and `force` is not set.
    """
    try:
        told = json.loads((folder / NAME).read_text())
        made, files = told["request"], dict(told["files"])
    except FileNotFoundError:
        made, files = None, {path.name: 0 for path in folder.glob("*.fits")}
    except (OSError, ValueError, KeyError, TypeError):
        raise MuseError(f"{folder / NAME} is damaged: remove it, or reduce again with --force (force=True)") from None
    same = made == json.loads(json.dumps(request))
    if same and all(_size(folder / name) == size for name, size in files.items()):
        return True
    if not same and not force and any((folder / name).exists() for name in files):
        raise MuseError(
            f"{folder} holds products from other frames or settings: choose another folder, or reduce again with"
            " --force (force=True)"
        )
    return False


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def publish(products: Iterable[Path], folder: Path, request: dict[str, object]) -> None:
    """Move products to their folder; the record goes first, so that an interrupted move is known as such.

    Raises
    ------
    MuseError
        The folder cannot be written to.
    """
    products = list(products)
    record = {"request": request, "files": {path.name: path.stat().st_size for path in products}}
    with atomic_write(folder / NAME, force=True) as part:
        part.write_text(json.dumps(record, indent=1) + "\n")
    try:
        for path in products:
            os.replace(path, folder / path.name)  # noqa: PTH105
    except OSError as error:
        raise MuseError(f"{folder} cannot be written to: {error.strerror}") from error
