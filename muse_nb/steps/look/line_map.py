"""Maps of a line: flux, velocity and dispersion of every spaxel, by a Gaussian or by moments."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.errors import MuseError
from muse_nb.core.progress import Progress, watched
from muse_nb.kernels.lines import fit_lines
from muse_nb.products.cube_file import CubeFile
from muse_nb.products.spectral_axis import SpectralAxis
from muse_nb.products.voxels import Voxels
from muse_nb.steps.look.catalogue import Line, find_line
from muse_nb.steps.look.headers import sky_axes, unit_of
from muse_nb.steps.look.line_maps import LineFit, LineMaps
from muse_nb.steps.look.moments import line_moments

if TYPE_CHECKING:
    from muse_nb.core.process import Stop

__all__ = ["line_fit", "line_map"]

Array = NDArray[np.float64]
C_KM_S = 299792.458
METHODS = ("gauss", "moments")
LSF_SIGMA = 2.6 / 2.3548  # Angstrom: of a narrow line in MUSE, the first guess
MIN_PLANES = 12  # of a window
ROWS = 2_000_000  # voxels that are fitted at once
SIGMA_PER_FWHM = 1 / 2.3548200450309493


def line_map(
    cube: str | Path | CubeFile,
    line: str | float,
    redshift: float = 0.0,
    *,
    method: str = "gauss",
    velocities: float = 600.0,
    continuum: float = 40.0,
    lsf: float | None = None,
    min_snr: float = 3.0,
    threads: int | None = None,
    progress: Progress | None = None,
    cancel: Stop | None = None,
) -> LineMaps:
    """Measure a line in every spaxel of a cube.

    Parameters
    ----------
    cube
        DATACUBE_FINAL or any cube with wavelengths.
    line
        Its name, as ``Halpha`` or ``[OIII]5007``, or its wavelength at rest in air [Angstrom].
    redshift
        Where it is expected: zero of the velocities.
    method
        ``gauss``: a Gaussian on a sloping continuum, by weighted least squares; ``moments``: sums over the line's
        window above a straight continuum through the windows beside it.
    velocities
        Half width of the line's window [km/s]: where its centre may lie.
    continuum
        Width of the windows on either side [Angstrom].
    lsf
        FWHM of the line-spread function [Angstrom], that is taken out of the dispersion in quadrature.
    min_snr
        Spaxels whose flux is less than so many of its errors have NaN for velocity and dispersion.
    threads
        By default, the processors at hand.
    progress, cancel
        Told of every piece; stops when set.

    Returns
    -------
    LineMaps
        Velocities are c (lambda / (lambda_rest (1 + redshift)) - 1), both wavelengths in the cube's medium.

    Raises
    ------
    MuseError
        The cube cannot be read, the line lies off it or is unknown, or it was cancelled.

    Examples
    --------
    >>> maps = muse_nb.line_map("CUBE.fits", "Halpha")
    >>> maps.expected  # Angstrom, in air as the cube's
    6562.79
    >>> maps.write("MAPS.fits").name
    'MAPS.fits'
    """
    if method not in METHODS:
        raise MuseError(f"method={method!r} is none of {', '.join(METHODS)}")
    opened = cube if isinstance(cube, CubeFile) else CubeFile.open(cube)
    axis, wanted = SpectralAxis.of(opened.header, opened.path), find_line(line)
    expected = wanted.rest(axis.medium) * (1 + redshift)
    reach = velocities / C_KM_S * expected
    planes = _window(opened, axis, wanted, expected, reach + continuum)
    x = axis.wavelengths(opened.shape[0])[planes.start : planes.stop] - expected
    step = watched(progress, cancel, f"the map of {wanted.name} in {opened.path}")
    limits = (0.4 * abs(axis.step), 2 * reach)
    found = _measured(opened, planes, x, reach, limits, method, threads or os.cpu_count() or 1, step)
    flux, centre, sigma, level, *errors = found
    to_velocity = C_KM_S / expected
    notes = (
        [] if opened.has("STAT") else [f"{opened.path.name} has no STAT: errors come from the scatter about the fit"]
    )
    if axis.medium == "unknown":
        notes.append(f"CTYPE3 does not say whether wavelengths are in air or vacuum: {wanted.name} is taken in air")
    if lsf is not None:
        narrow = lsf * SIGMA_PER_FWHM
        inside = sigma**2 - narrow**2
        with np.errstate(invalid="ignore", divide="ignore"):
            intrinsic = np.sqrt(np.where(inside > 0, inside, np.nan))
            errors[2] = errors[2] * sigma / intrinsic
        unresolved = int((inside <= 0).sum())
        sigma = np.where(inside > 0, intrinsic, np.where(np.isfinite(inside), 0.0, np.nan))
        errors[2] = np.where(inside > 0, errors[2], np.nan)
        if unresolved:
            notes.append(f"{unresolved} spaxels have lines narrower than the LSF: dispersion 0, without an error")
    faint = ~(np.abs(flux) >= min_snr * errors[0])
    maps = {
        "FLUX": flux,
        "VELOCITY": np.where(faint, np.nan, centre * to_velocity),
        "DISPERSION": np.where(faint, np.nan, sigma * to_velocity),
        "FLUX_ERR": errors[0],
        "VELOCITY_ERR": np.where(faint, np.nan, errors[1] * to_velocity),
        "DISPERSION_ERR": np.where(faint, np.nan, errors[2] * to_velocity),
        "CONTINUUM": level,
    }
    return LineMaps(
        opened.path, wanted.name, expected, redshift, method, maps, unit_of(opened), sky_axes(opened), tuple(notes)
    )


def line_fit(
    cube: str | Path | CubeFile,
    line: str | float,
    redshift: float,
    x: int,
    y: int,
    *,
    velocities: float = 600.0,
    continuum: float = 40.0,
) -> LineFit:
    """Fit one spaxel as `line_map` does, and give the curve.

    Parameters
    ----------
    x, y
        The spaxel, from 0.
    cube, line, redshift, velocities, continuum
        As of `line_map`.

    Raises
    ------
    MuseError
        The cube cannot be read, the line lies off it or is unknown, or there is no such spaxel.
    """
    opened = cube if isinstance(cube, CubeFile) else CubeFile.open(cube)
    nz, ny, nx = opened.shape
    if not (0 <= x < nx and 0 <= y < ny):
        raise MuseError(f"there is no spaxel {x + 1}, {y + 1} in {opened.path}: it has {nx} x {ny}")
    axis, wanted = SpectralAxis.of(opened.header, opened.path), find_line(line)
    expected = wanted.rest(axis.medium) * (1 + redshift)
    reach = velocities / C_KM_S * expected
    planes = _window(opened, axis, wanted, expected, reach + continuum)
    at = axis.wavelengths(nz)[planes.start : planes.stop] - expected
    box = (slice(planes.start, planes.stop), slice(y, y + 1), slice(x, x + 1))
    values = Voxels(opened)[box].astype(np.float32).reshape(-1, 1)
    spread = Voxels(opened, "STAT")[box].astype(np.float32).reshape(-1, 1) if opened.has("STAT") else None
    limits = (0.4 * abs(axis.step), 2 * reach)
    found = fit_lines(values, spread, at, reach=reach, width=LSF_SIGMA, limits=limits).astype(float)[:, 0]
    curve = _curve(found, at, values[:, 0].astype(float), None if spread is None else spread[:, 0])
    to_velocity = C_KM_S / expected
    names = ("FLUX", "VELOCITY", "DISPERSION", "CONTINUUM", "FLUX_ERR", "VELOCITY_ERR", "DISPERSION_ERR")
    scales = np.array([1, to_velocity, to_velocity, 1, 1, to_velocity, to_velocity])
    told = dict(zip(names, (found[:7] * scales).tolist(), strict=True))
    return LineFit(wanted.name, expected, at + expected, curve, told)


def _curve(found: Array, x: Array, values: Array, spread: NDArray[np.float32] | None) -> Array:
    """The Gaussian that was fitted, on the sloping continuum that fits best with it."""
    if not np.isfinite(found[:4]).all():
        return np.full(len(x), np.nan)
    flux, centre, sigma = found[:3]
    peak = flux / (np.sqrt(2 * np.pi) * sigma) * np.exp(-0.5 * ((x - centre) / sigma) ** 2)
    good = np.isfinite(values) if spread is None else np.isfinite(values) & (spread > 0)
    root = np.where(good, 1.0 if spread is None else 1 / np.sqrt(np.where(good, spread, 1.0)), 0.0)
    below = np.stack([np.ones(len(x)), x], axis=1)
    terms = np.linalg.lstsq(below * root[:, None], np.where(good, values - peak, 0.0) * root, rcond=None)[0]
    return np.asarray(peak + below @ terms)


def _window(cube: CubeFile, axis: SpectralAxis, line: Line, expected: float, half: float) -> range:
    """Planes of the line and the continuum beside it."""
    nz = cube.shape[0]
    planes = axis.within(expected - half, expected + half, nz)
    low, high = sorted((float(axis.wavelength(0)), float(axis.wavelength(nz - 1))))
    if len(planes) < MIN_PLANES or not low <= expected <= high:
        raise MuseError(
            f"{line.name} at {expected:.1f} Angstrom lies off {cube.path}, or too near to an end: it reaches from"
            f" {low:.1f} to {high:.1f}"
        )
    return planes


def _measured(
    cube: CubeFile,
    planes: range,
    x: Array,
    reach: float,
    limits: tuple[float, float],
    method: str,
    threads: int,
    step: Progress,
) -> list[Array]:
    """Flux, centre and width of the line, continuum, and the errors of these: eight images."""
    data = Voxels(cube)
    variance = Voxels(cube, "STAT") if cube.has("STAT") else None
    _, ny, nx = cube.shape
    found = np.full((8, ny, nx), np.nan)
    thick = max(1, ROWS // (len(planes) * nx))
    for start in range(0, ny, thick):
        rows = slice(start, min(ny, start + thick))
        box = (slice(planes.start, planes.stop), rows, slice(0, nx))
        values = data[box].astype(np.float32).reshape(len(planes), -1)
        spread = None if variance is None else variance[box].astype(np.float32).reshape(len(planes), -1)
        if method == "gauss":
            fits = fit_lines(values, spread, x, reach=reach, width=LSF_SIGMA, limits=limits, threads=threads)
            found[:, rows] = fits.reshape(8, -1, nx)
        else:
            found[:, rows] = line_moments(values, spread, x, reach).reshape(8, -1, nx)
        step("rows measured", rows.stop, ny)
    return list(found)
