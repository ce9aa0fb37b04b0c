"""Night logs beside the frames: seeing and sky of each exposure."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from muse_nb.core.errors import MuseError
from muse_nb.core.text import printable
from muse_nb.products.night.log import NightLog, read_night_log
from muse_nb.steps.survey.exposures import Exposure
from muse_nb.steps.survey.files import relative

__all__ = ["read_logs", "with_logs"]

ENDING = ".NL.txt"


def read_logs(folder: Path) -> tuple[dict[str, NightLog], list[str]]:
    """Read a folder's night logs: by the exposure that each is named after, and what cannot be read, a sentence each.

    Links are not followed.
    """
    found: dict[str, NightLog] = {}
    said = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(place) / name
            if not name.endswith(ENDING) or name.startswith(".") or path.is_symlink() or not path.is_file():
                continue
            try:
                found[name.removesuffix(ENDING)] = read_night_log(path)
            except MuseError as error:
                said.append(printable(str(error).replace(str(path), relative(path, folder), 1)))
    return found, said


def with_logs(exposures: Sequence[Exposure], logs: dict[str, NightLog]) -> tuple[Exposure, ...]:
    """Give exposures the seeing and the sky of their night logs; those without one stay as they are."""
    return tuple(_with_log(exposure, logs) for exposure in exposures)


def _with_log(exposure: Exposure, logs: dict[str, NightLog]) -> Exposure:
    names = {fact.archive for fact in exposure.facts if fact.archive}
    log = next((logs[name] for name in sorted(names) if name in logs), None)
    if log is None:
        log = next((other for _, other in sorted(logs.items()) if names & set(other.exposures)), None)
    if log is None:
        return exposure
    seen = next((log.exposures[name] for name in sorted(names) if name in log.exposures), None)
    return replace(exposure, seeing=None if seen is None else seen.seeing, sky=log.sky_at(exposure.date_obs))
