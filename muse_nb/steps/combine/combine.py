"""Pixel tables to a cube: our own engine, which streams, or ESO's recipe, with the same checks before."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from threading import Event
from typing import Any

from muse_nb.core.atomic import refuse_existing
from muse_nb.core.errors import MuseError, MuseWarning
from muse_nb.products.filters import read_filter_list, throughput
from muse_nb.products.offset_list import OffsetList
from muse_nb.products.pixtable import PixelTable
from muse_nb.resample.given_grid import read_grid
from muse_nb.resample.stream import EXTENSIONS, Settings, default_threads
from muse_nb.resample.weights import weight_notes
from muse_nb.steps.combine.before import check_list, check_offsets, check_tables
from muse_nb.steps.combine.result import Combination
from muse_nb.steps.combine.stream import Cluster, Job, run_stream

__all__ = ["Combination", "combine", "cube"]

ENGINES = ("stream", "eso")
METHODS = ("drizzle", "nearest")
CRTYPES = ("median", "others")


def combine(
    pixtables: Iterable[str | Path],
    offsets: str | Path | OffsetList | None = None,
    *,
    output: str | Path,
    engine: str = "stream",
    resample: str = "drizzle",
    pixfrac: float | tuple[float, float] = 0.6,
    crsigma: float = 10.0,
    crtype: str = "median",
    weight: str = "exptime",
    lambdamin: float = 4000.0,
    lambdamax: float = 10000.0,
    filters: Sequence[str] = ("white",),
    filter_list: str | Path | None = None,
    extensions: Sequence[str] = (),
    memory: float | None = None,
    threads: int | None = None,
    grid: str | Path | None = None,
    split: int = 0,
    scheduler: str | None = None,
    workers: int = 0,
    checks: bool = True,
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
    resample
        ``drizzle``, or ``nearest``: each voxel is the row that lies closest to its centre.
    pixfrac
        Size of a drop over that of a voxel; one number, or one on the sky and one in wavelength.
    crsigma
        Threshold of the rejection of cosmic rays, times the MAD; 0 for none.
    crtype
        ``median``: rejected is what exceeds the median around it, as by the recipe, searched across the slices of the
        first exposure. ``others``: what exceeds all other exposures around it, by its own noise, and its own exposure
        across its own slices; better where angles are mixed and beside stars, for the stream engine only.
    weight
        ``exptime``, ``fwhm``, ``header`` or ``none``.
    lambdamin, lambdamax
        Wavelength limits [Angstrom].
    filters
        Images to make: ``white``, ``V``, ``R``, ``I``, or names in `filter_list`.
    filter_list
        FILTER_LIST.
    extensions
        What the cube says of its voxels beside DATA and STAT: ``EXPMAP``, how many exposures are in each; ``DQ``, why
        it is NaN, with which `muse_nb.audit_nans` needs no pixel tables. For the stream engine only.
    memory
        Bytes that the stream engine stays within.
    threads
        By default, the processors at hand.
    grid
        Grid of the cube: an OUTPUT_WCS, another cube, or a FITS file with such a header. By default as the recipe's:
        0.2 arcsec and 1.25 Angstrom, north up, as large as the exposures.
    split
        Ranges of wavelength that `eso` is run on, one after the other, to be joined; -1: as the memory asks for.
    scheduler
        Address of a dask scheduler whose workers make the cube's slabs; all see the same disk. Memory is each worker's.
    workers
        The same on this machine, with so many processes.
    checks
        Hold the cube against its exposures afterwards, in a hundredth of its planes.
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
    notes = check_tables(tables, 0.0 if crtype == "others" else crsigma) + check_offsets(
        tables, listed, allow_missing=allow_missing
    )
    notes += weight_notes(tables, weight)
    if isinstance(offsets, (str, Path)):
        notes += check_list(Path(offsets))
    fractions = pixfrac if isinstance(pixfrac, tuple) else (pixfrac, pixfrac)
    settings = Settings(
        fractions,
        crsigma,
        lambdamin,
        lambdamax,
        memory,
        threads or default_threads(),
        resample,
        crtype,
        tuple(name for name in EXTENSIONS if name in extensions),
    )
    unknown = sorted(set(extensions) - set(EXTENSIONS))
    if unknown:
        raise MuseError(f"there is no extension {unknown[0]!r}: choose from {', '.join(EXTENSIONS)}")
    _check_settings(settings, engine, cluster=bool(scheduler or workers), split=bool(split))
    curves = read_filter_list(filter_list) if filter_list else None
    for name in filters:
        throughput(name, 6000.0, curves)  # refuse an unknown filter before the work, not after it
    output = Path(output)
    images = {name: output.with_name(f"{output.stem}_IMAGE_FOV_{_plain(name)}.fits") for name in filters}
    files = [file for file in (offsets, filter_list, grid) if isinstance(file, (str, Path))]
    for path in (output, *images.values()):
        refuse_existing(path, force=force, inputs=[*paths, *files])
    cluster = Cluster(scheduler, workers) if scheduler or workers else None
    job = Job(
        tables=tables,
        offsets=listed,
        settings=settings,
        weight=weight,
        output=output,
        images=images,
        curves=curves,
        force=force,
        progress=progress,
        cancel=cancel,
        notes=notes,
        cluster=cluster,
        checks=checks,
        grid=read_grid(grid) if grid is not None else None,
        filter_list=Path(filter_list) if filter_list else None,
        split=split,
        calibrations=tuple(
            (Path(file).name, category)
            for file, category in ((offsets, "OFFSET_LIST"), (filter_list, "FILTER_LIST"), (grid, "OUTPUT_WCS"))
            if isinstance(file, (str, Path))
        ),
    )
    result = _run_eso(job) if engine == "eso" else run_stream(job)
    for note in (*result.findings, *(check.text for check in result.checks if check.good is False)):
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


def _run_eso(job: Job) -> Combination:
    from muse_nb.steps.combine.eso import run_eso

    return run_eso(job)


def _check_settings(settings: Settings, engine: str, *, cluster: bool, split: bool) -> None:
    if engine not in ENGINES:
        raise MuseError(f"there is no engine {engine!r}: choose {' or '.join(ENGINES)}")
    if settings.resample not in METHODS:
        raise MuseError(f"there is no resampling {settings.resample!r}: choose {' or '.join(METHODS)}")
    if settings.crtype not in CRTYPES:
        raise MuseError(f"there is no crtype {settings.crtype!r}: choose {' or '.join(CRTYPES)}")
    if settings.crtype == "others" and engine == "eso":
        raise MuseError("muse_exp_combine has no crtype 'others': take the stream engine")
    if settings.extensions and engine == "eso":
        raise MuseError(f"muse_exp_combine makes no {' or '.join(settings.extensions)}: take the stream engine")
    if not all(0 < fraction <= 1 for fraction in settings.pixfrac):
        raise MuseError(f"pixfrac is {settings.pixfrac}: it is above 0 and at most 1")
    if cluster and engine == "eso":
        raise MuseError("muse_exp_combine cannot run on a cluster: take the stream engine")
    if split and engine != "eso":
        raise MuseError("only muse_exp_combine needs to be split: the stream engine keeps to --memory by itself")
    if not settings.low < settings.high:
        raise MuseError(f"there is nothing between {settings.low:g} and {settings.high:g} Angstrom: swap the limits")


def _plain(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in name)
