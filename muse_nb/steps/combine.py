"""Pixel tables to a cube: our own engine, which streams, or ESO's recipe, with the same checks before."""

from __future__ import annotations

import shutil
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from html import escape
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
from numpy.typing import NDArray

from muse_nb.products.cube_writer import writing_cube
from muse_nb.products.errors import MuseError, MuseWarning
from muse_nb.products.filters import read_filter_list, throughput
from muse_nb.products.image_fov import write_image_fov
from muse_nb.products.offset_list import OffsetList
from muse_nb.products.pixtable import PixelTable
from muse_nb.resample.grid import CubeGrid, lay_out
from muse_nb.resample.inputs import Inputs
from muse_nb.resample.stream import Settings, Tally, default_threads, planes
from muse_nb.resample.weights import exposure_weights
from muse_nb.steps.combine_checks import check_offsets, check_tables
from muse_nb.steps.combine_header import image_headers, layer_headers, primary_header
from muse_nb.steps.forecast import forecast

__all__ = ["Combination", "combine", "cube"]

ENGINES = ("stream", "eso")


@dataclass(frozen=True)
class Combination:
    """A cube that was made, and what it took.

    Attributes
    ----------
    path : pathlib.Path
        The cube.
    images : dict of str to pathlib.Path
        IMAGE_FOV by filter.
    engine : str
    exposures, rows : int
    used, flagged : int or None
        Rows that fell into the cube and, of those, rejected as cosmic rays; None where the engine does not say.
    shape : tuple of int
        (nz, ny, nx).
    seconds, cpu_seconds : float
        Wall and CPU time [s].
    peak_memory : int
        [byte].
    findings : list of str
        What is odd about the result, a sentence each.
    """

    path: Path
    images: dict[str, Path]
    engine: str
    exposures: int
    rows: int
    used: int | None
    flagged: int | None
    shape: tuple[int, int, int]
    seconds: float
    cpu_seconds: float
    peak_memory: int
    findings: list[str]

    def __str__(self) -> str:
        """Say it in a sentence."""
        nz, ny, nx = self.shape
        return (
            f"{self.path}: {self.exposures} exposure{'s' * (self.exposures > 1)}, {self.rows / 1e6:.1f} million rows,"
            f" {nx} x {ny} spaxels and {nz} planes in {self.seconds:.1f} s ({self.cpu_seconds:.1f} s of CPU,"
            f" {self.peak_memory / 1e6:.0f} MB, engine {self.engine})"
        )

    def _repr_html_(self) -> str:
        items = "".join(f"<li>{escape(text)}</li>" for text in self.findings)
        return f"<p>{escape(str(self))}</p><ul>{items}</ul>"


def combine(
    pixtables: Iterable[str | Path],
    offsets: str | Path | OffsetList | None = None,
    *,
    output: str | Path,
    engine: str = "stream",
    pixfrac: float | tuple[float, float] = 0.6,
    crsigma: float = 10.0,
    weight: str = "exptime",
    lambdamin: float = 4000.0,
    lambdamax: float = 10000.0,
    filters: Sequence[str] = ("white",),
    filter_list: str | Path | None = None,
    memory: float | None = None,
    threads: int | None = None,
    allow_missing: bool = False,
    force: bool = False,
    progress: Callable[[int, int], object] | None = None,
    cancel: Event | None = None,
) -> Combination:
    """Combine the exposures of one target, or of several pointings, into one cube.

    Parameters
    ----------
    pixtables
        PIXTABLE_REDUCED of each exposure.
    offsets
        OFFSET_LIST, or the file.
    output
        The cube to make; images are put beside it, as ``NAME_IMAGE_FOV_FILTER.fits``.
    engine
        ``stream``, or ``eso`` for muse_exp_combine.
    pixfrac
        Size of a drop over that of a voxel; one number, or one on the sky and one in wavelength.
    crsigma
        Threshold of the rejection of cosmic rays; 0 for none.
    weight
        ``exptime``, ``fwhm``, ``header`` or ``none``.
    lambdamin, lambdamax
        Wavelength limits [Angstrom].
    filters
        Images to make: ``white``, ``V``, ``R``, ``I``, or names in `filter_list`.
    filter_list
        FILTER_LIST.
    memory
        Bytes that the stream engine stays within.
    threads
        By default, the processors at hand.
    allow_missing
        Combine an exposure that the offset list lacks, without an offset.
    force
        Replace a cube that is there; and run ``eso`` though it needs more memory than there is.
    progress
        Called with the planes done and all.
    cancel
        Stops when set.

    Returns
    -------
    Combination

    Raises
    ------
    MuseError
        The exposures or the offsets are not fit to be combined, or something cannot be read or written.
    """
    paths = [Path(path) for path in pixtables]
    tables = sorted((PixelTable.open(path) for path in paths), key=lambda t: str(t.header.get("DATE-OBS")))
    listed = OffsetList.read(offsets) if isinstance(offsets, (str, Path)) else offsets
    notes = check_tables(tables) + check_offsets(tables, listed, allow_missing=allow_missing)
    fractions = pixfrac if isinstance(pixfrac, tuple) else (pixfrac, pixfrac)
    settings = Settings(fractions, crsigma, lambdamin, lambdamax, memory, threads or default_threads())
    _check_settings(settings, engine)
    curves = read_filter_list(filter_list) if filter_list else None
    for name in filters:
        throughput(name, 6000.0, curves)  # refuse an unknown filter before the work, not after it
    output = Path(output)
    images = {name: output.with_name(f"{output.stem}_IMAGE_FOV_{_plain(name)}.fits") for name in filters}
    if not force:
        for path in (output, *images.values()):
            if path.exists():
                raise MuseError(
                    f"{path} is already there: choose another name, or replace it with --force (force=True)"
                )
    job = _Job(tables, listed, settings, weight, output, images, curves, force, progress, cancel, notes)
    result = _eso(job, filter_list) if engine == "eso" else _stream(job)
    for note in result.findings:
        warnings.warn(note, MuseWarning, stacklevel=2)
    return result


def cube(pixtables: str | Path | Iterable[str | Path], *, output: str | Path, **settings: Any) -> Combination:
    """Make the cube of one exposure, with the defaults of muse_scipost_make_cube: pixfrac 0.8, crsigma 15.

    Parameters
    ----------
    pixtables
        Its PIXTABLE_REDUCED.
    output
        The cube to make.
    **settings
        As of `combine`.

    Raises
    ------
    MuseError
        As by `combine`.
    """
    paths = [pixtables] if isinstance(pixtables, (str, Path)) else list(pixtables)
    return combine(paths, output=output, **{"pixfrac": 0.8, "crsigma": 15.0, **settings})


@dataclass(frozen=True)
class _Job:
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


def _stream(job: _Job) -> Combination:
    started, cpu = time.monotonic(), time.process_time()
    s = job.settings
    weights = exposure_weights(job.tables, job.weight)
    with Inputs(job.tables, job.offsets, weights, s.low, s.high, s.threads) as inputs:
        grid = lay_out(inputs.exposures)
        tally, rows = Tally(), inputs.rows
        sums = _ImageSums(job, grid)
        primary = primary_header(inputs, "DATACUBE_FINAL", job.parameters)
        with writing_cube(job.output, grid.shape, primary, layer_headers(inputs, grid), force=job.force) as writer:
            for plane, data, stat in planes(inputs, grid, s, tally):
                if job.cancel is not None and job.cancel.is_set():
                    raise MuseError(f"the combine was cancelled: {job.output} was not written")
                writer.write(plane, DATA=data, STAT=stat)
                sums.add(plane, data)
                if job.progress is not None:
                    job.progress(plane + 1, grid.shape[0])
        for name, path in job.images.items():
            headers = image_headers(inputs, grid, name, job.parameters)
            write_image_fov(path, *headers, sums.image(name), force=job.force)
        notes = job.notes + [
            f"{bad} rows of {exposure.table.path.name} ({exposure.date_obs}) have dq 0 but data that are not finite:"
            " they were left out"
            for exposure, bad in zip(inputs.exposures, tally.not_finite or [], strict=True)
            if bad
        ]
    return Combination(
        job.output,
        job.images,
        "stream",
        len(job.tables),
        rows,
        tally.used,
        tally.flagged,
        grid.shape,
        time.monotonic() - started,
        time.process_time() - cpu,
        _peak_memory(),
        notes,
    )


class _ImageSums:
    """Mean over wavelength, weighted by each filter's throughput, where there are data: the recipe's collapse."""

    def __init__(self, job: _Job, grid: CubeGrid) -> None:
        wavelengths = grid.crval[2] + np.arange(grid.shape[0]) * grid.lambda_step
        self._curves = {name: throughput(name, wavelengths, job.curves) for name in job.images}
        self._sums = {name: np.zeros((2, *grid.shape[1:])) for name in job.images}

    def add(self, plane: int, data: NDArray[np.float32]) -> None:
        there = np.isfinite(data)
        values = np.where(there, data, 0)
        for name, curve in self._curves.items():
            if curve[plane] > 0:
                self._sums[name][0] += curve[plane] * values
                self._sums[name][1] += curve[plane] * there

    def image(self, name: str) -> NDArray[np.float64]:
        total, weight = self._sums[name]
        return np.divide(total, weight, out=np.full_like(total, np.nan), where=weight > 0)


def _eso(job: _Job, filter_list: str | Path | None) -> Combination:
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
            job.offsets.write(listed)
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
        [*job.notes, "EXPTIME in the header is that of the first exposure, as the recipe writes it"],
    )


def _check_settings(settings: Settings, engine: str) -> None:
    if engine not in ENGINES:
        raise MuseError(f"there is no engine {engine!r}: choose {' or '.join(ENGINES)}")
    if not all(0 < fraction <= 1 for fraction in settings.pixfrac):
        raise MuseError(f"pixfrac is {settings.pixfrac}: it is above 0 and at most 1")
    if not settings.low < settings.high:
        raise MuseError(f"there is nothing between {settings.low:g} and {settings.high:g} Angstrom: swap the limits")


def _plain(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in name)


def _peak_memory() -> int:
    import resource
    import sys

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1024 if sys.platform != "darwin" else 1)
