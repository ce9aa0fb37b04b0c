"""Our own engine of a combine, which streams: slab after slab of planes, here or on the workers of a cluster."""

from __future__ import annotations

import time
from collections.abc import Iterator

from muse_nb.core.process import PeakMemory
from muse_nb.resample.cube_writer import CubeWriter, Images
from muse_nb.resample.grid import CubeGrid
from muse_nb.resample.inputs import Inputs
from muse_nb.resample.stream import Resampled, planes, slab_for
from muse_nb.steps.combine.cluster import make_slabs
from muse_nb.steps.combine.job import Job
from muse_nb.steps.combine.output import grid_of, open_cube, write_images
from muse_nb.steps.combine.result import Combination
from muse_nb.steps.combine.verify import check_cube

__all__ = ["run_stream"]


def run_stream(job: Job) -> Combination:
    """Combine with our own engine, here or on the workers of a cluster.

    Planes that an interrupted run of the same job has left are checked and kept.

    Raises
    ------
    MuseError
        A table cannot be read, or a file cannot be written.
    """
    started, cpu = time.monotonic(), time.process_time()
    with PeakMemory() as memory, job.open_inputs() as inputs:
        grid = grid_of(job, inputs)
        images = Images(grid, tuple(job.images), job.curves)
        used, flagged, not_finite = 0, 0, [0] * len(inputs.exposures)
        with open_cube(job, inputs, grid) as writer:
            missing = writer.missing()
            kept = grid.shape[0] - _number(missing)
            borders, gaps = _begin(job, inputs, grid, writer, missing)
            for plane in _every_plane(job, inputs, grid, writer, gaps):
                images.add(plane.number, plane.data)
                used, flagged = used + plane.rows, flagged + plane.flagged
                not_finite = [a + b for a, b in zip(not_finite, plane.not_finite, strict=True)]
        write_images(job, inputs, grid, images)
        notes = _notes(inputs, not_finite)
        rows, exposures = inputs.rows, len(inputs.exposures)
        checks = check_cube(job.output, inputs, grid, job.resampling, borders) if job.settings.checks else []
    if kept:
        notes.append(f"{kept} of {grid.shape[0]} planes were kept from an interrupted run")
    return Combination(
        path=job.output,
        images=job.images,
        engine="stream",
        exposures=exposures,
        rows=rows,
        used=used,
        flagged=flagged,
        shape=grid.shape,
        seconds=time.monotonic() - started,
        cpu_seconds=time.process_time() - cpu,
        peak_memory=memory.peak,
        findings=job.notes + notes,
        checks=checks,
    )


def _begin(
    job: Job, inputs: Inputs, grid: CubeGrid, writer: CubeWriter, missing: list[range]
) -> tuple[set[int], list[range]]:
    """Have a cluster, if there is one, make what is missing; give the first planes of all pieces, and what is left."""
    borders = {gap.start for gap in missing}
    if not missing:
        return borders, []
    if job.cluster is not None:
        return borders | make_slabs(job.cluster, job, inputs, grid, writer, missing), []
    slab = slab_for(inputs.rows, grid.shape, job.resampling, len(inputs.exposures))
    return borders | {start for gap in missing for start in range(gap.start, gap.stop, slab)}, missing


def _every_plane(
    job: Job, inputs: Inputs, grid: CubeGrid, writer: CubeWriter, gaps: list[range]
) -> Iterator[Resampled]:
    """Give all planes in order, so that sums over them do not depend on which are kept; those in `gaps` are made."""
    at, done = 0, grid.shape[0] - _number(gaps)
    for gap in [*gaps, range(grid.shape[0], grid.shape[0])]:
        yield from filter(None, map(writer.plane, range(at, gap.start)))
        for plane in planes(inputs, grid, job.resampling, gap.start, gap.stop) if gap else ():
            job.stop_if_cancelled()
            writer.write(plane)
            yield plane
            done += 1
            job.report(done, grid.shape[0])
        at = gap.stop


def _notes(inputs: Inputs, not_finite: list[int]) -> list[str]:
    """Say which exposures lost rows, how many each in `not_finite`."""
    return [
        f"{count} rows of {exposure.table.path.name} ({exposure.date_obs}) have dq 0 but data that are not finite:"
        " they were left out"
        for exposure, count in zip(inputs.exposures, not_finite, strict=True)
        if count
    ]


def _number(gaps: list[range]) -> int:
    """How many planes they hold."""
    return sum(map(len, gaps))
