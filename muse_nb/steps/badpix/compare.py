"""With the bad-pixel table and without: what it costs, what it keeps out, and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.errors import MuseError
from muse_nb.core.progress import Progress
from muse_nb.core.robust import SIGMA_OF_MAD
from muse_nb.products.cube_file import CubeFile
from muse_nb.steps.badpix.repair import repair
from muse_nb.steps.badpix.result import BadpixComparison, Gain, Side
from muse_nb.steps.nans.audit import audit_nans

__all__ = ["compare_badpix"]

OUTLIER = 8.0  # sigma: a voxel that differs by more from its neighbours in wavelength is one
EVERY = 4  # of this many planes one is enough for the voxels that both cubes have
VARIANCE = 1.5  # of a voxel minus the mean of its two neighbours, over that of a voxel

Floats = NDArray[np.floating]
Choice = bool | str | Path
"""A bad-pixel table: True, that of the calibrations; False, none; or a file."""


def compare_badpix(
    exposure: str | Path | Sequence[str | Path],
    calibrations: str | Path | None = None,
    tables: tuple[Choice, Choice] = (True, False),
    output: str | Path = "badpix",
    *,
    names: tuple[str, str] = ("with", "without"),
    progress: Progress | None = None,
    **options: Any,
) -> BadpixComparison:
    """Reduce an exposure with a bad-pixel table and without (or with two tables) and compare.

    Parameters
    ----------
    exposure
        The raw frame; or two folders that hold reductions of it already (DATACUBE_FINAL and PIXTABLE_REDUCED).
    calibrations
        Folder of the calibrations; not needed with two folders.
    tables
        For each reduction: True for the BADPIX_TABLE of the calibrations, False for none, or a table. With two folders,
        the tables that went into them, where they are known.
    output
        Folder for the two reductions; what is there is not made again.
    names
        What to call the two.
    progress
        Called with what is done, how much of it, and of how much; lines of the recipes' logs are of 0.
    **options
        Go to `muse_nb.recipes.reduce.reduce`.

    Raises
    ------
    MuseError
        A file is missing, the recipes are not installed or fail.

    Examples
    --------
    >>> one = muse_nb.survey("night").files_of("PIXTABLE_REDUCED")[0].parent
    >>> tables = ("night/calib/BADPIX_TABLE_zealous.fits", "night/calib/BADPIX_TABLE.fits")
    >>> first = muse_nb.reduce_with_badpix(one, tables[0], "zealous")
    >>> second = muse_nb.reduce_with_badpix(one, tables[1], "true")
    >>> compared = muse_nb.compare_badpix([first, second], tables=tables, names=("zealous", "true"))
    >>> print(compared.advice)
    BADPIX_TABLE_zealous.fits takes 1.9...% of the field; ...: repair it, ... of its 136425 pixels are good ...
    """
    if isinstance(exposure, str | Path):
        if calibrations is None:
            raise MuseError(f"{exposure} cannot be reduced without calibrations: give their folder, or two reductions")
        folders = _reduce(
            Path(exposure), Path(calibrations), tables, Path(output), names, options | {"progress": progress}
        )
        known = [_table_of(table, Path(calibrations)) for table in tables]
    else:
        folders = [Path(folder) for folder in exposure]
        if len(folders) != 2:
            raise MuseError(f"{len(folders)} folders given: a comparison needs two reductions")
        known = [Path(table) if isinstance(table, str | Path) else None for table in tables]
    sides = [_side(*about, progress) for about in zip(names, folders, known, strict=True)]
    first, second = sides
    judged = repair(first.badpix, [first.pixtable]) if first.badpix is not None else None
    return BadpixComparison(first, second, _gain(first, second), judged)


def _reduce(
    raw: Path,
    calibrations: Path,
    tables: tuple[Choice, Choice],
    output: Path,
    names: tuple[str, str],
    options: dict[str, Any],
) -> list[Path]:
    from muse_nb.recipes.reduce import reduce

    made = [
        reduce(raw, calibrations, output / name, badpix=table, **options)
        for name, table in zip(names, tables, strict=True)
    ]
    return [reduction.folder for reduction in made]


def _table_of(table: Choice, calibrations: Path) -> Path | None:
    if not isinstance(table, bool):
        return Path(table)
    if not table:
        return None
    found = sorted(calibrations.glob("BADPIX_TABLE.fits")) or sorted(calibrations.glob("BADPIX_TABLE*.fits"))
    return found[0] if found else None


def _side(name: str, folder: Path, badpix: Path | None, progress: Progress | None) -> Side:
    cubes = sorted(folder.glob("DATACUBE_FINAL*.fits"))
    tables = sorted(folder.glob("PIXTABLE_REDUCED*.fits"))
    if not cubes or not tables:
        what = "DATACUBE_FINAL" if not cubes else "PIXTABLE_REDUCED"
        raise MuseError(f"{folder} holds no {what}: reduce the exposure with save=cube,individual")
    audit = audit_nans(cubes[0], tables, badpix, progress=progress)
    return Side(name, cubes[0], tables[0], badpix, audit)


def _gain(first: Side, second: Side) -> Gain:
    """Compare two cubes of the same exposure, plane by plane.

    Raises
    ------
    MuseError
        They are not on the same grid.
    """
    one, two = first.audit.cube, second.audit.cube
    if one.shape != two.shape:
        raise MuseError(f"{one.path} and {two.path} have different sizes: reduce both with the same parameters")
    gained = lost = 0
    common: list[Floats] = []
    new: list[Floats] = []
    for k, here, there, deviation in _deviations(one, two):
        only_second = np.isnan(here) & np.isfinite(there)
        gained += int(only_second.sum())
        lost += int((np.isfinite(here) & np.isnan(there)).sum())
        known = np.isfinite(deviation)
        new.append(deviation[only_second & known])
        if k % EVERY == 0:
            common.append(deviation[np.isfinite(here) & known])
    both, only = (np.concatenate(values) if values else np.zeros(0) for values in (common, new))
    inside = int(second.audit.empty.inside.sum()) * two.shape[0]
    return Gain(gained, lost, inside, _scatter(both), _scatter(only), _outliers(both), _outliers(only))


def _deviations(one: CubeFile, two: CubeFile) -> Iterator[tuple[int, Floats, Floats, Floats]]:
    """Planes of both cubes, and of the second its deviation from the planes beside it [sigma of STAT]."""
    nz, has_stat = two.shape[0], two.has("STAT")
    with one.reader() as first, two.reader() as second, two.reader("STAT" if has_stat else "DATA") as variance:
        for k in range(1, nz - 1):
            before, here, after = second(k - 1), second(k), second(k + 1)
            stat = variance(k) if has_stat else np.ones_like(here)
            with np.errstate(invalid="ignore", divide="ignore"):
                deviation = (here - 0.5 * (before + after)) / np.sqrt(VARIANCE * stat)
            yield k, first(k), here, deviation


def _scatter(deviation: Floats) -> float:
    """Robust scatter about zero."""
    return float(SIGMA_OF_MAD * np.median(np.abs(deviation))) if deviation.size else float("nan")


def _outliers(deviation: Floats) -> float:
    return float((np.abs(deviation) > OUTLIER).mean()) if deviation.size else 0.0
