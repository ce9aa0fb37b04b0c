"""The demo's stages: each makes what is missing of its files, and gives the numbers that it measured."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from threading import Event
from typing import TYPE_CHECKING

import numpy as np

from muse_nb.core.errors import MuseError, MuseWarning
from muse_nb.core.progress import Progress
from muse_nb.core.waiting import as_done
from muse_nb.demo.work import Demo

if TYPE_CHECKING:
    from astropy.table import Table

    from muse_nb.products.offset_list import OffsetList

__all__ = ["Numbers", "combine_all", "compare_engines", "inspect_frames", "measure", "reduce_all", "simulate", "survey"]

COMPARED = 4  # exposures with which the two engines are compared: the recipe's time is not ours to spend

Numbers = dict[str, float]


def simulate(work: Demo, progress: Progress) -> Numbers:
    """Simulate the night: raw frames for ESO's recipes, or products in their place."""
    from muse_nb.simulator import night

    eso = work.engine == "eso"
    night.simulate(
        work.night,
        work.exposures,
        work.layout,
        work.seed,
        raw=eso,
        products=not eso,
        workers=work.jobs,
        progress=progress,
    )
    return {}


def reduce_all(work: Demo, progress: Progress) -> Numbers:
    """Bring each exposure to pixel table, cube and image, several side by side."""
    task, stop = _reduce_by_recipes if work.engine == "eso" else _cube_by_ourselves, Event()
    todo = task(work, stop)
    with ThreadPoolExecutor(work.jobs) as pool:
        waiting = [pool.submit(call) for call in todo]
        try:
            for done, future in enumerate(as_done(waiting), 1):
                future.result()
                progress("exposures reduced", done, len(todo))
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return {}


def _reduce_by_recipes(work: Demo, stop: Event) -> list[Callable[[], object]]:
    from muse_nb.recipes.calibrations import find_calibrations
    from muse_nb.recipes.reduce import reduce

    found = find_calibrations(work.night / "calib")
    raws = sorted((work.night / "raw").glob("MUSE.*.fits"))[: work.exposures]
    return [partial(reduce, raw, found, work.night / "reduced", jobs=1, cancel=stop) for raw in raws]


def _cube_by_ourselves(work: Demo, stop: Event) -> list[Callable[[], object]]:
    from muse_nb.steps.combine.combine import cube

    todo: list[Callable[[], object]] = []
    for table in sorted((work.night / "reduced").glob("*/PIXTABLE_REDUCED_0001.fits")):
        output = table.with_name("DATACUBE_FINAL.fits")
        if not output.exists():
            todo.append(partial(cube, table, output=output, filters=(), threads=1, cancel=stop))
    return todo


def survey(work: Demo, progress: Progress) -> Numbers:
    """Write the manifest of the night."""
    found = work.survey()
    manifest = work.night / "data_manifest.csv"
    if not manifest.exists():
        found.write(manifest)
    progress(f"  {len(found.exposures)} exposures, {len(found.facts)} files, {len(found.findings)} findings", 0, 0)
    return {}


def inspect_frames(work: Demo, progress: Progress) -> Numbers:
    """Judge every OBJECT_RED."""
    from astropy.table import Table

    from muse_nb.steps.inspect.inspect import inspect

    if not work.frames.exists():
        inspect(work.survey().files_of("OBJECT_RED")).write(work.frames)
    verdicts = Table.read(work.frames)
    progress(f"  {len(verdicts)} frames, {int(np.sum(verdicts['findings']))} findings", 0, 0)
    return {}


def measure(work: Demo, progress: Progress) -> Numbers:
    """Measure the offsets and hold them against the truth."""
    from astropy.table import Table

    from muse_nb.products.offset_list import OffsetList
    from muse_nb.steps.offsets.measure import measure_offsets

    night = work.survey()
    if not work.offset_list.exists():
        measure_offsets(night.files_of("IMAGE_FOV")).write(work.offset_list)
    truth = Table.read(work.night / "truth" / "offsets.ecsv")
    rms = _offset_rms(OffsetList.read(work.offset_list), truth, night.exposures[0].dec or 0.0)
    progress(f"  measured offsets against the truth: {rms:.2f} mas rms (asked for: at most 10)", 0, 0)
    return {"offsets_rms_mas": rms}


def _offset_rms(measured: OffsetList, truth: Table, dec: float) -> float:
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


def combine_all(work: Demo, progress: Progress) -> Numbers:
    """Combine all exposures with and without offsets, and measure the stars in both cubes."""
    from muse_nb.steps.combine.combine import combine
    from muse_nb.steps.offsets.widths import star_widths

    night = work.survey()
    tables = night.files_of("PIXTABLE_REDUCED")
    for output, offsets in ((work.cube, work.offset_list), (work.cube_without, None)):
        if not output.exists():
            with _without_warnings():  # that one has no offsets is its purpose
                result = combine(
                    tables,
                    offsets,
                    output=output,
                    extensions=("DQ", "EXPMAP"),
                    threads=work.jobs,
                    force=True,
                    progress=progress,
                )
            progress(f"  {result}", 0, 0)
    images = [cube.with_name(f"{cube.stem}_IMAGE_FOV_white.fits") for cube in (work.cube_without, work.cube)]
    widths = np.asarray(star_widths([*night.files_of("IMAGE_FOV"), *images])["fwhm"], float)
    single, without, combined = float(widths[:-2].mean()), float(widths[-2]), float(widths[-1])
    text = (
        f"  stars: {single:.3f} arcsec wide in the single exposures (mean), {combined:.3f} combined"
        f" ({100 * (combined / single - 1):+.1f} %, asked for: at most +3 %), {without:.3f} combined without offsets"
        f" ({100 * (without / single - 1):+.1f} %)"
    )
    progress(text, 0, 0)
    return {"fwhm_single": single, "fwhm_combined": combined, "fwhm_without_offsets": without}


def compare_engines(work: Demo, progress: Progress) -> Numbers:
    """Hold our engine against the recipe on some exposures, voxel by voxel."""
    if work.engine != "eso":
        progress("  only one engine is here", 0, 0)
        return {}
    from muse_nb.steps.combine.combine import combine
    from muse_nb.steps.combine.compare import compare_cubes

    tables = work.survey().files_of("PIXTABLE_REDUCED")[:COMPARED]
    cubes = [work.products / "engines" / f"{engine}.fits" for engine in ("eso", "stream")]
    for engine, output in zip(("eso", "stream"), cubes, strict=True):
        if not output.exists():
            with _without_warnings():
                result = combine(tables, work.offset_list, output=output, engine=engine, threads=work.jobs, force=True)
            progress(f"  {result}", 0, 0)
    found = compare_cubes(*cubes)
    progress(f"  {found}", 0, 0)
    return {"engines_differ_ppm": found.differ_per_million}


@contextmanager
def _without_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MuseWarning)
        yield
