"""Which ways to run a recipe this machine has: python-cpl, esorex, both or neither."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

__all__ = ["BACKENDS", "Backend", "available", "environment", "esorex_command", "library", "plugin_folders"]

BACKENDS = ("python-cpl", "esorex")
_USUAL = (
    "/usr/lib/*/cpl/plugins",
    "/usr/lib/*/esopipes-plugins",
    "/usr/lib*/esopipes-plugins",
    "/usr/local/lib/esopipes-plugins",
    "/opt/local/lib/esopipes-plugins",
)


# where scripts/recipes.sh unpacks what the system lacks: a tree like the system's own, used only where that has none
_UNPACKED = Path(sys.prefix) / "recipes"


@dataclass(frozen=True)
class Backend:
    """One way to run recipes.

    Attributes
    ----------
    name : str
        ``python-cpl`` or ``esorex``.
    usable : bool
    detail : str
        Version of the pipeline, or the reason why it is not usable.
    """

    name: str
    usable: bool
    detail: str


def plugin_folders() -> list[Path]:
    """Find the folders that hold MUSE's recipes.

    Those of ESOREX_RECIPE_DIR and the usual ones of a system; where it has none, the one that the set-up unpacked.
    """
    named = [Path(part) for part in os.environ.get("ESOREX_RECIPE_DIR", "").split(":") if part]
    return _with_recipes([*named, *_usual(Path("/"))]) or _with_recipes(_usual(_UNPACKED))


def _usual(root: Path) -> list[Path]:
    return [path for pattern in _USUAL for path in sorted(root.glob(pattern.lstrip("/")))]


def _with_recipes(folders: list[Path]) -> list[Path]:
    return [path for path in folders if next(path.rglob("muse_scibasic.so"), None)]


def _unpacked(folders: list[Path]) -> dict[str, str]:
    """Return PATH and LD_LIBRARY_PATH for what the set-up unpacked, nothing where the system's own is used."""
    if shutil.which("esorex") and not any(path.is_relative_to(_UNPACKED) for path in folders):
        return {}
    libraries = {path.parent for path in _UNPACKED.glob("usr/lib/**/lib*.so.*")}
    if not libraries:
        return {}
    given = os.environ.get("LD_LIBRARY_PATH")
    return {
        "PATH": f"{os.environ.get('PATH', os.defpath)}:{_UNPACKED / 'usr/bin'}",
        "LD_LIBRARY_PATH": ":".join([*map(str, sorted(libraries)), *([given] if given else [])]),
    }


@cache
def available() -> dict[str, Backend]:
    """Say of every backend whether it is usable here, and which version or why not."""
    folders = plugin_folders()
    if not folders:
        why = "ESO's MUSE recipes are not installed (Debian, Ubuntu: make setup)"
        return {name: Backend(name, False, why) for name in BACKENDS}
    found = re.search(r"muse-([\d.]+\d)", " ".join(str(p) for p in folders[0].rglob("muse_scibasic.so")))
    esorex = shutil.which("esorex", path=environment().get("PATH"))
    version = f"MUSE pipeline {found[1] if found else 'of unknown version'}"
    return {
        "python-cpl": Backend("python-cpl", *_python_cpl(version)),
        "esorex": Backend("esorex", bool(esorex), version if esorex else "no esorex"),
    }


def _python_cpl(version: str) -> tuple[bool, str]:
    if find_spec("cpl") is None:
        return False, "python-cpl is not installed (pip install 'muse_nb[eso]', needs CPL's headers)"
    # imported in a process of its own: a CPL of another version can crash it
    run = subprocess.run([sys.executable, "-c", "import cpl"], capture_output=True, text=True, env=environment())
    if run.returncode:
        reason = (run.stderr.strip().splitlines() or ["no message"])[-1]
        return False, f"python-cpl cannot be imported: {reason}"
    return True, version


def library(recipe: str) -> Path | None:
    """Find the shared library of a recipe."""
    if not re.fullmatch(r"\w+", recipe):
        return None
    return next((found for folder in plugin_folders() for found in folder.rglob(f"{recipe}.so")), None)


def esorex_command() -> list[str]:
    """Return how esorex is called: a recipe folder that the system's ``esorex.rc`` names would win over ours."""
    return ["esorex", f"--recipe-dir={':'.join(map(str, plugin_folders()))}"]


def environment(threads: int = 1, home: Path | None = None) -> dict[str, str]:
    """Return the environment for a recipe's process: its threads, plain C messages, nothing left in ``/tmp``.

    Parameters
    ----------
    threads
        OMP_NUM_THREADS.
    home
        Folder that stands for the home folder and ``/tmp``: a user's ``~/.esorex`` would change parameters silently.
    """
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("ESOREX_", "OMP_"))}
    folders = plugin_folders()
    own = {"HOME": str(home), "TMPDIR": str(home)} if home else {}
    own |= {"OMP_NUM_THREADS": str(threads), "ESOREX_RECIPE_DIR": ":".join(map(str, folders)), "LC_ALL": "C.UTF-8"}
    return kept | _unpacked(folders) | own
