"""Spectra of all stars of a cube at once: every plane is fitted with their common profile."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from muse_nb.core.errors import MuseError
from muse_nb.core.progress import Progress, watched
from muse_nb.kernels.crowd import Mesh
from muse_nb.products.cube_file import CubeFile
from muse_nb.products.filters import NAMES, read_filter_list
from muse_nb.steps.stars.assemble import Fitted, spectra_of
from muse_nb.steps.stars.fit.bins import read_bins
from muse_nb.steps.stars.fit.blends import blends
from muse_nb.steps.stars.fit.field import find_stars, fit_stars
from muse_nb.steps.stars.fit.planes import fit_cube
from muse_nb.steps.stars.fit.profile import LANES, Profile
from muse_nb.steps.stars.fit.shape import Image
from muse_nb.steps.stars.fit.shapes import measure_shapes
from muse_nb.steps.stars.positions import Listed, field_plane, listed, placed
from muse_nb.steps.stars.result import StarSpectra

if TYPE_CHECKING:
    from astropy.table import Table

    from muse_nb.core.process import Stop

__all__ = ["extract_stars"]

BACKGROUND = 12.0  # arcsec between the nodes of the background's mesh
SEEING = 0.8  # arcsec, where the white light shows no star
LEAST_SIDE = 12  # spaxels of a field in which stars can be fitted
TELLING = 3  # stars bright enough to tell how the profile's core differs from a Moffat
BRIGHT = 60.0  # sigma of such a star in the white light
DEEPEST = 0.05  # of a voxel's noise, that tells how far stars are drawn
MOST_THREADS = 8


def extract_stars(
    cube: str | Path | CubeFile,
    stars: Table | str | Path | None = None,
    *,
    background: float = BACKGROUND,
    filters: tuple[str, ...] = NAMES,
    filter_list: str | Path | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
    cancel: Stop | None = None,
) -> StarSpectra:
    """Take the spectra of all stars of a cube, fitted together in every plane.

    Parameters
    ----------
    cube
        DATACUBE_FINAL, or any cube with a sky and wavelengths.
    stars
        Where they are: picks.ecsv, a catalogue (ra and dec in degrees, pmra, pmdec and ref_epoch where they are known,
        Gaia's and VizieR's names too), or a table of either. Without it, all stars that the white light shows.
    background
        Mesh of the background [arcsec]; 0 for a constant in each plane. Take 3 to 5 on a galaxy or a nebula.
    filters, filter_list
        Names of filters for magnitudes, and a FILTER_LIST with their curves; those that the wavelengths do not cover
        are left out.
    threads
        To work on; default: one a core.
    progress, cancel
        Told of every piece; stops when set.

    Returns
    -------
    StarSpectra
        Total fluxes by plane with errors, and a table of stars.

    Raises
    ------
    MuseError
        The cube or the list cannot be read, there is no star, the list is not of this field, or it was cancelled.

    Examples
    --------
    >>> found = muse_nb.extract_stars("CUBE.fits")
    >>> found.flux.shape == (len(found.stars), 361)
    True
    >>> found.stars.colnames[:6]
    ['number', 'id', 'ra', 'dec', 'x', 'y']
    """
    opened = cube if isinstance(cube, CubeFile) else CubeFile.open(cube)
    axis, curves = opened.axis, None if filter_list is None else read_filter_list(filter_list)
    if not background >= 0:
        raise MuseError(f"the background's mesh is {background:g} arcsec: give 0 or more")
    given = None if stars is None else listed(stars, opened)
    step = watched(progress, cancel, f"the extraction of stars from {opened.path}")
    fitted = _fit(opened, given, background, threads or _cores(), step)
    return spectra_of(fitted, axis, filters, curves)


def _cores() -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(MOST_THREADS, cores)


def _fit(cube: CubeFile, given: Listed | None, background: float, threads: int, step: Progress) -> Fitted:
    _, ny, nx = cube.shape
    if min(ny, nx) < LEAST_SIDE:
        raise MuseError(f"the field of {cube.path} is {nx} x {ny} spaxels: too small to fit stars in")
    plane, _ = field_plane(cube)
    bins = read_bins(cube, step)
    if not np.isfinite(bins.image).any():
        raise MuseError(f"{cube.path} holds no data: all of its voxels are NaN, or their variances are not above 0")
    mesh = Mesh.of((ny, nx), -(-nx // LANES) * LANES, background / plane.scale)
    white = Image.of(*bins.white, mesh)
    step("the stars are looked for", 0, 0)
    noise = bins.noise[np.isfinite(bins.noise)]
    deepest = DEEPEST * float(np.median(noise)) if len(noise) else 0.0
    field = find_stars(white, plane, deepest)
    profile = Profile.of_width(SEEING / plane.scale) if field is None else field.profile
    told = placed(field, given, cube, profile.fwhm)
    if given is not None or field is None:
        field = fit_stars(white, told.stars, profile, len(told.asked), deepest)
    step("the profile is measured", 0, 0)
    core = int((field.fit.significance > BRIGHT).sum()) >= TELLING
    shapes = measure_shapes(bins, field.stars, field.profile, mesh, core)
    overlaps = blends(field.stars.stamps(white, field.profile), mesh, white.variance, bins.shared)
    planes = fit_cube(cube, bins, field.stars, shapes, mesh, threads=threads, step=step)
    return Fitted(cube, bins, told, white, field, shapes, planes, overlaps)
