"""A manifest held against the files: what was changed, lost or added since."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from muse_nb.core.errors import MuseError
from muse_nb.core.progress import Progress
from muse_nb.core.reading import looking_around
from muse_nb.core.text import listed, printable
from muse_nb.products.manifest import Entry, read_manifest, sha256
from muse_nb.steps.survey.files import fits_files, locate, relative, told_in_bytes

__all__ = ["Differences", "verify"]


@dataclass(frozen=True)
class Differences:
    """How the files differ from a manifest; false where they do not.

    Attributes
    ----------
    changed, lost, extra : tuple of str
        Names of files.
    sentences : tuple of str
        The same to read.
    """

    changed: tuple[str, ...]
    lost: tuple[str, ...]
    extra: tuple[str, ...]
    sentences: tuple[str, ...]

    def __bool__(self) -> bool:
        """Say whether anything differs."""
        return bool(self.sentences)


def verify(manifest: str | Path, folder: str | Path | None = None, *, progress: Progress | None = None) -> Differences:
    """Hold a manifest against the files.

    Parameters
    ----------
    manifest
        A manifest written by `Survey.write`.
    folder
        Where the files are now; by default, where the manifest says.
    progress
        Told of the bytes that were read, of those that the manifest lists.

    Raises
    ------
    MuseError
        The manifest cannot be read, or lists several folders and `folder` is none of them.
    """
    groups: dict[str, list[Entry]] = defaultdict(list)
    for entry in read_manifest(manifest):
        groups[entry.folder].append(entry)
    base = Path(manifest).absolute().parent
    roots = {name: locate(name, base) for name in groups}
    if folder is not None:
        roots = _moved(roots, locate(folder), manifest)
    read = told_in_bytes(progress, "bytes hashed", sum(entry.size for name in roots for entry in groups[name]))
    with looking_around():
        parts = [_folder(root, groups[name], read) for name, root in roots.items()]
    return Differences(
        tuple(name for part in parts for name in part.changed),
        tuple(name for part in parts for name in part.lost),
        tuple(name for part in parts for name in part.extra),
        tuple(text for part in parts for text in part.sentences),
    )


def _folder(root: Path, entries: list[Entry], read: Callable[[int], None] | None) -> Differences:
    """Hold the manifest's part on one folder against it."""
    if not root.is_dir():
        said = f"{printable(root)} is not there: {len(entries)} files are lost"
        return Differences((), tuple(entry.file for entry in entries), (), (said,))
    compared = [(entry.file, *_difference(root, entry, read)) for entry in entries]
    known = {entry.file for entry in entries}
    new = [file for path in fits_files(root)[0] if (file := relative(path, root)) not in known]
    return Differences(
        tuple(file for file, kind, _ in compared if kind == "changed"),
        tuple(file for file, kind, _ in compared if kind == "lost"),
        tuple(new),
        (*(text for _, _, text in compared if text), *(f"{printable(file)} is new" for file in new)),
    )


def _moved(roots: dict[str, Path], folder: Path, manifest: str | Path) -> dict[str, Path]:
    """The one folder of the manifest that was asked for, or its only one moved to another place."""
    for name, root in roots.items():
        if root.resolve() == folder.resolve():
            return {name: root}
    if len(roots) == 1:
        return dict.fromkeys(roots, folder)
    raise MuseError(
        f"{manifest} lists {len(roots)} folders ({listed(list(roots))}) and {printable(folder)} is none of them:"
        " leave it away to verify all"
    )


def _difference(root: Path, entry: Entry, read: Callable[[int], None] | None) -> tuple[str, str]:
    """Say whether a file is the same, changed or lost, and in which way."""
    name, path = printable(entry.file), root / entry.file
    if PurePosixPath(entry.file).is_absolute() or ".." in PurePosixPath(entry.file).parts:
        return "lost", f"{name} leads out of the folder: it is not looked at"
    if path.is_symlink() or not path.is_file():
        return "lost", f"{name} is lost"
    try:
        size = path.stat().st_size
        if size != entry.size:
            return "changed", f"{name} was changed: it has {size} bytes, not {entry.size}"
        if sha256(path, read) != entry.sha256:
            return "changed", f"{name} was changed: its sha256 is another"
    except (OSError, MuseError) as error:
        return "changed", f"{name} cannot be compared ({printable(error)})"
    return "same", ""
