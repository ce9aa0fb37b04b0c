"""What is in a folder of MUSE files: exposures, pointings, calibrations, and what is missing or out of place."""

from __future__ import annotations

import os
from pathlib import Path

from muse_nb.core.errors import MuseError
from muse_nb.core.progress import Progress
from muse_nb.core.reading import looking_around
from muse_nb.core.text import printable
from muse_nb.steps.survey.classify import UNREADABLE, FileFacts, classify
from muse_nb.steps.survey.exposures import group
from muse_nb.steps.survey.files import fits_files, locate
from muse_nb.steps.survey.findings import judge
from muse_nb.steps.survey.logs import read_logs, with_logs
from muse_nb.steps.survey.result import Survey

__all__ = ["survey"]


def survey(folder: str | Path, *, progress: Progress | None = None) -> Survey:
    """Look through a folder and its subfolders for MUSE files; only their headers are read, and night logs.

    Parameters
    ----------
    folder
        Links in it are not followed. ``package:NAME/PATH`` is a folder of an installed Python package.
    progress
        Told of the files looked at, of all.

    Returns
    -------
    Survey

    Raises
    ------
    MuseError
        The folder is not there.

    Examples
    --------
    >>> night = muse_nb.survey("night")
    >>> [exposure.posang for exposure in night.exposures]
    [0.0, 90.0, 180.0, 270.0]
    >>> len(night.exposure(0).files("OBJECT_RED"))
    6
    """
    place = locate(folder)
    paths, findings = fits_files(place)
    facts = []
    with looking_around():
        for number, path in enumerate(paths, 1):
            try:
                facts.append(classify(path))
            except MuseError as error:
                facts.append(FileFacts(path, UNREADABLE, _size(path)))
                findings.append(printable(str(error).replace(f"{place}{os.sep}", "", 1)))
            if progress is not None:
                progress("headers read", number, len(paths))
    logs, unread = read_logs(place)
    exposures = with_logs(group(facts), logs)
    return Survey(place, tuple(facts), exposures, findings + unread + judge(place, facts, exposures), str(folder))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
