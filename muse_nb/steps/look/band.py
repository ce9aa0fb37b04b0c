"""Images of bands of a cube, the continuum beside them taken off; read plane by plane."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.errors import MuseError
from muse_nb.core.progress import Progress, watched
from muse_nb.products.cube_file import CubeFile
from muse_nb.products.spectral_axis import SpectralAxis
from muse_nb.products.voxels import Voxels
from muse_nb.steps.look import direct
from muse_nb.steps.look.headers import sky_axes, unit_of
from muse_nb.steps.look.result import Band

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mpdaf.obj import Image

    from muse_nb.core.process import Stop

__all__ = ["BAND_HOWS", "band", "image_of"]

Array = NDArray[np.float64]
BAND_HOWS = ("mean", "sum", "median")
_MEDIAN_ROWS = 4_000_000  # voxels of a median that are held at once


def band(
    cube: str | Path | CubeFile,
    limits: tuple[float, float],
    *,
    continuum: Sequence[tuple[float, float]] = (),
    how: str = "mean",
    progress: Progress | None = None,
    cancel: Stop | None = None,
) -> Image:
    """Make the image of a range of wavelengths of a cube.

    Parameters
    ----------
    cube
        DATACUBE_FINAL or any cube with wavelengths.
    limits
        First and last wavelength [Angstrom, as the cube's]; planes whose centres lie within are taken.
    continuum
        Ranges [Angstrom] whose mean, of all their planes together, is taken off each plane.
    how
        ``mean``, ``sum`` (of the planes times their width, in the cube's unit times Angstrom) or ``median``.
    progress, cancel
        Told of every plane; stops when set.

    Returns
    -------
    mpdaf.obj.Image
        With its variance where the cube has STAT; planes are taken for independent.

    Raises
    ------
    MuseError
        The cube cannot be read, no plane lies within a range, or it was cancelled.

    Examples
    --------
    >>> image = muse_nb.band("CUBE.fits", (6555, 6570), continuum=[(6500, 6540), (6585, 6625)])
    >>> image.shape
    (77, 77)
    """
    return image_of(cube, limits, continuum=continuum, how=how, progress=progress, cancel=cancel).mpdaf()


def image_of(
    cube: str | Path | CubeFile,
    limits: tuple[float, float],
    *,
    continuum: Sequence[tuple[float, float]] = (),
    how: str = "mean",
    errors: bool = True,
    progress: Progress | None = None,
    cancel: Stop | None = None,
) -> Band:
    """Make the image of a band as plain arrays, if need be without `errors`; everything else is as of `band`."""
    if how not in BAND_HOWS:
        raise MuseError(f"how={how!r} is none of {', '.join(BAND_HOWS)}")
    opened = cube if isinstance(cube, CubeFile) else CubeFile.open(cube)
    axis = SpectralAxis.of(opened.header, opened.path)
    planes = _planes(opened, axis, limits)
    beside = sorted({plane for window in continuum for plane in _planes(opened, axis, window)})
    step = watched(progress, cancel, f"the band of {opened.path}")
    data, variance, number = _reduced(opened, planes, "median" if how == "median" else "mean", errors, step)
    unit, notes = unit_of(opened), []
    if beside:
        level, spread, _ = _reduced(opened, beside, "mean", errors, step)
        data = data - level
        variance = None if variance is None or spread is None else variance + spread
    if how == "sum":
        widths = (
            np.abs(np.gradient(axis.wavelengths(opened.shape[0])))[planes] if opened.shape[0] > 1 else [abs(axis.step)]
        )
        width = float(np.sum(widths))
        data, variance = data * width, None if variance is None else variance * width**2
        unit = f"{unit} Angstrom".strip()
    if errors and variance is None:
        notes.append(f"{opened.path.name} has no STAT: errors are not known")
    short = int(((number > 0) & (number < len(planes))).sum())
    if short:
        notes.append(f"{short} spaxels lack some of the {len(planes)} planes: their value is of the others")
    error = None if variance is None else np.sqrt(np.where(variance >= 0, variance, np.nan))
    return Band(opened.path, data, error, unit, len(planes), sky_axes(opened), tuple(notes))


def _planes(cube: CubeFile, axis: SpectralAxis, limits: tuple[float, float]) -> list[int]:
    """Planes of a range, in order."""
    low, high = sorted(limits)
    planes = list(axis.within(low, high, cube.shape[0]))
    if not planes:
        first, last = axis.wavelength(0), axis.wavelength(cube.shape[0] - 1)
        raise MuseError(
            f"no plane of {cube.path} lies between {low:g} and {high:g} Angstrom: it reaches from {first:.1f} to"
            f" {last:.1f}"
        )
    return planes


def _reduced(
    cube: CubeFile, planes: list[int], how: str, errors: bool, step: Progress
) -> tuple[Array, Array | None, NDArray[np.int64]]:
    """Mean or median of planes by spaxel, its variance, and how many of them hold data."""
    data = Voxels(cube)
    variance = Voxels(cube, "STAT") if errors and cube.has("STAT") else None
    _, ny, nx = cube.shape
    everything = (slice(0, ny), slice(0, nx))
    total, spread, number = np.zeros((ny, nx)), np.zeros((ny, nx)), np.zeros((ny, nx), np.int64)
    quick = direct.possible(data, variance)
    if quick:
        direct.add(data, variance, planes, (total, spread, number), step)
    for done, plane in enumerate([] if quick else planes):
        here = slice(plane, plane + 1)
        values = data[(here, *everything)][0].astype(float)
        good = np.isfinite(values)
        total[good] += values[good]
        number += good
        if variance is not None:
            told = variance[(here, *everything)][0].astype(float)
            spread[good] += told[good]
        step("planes read", done + 1, len(planes))
    with np.errstate(divide="ignore", invalid="ignore"):
        mean, error2 = total / number, spread / number.astype(float) ** 2
    if how == "median":
        mean = _median(data, planes, everything)
        error2 = error2 * np.where(number > 2, np.pi / 2, 1.0)
    return (
        np.where(number > 0, mean, np.nan),
        None if variance is None else np.where(number > 0, error2, np.nan),
        number,
    )


def _median(data: Voxels, planes: list[int], everything: tuple[slice, slice]) -> Array:
    """Median of planes, a few rows of the image at a time."""
    rows, columns = everything
    result = np.full((rows.stop, columns.stop), np.nan)
    thick = max(1, _MEDIAN_ROWS // (len(planes) * columns.stop))
    for start in range(0, rows.stop, thick):
        part = slice(start, min(rows.stop, start + thick))
        values = data[slice(planes[0], planes[-1] + 1), part, columns].astype(float)
        values = values[np.array(planes) - planes[0]]
        some = np.isfinite(values).any(0)
        values[~np.isfinite(values)] = np.nan
        result[part][some] = np.nanmedian(values[:, some], axis=0)
    return result
