"""A combine by muse_exp_combine, in one piece or in ranges of wavelength that are joined without a seam."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from muse_nb.core.errors import MuseError, MuseWarning
from muse_nb.core.work import work_folder
from muse_nb.products.fits.planes import StoredPlanes
from muse_nb.products.header import number_of
from muse_nb.recipes.checks.products import SUMMED
from muse_nb.recipes.joining import exp_combine
from muse_nb.recipes.run import RecipeResult
from muse_nb.resample.cube_writer import CubeWriter, Images
from muse_nb.resample.given_grid import cut_planes, read_grid, write_output_wcs
from muse_nb.resample.grid import CubeGrid, drop_size
from muse_nb.resample.stream import Resampled
from muse_nb.steps.combine.forecast import Forecast, forecast
from muse_nb.steps.combine.job import Job
from muse_nb.steps.combine.output import grid_of, open_cube, write_images
from muse_nb.steps.combine.result import Check, Combination
from muse_nb.steps.combine.settings import AS_NEEDED
from muse_nb.steps.combine.verify import check_cube

__all__ = ["run_eso"]

_EXPTIME = "has an EXPTIME of"  # in the sentence of the check of it, which does not hold in the end
_SHARE = 0.8  # of the free memory that a range may take
# A plane needs the rejected rows of the planes beside it, and these the rows of the planes beside them; beyond the
# outermost plane the recipe puts rows into that plane. So the third plane from a border is right.
_OVERLAP = 3


def run_eso(job: Job) -> Combination:
    """Combine with muse_exp_combine.

    Raises
    ------
    MuseError
        It would not fit into the memory or on the disk that is free, or it fails.
    """
    s = job.settings
    tables = [table.path for table in job.tables]
    ahead = forecast(tables, job.output, lambdamin=s.lambdamin, lambdamax=s.lambdamax)
    ranges = math.ceil(ahead.memory_eso / (_SHARE * ahead.memory_free)) if s.split == AS_NEEDED else max(s.split, 1)
    if not s.force:
        _refuse_too_large(ahead, ranges)
    job.output.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with work_folder(job.output.parent) as work:
        listed = None
        if job.offsets is not None:
            listed = work / "OFFSET_LIST.fits"
            job.offsets.with_zeros_for([str(table.header["DATE-OBS"]) for table in job.tables]).write(listed)
        if ranges > 1:
            images, results, checks = _in_ranges(job, ranges, work, listed)
        else:
            images, results, checks = _in_one_piece(job, work, listed)
    return Combination(
        path=job.output,
        images=images,
        engine="eso",
        exposures=len(job.tables),
        rows=ahead.rows,
        used=None,
        flagged=None,
        shape=read_grid(job.output).shape,
        seconds=time.monotonic() - started,
        cpu_seconds=sum(result.cpu_seconds for result in results),
        peak_memory=max((result.peak_memory for result in results), default=0),
        findings=list(dict.fromkeys([*job.notes, *_notes(job, results)])),
        checks=checks,
    )


def _notes(job: Job, results: list[RecipeResult]) -> list[str]:
    """What the recipe's runs were told, of the files that are there in the end; EXPTIME has been put right."""
    names: dict[str, str] = {}
    for result in results:
        names |= {str(path): str(job.output) for path in result.products.get("DATACUBE_FINAL", [])}
        images = zip(result.products.get("IMAGE_FOV", []), job.images.values(), strict=False)
        names |= {str(made): str(final) for made, final in images}
    notes = [note for result in results for note in result.findings if _EXPTIME not in note]
    for made, final in names.items():
        notes = [note.replace(made, final) for note in notes]
    return notes


def _sum_exptime(path: Path, job: Job) -> None:
    """Put the sum over the exposures in the place of the EXPTIME that the recipe keeps, the first exposure's."""
    from astropy.io import fits

    total = sum(number_of(table.header["EXPTIME"]) or 0.0 for table in job.tables)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of other people's keywords
        with fits.open(path, mode="update", memmap=True) as opened:
            opened[0].header["EXPTIME"] = (total, "[s] sum over the exposures")
            opened[0].header[f"HIERARCH {SUMMED}"] = (True, "EXPTIME is the sum")
            opened[0].add_checksum()


def _refuse_too_large(ahead: Forecast, ranges: int) -> None:
    if ahead.memory_eso / ranges > ahead.memory_free:
        raise MuseError(
            f"muse_exp_combine would need {ahead.memory_eso / ranges / 1e9:.1f} GB of memory,"
            f" {ahead.memory_free / 1e9:.1f} GB are free: use the stream engine, --split, or --force"
        )
    if not ahead.disk_fits:
        raise MuseError(
            f"the cube would need {ahead.disk / 1e9:.2f} GB, its disk has {ahead.disk_free / 1e9:.2f} GB free:"
            " make room, write elsewhere, or --force"
        )


Made = tuple[dict[str, Path], list[RecipeResult], list[Check]]


def _run(
    job: Job,
    folder: Path,
    listed: Path | None,
    limits: tuple[float, float],
    *,
    images: Iterable[str],
    output_wcs: Path | None = None,
) -> RecipeResult:
    """Run the recipe between two wavelengths."""
    low, high = limits
    more = {"lambdamin": low, "lambdamax": high, "save": "cube", "filter": ",".join(images)}
    filter_list = job.settings.filter_list
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MuseWarning)  # of files that have other names in the end: see `_notes`
        return exp_combine(
            [table.path for table in job.tables],
            listed,
            folder,
            parameters=job.parameters | more,
            filter_list=Path(filter_list) if filter_list else None,
            output_wcs=output_wcs,
            threads=job.resampling.threads,
            cancel=job.cancel,
        )


def _in_one_piece(job: Job, work: Path, listed: Path | None) -> Made:
    wcs = None
    if job.grid is not None:
        wcs = work / "OUTPUT_WCS.fits"
        write_output_wcs(wcs, job.grid)
    s = job.resampling
    result = _run(job, work / "made", listed, (s.low, s.high), images=job.images, output_wcs=wcs)
    made = result.products.get("IMAGE_FOV", [])
    for source, target in zip(made, job.images.values(), strict=False):
        _sum_exptime(source, job)
        source.replace(target)
    _sum_exptime(result.products["DATACUBE_FINAL"][0], job)
    result.products["DATACUBE_FINAL"][0].replace(job.output)
    result.log.replace(job.output.with_suffix(".log"))
    checks = []
    if job.settings.checks:
        with job.open_inputs() as inputs:
            grid = read_grid(job.output)
            inputs.refer_to(*grid.crval[:2])
            grid = replace(grid, drop=drop_size(inputs.exposures[0].table.header))
            checks = check_cube(job.output, inputs, grid, s)
    return dict(list(job.images.items())[: len(made)]), [result], checks


def _in_ranges(job: Job, ranges: int, work: Path, listed: Path | None) -> Made:
    results = []
    with job.open_inputs() as inputs:
        grid = grid_of(job, inputs)
        nz = grid.shape[0]
        size = math.ceil(nz / ranges)
        images = Images(grid, tuple(job.images), job.curves)
        with open_cube(job, inputs, grid) as writer:
            gaps = writer.missing()
            for start in range(0, nz, size):
                wanted = range(start, min(start + size, nz))
                if any(gap.start < wanted.stop and wanted.start < gap.stop for gap in gaps):
                    results.append(_range(job, grid, wanted, work / str(start), listed))
                    _take_planes(results[-1].products["DATACUBE_FINAL"][0], grid, wanted, writer)
                job.report(wanted.stop, nz)
            for plane in filter(None, map(writer.plane, range(nz))):
                images.add(plane.number, plane.data)
        write_images(job, inputs, grid, images)
        borders = range(size, nz, size)
        checks = check_cube(job.output, inputs, grid, job.resampling, borders) if job.settings.checks else []
    return dict(job.images), results, checks


def _take_planes(cube: Path, grid: CubeGrid, wanted: range, writer: CubeWriter) -> None:
    """Move the planes that are wanted from a range's cube, which holds more at its ends, into the cube."""
    cut = _wider(wanted, grid)
    shape = (len(cut), *grid.shape[1:])
    data, stat = (StoredPlanes.named(cube, name, shape) for name in ("DATA", "STAT"))
    for number in wanted:
        at = number - cut.start
        writer.write(Resampled(number, data[at], stat[at], 0, 0, []))
    cube.unlink()


def _wider(wanted: range, grid: CubeGrid) -> range:
    return range(max(wanted.start - _OVERLAP, 0), min(wanted.stop + _OVERLAP, grid.shape[0]))


def _range(job: Job, grid: CubeGrid, wanted: range, folder: Path, listed: Path | None) -> RecipeResult:
    cut, s = _wider(wanted, grid), job.resampling
    wcs = folder.with_name(f"OUTPUT_WCS-{wanted.start}.fits")
    write_output_wcs(wcs, cut_planes(grid, cut))
    low = max(grid.wavelength(cut.start - 0.5), s.low) if cut.start else s.low
    last = cut.stop == grid.shape[0]
    high = s.high if last else min(grid.wavelength(cut.stop - 0.5), s.high)
    return _run(job, folder, listed, (low, high), images=("white",), output_wcs=wcs)
