"""Exposures from their raw frames to pixel table, cube and image: muse_scibasic and muse_scipost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from html import escape
from pathlib import Path
from threading import Event
from typing import TypeVar

from muse_nb.core.errors import MuseError
from muse_nb.core.process import Stop
from muse_nb.core.waiting import as_done
from muse_nb.core.work import work_folder
from muse_nb.products.fits.blocks import hdus
from muse_nb.products.header import exposure
from muse_nb.recipes import record
from muse_nb.recipes.calibrations import Calibrations, find_calibrations
from muse_nb.recipes.checks.every import refuse
from muse_nb.recipes.joining import align, exp_combine
from muse_nb.recipes.run import RecipeResult, run_recipe

__all__ = ["Reduction", "align", "exp_combine", "reduce", "reduce_all"]

Made = TypeVar("Made")
_EDGE = 30.0  # Angstrom; the first planes of a short range run away when its edges are kept
_SHORT_RANGE = 3000.0  # Angstrom; MUSE's own is 4600


@dataclass(frozen=True)
class Reduction:
    """What the reduction of an exposure made and took.

    Attributes
    ----------
    label : str
        Name of the exposure and of its folder.
    folder : pathlib.Path
    object_red : list of pathlib.Path
        One for each IFU.
    pixtable_reduced, cube, image_fov : pathlib.Path
        `image_fov` is the first where there are several filters.
    logs : list of pathlib.Path
    seconds, cpu_seconds : float
        Wall and CPU time [s]; 0 when all was there.
    peak_memory : int
        Of the largest recipe [byte]; 0 when all was there.
    findings : list of str
        What is odd about the frames or the products, a sentence each.
    """

    label: str
    folder: Path
    object_red: list[Path]
    pixtable_reduced: Path
    cube: Path
    image_fov: Path
    logs: list[Path]
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory: int = 0
    findings: list[str] = field(default_factory=list)

    def _repr_html_(self) -> str:
        took = f"{self.seconds:.1f} s, {self.peak_memory / 1e6:.0f} MB" if self.seconds else "it was there"
        paths = [*self.object_red, self.pixtable_reduced, self.cube, self.image_fov]
        names = ", ".join(escape(path.name) for path in paths)
        odd = "".join(f"<li>{escape(text)}</li>" for text in self.findings)
        head = f"<p><b>{escape(self.label)}</b> ({took}) in {escape(str(self.folder))}: {names}</p>"
        return f"{head}<ul>{odd}</ul>" if odd else head


def reduce(
    raw: str | Path,
    calibrations: str | Path | Calibrations,
    output: str | Path,
    *,
    badpix: bool | str | Path = True,
    ifus: Iterable[int] | None = None,
    lambdamin: float | None = None,
    lambdamax: float | None = None,
    filters: Sequence[str] = ("white",),
    sky: str = "simple",
    keep: bool = False,
    jobs: int = 2,
    backend: str | None = None,
    timeout: float | None = None,
    force: bool = False,
    progress: Callable[[str], object] | None = None,
    cancel: Stop | None = None,
) -> Reduction:
    """Reduce an exposure with muse_scibasic, IFUs side by side, and muse_scipost.

    Parameters
    ----------
    raw
        Raw science frame.
    calibrations
        Folder with the calibrations, or what `find_calibrations` found there.
    output
        Folder; the products go to its subfolder named by DATE-OBS. What is there already is not made again.
    badpix
        True: with the BADPIX_TABLE at hand; False: without; or a table to use.
    ifus
        By default all that have calibrations and are in the frame.
    lambdamin, lambdamax
        Wavelength limits [Angstrom] of muse_scipost. By default, 30 Angstrom are cut from both ends of a short range.
    filters
        Names for the images; ``white``, or names in FILTER_LIST.
    sky
        muse_scipost's skymethod: ``simple`` or ``none`` need no further calibrations; ``none`` is much quicker.
    keep
        Keep the PIXTABLE_OBJECTs, too.
    jobs
        How many recipes at a time, and how many threads muse_scipost may use.
    backend
        ``python-cpl`` or ``esorex``, by default what is there.
    timeout
        Time limit of each recipe [s].
    force
        Make all anew. What was there is replaced when everything has succeeded.
    progress
        Called with lines of the recipes' logs, from several threads.
    cancel
        Stops the recipes when set.

    Returns
    -------
    Reduction

    Raises
    ------
    MuseError
        The frame lacks a keyword without which the recipes crash or go wrong, calibrations are missing or do not belong
        to it, a recipe fails, or the folder holds products of other frames or settings.
    """
    started = time.monotonic()
    raw = Path(raw)
    refuse("muse_scibasic", [(raw, "OBJECT")])
    facts = exposure(hdus(raw)[0].cards, raw)
    found = calibrations if isinstance(calibrations, Calibrations) else find_calibrations(calibrations)
    found.check()
    chosen = _choose_ifus(raw, found, ifus)
    table = found.badpix(badpix)
    basic = {ifu: [(raw, "OBJECT"), *found.for_scibasic(ifu, table)] for ifu in chosen}
    wanted = {"save": "cube,individual", "filter": ",".join(filters), "skymethod": sky}
    frames = list(dict.fromkeys(pair for pairs in basic.values() for pair in pairs)) + found.for_scipost()
    refuse("muse_scibasic", frames)
    request = {"frames": record.fingerprint(set(frames)), "limits": [lambdamin, lambdamax], "keep": keep, **wanted}
    folder = Path(output).absolute() / facts.label
    if record.check(folder, request, force=force) and not force:
        return _reduction(facts.label, folder)
    with work_folder(folder) as work:
        call = partial(run_recipe, backend=backend, timeout=timeout, progress=progress)
        runs = _scibasic(call, basic, work, folder, jobs, cancel)
        tables = [path for run in runs for path in run.products.get("PIXTABLE_OBJECT", [])]
        post = call(
            "muse_scipost",
            [(path, "PIXTABLE_OBJECT") for path in tables] + found.for_scipost(),
            wanted | _limits(tables, lambdamin, lambdamax),
            output=work / "scipost",
            log=folder / "muse_scipost.log",
            cancel=cancel,
            threads=jobs,
        )
        runs.append(post)
        made = [path for run in runs for paths in run.products.values() for path in paths]
        record.publish([path for path in made if keep or path not in tables], folder, request)
    cpu, peak = sum(run.cpu_seconds for run in runs), max(run.peak_memory for run in runs)
    odd = list(dict.fromkeys(text for run in runs for text in run.findings))
    return replace(
        _reduction(facts.label, folder),
        seconds=time.monotonic() - started,
        cpu_seconds=cpu,
        peak_memory=peak,
        findings=odd,
    )


def reduce_all(
    raws: Iterable[str | Path],
    calibrations: str | Path,
    output: str | Path,
    *,
    jobs: int = 2,
    cancel: Stop | None = None,
    done: Callable[[Reduction], object] | None = None,
    **options: object,
) -> list[Reduction]:
    """Reduce several exposures, `jobs` of them side by side: no core waits for the single muse_scipost of one.

    Parameters
    ----------
    raws
        Raw science frames.
    calibrations, output
        As for `reduce`.
    jobs
        How many recipes at a time.
    cancel
        Stops all when set.
    done
        Called with each Reduction when it is complete.
    options
        Further arguments of `reduce`.

    Returns
    -------
    list of Reduction
        In the order of `raws`.

    Raises
    ------
    MuseError
        As `reduce`; the other exposures are stopped.
    """
    paths = list(raws)
    if not paths:
        raise MuseError("there are no raw frames to reduce: name at least one")
    found = find_calibrations(calibrations)
    each = max(1, jobs // len(paths))

    def one(raw: str | Path, stop: Stop) -> Reduction:
        result = reduce(raw, found, output, jobs=each, cancel=stop, **options)  # type: ignore[arg-type]
        if done is not None:
            done(result)
        return result

    with _together(jobs, cancel) as (pool, stop):
        return _in_order(pool, [partial(one, raw, stop) for raw in paths], stop)


class _Any:
    """Set when it is set itself, or the caller's own event is."""

    def __init__(self, outer: Stop | None) -> None:
        self._outer, self._own = outer, Event()

    def set(self) -> None:
        self._own.set()

    def is_set(self) -> bool:
        return self._own.is_set() or (self._outer is not None and self._outer.is_set())


@contextmanager
def _together(jobs: int, cancel: Stop | None) -> Iterator[tuple[ThreadPoolExecutor, _Any]]:
    """Threads that are all stopped when one fails or Ctrl-C is pressed."""
    stop = _Any(cancel)
    with ThreadPoolExecutor(max(1, jobs)) as pool:
        try:
            yield pool, stop
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _in_order(pool: ThreadPoolExecutor, tasks: Sequence[Callable[[], Made]], stop: _Any) -> list[Made]:
    """Results in the order of the tasks; the first error ends them all, and it is the one that is raised."""
    futures = [pool.submit(task) for task in tasks]
    for future in as_done(futures):
        if error := future.exception():
            stop.set()
            raise error
    return [future.result() for future in futures]


def _scibasic(
    call: Callable[..., RecipeResult],
    frames: dict[int, list[tuple[Path, str]]],
    work: Path,
    folder: Path,
    jobs: int,
    cancel: Stop | None,
) -> list[RecipeResult]:
    def one(ifu: int, stop: Stop) -> RecipeResult:
        log = folder / f"muse_scibasic-{ifu:02d}.log"
        return call("muse_scibasic", frames[ifu], {"nifu": ifu}, output=work / f"{ifu:02d}", log=log, cancel=stop)

    with _together(jobs, cancel) as (pool, stop):
        return _in_order(pool, [partial(one, ifu, stop) for ifu in frames], stop)


def _choose_ifus(raw: Path, found: Calibrations, wanted: Iterable[int] | None) -> list[int]:
    there = {int(unit.name[4:]) for unit in hdus(raw)[1:] if unit.name.startswith("CHAN") and unit.name[4:].isdigit()}
    chosen = sorted(set(wanted)) if wanted is not None else sorted(there & set(found.ifus))
    lacking = [ifu for ifu in chosen if ifu not in there or ifu not in found.ifus]
    if lacking or not chosen:
        what = f"IFU {lacking[0]}" if lacking else "any IFU"
        raise MuseError(f"{raw} with the calibrations in {found.folder} does not cover {what}: add what is missing")
    return chosen


def _limits(tables: list[Path], low: float | None, high: float | None) -> dict[str, object]:
    """Cut the edges of a short range unless limits are given."""
    ends = [hdus(path)[0].cards for path in tables]
    first = max(float(str(c.get("ESO DRS MUSE PIXTABLE LIMITS LAMBDA LOW", 0))) for c in ends)
    last = min(float(str(c.get("ESO DRS MUSE PIXTABLE LIMITS LAMBDA HIGH", 1e4))) for c in ends)
    short = last - first < _SHORT_RANGE
    low = low if low is not None else (first + _EDGE if short else None)
    high = high if high is not None else (last - _EDGE if short else None)
    return {name: value for name, value in (("lambdamin", low), ("lambdamax", high)) if value is not None}


def _reduction(label: str, folder: Path) -> Reduction:
    names = ("PIXTABLE_REDUCED_0001.fits", "DATACUBE_FINAL.fits", "IMAGE_FOV_0001.fits")
    table, cube, image = (folder / name for name in names)
    frames, logs = sorted(folder.glob("OBJECT_RED_*.fits")), sorted(folder.glob("*.log"))
    return Reduction(label, folder, frames, table, cube, image, logs)
