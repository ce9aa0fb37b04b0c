"""Pixel tables to a cube: our own engine, which streams, or ESO's recipe, with the same checks before."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Unpack

from muse_nb.core.atomic import refuse_existing
from muse_nb.core.errors import MuseWarning
from muse_nb.core.process import Stop
from muse_nb.core.progress import Progress, silent
from muse_nb.products.filters import read_filter_list, throughput
from muse_nb.products.offset_list import OffsetList
from muse_nb.products.pixtable import PixelTable
from muse_nb.resample.given_grid import read_grid
from muse_nb.resample.weights import weight_notes
from muse_nb.steps.combine.before import check_list, check_offsets, check_tables, turned_exposures
from muse_nb.steps.combine.job import Job
from muse_nb.steps.combine.result import Combination
from muse_nb.steps.combine.settings import CombineOptions, CombineSettings
from muse_nb.steps.combine.stream import run_stream

__all__ = ["combine", "cube", "prepare"]


def combine(
    pixtables: Iterable[str | Path],
    offsets: str | Path | OffsetList | None = None,
    *,
    output: str | Path,
    progress: Progress | None = None,
    cancel: Stop | None = None,
    **settings: Unpack[CombineOptions],
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
    progress
        Called with what is done, the planes that are, and all.
    cancel
        Stops when set.
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

    Returns
    -------
    Combination

    Raises
    ------
    TypeError
        There is no such keyword.
    MuseError
        The exposures or the offsets are not fit to be combined, or something cannot be read or written.

    Examples
    --------
    >>> tables = muse_nb.survey("night").files_of("PIXTABLE_REDUCED")
    >>> made = muse_nb.combine(tables, "OFFSET_LIST.fits", output="PART.fits", lambdamin=6300, lambdamax=6350)
    >>> made.exposures, made.shape
    (4, (41, 76, 77))
    """
    chosen = CombineSettings.of("combine", **settings)
    return _run(prepare(pixtables, offsets, Path(output), chosen, progress, cancel))


def cube(
    pixtables: str | Path | Iterable[str | Path],
    offsets: str | Path | OffsetList | None = None,
    *,
    output: str | Path,
    progress: Progress | None = None,
    cancel: Stop | None = None,
    **settings: Unpack[CombineOptions],
) -> Combination:
    """Make the cube of one exposure, with the defaults of muse_scipost_make_cube: pixfrac 0.8, crsigma 15.

    Parameters
    ----------
    pixtables
        Its PIXTABLE_REDUCED.
    offsets
        OFFSET_LIST, or the file.
    output
        The cube to make.
    progress, cancel
        As of `combine`.
    engine, resample, pixfrac, crsigma, crtype, weight, lambdamin, lambdamax
        How the rows become voxels, as of `combine`.
    filters, filter_list, extensions
        What else is made, as of `combine`.
    memory, threads, grid, split, scheduler, workers, checks, allow_missing, force
        As of `combine`.

    Raises
    ------
    TypeError, MuseError
        As by `combine`.

    Examples
    --------
    >>> table = muse_nb.survey("night").files_of("PIXTABLE_REDUCED")[0]
    >>> muse_nb.cube(table, output="ONE.fits").shape
    (361, 75, 76)
    """
    paths = [pixtables] if isinstance(pixtables, (str, Path)) else list(pixtables)
    defaults: CombineOptions = {"pixfrac": 0.8, "crsigma": 15.0}
    chosen = CombineSettings.of("cube", **(defaults | settings))
    return _run(prepare(paths, offsets, Path(output), chosen, progress, cancel))


def prepare(
    pixtables: Iterable[str | Path],
    offsets: str | Path | OffsetList | None,
    output: Path,
    settings: CombineSettings,
    progress: Progress | None,
    cancel: Stop | None,
) -> Job:
    """Open what goes in, and refuse before the work what would be refused in it or after it."""
    paths = [Path(path) for path in pixtables]
    tables = sorted((PixelTable.open(path) for path in paths), key=lambda t: str(t.header.get("DATE-OBS")))
    listed = OffsetList.read(offsets) if isinstance(offsets, (str, Path)) else offsets
    notes = check_tables(tables, 0.0 if settings.crtype == "others" else settings.crsigma)
    notes += check_offsets(tables, listed, allow_missing=settings.allow_missing)
    notes += turned_exposures(tables, listed, applied=settings.engine != "eso")
    notes += weight_notes(tables, settings.weight)
    if isinstance(offsets, (str, Path)):
        notes += check_list(Path(offsets))
    settings.check()
    curves = read_filter_list(settings.filter_list) if settings.filter_list else None
    for name in settings.filters:
        throughput(name, 6000.0, curves)
    images = settings.images(output)
    others = {"OFFSET_LIST": offsets, "FILTER_LIST": settings.filter_list, "OUTPUT_WCS": settings.grid}
    files = {category: Path(file) for category, file in others.items() if isinstance(file, (str, Path))}
    for path in (output, *images.values()):
        refuse_existing(path, force=settings.force, inputs=[*paths, *files.values()])
    return Job(
        tables=tables,
        offsets=listed,
        settings=settings,
        resampling=settings.resampling(),
        output=output,
        images=images,
        curves=curves,
        grid=read_grid(settings.grid) if settings.grid is not None else None,
        calibrations=tuple((file.name, category) for category, file in files.items()),
        notes=notes,
        progress=progress or silent,
        cancel=cancel,
    )


def _run(job: Job) -> Combination:
    if job.settings.engine == "eso":
        from muse_nb.steps.combine.eso import run_eso  # the recipes are not needed otherwise

        result = run_eso(job)
    else:
        result = run_stream(job)
    for note in (*result.findings, *(check.text for check in result.checks if check.good is False)):
        warnings.warn(note, MuseWarning, stacklevel=3)
    return result
