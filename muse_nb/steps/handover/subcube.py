"""The voxels around a source and a line: cut out, their continuum taken off with that of the neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.errors import MuseError
from muse_nb.core.robust import SIGMA_OF_MAD
from muse_nb.products.cube_file import CubeFile
from muse_nb.products.light.air import to_air, to_vacuum
from muse_nb.products.spectral_axis import SpectralAxis
from muse_nb.products.voxels import Voxels
from muse_nb.steps.look.catalogue import find_line

__all__ = ["Emission", "Subcube", "cut", "emission", "finite_median"]

Array = NDArray[np.float64]
C_KM_S = 299792.458
DOUBLETS = {  # names -> the two lines at rest in air [Angstrom], and the usual flux of the bluer over the redder's
    ("[OII]", "[OII]3726", "[OII]3729"): (3726.03, 3728.82, 0.8),
    ("[SII]", "[SII]6716", "[SII]6731"): (6716.44, 6730.82, 1.25),
}
BESIDE = 60.0  # Angstrom on either side of the line that tell the continuum
MIN_BESIDE = 8  # planes of them
MIN_SIDE = 9  # spaxels of a subcube
CLIP = 3.0  # sigma of planes that are no continuum
MIN_GOOD = 0.5  # of the planes beside the line that a spaxel must have


@dataclass(frozen=True)
class Emission:
    """A line, or a doublet that MUSE does not part, of a source.

    Attributes
    ----------
    name : str
    observed : tuple of float
        Wavelengths in the cube's medium [Angstrom], from blue to red.
    ratio : float or None
        Flux of the bluer line over the redder's; None of a single line.
    """

    name: str
    observed: tuple[float, ...]
    ratio: float | None


def emission(line: str | float, redshift: float, medium: str) -> Emission:
    """Find a line, or the doublet that it belongs to, at a redshift.

    Raises
    ------
    MuseError
        There is no such line, or the redshift is none.
    """
    if not -0.9 < redshift < 20:
        raise MuseError(f"a redshift of {redshift:g} is none: give the one at which the line is seen")
    wanted = str(line).strip().lower().replace(" ", "")
    for names, (blue, red, ratio) in DOUBLETS.items():
        if wanted in [name.lower() for name in names]:
            return Emission(names[0], tuple(_observed(air, redshift, medium) for air in (blue, red)), ratio)
    found = find_line(line)
    return Emission(found.name, (_observed(found.air, redshift, medium),), None)


def _observed(air: float, redshift: float, medium: str) -> float:
    """Where a line is seen: moved in vacuum, where wavelengths grow by 1 + z."""
    vacuum = float(to_vacuum(air)) * (1 + redshift)
    return vacuum if medium == "vacuum" else float(to_air(vacuum))


@dataclass(frozen=True)
class Subcube:
    """Voxels of a source around its line.

    Attributes
    ----------
    rows, columns, planes : range
        Where they lie in the cube, from 0.
    wavelength : numpy.ndarray
        Of the planes [Angstrom], shape (nz,).
    data, variance : numpy.ndarray
        Less the continuum, and their variance with that of the continuum; shape (nz, ny, nx), NaN where there is none.
    continuum : numpy.ndarray
        What was taken off in the middle of the line, shape (ny, nx).
    beside, beside_error : numpy.ndarray
        Planes beside the line less the continuum, and the root of their STAT, shape (planes, ny, nx).
    slope : bool
        Whether the continuum is a line; else a constant, where one side only holds planes.
    has_stat : bool
        Whether `variance` is the cube's; else it is the scatter beside the line.
    clipped : bool
        Whether the box reaches beyond the field.
    spikes : numpy.ndarray or None
        Voxels that were taken for what is left of cosmic rays, and made NaN; None where nobody looked.
    """

    rows: range
    columns: range
    planes: range
    wavelength: Array
    data: Array
    variance: Array
    continuum: Array
    beside: Array
    beside_error: Array
    slope: bool
    has_stat: bool
    clipped: bool
    spikes: NDArray[np.bool_] | None = None


def cut(
    cube: CubeFile, axis: SpectralAxis, place: tuple[float, float], line: Emission, size: int, km_s: float
) -> Subcube:
    """Cut the voxels around a place (x and y from 0) and a line out of a cube, and take their continuum off.

    Parameters
    ----------
    cube, axis
        The cube and its wavelengths.
    place
        Of the source [spaxel from 0].
    line
        What shines.
    size
        Side of the box [spaxel].
    km_s
        How far the line reaches to either side [km/s].

    Raises
    ------
    MuseError
        The place or the line lies off the cube, or too little is left beside the line.
    """
    nz, ny, nx = cube.shape
    x, y = (round(value) for value in place)
    if not (0 <= x < nx and 0 <= y < ny):
        raise MuseError(f"the source lies off {cube.path}: give its RA and DEC in degrees")
    half = size // 2
    columns, rows = range(max(0, x - half), min(nx, x + half + 1)), range(max(0, y - half), min(ny, y + half + 1))
    if min(len(columns), len(rows)) < MIN_SIDE:
        raise MuseError(f"less than {MIN_SIDE} spaxels of {cube.path} are left around the source: give a larger size")
    low, high = line.observed[0] * (1 - km_s / C_KM_S), line.observed[-1] * (1 + km_s / C_KM_S)
    planes, wide = axis.within(low, high, nz), axis.within(low - BESIDE, high + BESIDE, nz)
    wavelength = axis.wavelengths(nz)
    if not len(planes) or not wavelength[0] <= line.observed[0] <= line.observed[-1] <= wavelength[-1]:
        raise MuseError(
            f"{line.name} would be at {line.observed[-1]:.1f} Angstrom, and {cube.path} reaches from"
            f" {wavelength[0]:.1f} to {wavelength[-1]:.1f}: check line and redshift"
        )
    if len(wide) - len(planes) < MIN_BESIDE:
        raise MuseError(f"{cube.path} has too few planes beside {line.name} to tell the continuum: take fewer km/s")
    box = (slice(wide.start, wide.stop), slice(rows.start, rows.stop), slice(columns.start, columns.stop))
    data = _finite(Voxels(cube)[box])
    stat = _finite(Voxels(cube, "STAT")[box]) if cube.has("STAT") else None
    if stat is not None:
        stat[~(stat > 0)] = np.nan
    if not np.isfinite(data).any():
        raise MuseError(f"{cube.path} has no data around the source: all voxels there are NaN")
    at = wavelength[wide.start : wide.stop]
    on = (at >= low) & (at <= high)
    slope = min(int((at < low).sum()), int((at > high).sum())) >= MIN_BESIDE // 2
    level, spread, noise = _continuum(at, data, stat, ~on, slope)
    known = stat is not None and bool(np.isfinite(stat[on]).any())
    variance = (stat if stat is not None and known else np.broadcast_to(noise**2, data.shape)) + spread
    variance = np.where(np.isfinite(data), variance, np.nan)
    data = np.where(np.isfinite(variance), data - level, np.nan)
    return Subcube(
        rows, columns, planes, at[on], data[on], variance[on], level[on].mean(0), data[~on], np.sqrt(variance[~on]),
        slope, known, len(rows) < 2 * half + 1 or len(columns) < 2 * half + 1,
    )  # fmt: skip


def _finite(values: NDArray[np.float32]) -> Array:
    made = values.astype(np.float64)
    made[~np.isfinite(made)] = np.nan
    return np.asarray(made)


def _continuum(
    at: Array, data: Array, stat: Array | None, beside: NDArray[np.bool_], slope: bool
) -> tuple[Array, Array, Array]:
    """Fit a line (or a constant) to each spaxel's planes beside the emission; return it, its variance, and the scatter.

    Planes that lie off by more than `CLIP` sigma are left out in a second fit.
    """
    x = (at - at.mean()) / max(float(np.ptp(at)), 1.0)
    terms = np.array([np.ones_like(x), x] if slope else [np.ones_like(x)])
    good = np.isfinite(data) & beside[:, None, None]
    if stat is not None and np.isfinite(stat).any():
        good &= np.isfinite(stat)
    enough = good.sum(0) >= MIN_GOOD * beside.sum()
    for _ in range(3):
        weight = good.astype(float)
        normal = np.einsum("iz,jz,zyx->yxij", terms, terms, weight) + 1e-9 * np.eye(len(terms))
        right = np.einsum("iz,zyx->yxi", terms, weight * np.where(good, data, 0.0))
        inverse = np.linalg.inv(normal)
        level = np.einsum("iz,yxij,yxj->zyx", terms, inverse, right)
        left = np.where(good, data - level, np.nan)
        with np.errstate(all="ignore"):
            centre = np.where(enough, finite_median(left), np.nan)
            noise = SIGMA_OF_MAD * finite_median(np.abs(left - centre))
        good &= np.abs(np.where(good, data - level, 0.0)) <= CLIP * np.where(enough, noise, np.inf)
    spread = np.einsum("iz,yxij,jz->zyx", terms, inverse, terms) * noise**2
    return np.where(enough, level, np.nan), np.where(enough, spread, np.nan), np.where(enough, noise, np.nan)


def finite_median(values: Array) -> Array:
    """Median of the finite values of each spaxel; NaN where there is none, without a warning."""
    ordered = np.sort(values, axis=0)  # NaN go last
    number = np.isfinite(ordered).sum(0)
    low, high = np.maximum((number - 1) // 2, 0), np.maximum(number // 2, 0)
    take = np.take_along_axis
    high = np.minimum(high, len(ordered) - 1)
    found: Array = (take(ordered, low[None], 0)[0] + take(ordered, high[None], 0)[0]) / 2
    return found
