"""ESO's recipes on this machine: which version, by which way, and how to get what is missing."""

from __future__ import annotations

import platform
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from muse_nb.recipes.backends import available, environment
from muse_nb.steps.install.packages import installed
from muse_nb.steps.install.result import Part

__all__ = ["recipe_parts"]

_ESO = "https://www.eso.org/sci/software/pipelines/muse/"
_TOLD = {"esorex": r"version ([\d.]+\d)", "CPL": r"CPL = ([\d.]+\d)"}  # by esorex --version
_FIRST_WITHOUT = 13  # release of Debian that has no cpl-plugin-muse


def recipe_parts() -> list[Part]:
    """Look for the recipes, and for the faster of the two ways to call them."""
    ways = available()
    usable = [way for way in ways.values() if way.usable]
    adds = "raw frames to products (muse-nb reduce), and the recipe's own combine to compare with (--engine eso)"
    if not usable:
        recipes = Part("ESO's MUSE recipes", False, next(iter(ways.values())).detail, adds, _how_to_get())
    else:
        detail = f"{usable[0].detail}, called by {' and '.join(way.name for way in usable)}{_versions()}"
        recipes = Part("ESO's MUSE recipes", True, detail, adds)
    cpl = ways["python-cpl"]
    detail = (installed("python-cpl") or "of unknown version") if cpl.usable else cpl.detail
    remedy = "" if cpl.usable else "apt install gcc python3-dev libcpl-dev (Debian 12), then pip install 'muse_nb[eso]'"
    what = "recipes called from Python, their messages as they come; esorex does the same work without it"
    return [recipes, Part("python-cpl", cpl.usable, detail, what, remedy)]


def _versions() -> str:
    """Versions of esorex and CPL, in brackets; nothing where esorex is not there or says nothing."""
    env = environment()
    esorex = shutil.which("esorex", path=env.get("PATH"))
    if esorex is None:
        return ""
    try:
        run = subprocess.run([esorex, "--version"], capture_output=True, text=True, env=env, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = [(name, re.search(pattern, run.stdout)) for name, pattern in _TOLD.items()]
    told = ", ".join(f"{name} {match[1]}" for name, match in found if match)
    return f" ({told})" if told else ""


def _how_to_get() -> str:
    """Say how this system gets them."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        release = {}
    number = release.get("VERSION_ID", "").split(".")[0]
    if release.get("ID") == "debian" and number.isdecimal() and int(number) >= _FIRST_WITHOUT:
        unpack = f"bash scripts/recipes.sh {shlex.quote(str(Path(sys.prefix) / 'recipes'))} esorex cpl-plugin-muse"
        return f"Debian {number} has none; in a clone of the project Debian 12's are unpacked by: {unpack}"
    return "apt install esorex cpl-plugin-muse" if shutil.which("apt-get") else f"ESO's installer, see {_ESO}"
