"""The demo of the calibrations: raw frames of one IFU to judged masters and a cube, held against the truth."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from muse_nb.core.atomic import atomic_write
from muse_nb.core.errors import MuseError
from muse_nb.core.notebooks import notebooks_folder
from muse_nb.core.process import Stop
from muse_nb.core.progress import Progress, silent
from muse_nb.demo.work import check_room
from muse_nb.recipes.backends import available
from muse_nb.simulator.compare.result import Comparison

__all__ = ["CascadeDemo", "demo_cascade"]

NOTEBOOK = "06-masters"
_MEMORY = 3.0e9  # bytes for the recipes together: the demo is for machines with 4 GB
_DISK = 2.4e9  # bytes of it all: frames 0.5, masters and pixel tables 1.1, the exposure 0.8


@dataclass
class CascadeDemo:
    """A demo's folder and what was measured.

    Attributes
    ----------
    folder : pathlib.Path
    seed, jobs : int
    comparison : Comparison or None
        Products against the truth.
    seconds : dict
        Wall time of each stage [s].
    made : int
        Masters' jobs that were done now: where there are any, the exposure is reduced anew.
    """

    folder: Path
    seed: int
    jobs: int
    comparison: Comparison | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    made: int = 0

    @property
    def night(self) -> Path:
        """Raw frames, static calibrations and truth."""
        return self.folder / "night"

    @property
    def products(self) -> Path:
        """Masters, the reduced exposure, and what was found out of them."""
        return self.folder / "products"

    @property
    def masters(self) -> Path:
        """The masters."""
        return self.products / "calib"


def demo_cascade(
    folder: str | Path,
    *,
    seed: int = 1,
    jobs: int = 2,
    pages: bool = True,
    progress: Progress | None = None,
    cancel: Stop | None = None,
) -> CascadeDemo:
    """Make the demo of the calibrations, or what is missing of it.

    Parameters
    ----------
    folder
        Gets ``night/``, ``products/``, ``html/`` and ``index.html``.
    seed
        Of the simulated night.
    jobs
        Recipes side by side.
    pages
        Render the notebook, too.
    progress
        Called with what is done, how much of it, and of how much; lines for the user are of 0.
    cancel
        Stops when set; what was made stays, and the next demo goes on from there.

    Raises
    ------
    MuseError
        ESO's recipes are not installed, the disk is too small, or a stage cannot be done.
    """
    tell = progress or silent
    usable = [way for way in available().values() if way.usable]
    if not usable:
        why = next(iter(available().values())).detail
        raise MuseError(
            f"{why}: the demo of the calibrations runs them; muse-nb simulate --cascade, calibrate --plan and masters"
            " work without"
        )
    work = CascadeDemo(Path(folder), seed, jobs)
    check_room(work.folder, _DISK, tell)
    tell(f"engine: ESO's recipes by {usable[0].name} ({usable[0].detail})", 0, 0)
    stages: list[tuple[str, Callable[[CascadeDemo, Progress, Stop | None], object]]] = [
        ("simulate raw frames", _simulate),
        ("make the masters", _calibrate),
        ("reduce the exposure", _reduce),
        ("judge the masters", _judge),
        ("hold them against the truth", _compare),
    ]
    for name, stage in [*stages, *([("render the notebook", _render)] if pages else [])]:
        if cancel is not None and cancel.is_set():
            raise MuseError("the demo was cancelled: what was made stays, and the next one goes on from there")
        started = time.monotonic()
        stage(work, tell, cancel)
        work.seconds[name] = time.monotonic() - started
        tell(f"{name}: {work.seconds[name]:.0f} s", 0, 0)
    _summary(work)
    first = "index.html" if pages else "night"
    tell(f"all: {sum(work.seconds.values()):.0f} s; open {work.folder / first}", 0, 0)
    return work


def _simulate(work: CascadeDemo, tell: Progress, _: Stop | None) -> None:
    from muse_nb.simulator.cascade.cascade import simulate_cascade

    tell(f"  {simulate_cascade(work.night, seed=work.seed, progress=_bars_only(tell))}", 0, 0)


def _calibrate(work: CascadeDemo, tell: Progress, cancel: Stop | None) -> None:
    from muse_nb.simulator.cascade.cascade import RECIPE_PARAMETERS
    from muse_nb.steps.calibrate.calibrate import calibrate

    found = calibrate(
        work.night / "raw",
        work.masters,
        parameters=RECIPE_PARAMETERS,
        jobs=work.jobs,
        memory=_MEMORY,
        progress=_bars_only(tell),
        cancel=cancel,
    )
    tell(f"  {found.headline}", 0, 0)
    work.made = len(found.made)
    if not found.whole:
        raise MuseError(found.findings[0])


def _reduce(work: CascadeDemo, tell: Progress, cancel: Stop | None) -> None:
    from muse_nb.recipes.reduce import reduce

    for raw in _science(work):
        output, quiet = work.products / "reduced", _bars_only(tell)
        anew = work.made > 0
        done = reduce(raw, work.masters, output, jobs=work.jobs, force=anew, progress=quiet, cancel=cancel)
        tell(f"  {done.cube}", 0, 0)


def _science(work: CascadeDemo) -> list[Path]:
    from muse_nb.steps.calibrate.plan import plan_calibrations

    plan = plan_calibrations(work.night / "raw")
    return [work.night / "raw" / task.inputs[0] for task in plan.tasks if "PIXTABLE_OBJECT" in task.products]


def _judge(work: CascadeDemo, tell: Progress, cancel: Stop | None) -> None:
    from muse_nb.steps.masters.masters import judge_masters

    found = judge_masters(work.masters, progress=_bars_only(tell), cancel=cancel)
    found.write(work.products / "masters.csv", force=True)
    tell(f"  {found.head}", 0, 0)
    for text in found.findings:
        tell(f"  finding: {text}", 0, 0)


def _compare(work: CascadeDemo, tell: Progress, _: Stop | None) -> None:
    from muse_nb.simulator.compare.compare import compare_cascade

    work.comparison = compare_cascade(work.night, work.products)
    for line in str(work.comparison).splitlines():
        tell(f"  {line}", 0, 0)


def _render(work: CascadeDemo, tell: Progress, _: Stop | None) -> None:
    from muse_nb.sharing.index import index_page
    from muse_nb.sharing.share import Task, linked, render, write_page

    page = work.folder / "html" / f"{NOTEBOOK}.html"
    places = {"night": str(work.night.absolute()), "products": str(work.products.absolute())}
    tasks = linked([Task(notebooks_folder() / f"{NOTEBOOK}.ipynb", page, places)], work.folder / "index.html")
    pages = render(tasks, jobs=1, folder=work.folder.absolute(), progress=tell)
    rows = [one.row(work.folder) for one in pages]
    write_page(work.folder / "index.html", index_page("From raw frames to masters", [("The steps", rows)]))
    if pages[0].error:
        raise MuseError(f"{page.name} failed: {pages[0].error}")


def _summary(work: CascadeDemo) -> None:
    told = {"seconds": work.seconds, "truth": work.comparison.summary() if work.comparison else None}
    with atomic_write(work.folder / "summary.json", force=True) as part:
        part.write_text(json.dumps(told, indent=1) + "\n")


def _bars_only(tell: Progress) -> Progress:
    """Leave out the lines of the recipes' logs."""

    def show(what: str, done: int, total: int) -> None:
        if total:
            tell(what, done, total)

    return show
