"""Which IFU the tests use, and which processes work in a folder."""

from __future__ import annotations

from pathlib import Path

import psutil

IFU = 12


def recipe_processes(folder: Path) -> list[psutil.Process]:
    """Processes that work in `folder` or below."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and Path(process.cwd()).is_relative_to(folder.resolve()):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found
