"""``muse_nb.run_galpak``: fit a source that was handed over, in a process of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from muse_nb.core.atomic import atomic_write, refuse_existing
from muse_nb.core.errors import MuseError
from muse_nb.core.process import dies_with_parent, run
from muse_nb.core.progress import Progress, silent
from muse_nb.core.work import work_folder
from muse_nb.steps.handover.fitted import FittedGalaxy
from muse_nb.steps.handover.result import HandOver
from muse_nb.steps.handover.script import ITERATIONS

if TYPE_CHECKING:
    from muse_nb.core.process import Stop

__all__ = ["galpak_here", "read_fit", "run_galpak"]

FILES = ("galaxy.json", "fitted.fits")
LOG = "galpak.log"
STEP = re.compile(r"^\s*(\d+) MIN=", re.MULTILINE)  # how GalPaK3D begins the line of an iteration


def galpak_here() -> bool:
    """Whether the package galpak can be imported by this Python; it is not imported."""
    return find_spec("galpak") is not None


def run_galpak(
    source: HandOver | str | Path,
    *,
    iterations: int = ITERATIONS,
    python: str | Path | None = None,
    force: bool = False,
    progress: Progress | None = None,
    cancel: Stop | None = None,
) -> FittedGalaxy:
    """Run run_galpak.py of a source: GalPaK3D, which is a package of its own (pip install galpak).

    Parameters
    ----------
    source
        What `hand_over` returned, or its folder.
    iterations
        Of the chain: 1500 tell the parameters, 10,000 and more their errors.
    python
        The Python that galpak is installed for; this one by default.
    force
        Replace a fit that is there.
    progress, cancel
        Told of iterations; stops the process when set.

    Returns
    -------
    FittedGalaxy

    Raises
    ------
    MuseError
        galpak is not installed, it failed (its log is kept), or it was cancelled.

    Examples
    --------
    >>> try:
    ...     muse_nb.run_galpak("night")
    ... except muse_nb.MuseError as error:
    ...     print(error)
    night holds no run_galpak.py: hand a source over first (muse-nb source)
    """
    folder = source.folder if isinstance(source, HandOver) else Path(source)
    script = folder / "run_galpak.py"
    if not script.is_file():
        raise MuseError(f"{folder} holds no run_galpak.py: hand a source over first (muse-nb source)")
    if iterations < 10:
        raise MuseError(f"{iterations} iterations tell nothing: choose some {ITERATIONS}")
    for name in FILES:
        refuse_existing(folder / name, force=force)
    interpreter = _interpreter(python)
    tell = progress or silent
    with work_folder(folder) as work:
        ended = run(
            dies_with_parent([interpreter, str(script.absolute()), str(iterations), str(work)]),
            folder=work,
            output=work / LOG,
            env=os.environ | {"PYTHONUNBUFFERED": "1", "MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1"},
            cancel=cancel,
            on_text=lambda text: [tell("galpak", int(n), iterations) for n in STEP.findall(text)[-1:]],
        )
        _keep(work / LOG, folder / LOG)
        if ended.stopped:
            raise MuseError(f"GalPaK3D's fit of {folder} was {ended.stopped}: nothing was written but its log")
        if ended.code or not all((work / name).is_file() for name in FILES):
            lines = (folder / LOG).read_text(encoding="utf-8", errors="replace").strip().splitlines()
            reason = lines[-1].strip() if lines else f"exit status {ended.code}"
            raise MuseError(f"GalPaK3D failed on {folder} ({reason}): its log is {folder / LOG}")
        for path in sorted(work.rglob("*")):
            if path.is_file() and path.name not in ("lock", LOG):
                _keep(path, folder / path.relative_to(work))
    return read_fit(folder, ended.seconds)


def read_fit(folder: str | Path, seconds: float = float("nan")) -> FittedGalaxy:
    """Read a fit that is there.

    Raises
    ------
    MuseError
        There is none, or it is damaged.
    """
    path = Path(folder) / FILES[0]
    try:
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        parameters = {
            name: (float(row["value"]), float(row["error"]), str(row["unit"]))
            for name, row in told["parameters"].items()
        }
        return FittedGalaxy(Path(folder), parameters, int(told["iterations"]), float(told["reduced_chi2"]), seconds)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise MuseError(f"{path} holds no fit ({error}): run run_galpak.py") from error


def _interpreter(python: str | Path | None) -> str:
    """The Python that runs the script; MuseError where galpak is not installed for it."""
    wanted = str(python or sys.executable)
    if python is None:
        there = galpak_here()
    else:
        look = "import importlib.util, sys; sys.exit(importlib.util.find_spec('galpak') is None)"
        try:
            there = subprocess.run([wanted, "-c", look], capture_output=True, timeout=60).returncode == 0
        except (OSError, subprocess.TimeoutExpired) as error:
            raise MuseError(f"{wanted} does not run ({error}): give the Python galpak is installed for") from error
    if not there:
        raise MuseError(f"galpak is not installed for {wanted}: pip install galpak, or give its Python (--python)")
    return wanted


def _keep(path: Path, place: Path) -> None:
    with atomic_write(place, force=True) as part:
        part.write_bytes(path.read_bytes())
