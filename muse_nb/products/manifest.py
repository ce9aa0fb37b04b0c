"""The manifest: a CSV file that says which files a night consists of and where each came from."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from muse_nb.core.atomic import atomic_write
from muse_nb.core.errors import MuseError

__all__ = ["Entry", "read_manifest", "sha256", "write_manifest"]

_NUMBER = re.compile(r"-?\d+(\.\d+)?(e[+-]?\d+)?")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would run a cell that starts so


@dataclass(frozen=True)
class Entry:
    """One file.

    Attributes
    ----------
    file : str
        Path relative to the folder that was surveyed, with forward slashes.
    category : str
        PRO CATG of a product, DPR TYPE of a raw frame, or what it looks like.
    date_obs, ifu, pointing, posang, ins_mode, exptime : str
        Of the exposure; empty where they do not apply.
    size : int
        [byte].
    sha256 : str
    recipe, inputs : str
        The last recipe that made it, and what that was given; inputs separated by blanks.
    folder : str
        The folder that was surveyed, as seen from the manifest's own, or ``package:NAME/PATH``.
    archive : str
        Name in ESO's archive, by ARCFILE or the file's own; older manifests lack this column.
    """

    file: str
    category: str
    date_obs: str
    ifu: str
    pointing: str
    posang: str
    ins_mode: str
    exptime: str
    size: int
    sha256: str
    recipe: str
    inputs: str
    folder: str = "."
    archive: str = ""


def sha256(path: Path, progress: Callable[[int], object] | None = None) -> str:
    """Hash a file without reading it into memory; `progress` gets the bytes of each piece.

    Raises
    ------
    MuseError
        The file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
                if progress:
                    progress(len(piece))
    except OSError as error:
        raise MuseError(f"{path} cannot be read: {error.strerror}") from error
    return digest.hexdigest()


def write_manifest(path: str | Path, entries: Iterable[Entry], *, force: bool = False) -> None:
    """Write a manifest; cells that a spreadsheet would take for a formula get an apostrophe in front.

    Raises
    ------
    MuseError
        The file is there, or cannot be written.
    """
    names = [field.name for field in fields(Entry)]
    text = io.StringIO()
    rows = [{name: _escape_formula(str(value)) for name, value in asdict(entry).items()} for entry in entries]
    returns = any("\r" in value for row in rows for value in row.values())  # which csv does not quote by itself
    writer = csv.DictWriter(text, names, lineterminator="\n", quoting=csv.QUOTE_ALL if returns else csv.QUOTE_MINIMAL)
    writer.writeheader()
    writer.writerows(rows)
    with atomic_write(path, force=force) as part:
        part.write_text(text.getvalue(), encoding="utf-8", errors="surrogateescape")


def read_manifest(path: str | Path) -> list[Entry]:
    """Read a manifest.

    Raises
    ------
    MuseError
        The file cannot be read, or is no manifest.
    """
    path = Path(path)
    try:
        text = path.read_bytes().decode("utf-8", errors="surrogateescape")  # read_text would change line ends in names
    except OSError as error:
        raise MuseError(f"{path} cannot be read: {error.strerror}") from error
    names = {field.name for field in fields(Entry)}
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        rows = list(reader)
        if set(reader.fieldnames or ()) | {"archive"} != names or any(None in row for row in rows):
            raise MuseError(
                f"{path} is no manifest: its columns are not {', '.join(sorted(names))}; survey the folder again"
            )
        cells = [{name: _unescape(row.get(name) or "") for name in names} for row in rows]
        return [Entry(**{**row, "size": int(row["size"])}) for row in cells]  # type: ignore[arg-type]
    except (csv.Error, KeyError, ValueError) as error:
        raise MuseError(f"{path} is damaged ({error}): survey the folder again") from error


def _escape_formula(text: str) -> str:
    """Put an apostrophe before what a spreadsheet would run, and before an apostrophe."""
    if _NUMBER.fullmatch(text):  # a negative angle is no formula, and should stay a number
        return text
    return "'" + text if text.startswith((*_FORMULA, "'")) else text


def _unescape(text: str) -> str:
    return text[1:] if text.startswith("'") else text
