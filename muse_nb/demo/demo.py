"""The demo: a simulated night, from raw frames to a combined cube and rendered notebooks, in one folder.

Each stage looks for what it would make and does only what is missing, so that an interrupted demo goes on where it was.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np

from muse_nb.core.errors import MuseError, MuseWarning
from muse_nb.core.waiting import as_done
from muse_nb.core.atomic import atomic_write

__all__ = ["Demo", "demo"]

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
COMPARED = 4  # exposures with which the two engines are compared: the recipe's time is not ours to spend
CUBE = 30e6  # bytes of an exposure's cube, image and logs
COMBINED = 1.5e8  # bytes of all that is made of several exposures


@dataclass
class Demo:
    """Where the demo's files are, and what it found.

    Attributes
    ----------
    folder : pathlib.Path
    engine : str
        ``eso`` or ``own``.
    exposures : int
    layout : str
    seed : int
    jobs : int
    numbers : dict
        What was measured, for the summary.
    seconds : dict
        Wall time of each stage [s].
    """

    folder: Path
    engine: str
    exposures: int
    layout: str
    seed: int
    jobs: int
    numbers: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def night(self) -> Path:
        """Raw frames, calibrations, truth and reduced exposures."""
        return self.folder / "night"

    @property
    def products(self) -> Path:
        """What was made of several exposures."""
        return self.folder / "products"

    @property
    def frames(self) -> Path:
        """The verdict on each OBJECT_RED frame."""
        return self.products / "frames.csv"

    @property
    def offset_list(self) -> Path:
        """The measured offsets."""
        return self.products / "OFFSET_LIST.fits"

    @property
    def cube(self) -> Path:
        """The combined cube."""
        return self.products / "DATACUBE_FINAL.fits"

    @property
    def cube_without(self) -> Path:
        """The same exposures combined without offsets."""
        return self.products / "DATACUBE_without_offsets.fits"


def demo(
    folder: str | Path,
    *,
    exposures: int = 19,
    layout: str = "micro",
    seed: int = 1,
    engine: str = "auto",
    jobs: int = 2,
    say: Callable[[str], object] = print,
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
    say
        Called with lines for the user.

    Raises
    ------
    MuseError
        A stage cannot be done; what the others made stays.
    """
    work = Demo(Path(folder), _engine(engine, say), exposures, layout, seed, jobs)
    _say_disk(work, say)
    for name, stage in (
        ("simulate the night", _simulate),
        ("reduce the exposures", _reduce),
        ("survey", _survey),
        ("inspect the frames", _inspect),
        ("measure the offsets", _measure),
        ("combine", _combine),
        ("compare the engines", _compare),
        ("render the notebooks", _render),
    ):
        with _timed(work, name, say):
            stage(work, say)
    _summary(work, say)
    return work


def _engine(asked: str, say: Callable[[str], object]) -> str:
    from muse_nb.recipes.backends import available

    usable = [way for way in available().values() if way.usable]
    if asked == "eso" and not usable:
        raise MuseError(f"ESO's recipes are not here: {next(iter(available().values())).detail}; or use --engine own")
    if asked in ("auto", "eso") and usable:
        say(f"engine: ESO's recipes by {usable[0].name} ({usable[0].detail}) and our own stream engine")
        return "eso"
    why = "as asked" if asked == "own" else next(iter(available().values())).detail
    say(f"engine: the project's own, simulated products stand in for the recipes' ({why})")
    return "own"


def _say_disk(work: Demo, say: Callable[[str], object]) -> None:
    from muse_nb.simulator.night import disk_needed

    raw = work.engine == "eso"
    night = disk_needed(work.layout, work.exposures, raw=raw, products=True)
    need = night + work.exposures * CUBE + COMBINED
    work.folder.mkdir(parents=True, exist_ok=True)
    there = sum(path.stat().st_size for path in work.folder.rglob("*") if path.is_file())
    free = shutil.disk_usage(work.folder).free
    say(f"disk: about {need / 1e9:.1f} GB in {work.folder} ({there / 1e9:.1f} GB are there, {free / 1e9:.0f} GB free)")
    if need - there > free:
        raise MuseError(f"{work.folder} has {free / 1e9:.1f} GB left: free some, or choose another folder with -o")


@contextmanager
def _timed(work: Demo, name: str, say: Callable[[str], object]) -> Iterator[None]:
    started = time.monotonic()
    yield
    work.seconds[name] = time.monotonic() - started
    say(f"{name}: {work.seconds[name]:.0f} s")


def _simulate(work: Demo, say: Callable[[str], object]) -> None:
    from muse_nb.simulator.night import simulate

    eso = work.engine == "eso"
    simulate(work.night, work.exposures, work.layout, work.seed, raw=eso, products=not eso, workers=work.jobs)


def _reduce(work: Demo, say: Callable[[str], object]) -> None:
    """Bring each exposure to pixel table, cube and image, several side by side."""
    task, stop = _reduce_by_recipes if work.engine == "eso" else _cube_by_ourselves, Event()
    todo = task(work, stop)
    from tqdm import tqdm

    bar = tqdm(total=len(todo), unit="exposure", disable=not sys.stderr.isatty())
    with ThreadPoolExecutor(work.jobs) as pool, bar:
        waiting = [pool.submit(call) for call in todo]
        try:
            for future in as_done(waiting):
                future.result()
                bar.update()
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _reduce_by_recipes(work: Demo, stop: Event) -> list[Callable[[], Any]]:
    from functools import partial

    from muse_nb.recipes.calibrations import find_calibrations
    from muse_nb.recipes.reduce import reduce

    found = find_calibrations(work.night / "calib")
    raws = sorted((work.night / "raw").glob("MUSE.*.fits"))[: work.exposures]
    return [partial(reduce, raw, found, work.night / "reduced", jobs=1, cancel=stop) for raw in raws]


def _cube_by_ourselves(work: Demo, stop: Event) -> list[Callable[[], Any]]:
    from functools import partial

    from muse_nb.steps.combine.combine import cube

    todo: list[Callable[[], Any]] = []
    for table in sorted((work.night / "reduced").glob("*/PIXTABLE_REDUCED_0001.fits")):
        output = table.with_name("DATACUBE_FINAL.fits")
        if not output.exists():
            todo.append(partial(cube, table, output=output, filters=(), threads=1, cancel=stop))
    return todo


def _survey(work: Demo, say: Callable[[str], object]) -> None:
    from muse_nb.steps.survey.survey import survey

    found = survey(work.night)
    manifest = work.night / "data_manifest.csv"
    if not manifest.exists():
        found.write(manifest)
    say(f"  {len(found.exposures)} exposures, {len(found.facts)} files, {len(found.findings)} findings")


def _inspect(work: Demo, say: Callable[[str], object]) -> None:
    from astropy.table import Table

    from muse_nb.steps.inspect.inspect import inspect
    from muse_nb.steps.survey.survey import survey

    if not work.frames.exists():
        inspect(survey(work.night).files_of("OBJECT_RED")).write(work.frames)
    verdicts = Table.read(work.frames)
    say(f"  {len(verdicts)} frames, {int(np.sum(verdicts['findings']))} findings")


def _measure(work: Demo, say: Callable[[str], object]) -> None:
    from astropy.table import Table

    from muse_nb.products.offset_list import OffsetList
    from muse_nb.steps.offsets.measure import measure_offsets
    from muse_nb.steps.survey.survey import survey

    night = survey(work.night)
    if not work.offset_list.exists():
        measure_offsets(night.files_of("IMAGE_FOV")).write(work.offset_list)
    truth = Table.read(work.night / "truth" / "offsets.ecsv")
    rms = _offset_rms(OffsetList.read(work.offset_list), truth, night.exposures[0].dec or 0.0)
    work.numbers["offsets_rms_mas"] = rms
    say(f"  measured offsets against the truth: {rms:.2f} mas rms (asked for: at most 10)")


def _offset_rms(measured: Any, truth: Any, dec: float) -> float:
    """Scatter of measured minus true offsets on the sky at declination `dec` [deg], relative to their mean [mas]."""
    cos = np.cos(np.radians(dec))
    pairs = []
    for row in truth:
        found = measured.of(str(row["DATE_OBS"]))
        if found is None:
            raise MuseError(f"the offset list has no row for {row['DATE_OBS']}: measure again")
        east = (found[0] - float(row["RA_OFFSET"])) * cos
        pairs.append((east, found[1] - float(row["DEC_OFFSET"])))
    error = np.array(pairs) * 3.6e6
    return float(np.sqrt(np.mean((error - error.mean(axis=0)) ** 2)))


def _combine(work: Demo, say: Callable[[str], object]) -> None:
    from muse_nb.steps.combine.combine import combine
    from muse_nb.steps.offsets.widths import star_widths
    from muse_nb.steps.survey.survey import survey

    night = survey(work.night)
    tables = night.files_of("PIXTABLE_REDUCED")
    for output, offsets in ((work.cube, work.offset_list), (work.cube_without, None)):
        if not output.exists():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", MuseWarning)  # that one has no offsets is its purpose
                result = combine(
                    tables, offsets, output=output, extensions=("DQ", "EXPMAP"), threads=work.jobs, force=True
                )
            say(f"  {result}")
    images = [cube.with_name(f"{cube.stem}_IMAGE_FOV_white.fits") for cube in (work.cube_without, work.cube)]
    widths = np.asarray(star_widths([*night.files_of("IMAGE_FOV"), *images])["fwhm"], float)
    single, without, combined = float(widths[:-2].mean()), float(widths[-2]), float(widths[-1])
    work.numbers |= {"fwhm_single": single, "fwhm_combined": combined, "fwhm_without_offsets": without}
    say(
        f"  stars: {single:.3f} arcsec wide in the single exposures (mean), {combined:.3f} combined"
        f" ({100 * (combined / single - 1):+.1f} %, asked for: at most +3 %), {without:.3f} combined without offsets"
        f" ({100 * (without / single - 1):+.1f} %)"
    )


def _compare(work: Demo, say: Callable[[str], object]) -> None:
    """Hold our engine against the recipe on some exposures, voxel by voxel."""
    if work.engine != "eso":
        say("  only one engine is here")
        return
    from muse_nb.steps.combine.combine import combine
    from muse_nb.steps.combine.compare import compare_cubes
    from muse_nb.steps.survey.survey import survey

    tables = survey(work.night).files_of("PIXTABLE_REDUCED")[:COMPARED]
    cubes = [work.products / "engines" / f"{engine}.fits" for engine in ("eso", "stream")]
    for engine, output in zip(("eso", "stream"), cubes, strict=True):
        if not output.exists():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", MuseWarning)
                result = combine(tables, work.offset_list, output=output, engine=engine, threads=work.jobs, force=True)
            say(f"  {result}")
    found = compare_cubes(*cubes)
    work.numbers["engines_differ_ppm"] = found.differ_per_million
    say(f"  {found}")


def _render(work: Demo, say: Callable[[str], object]) -> None:
    from muse_nb.demo.pages import render_demo

    render_demo(work, NOTEBOOKS, say)


def _summary(work: Demo, say: Callable[[str], object]) -> None:
    with atomic_write(work.folder / "summary.json", force=True) as part:
        part.write_text(json.dumps({"engine": work.engine, "numbers": work.numbers, "seconds": work.seconds}, indent=1))
    say(f"all: {sum(work.seconds.values()):.0f} s; open {work.folder / 'index.html'}")
