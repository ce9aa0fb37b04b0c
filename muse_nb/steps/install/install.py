"""What is installed, what each missing part would add, and how to get it."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path

import psutil

from muse_nb import __version__
from muse_nb.core.errors import MuseError
from muse_nb.core.notebooks import notebooks_folder
from muse_nb.kernels import KernelsError, instructions
from muse_nb.steps.install.packages import asked_packages, package_parts
from muse_nb.steps.install.recipes import recipe_parts
from muse_nb.steps.install.result import Installation, Machine, Part

__all__ = ["check_installation"]

_AGAIN = "install muse_nb again: its wheel by pip, or `make setup` in a clone"


def check_installation(browser: str | None = None, folder: str | Path = ".") -> Installation:
    """Look for what muse_nb needs and can use: kernels, packages, ESO's recipes, a browser; and at the machine.

    Parameters
    ----------
    browser
        Path of Chromium or a relative of it; empty where there is none, None where nobody has looked.
    folder
        Whose disk is looked at.

    Returns
    -------
    Installation
        Its `findings` name what is needed and not there.
    """
    packages = asked_packages()
    parts = [_kernels(), _notebooks(), *package_parts(packages), *recipe_parts()]
    if browser is not None:
        parts.append(_browser(browser))
    ordered = sorted(parts, key=lambda part: not part.needed)
    versions = {package.name: package.version for package in packages}
    place = str(Path(__file__).parents[2])
    return Installation(__version__, place, tuple(ordered), versions, _machine(Path(folder)))


def _kernels() -> Part:
    adds = "the combine, the fits of stars and lines, the causes of NaN and the statistics of frames"
    try:
        return Part("C kernels", True, instructions(), adds, needed=True)
    except KernelsError as error:
        return Part("C kernels", False, str(error), adds, _AGAIN, needed=True)


def _notebooks() -> Part:
    adds = "muse-nb lab, new and demo"
    try:
        folder = notebooks_folder()
    except MuseError as error:
        return Part("notebooks", False, str(error), adds, _AGAIN, needed=True)
    return Part("notebooks", True, f"{len(list(folder.glob('*.ipynb')))} in {folder}", adds, needed=True)


def _browser(path: str) -> Part:
    adds = "shared pages as PDF (muse-nb share --pdf)"
    remedy = "apt install chromium (Debian), or install Chrome or Chromium; any browser prints a page by hand"
    return Part("Chromium", True, path, adds) if path else Part("Chromium", False, "not found", adds, remedy)


def _machine(folder: Path) -> Machine:
    memory = psutil.virtual_memory()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    folder = folder.absolute()
    return Machine(
        system=_system(),
        python=platform.python_version(),
        cores=cores,
        memory=memory.total,
        free_memory=memory.available,
        free_disk=shutil.disk_usage(folder).free,
        folder=str(folder),
    )


def _system() -> str:
    try:
        name = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        name = f"{platform.system()} {platform.release()}"
    return f"{name} ({platform.machine()})"
