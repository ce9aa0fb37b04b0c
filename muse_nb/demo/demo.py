"""The demo: a simulated night, from raw frames to a combined cube and rendered notebooks, in one folder.

Each stage looks for what it would make and does only what is missing, so that an interrupted demo goes on where it was.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

from muse_nb.core.atomic import atomic_write
from muse_nb.core.errors import MuseError
from muse_nb.core.notebooks import notebooks_folder
from muse_nb.core.process import Stop
from muse_nb.core.progress import Progress, silent
from muse_nb.demo import stages
from muse_nb.demo.work import Demo, check_room

__all__ = ["demo"]

CUBE = 30e6  # bytes of an exposure's cube, image and logs
COMBINED = 1.5e8  # bytes of all that is made of several exposures


def demo(
    folder: str | Path,
    *,
    exposures: int = 19,
    layout: str = "micro",
    seed: int = 1,
    engine: str = "auto",
    jobs: int = 2,
    pages: bool = True,
    progress: Progress | None = None,
    cancel: Stop | None = None,
) -> Demo:
    """Make the whole demo, or what is missing of it.

    Parameters
    ----------
    folder
        Gets ``night/``, ``products/``, ``html/`` and ``index.html``.
    exposures, layout, seed
        Of the simulated night.
    engine
        ``eso``: ESO's recipes reduce the raw frames; ``own``: simulated products stand in for them; ``auto``: what is
        installed.
    jobs
        Processes side by side.
    pages
        Render the notebooks, too.
    progress
        Called with what is done, how much of it, and of how much; lines for the user are of 0.
    cancel
        Stops when set; what was made stays, and the next demo goes on from there.

    Raises
    ------
    MuseError
        A stage cannot be done; what the others made stays.
    """
    tell = _until(cancel, progress or silent)
    work = Demo(Path(folder), _engine(engine, tell), exposures, layout, seed, jobs)
    _check_disk(work, tell)
    for name, stage in (
        ("simulate the night", stages.simulate),
        ("reduce the exposures", stages.reduce_all),
        ("survey", stages.survey),
        ("inspect the frames", stages.inspect_frames),
        ("measure the offsets", stages.measure),
        ("combine", stages.combine_all),
        ("compare the engines", stages.compare_engines),
        *([("render the notebooks", _render)] if pages else []),
    ):
        started = time.monotonic()
        numbers = stage(work, tell)
        work = work.after(name, time.monotonic() - started, numbers)
        tell(f"{name}: {work.seconds[name]:.0f} s", 0, 0)
    _summary(work, tell, "index.html" if pages else "night")
    return work


def _until(cancel: Stop | None, progress: Progress) -> Progress:
    """Have the next thing that is told end the demo once it is cancelled."""

    def tell(what: str, done: int, total: int) -> object:
        if cancel is not None and cancel.is_set():
            raise MuseError("the demo was cancelled: what was made stays, and the next one goes on from there")
        return progress(what, done, total)

    return tell


def _engine(asked: str, tell: Progress) -> str:
    from muse_nb.recipes.backends import available

    usable = [way for way in available().values() if way.usable]
    if asked == "eso" and not usable:
        raise MuseError(f"ESO's recipes are not here: {next(iter(available().values())).detail}; or use --engine own")
    if asked in ("auto", "eso") and usable:
        tell(f"engine: ESO's recipes by {usable[0].name} ({usable[0].detail}) and our own stream engine", 0, 0)
        return "eso"
    why = "as asked" if asked == "own" else next(iter(available().values())).detail
    tell(f"engine: the project's own, simulated products stand in for the recipes' ({why})", 0, 0)
    return "own"


def _check_disk(work: Demo, tell: Progress) -> None:
    from muse_nb.simulator.night import disk_needed

    raw = work.engine == "eso"
    night = disk_needed(work.layout, work.exposures, raw=raw, products=True)
    need = night + work.exposures * CUBE + COMBINED
    check_room(work.folder, need, tell)


def _render(work: Demo, tell: Progress) -> stages.Numbers:
    from muse_nb.demo.pages import render_demo  # with all that renders notebooks

    render_demo(work, notebooks_folder(), tell)
    return {}


def _summary(work: Demo, tell: Progress, first: str) -> None:
    with atomic_write(work.folder / "summary.json", force=True) as part:
        part.write_text(json.dumps({"engine": work.engine, "numbers": work.numbers, "seconds": work.seconds}, indent=1))
    tell(f"all: {sum(work.seconds.values()):.0f} s; open {work.folder / first}", 0, 0)
