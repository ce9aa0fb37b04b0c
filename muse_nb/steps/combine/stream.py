"""Our own engine of a combine, which streams; what both engines are given."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import Any

from muse_nb.core.errors import MuseError
from muse_nb.products.offset_list import OffsetList
from muse_nb.products.pixtable import PixelTable
from muse_nb.resample.cube_header import primary
from muse_nb.resample.cube_writer import CubeWriter, Images, write_image
from muse_nb.resample.grid import CubeGrid, drop_size, lay_out
from muse_nb.resample.inputs import Inputs
from muse_nb.resample.slices import slices_table
from muse_nb.resample.stream import Resampled, Settings, planes, slab_for
from muse_nb.resample.weights import exposure_weights
from muse_nb.steps.combine.result import Combination
from muse_nb.steps.combine.verify import check_cube

__all__ = ["Cluster", "Job", "grid_of", "open_cube", "run_stream", "write_images"]


@dataclass(frozen=True)
class Cluster:
    """Where the slabs of the stream engine are made.

    Attributes
    ----------
    scheduler : str or None
        Address of a dask scheduler; None: a cluster of processes on this machine.
    workers : int
        How many processes, where there is no scheduler.
    """

    scheduler: str | None = None
    workers: int = 0


@dataclass(frozen=True)
class Job:
    """All that an engine needs, checked."""

    tables: list[PixelTable]
    offsets: OffsetList | None
    settings: Settings
    weight: str
    output: Path
    images: dict[str, Path]
    curves: dict[str, Any] | None
    force: bool
    progress: Callable[[int, int], object] | None
    cancel: Event | None
    notes: list[str]
    cluster: Cluster | None = None
    checks: bool = True
    grid: CubeGrid | None = None
    filter_list: Path | None = None
    split: int = 0
    calibrations: tuple[tuple[str, str], ...] = ()  # name and category of what else goes in

    def stop_if_cancelled(self) -> None:
        """Raise a MuseError where the user wants it to end."""
        if self.cancel is not None and self.cancel.is_set():
            raise MuseError(f"the combine was cancelled: {self.output} was not written")

    def report(self, done: int, planes: int) -> None:
        """Say how far it is."""
        if self.progress is not None:
            self.progress(done, planes)

    @property
    def parameters(self) -> dict[str, Any]:
        """The recipe's names of the settings."""
        s = self.settings
        return {
            "resample": s.resample,
            "pixfrac": f"{s.pixfrac[0]},{s.pixfrac[1]}",
            "crtype": s.crtype,
            "crsigma": s.crsigma,
            "weight": self.weight,
            "lambdamin": s.low,
            "lambdamax": s.high,
        }


def run_stream(job: Job) -> Combination:
    """Combine with our own engine, here or on the workers of a cluster.

    Planes that an interrupted run of the same job has left are checked and kept.

    Raises
    ------
    MuseError
        A table cannot be read, or a file cannot be written.
    """
    started, cpu = time.monotonic(), time.process_time()
    s = job.settings
    with Inputs(job.tables, job.offsets, exposure_weights(job.tables, job.weight), s.low, s.high, s.threads) as inputs:
        grid = grid_of(job, inputs)
        images = Images(grid, tuple(job.images), job.curves)
        used, flagged, bad = 0, 0, [0] * len(inputs.exposures)
        with open_cube(job, inputs, grid) as writer:
            gaps = writer.missing()
            kept = grid.shape[0] - sum(map(len, gaps))
            borders = {gap.start for gap in gaps}
            if job.cluster is not None and gaps:
                from muse_nb.steps.combine.cluster import make_slabs

                borders |= make_slabs(job, inputs, grid, writer, gaps)
                gaps = []
            elif gaps:
                slab = slab_for(inputs.rows, grid.shape, s, len(inputs.exposures))
                borders |= {start for gap in gaps for start in range(gap.start, gap.stop, slab)}
            for plane in _all_planes(job, inputs, grid, writer, gaps):
                images.add(plane.number, plane.data)
                used, flagged = used + plane.rows, flagged + plane.flagged
                bad = [a + b for a, b in zip(bad, plane.not_finite, strict=True)]
        write_images(job, inputs, grid, images)
        rows = inputs.rows
        notes = [
            f"{count} rows of {exposure.table.path.name} ({exposure.date_obs}) have dq 0 but data that are not finite:"
            " they were left out"
            for exposure, count in zip(inputs.exposures, bad, strict=True)
            if count
        ]
        exposures = len(inputs.exposures)
        checks = check_cube(job.output, inputs, grid, s, borders) if job.checks else []
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
        peak_memory=_peak_memory(),
        findings=job.notes + notes,
        checks=checks,
    )


def grid_of(job: Job, inputs: Inputs) -> CubeGrid:
    """Take the grid that is given, or lay out the recipes', and refer the exposures to it.

    Raises
    ------
    MuseError
        No exposure reaches into the grid that is given.
    """
    if job.grid is None:
        return lay_out(inputs.exposures)
    grid = replace(job.grid, drop=drop_size(inputs.exposures[0].table.header))
    inputs.refer_to(*grid.crval[:2])
    return grid


def _all_planes(job: Job, inputs: Inputs, grid: CubeGrid, writer: CubeWriter, gaps: list[range]) -> Iterator[Resampled]:
    """Give all planes in order, so that sums over them do not depend on which are kept; those in `gaps` are made."""
    at, done = 0, grid.shape[0] - sum(map(len, gaps))
    for gap in [*gaps, range(grid.shape[0], grid.shape[0])]:
        yield from filter(None, map(writer.plane, range(at, gap.start)))
        for plane in planes(inputs, grid, job.settings, gap.start, gap.stop) if gap else ():
            job.stop_if_cancelled()
            writer.write(plane)
            yield plane
            done += 1
            job.report(done, grid.shape[0])
        at = gap.stop


def write_images(job: Job, inputs: Inputs, grid: CubeGrid, images: Images) -> None:
    """Write the images beside the cube.

    Raises
    ------
    MuseError
        One is there already, or cannot be written.
    """
    unit = job.tables[0].columns["data"].unit
    for number, (name, path) in enumerate(job.images.items()):
        cards = primary(inputs.exposures, path.name, "IMAGE_FOV", job.parameters, job.calibrations, name)
        through = (name, images.fraction(number))
        write_image(path, cards, grid, through, unit, images.image(number), force=job.force)


def open_cube(job: Job, inputs: Inputs, grid: CubeGrid) -> CubeWriter:
    """Open the cube's file.

    Raises
    ------
    MuseError
        The cube is there already, cannot be written, or a table does not say the unit of its data.
    """
    first = job.tables[0]
    units = tuple(first.columns[name].unit for name in ("data", "stat"))
    for name, unit in zip(("data", "stat"), units, strict=True):
        if not unit:
            raise MuseError(f"{first.path}: BUNIT of {name} is missing: reduce the exposure again")
    recipe = {
        "inputs": [e.fingerprint() for e in inputs.exposures],
        "grid": [*grid.shape, *grid.crval, *grid.crpix],
        "parameters": job.parameters,
    }
    more, tail = job.settings.extensions, b""
    if more:
        recipe["extensions"] = list(more)
    if "DQ" in more:
        tail = slices_table(inputs, grid, job.settings)
    cards = primary(inputs.exposures, job.output.name, "DATACUBE_FINAL", job.parameters, job.calibrations)
    target = str(first.header.get("OBJECT") or "")
    return CubeWriter(job.output, cards, grid, units, target, recipe, more=more, tail=tail, force=job.force)  # type: ignore[arg-type]


def _peak_memory() -> int:
    """Peak memory of this process [byte]; Linux's ru_maxrss would count the process that started it."""
    try:
        with Path("/proc/self/status").open() as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1024 if sys.platform != "darwin" else 1)
