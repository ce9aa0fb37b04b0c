"""Exposures from their raw frames to pixel table, cube and image: muse_scibasic and muse_scipost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Unpack

from muse_nb.core.errors import MuseError
from muse_nb.core.process import Stop
from muse_nb.core.progress import Progress
from muse_nb.core.work import work_folder
from muse_nb.products.fits.blocks import hdus
from muse_nb.products.header import exposure
from muse_nb.recipes import record
from muse_nb.recipes.calibrations import Calibrations, find_calibrations
from muse_nb.recipes.checks.every import refuse
from muse_nb.recipes.result import RecipeResult, Reduction
from muse_nb.recipes.run import run_recipe
from muse_nb.recipes.settings import ReduceOptions, ReduceSettings
from muse_nb.recipes.together import counted, in_order, together

__all__ = ["Reduction", "reduce", "reduce_all"]

_CUT_EDGE = 30.0  # Angstrom at each end of a short range, whose planes run away when they are kept
_SHORT_RANGE = 3000.0  # Angstrom; MUSE's own is 4600


def reduce(
    raw: str | Path,
    calibrations: str | Path | Calibrations,
    output: str | Path,
    *,
    jobs: int = 2,
    force: bool = False,
    progress: Progress | None = None,
    cancel: Stop | None = None,
    **options: Unpack[ReduceOptions],
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
    jobs
        How many recipes at a time, and how many threads muse_scipost may use.
    force
        Make all anew. What was there is replaced when everything has succeeded.
    progress
        Called with lines of the recipes' logs (and 0 and 0), and with the recipes done and all; from several threads.
    cancel
        Stops the recipes when set.
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
    backend
        ``python-cpl`` or ``esorex``, by default what is there.
    timeout
        Time limit of each recipe [s].

    Returns
    -------
    Reduction

    Raises
    ------
    MuseError
        The frame lacks a keyword without which the recipes crash or go wrong, calibrations are missing or do not belong
        to it, a recipe fails, or the folder holds products of other frames or settings.

    Examples
    --------
    >>> raw = muse_nb.survey("night").files_of("RAW OBJECT")[0]
    >>> reduction = muse_nb.reduce(raw, "night/calib", "again", ifus=[12])
    >>> reduction.pixtable_reduced.name
    'PIXTABLE_REDUCED_0001.fits'
    """
    started = time.monotonic()
    raw, how = Path(raw), ReduceSettings.of("reduce", **options)
    refuse("muse_scibasic", [(raw, "OBJECT")])
    facts = exposure(hdus(raw)[0].cards, raw)
    found = calibrations if isinstance(calibrations, Calibrations) else find_calibrations(calibrations)
    found = found.serving(facts)
    found.check()
    chosen = _choose_ifus(raw, found, how.ifus)
    table = found.badpix(how.badpix)
    basic = {ifu: [(raw, "OBJECT"), *found.for_scibasic(ifu, table)] for ifu in chosen}
    more = found.for_scipost(how.sky, chosen)
    frames = list(dict.fromkeys(pair for pairs in basic.values() for pair in pairs)) + more
    refuse("muse_scibasic", frames)
    wanted = how.of_scipost
    limits = [how.lambdamin, how.lambdamax]
    request = {"frames": record.fingerprint(set(frames)), "limits": limits, "keep": how.keep, **wanted}
    folder = Path(output).absolute() / facts.label
    if record.check(folder, request, force=force) and not force:
        return Reduction.of(facts.label, folder)
    with work_folder(folder) as work:
        tick = counted(progress, f"recipes of {facts.label}", len(basic) + 1)
        call = partial(run_recipe, backend=how.backend, timeout=how.timeout, progress=progress)
        runs = _scibasic(call, basic, work, folder, jobs, cancel, tick)
        tables = [path for run in runs for path in run.products.get("PIXTABLE_OBJECT", [])]
        post = call(
            "muse_scipost",
            [(path, "PIXTABLE_OBJECT") for path in tables] + more,
            wanted | _limits(tables, how.lambdamin, how.lambdamax),
            output=work / "scipost",
            log=folder / "muse_scipost.log",
            cancel=cancel,
            threads=jobs,
        )
        tick()
        runs.append(post)
        made = [path for run in runs for paths in run.products.values() for path in paths]
        record.publish([path for path in made if how.keep or path not in tables], folder, request)
    return replace(
        Reduction.of(facts.label, folder),
        seconds=time.monotonic() - started,
        cpu_seconds=sum(run.cpu_seconds for run in runs),
        peak_memory=max(run.peak_memory for run in runs),
        findings=list(dict.fromkeys(text for run in runs for text in run.findings)),
    )


def reduce_all(
    raws: Iterable[str | Path],
    calibrations: str | Path,
    output: str | Path,
    *,
    jobs: int = 2,
    force: bool = False,
    progress: Progress | None = None,
    cancel: Stop | None = None,
    done: Callable[[Reduction], object] | None = None,
    **options: Unpack[ReduceOptions],
) -> list[Reduction]:
    """Reduce several exposures, `jobs` of them side by side: no core waits for the single muse_scipost of one.

    Parameters
    ----------
    raws
        Raw science frames.
    calibrations, output, force
        As for `reduce`.
    jobs
        How many recipes at a time.
    progress
        Called with lines of the recipes' logs (and 0 and 0), and with the exposures done and all; from several threads.
    cancel
        Stops all when set.
    done
        Called with each Reduction when it is complete.
    **options
        As for `reduce`.

    Returns
    -------
    list of Reduction
        In the order of `raws`.

    Raises
    ------
    MuseError
        As `reduce`; the other exposures are stopped.

    Examples
    --------
    >>> raws = muse_nb.survey("night").files_of("RAW OBJECT")[:2]
    >>> [made.label for made in muse_nb.reduce_all(raws, "night/calib", "again", ifus=[12])]
    ['2014-07-27T031200', '2014-07-27T031430']
    """
    paths = list(raws)
    if not paths:
        raise MuseError("there are no raw frames to reduce: name at least one")
    found = find_calibrations(calibrations)
    each = max(1, jobs // len(paths))
    tick = counted(progress, "exposures reduced", len(paths))
    lines = None if progress is None else partial(_lines_only, progress)

    def one(raw: str | Path, stop: Stop) -> Reduction:
        result = reduce(raw, found, output, jobs=each, force=force, progress=lines, cancel=stop, **options)
        tick()
        if done is not None:
            done(result)
        return result

    with together(jobs, cancel) as (pool, stop):
        return in_order(pool, [partial(one, raw, stop) for raw in paths], stop)


def _lines_only(progress: Progress, what: str, done: int, total: int) -> None:
    """Pass lines on, and not the count of one of several exposures."""
    if not total:
        progress(what, 0, 0)


def _scibasic(
    call: Callable[..., RecipeResult],
    frames: dict[int, list[tuple[Path, str]]],
    work: Path,
    folder: Path,
    jobs: int,
    cancel: Stop | None,
    tick: Callable[[], None],
) -> list[RecipeResult]:
    """Run muse_scibasic on every IFU, `jobs` of them side by side."""

    def one(ifu: int, stop: Stop) -> RecipeResult:
        log = folder / f"muse_scibasic-{ifu:02d}.log"
        made = call("muse_scibasic", frames[ifu], {"nifu": ifu}, output=work / f"{ifu:02d}", log=log, cancel=stop)
        tick()
        return made

    with together(jobs, cancel) as (pool, stop):
        return in_order(pool, [partial(one, ifu, stop) for ifu in frames], stop)


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
    low = low if low is not None else (first + _CUT_EDGE if short else None)
    high = high if high is not None else (last - _CUT_EDGE if short else None)
    return {name: value for name, value in (("lambdamin", low), ("lambdamax", high)) if value is not None}
