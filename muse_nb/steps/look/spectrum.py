"""Spectra of regions of a cube, read plane by plane from the few spaxels that are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.errors import MuseError
from muse_nb.core.progress import Progress, watched
from muse_nb.products.cube_file import CubeFile
from muse_nb.products.spectral_axis import SpectralAxis
from muse_nb.products.voxels import Voxels
from muse_nb.steps.look import direct
from muse_nb.steps.look.aperture import Aperture, read_region, ring
from muse_nb.steps.look.headers import unit_of, wavelength_axis
from muse_nb.steps.look.result import Extraction
from muse_nb.steps.look.sums import HOWS, clipped_median, collect

if TYPE_CHECKING:
    from mpdaf.obj import Spectrum
    from regions import Region

    from muse_nb.core.process import Stop

__all__ = ["extract", "spectrum"]

Array = NDArray[np.float64]
CHUNK = 2_000_000  # voxels read at once
COVARIANCE = "errors take spaxels for independent: neighbours share noise after resampling, so that they are too small"


def spectrum(
    cube: str | Path | CubeFile,
    region: Region | str | Path,
    *,
    background: tuple[float, float] | None = None,
    how: str = "sum",
    progress: Progress | None = None,
    cancel: Stop | None = None,
) -> Spectrum:
    """Take the spectrum of a region of a cube.

    Parameters
    ----------
    cube
        DATACUBE_FINAL or any cube with wavelengths.
    region
        A region of the package ``regions`` (in sky or pixel coordinates: circle, ellipse, rectangle, annulus, polygon),
        or a file with one. Fractions of spaxels at its edge are counted exactly.
    background
        Inner and outer radius [arcsec] of a ring about its centre, whose clipped median is taken off.
    how
        ``sum``, ``mean``, ``median``, or ``psf``: the star at its centre, weighted by its own profile.
    progress, cancel
        Told of every piece; stops when set.

    Returns
    -------
    mpdaf.obj.Spectrum
        In the cube's unit, with its variance where the cube has STAT. Planes where less than half of the region holds
        data are NaN (masked), others are scaled to the whole area.

    Raises
    ------
    MuseError
        The cube or the region cannot be read, the region lies off the cube, or it was cancelled.

    Examples
    --------
    >>> from astropy import units as u
    >>> from astropy.coordinates import SkyCoord
    >>> from regions import CircleSkyRegion
    >>> star = CircleSkyRegion(SkyCoord(265.175, -53.674, unit="deg"), 1 * u.arcsec)
    >>> spectrum = muse_nb.spectrum("CUBE.fits", star, background=(2, 3))
    >>> spectrum.shape
    (361,)
    """
    return extract(cube, region, background=background, how=how, progress=progress, cancel=cancel).mpdaf()


def extract(
    cube: str | Path | CubeFile,
    region: Region | str | Path,
    *,
    background: tuple[float, float] | None = None,
    how: str = "sum",
    progress: Progress | None = None,
    cancel: Stop | None = None,
) -> Extraction:
    """Take the spectrum of a region as plain arrays; everything else is as of `spectrum`."""
    from muse_nb.steps.look.point_source import point_source

    if how not in (*HOWS, "psf"):
        raise MuseError(f"how={how!r} is none of {', '.join(HOWS)}, psf")
    opened = cube if isinstance(cube, CubeFile) else CubeFile.open(cube)
    axis = SpectralAxis.of(opened.header, opened.path)
    aperture = Aperture.of(read_region(region) if isinstance(region, str | Path) else region, opened)
    around = Aperture.of(ring(aperture.ra, aperture.dec, *background), opened) if background else None
    step = watched(progress, cancel, f"the spectrum of {opened.path}")
    notes = []
    if how == "psf":
        flux, error, told = point_source(opened, aperture, around, step)
        notes += told
    else:
        flux, error = _collected(opened, aperture, around, how, step)
    if error is None:
        notes.append(f"{opened.path.name} has no STAT: errors are not known")
    elif aperture.area > 1:
        notes.append(COVARIANCE)
    return Extraction(
        cube=opened.path,
        wavelength=axis.wavelengths(opened.shape[0]),
        flux=flux,
        error=error,
        unit=unit_of(opened),
        spaxels=aperture.area,
        ra=aperture.ra,
        dec=aperture.dec,
        how=how,
        medium=axis.medium,
        axis=wavelength_axis(axis),
        notes=tuple(notes),
    )


def pieces(data: Voxels, variance: Voxels | None, aperture: Aperture) -> Iterator[tuple[range, Array, Array | None]]:
    """Read an aperture's box of voxels, some planes at a time, as float64; infinite is NaN."""
    nz = data.shape[0]
    thick = max(1, CHUNK // aperture.fraction.size)
    for start in range(0, nz, thick):
        planes = range(start, min(nz, start + thick))
        box = (slice(planes.start, planes.stop), aperture.rows, aperture.columns)
        values: Any = data[box].astype(np.float64)
        values[~np.isfinite(values)] = np.nan
        yield planes, values, None if variance is None else variance[box].astype(np.float64)


def _collected(
    cube: CubeFile, aperture: Aperture, around: Aperture | None, how: str, step: Progress
) -> tuple[Array, Array | None]:
    data = Voxels(cube)
    variance = Voxels(cube, "STAT") if cube.has("STAT") else None
    nz = cube.shape[0]
    if direct.possible(data, variance):
        return direct.collect(how, data, variance, aperture, around, step)
    flux, error = np.full(nz, np.nan), np.full(nz, np.nan)
    for planes, values, spread in pieces(data, variance, aperture):
        level = None
        if around is not None:
            box = (slice(planes.start, planes.stop), around.rows, around.columns)
            level = clipped_median(data[box].astype(np.float64), around.fraction)
        here = slice(planes.start, planes.stop)
        flux[here], told = collect(how, values, spread, aperture.fraction, aperture.area, level)
        if told is not None:
            error[here] = told
        step("planes read", planes.stop, nz)
    return flux, None if variance is None else error
