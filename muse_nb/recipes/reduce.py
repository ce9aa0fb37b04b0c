"""One exposure from its raw frame to its pixel table, cube and image; and the recipes that join exposures."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event

from muse_nb.products.blocks import hdus
from muse_nb.products.errors import MuseError, MuseWarning
from muse_nb.products.header import Exposure, exposure, need
from muse_nb.recipes.calibrations import Calibrations, find_calibrations
from muse_nb.recipes.run import RecipeResult, run_recipe

__all__ = ["Reduction", "align", "exp_combine", "reduce"]

_PRODUCTS = ("PIXTABLE_REDUCED_0001.fits", "DATACUBE_FINAL.fits", "IMAGE_FOV_0001.fits")
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
    logs : list of pathlib.Path
    seconds : float
        Wall time [s]; 0 when all was there.
    peak_memory : int
        Of the largest recipe [byte]; 0 when all was there.
    """

    label: str
    folder: Path
    object_red: list[Path]
    pixtable_reduced: Path
    cube: Path
    image_fov: Path
    logs: list[Path]
    seconds: float = 0.0
    peak_memory: int = 0


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
    jobs: int = 2,
    backend: str | None = None,
    timeout: float | None = None,
    force: bool = False,
    progress: Callable[[str], object] | None = None,
    cancel: Event | None = None,
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
        muse_scipost's skymethod: ``simple`` or ``none`` need no further calibrations.
    jobs
        How many recipes at a time.
    backend
        ``python-cpl`` or ``esorex``, by default what is there.
    timeout
        Time limit of each recipe [s].
    force
        Make all anew.
    progress
        Called with lines of the recipes' logs.
    cancel
        Stops the recipes when set.

    Returns
    -------
    Reduction

    Raises
    ------
    MuseError
        The frame lacks a keyword without which the recipes crash or go wrong, calibrations are missing or do not belong
        to it, or a recipe fails.
    """
    raw = Path(raw)
    facts = _check_raw(raw)
    found = calibrations if isinstance(calibrations, Calibrations) else find_calibrations(calibrations)
    found.check(facts.ins_mode, raw)
    chosen = _choose_ifus(raw, found, ifus)
    table = _badpix_table(found, badpix)
    folder = Path(output) / facts.label
    if force and folder.exists():
        shutil.rmtree(folder)
    if (there := _already_there(facts.label, folder, chosen)) is not None:
        return there
    call = partial(run_recipe, backend=backend, timeout=timeout, progress=progress, force=True)
    work = folder / ".basic"  # PIXTABLE_OBJECTs, which nobody needs afterwards
    stop = cancel or Event()

    def basic(ifu: int) -> RecipeResult:
        frames = [(raw, "OBJECT"), *found.for_scibasic(ifu, table)]
        try:
            return call("muse_scibasic", frames, {"nifu": ifu}, output=work / f"{ifu:02d}", cancel=stop)
        except BaseException:
            stop.set()
            raise

    try:
        with ThreadPoolExecutor(jobs) as pool:
            try:
                runs = list(pool.map(basic, chosen))
            except BaseException:
                stop.set()
                raise
        tables = [path for run in runs for path in run.products.get("PIXTABLE_OBJECT", [])]
        limits = _limits(tables, lambdamin, lambdamax)
        parameters = {"save": "cube,individual", "filter": ",".join(filters), "skymethod": sky, **limits}
        frames = [(path, "PIXTABLE_OBJECT") for path in tables] + found.for_scipost()
        post = call("muse_scipost", frames, parameters, output=folder, cancel=stop, threads=jobs)
        for ifu, run in zip(chosen, runs, strict=True):
            for path in run.products.get("OBJECT_RED", []):
                path.replace(folder / path.name)
            run.log.replace(folder / f"muse_scibasic-{ifu:02d}.log")
    finally:
        shutil.rmtree(work, ignore_errors=True)
    seconds = max(run.seconds for run in runs) * -(-len(runs) // jobs) + post.seconds
    peak = max(run.peak_memory for run in [*runs, post])
    return _reduction(facts.label, folder, seconds, peak)


def align(
    images: Iterable[str | Path],
    output: str | Path,
    *,
    parameters: dict[str, object] | None = None,
    backend: str | None = None,
    timeout: float | None = 600.0,
    force: bool = False,
) -> RecipeResult:
    """Run muse_exp_align on IMAGE_FOVs, with its threshold steps limited lest it loops on an odd image.

    Raises
    ------
    MuseError
        It fails, as it does for fewer than two images.
    """
    request: dict[str, object] = {"iterations": 1000, **(parameters or {})}
    frames = [(path, "IMAGE_FOV") for path in images]
    return run_recipe("muse_exp_align", frames, request, output=output, backend=backend, timeout=timeout, force=force)


def exp_combine(
    pixtables: Iterable[str | Path],
    offset_list: str | Path | None,
    output: str | Path,
    *,
    parameters: dict[str, object] | None = None,
    output_wcs: str | Path | None = None,
    filter_list: str | Path | None = None,
    backend: str | None = None,
    threads: int = 1,
    timeout: float | None = None,
    force: bool = False,
    progress: Callable[[str], object] | None = None,
    cancel: Event | None = None,
) -> RecipeResult:
    """Run muse_exp_combine on PIXTABLE_REDUCEDs, refusing those from which it makes a wrong cube without a word.

    Raises
    ------
    MuseError
        A pixel table lacks RA, DEC or its CD matrix, or two have the same DATE-OBS; or the recipe fails.
    """
    paths = [Path(path) for path in pixtables]
    dates: dict[str, Path] = {}
    for path in paths:
        cards = hdus(path)[0].cards
        for keyword in ("RA", "DEC", "CD1_1", "CD2_2", "EXPTIME", "DATE-OBS"):
            need(cards, keyword, path, "muse_exp_combine would make a wrong cube; reduce the exposure again")
        date = str(cards["DATE-OBS"])
        if date in dates:
            raise MuseError(
                f"{path} has the DATE-OBS of {dates[date]}: muse_exp_combine would ignore it; leave one out"
            )
        dates[date] = path
    frames = [(path, "PIXTABLE_REDUCED") for path in paths]
    for extra, tag in ((offset_list, "OFFSET_LIST"), (output_wcs, "OUTPUT_WCS"), (filter_list, "FILTER_LIST")):
        if extra is not None:
            frames.append((Path(extra), tag))
    return run_recipe(
        "muse_exp_combine",
        frames,
        parameters,
        output=output,
        backend=backend,
        threads=threads,
        timeout=timeout,
        force=force,
        progress=progress,
        cancel=cancel,
    )


def _check_raw(path: Path) -> Exposure:
    cards = hdus(path)[0].cards
    need(cards, "ESO INS MODE", path, "muse_scipost crashes without it; get the raw frame from the archive again")
    for keyword in ("RA", "DEC", "EXPTIME", "MJD-OBS"):
        need(cards, keyword, path, "the cube would be wrong; get the raw frame from the archive again")
    for keyword in ("ESO INS DROT POSANG", "ESO INS DROT MODE"):
        if cards.get(keyword) is None:
            warnings.warn(f"{path} lacks {keyword}: the angle of its cube will be wrong", MuseWarning, stacklevel=3)
    return exposure(cards, path)


def _choose_ifus(raw: Path, found: Calibrations, wanted: Iterable[int] | None) -> list[int]:
    there = {int(unit.name[4:]) for unit in hdus(raw)[1:] if unit.name.startswith("CHAN") and unit.name[4:].isdigit()}
    chosen = sorted(set(wanted)) if wanted is not None else sorted(there & set(found.ifus))
    lacking = [ifu for ifu in chosen if ifu not in there or ifu not in found.ifus]
    if lacking or not chosen:
        what = f"IFU {lacking[0]}" if lacking else "any IFU"
        raise MuseError(f"{raw} with the calibrations in {found.folder} does not cover {what}: add what is missing")
    return chosen


def _badpix_table(found: Calibrations, badpix: bool | str | Path) -> Path | None:
    if isinstance(badpix, bool):
        return found.common.get("BADPIX_TABLE") if badpix else None
    return Path(badpix)


def _limits(tables: list[Path], low: float | None, high: float | None) -> dict[str, object]:
    """Cut the edges of a short range unless limits are given."""
    ends = [hdus(path)[0].cards for path in tables]
    first = max(float(str(c.get("ESO DRS MUSE PIXTABLE LIMITS LAMBDA LOW", 0))) for c in ends)
    last = min(float(str(c.get("ESO DRS MUSE PIXTABLE LIMITS LAMBDA HIGH", 1e4))) for c in ends)
    short = last - first < _SHORT_RANGE
    low = low if low is not None else (first + _EDGE if short else None)
    high = high if high is not None else (last - _EDGE if short else None)
    return {name: value for name, value in (("lambdamin", low), ("lambdamax", high)) if value is not None}


def _already_there(label: str, folder: Path, ifus: list[int]) -> Reduction | None:
    there = _reduction(label, folder, 0.0, 0)
    complete = len(there.object_red) >= len(ifus) and all((folder / name).exists() for name in _PRODUCTS)
    return there if complete else None


def _reduction(label: str, folder: Path, seconds: float, peak: int) -> Reduction:
    table, cube, image = (folder / name for name in _PRODUCTS)
    frames, logs = sorted(folder.glob("OBJECT_RED_*.fits")), sorted(folder.glob("*.log"))
    return Reduction(label, folder, frames, table, cube, image, logs, seconds, peak)
