"""``fetch``: a night from the archive with its calibrations and night logs; ``list_archive``: what there is."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from muse_nb.archive.associations import associations, told
from muse_nb.archive.listing import TYPICAL, ArchiveFile, Listing, size_text
from muse_nb.archive.one_file import find, partial_size
from muse_nb.archive.queue import Job, work_off
from muse_nb.archive.result import Fetched
from muse_nb.archive.search import Question, ask, facts_of
from muse_nb.archive.session import Archive, Refused
from muse_nb.core.errors import MuseError
from muse_nb.core.process import Stop
from muse_nb.core.progress import Progress, silent
from muse_nb.core.text import printable
from muse_nb.products.night.clock import mjd_of

__all__ = ["Fetched", "Listing", "fetch", "list_archive"]

CALIBRATIONS = ("raw", "master", "none")


def list_archive(
    *,
    target: str = "",
    position: tuple[float, float, float] | None = None,
    programme: str = "",
    night: str = "",
    mode: str = "",
    calibrations: str = "none",
    limit: int = 1000,
    archive: str | None = None,
    progress: Progress | None = None,
    cancel: Stop | None = None,
) -> Listing:
    """Look for MUSE exposures in ESO's archive; nothing is fetched.

    Parameters
    ----------
    target
        Name of the target as the observer wrote it; blanks, hyphens and case do not count.
    position
        RA, Dec and radius [deg].
    programme
        As in ``60.A-9100(C)``, or without the run.
    night
        Date of the evening, as in ``2014-07-27``: noon to noon in Chile.
    mode
        INS MODE, as in ``WFM-NOAO-N``.
    calibrations
        ``raw`` or ``master``: those that the archive associates come with the exposures; ``none``.
    limit
        Exposures at most; more are told.
    archive
        Another base for all of the archive's addresses.
    progress, cancel
        Told of pauses; stops the work.

    Returns
    -------
    Listing

    Raises
    ------
    MuseError
        Nothing is asked for, or the archive does not answer.

    Examples
    --------
    >>> found = muse_nb.list_archive(target="NGC 6397", night="2014-07-26", calibrations="raw")
    >>> sorted({file.type for file in found.files})
    ['BIAS', 'FLAT,LAMP', 'GEOMETRY_TABLE', 'OBJECT']
    """
    if calibrations not in CALIBRATIONS:
        raise MuseError(f"{printable(calibrations)} are no calibrations: choose from {', '.join(CALIBRATIONS)}")
    question = Question(target, position, programme, night, mode, limit)
    place = Archive(archive, cancel=cancel, tell=progress)
    files, cut = ask(place, question)
    notes = [f"more than {limit} exposures match: these are not all; narrow the search"] if cut else []
    if not files:
        notes.append("the archive has no exposure that matches: check the spelling, or ask for less")
    more: list[ArchiveFile] = []
    if calibrations != "none" and files:
        if any(_is_proprietary(file) for file in files):
            place.sign_in()  # the archive hides the calibrations of proprietary data from others
        more, said = _calibrations(place, [file.dp_id for file in files], calibrations)
        notes += said
    return Listing((*files, *more), tuple(notes), cut)


def _is_proprietary(file: ArchiveFile) -> bool:
    released = mjd_of((file.release or "")[:19])
    return released > mjd_of(datetime.now(UTC).isoformat()[:19])


def _calibrations(place: Archive, names: list[str], kind: str) -> tuple[list[ArchiveFile], list[str]]:
    """Ask what calibrations belong to exposures, and what the archive knows of each."""
    try:
        found = associations(place, names, kind)
    except Refused as error:
        return [], [f"no calibrations: {error}"]
    serves: dict[str, list[str]] = {}
    category: dict[str, str] = {}
    for association in found:
        for name, tag in association.files.items():
            serves.setdefault(name, []).append(association.dp_id)
            category.setdefault(name, tag)
    known = facts_of(place, serves)
    files = []
    for name, served in serves.items():
        if name in names:
            continue
        file = known.get(name) or ArchiveFile(name, "CALIB", category[name] or "?")
        facts = vars(file) | {"serves": tuple(dict.fromkeys(served)), "type": file.type}
        files.append(ArchiveFile(**facts))
    files.sort(key=lambda file: (file.type, file.date_obs or "", file.dp_id))
    return files, told(found, names, kind)


def fetch(
    output: str | Path,
    listing: Listing | None = None,
    *,
    logs: bool = True,
    workers: int = 4,
    archive: str | None = None,
    progress: Progress | None = None,
    cancel: Stop | None = None,
    **words: Any,
) -> Fetched:
    """Fetch MUSE exposures from ESO's archive, with calibrations and night logs.

    Files come side by side, each is gone on from where it broke off, checked, and has its name when it is whole; what
    is in the folder already is not fetched again. Proprietary files need an account: ESO_USERNAME and ESO_PASSWORD,
    or machine ``www.eso.org`` of a netrc file, or the system's keyring. It is never written or printed.

    Parameters
    ----------
    output
        Folder.
    listing
        What to fetch; by default what the words below find, as `list_archive` does.
    logs
        Fetch the night logs of the exposures, too.
    workers
        Files at a time.
    archive
        Another base for all of the archive's addresses.
    progress
        Told of bytes, and of pauses.
    cancel
        Stops it; what is there is kept.
    **words
        ``target``, ``position``, ``programme``, ``night``, ``mode``, ``calibrations`` and ``limit`` of `list_archive`.

    Returns
    -------
    Fetched
        ``failed`` says which files could not be had and why.

    Raises
    ------
    MuseError
        Nothing matches, more match than `limit`, the disk is too small or gets full, or it was cancelled.

    Examples
    --------
    >>> found = muse_nb.list_archive(target="NGC 6397", night="2014-07-26")
    >>> fetched = muse_nb.fetch("raw", found)
    >>> len(fetched.files), dict(fetched.failed)  # two exposures and their night logs
    (4, {})
    """
    folder, tell = Path(output), progress or silent
    if listing is None:
        listing = list_archive(archive=archive, progress=progress, cancel=cancel, **words)
    elif words:
        raise TypeError(f"a listing is given: {', '.join(sorted(words))} would ask again")
    if not listing.files:
        raise MuseError(listing.notes[0] if listing.notes else "there is nothing to fetch: the list is empty")
    if listing.truncated:
        raise MuseError(f"more than {len(listing.science)} exposures match: narrow the search, or allow more (limit)")
    place = Archive(archive, cancel=cancel, tell=tell)
    left = _make_room(folder, listing.files)
    jobs = [Job(file.dp_id, place.file(file.dp_id), file.bytes or 0) for file in listing.files]
    if logs:
        jobs += [_log_job(file) for file in listing.science]
    if left:
        tell(f"{len(listing.files)} files, {size_text(left)} to fetch", 0, 0)
    done = work_off(place, jobs, folder, workers=workers, progress=tell, cancel=cancel)
    if done.stopped is not None:
        raise done.stopped
    return Fetched(folder, listing, done.files, done.kept, done.failed, done.bytes, (*listing.notes, *done.notes))


def _log_job(file: ArchiveFile) -> Job:
    return Job(file.dp_id, "", 0, log=True)


def _make_room(folder: Path, files: Sequence[ArchiveFile]) -> int:
    """Make the folder, and forecast the disk: bytes that are still to come.

    Raises
    ------
    MuseError
        There is no room for them, or the folder cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise MuseError(f"{folder} cannot be made: {error.strerror}") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise MuseError(f"{folder} cannot be written to: choose another folder")
    missing = [file for file in files if find(folder, file.dp_id) is None]
    need = sum(
        max(0, (TYPICAL if file.bytes is None else file.bytes) - partial_size(folder, file.dp_id)) for file in missing
    )
    if need > free:
        raise MuseError(
            f"{size_text(need)} are to be fetched and {folder} has room for {size_text(free)}: choose fewer files or"
            " another disk"
        )
    return need
