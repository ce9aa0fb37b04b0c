"""The two engines of a combine: our own, which streams, and ESO's recipe."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

from muse_nb.products.errors import MuseError
from muse_nb.products.offset_list import OffsetList
from muse_nb.products.pixtable import PixelTable
from muse_nb.resample.cube_header import primary
from muse_nb.resample.cube_writer import CubeWriter, Images, write_image
from muse_nb.resample.grid import CubeGrid, lay_out
from muse_nb.resample.inputs import Inputs
from muse_nb.resample.stream import Settings, planes
from muse_nb.resample.weights import exposure_weights
from muse_nb.steps.combination import Combination
from muse_nb.steps.forecast import forecast

__all__ = ["Job", "run_eso", "run_stream"]


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

    @property
    def parameters(self) -> dict[str, Any]:
        """The recipe's names of the settings."""
        s = self.settings
        return {
            "resample": "drizzle",
            "pixfrac": f"{s.pixfrac[0]},{s.pixfrac[1]}",
            "crtype": "median",
            "crsigma": s.crsigma,
            "weight": self.weight,
            "lambdamin": s.low,
            "lambdamax": s.high,
        }


def run_stream(job: Job) -> Combination:
    """Combine with our own engine.

    Planes that an interrupted run of the same job has left are checked and kept.

    Raises
    ------
    MuseError
        A table cannot be read, or a file cannot be written.
    """
    started, cpu = time.monotonic(), time.process_time()
    s = job.settings
    with Inputs(job.tables, job.offsets, exposure_weights(job.tables, job.weight), s.low, s.high, s.threads) as inputs:
        grid = lay_out(inputs.exposures)
        images = Images(grid, tuple(job.images), job.curves)
        used, flagged, kept, bad = 0, 0, 0, [0] * len(job.tables)
        with _writer(job, inputs, grid) as writer:
            for plane in writer.kept():
                images.add(plane.number, plane.data)
                used, flagged, kept = used + plane.rows, flagged + plane.flagged, plane.number + 1
                bad = [a + b for a, b in zip(bad, plane.not_finite, strict=True)]
            for plane in planes(inputs, grid, s, first=kept):
                _stop_if_cancelled(job)
                images.add(plane.number, plane.data)
                writer.write(plane)
                used, flagged = used + plane.rows, flagged + plane.flagged
                bad = [a + b for a, b in zip(bad, plane.not_finite, strict=True)]
                if job.progress is not None:
                    job.progress(plane.number + 1, grid.shape[0])
        unit = job.tables[0].columns["data"].unit
        for number, (name, path) in enumerate(job.images.items()):
            cards = primary(inputs.exposures, path.name, "IMAGE_FOV", job.parameters)
            write_image(path, cards, grid, name, unit, images.image(number), force=job.force)
        rows = inputs.rows
        notes = [
            f"{count} rows of {exposure.table.path.name} ({exposure.date_obs}) have dq 0 but data that are not finite:"
            " they were left out"
            for exposure, count in zip(inputs.exposures, bad, strict=True)
            if count
        ]
    if kept:
        notes.append(f"{kept} of {grid.shape[0]} planes were kept from an interrupted run")
    return Combination(
        path=job.output,
        images=job.images,
        engine="stream",
        exposures=len(job.tables),
        rows=rows,
        used=used,
        flagged=flagged,
        shape=grid.shape,
        seconds=time.monotonic() - started,
        cpu_seconds=time.process_time() - cpu,
        peak_memory=_peak_memory(),
        findings=job.notes + notes,
    )


def _writer(job: Job, inputs: Inputs, grid: CubeGrid) -> CubeWriter:
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
    cards = primary(inputs.exposures, job.output.name, "DATACUBE_FINAL", job.parameters)
    target = str(first.header.get("OBJECT") or "")
    return CubeWriter(job.output, cards, grid, units, target, recipe, force=job.force)  # type: ignore[arg-type]


def _stop_if_cancelled(job: Job) -> None:
    if job.cancel is not None and job.cancel.is_set():
        raise MuseError(f"the combine was cancelled: {job.output} was not written")


def run_eso(job: Job, filter_list: str | Path | None) -> Combination:
    """Combine with muse_exp_combine.

    Raises
    ------
    MuseError
        It would not fit into the memory that is free, or it fails.
    """
    from muse_nb.products.cube_file import CubeFile
    from muse_nb.recipes.reduce import exp_combine

    ahead = forecast(table.path for table in job.tables)
    if not ahead.eso_fits and not job.force:
        raise MuseError(
            f"muse_exp_combine would need {ahead.memory_eso / 1e9:.1f} GB of memory, {ahead.memory_free / 1e9:.1f} GB"
            " are free: use the stream engine, or --force"
        )
    job.output.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        work = Path(tempfile.mkdtemp(prefix=".combine-", dir=job.output.parent))
        stack.callback(shutil.rmtree, work, ignore_errors=True)
        listed = None
        if job.offsets is not None:
            listed = work / "OFFSET_LIST.fits"
            job.offsets.with_zeros_for([str(table.header["DATE-OBS"]) for table in job.tables]).write(listed)
        result = exp_combine(
            [table.path for table in job.tables],
            listed,
            work / "made",
            parameters={**job.parameters, "save": "cube", "filter": ",".join(job.images)},
            filter_list=filter_list,
            threads=job.settings.threads,
            cancel=job.cancel,
        )
        made = result.products.get("IMAGE_FOV", [])
        for source, target in zip(made, job.images.values(), strict=False):
            source.replace(target)
        result.products["DATACUBE_FINAL"][0].replace(job.output)
        result.log.replace(job.output.with_suffix(".log"))
    return Combination(
        job.output,
        dict(list(job.images.items())[: len(made)]),
        "eso",
        len(job.tables),
        ahead.rows,
        None,
        None,
        CubeFile.open(job.output).shape,
        result.seconds,
        result.cpu_seconds,
        result.peak_memory,
        list(dict.fromkeys([*job.notes, *result.findings])),
    )


def _peak_memory() -> int:
    """Peak memory of this process [byte]; Linux's ru_maxrss would count the process that started it."""
    try:
        with Path("/proc/self/status").open() as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1024 if sys.platform != "darwin" else 1)
