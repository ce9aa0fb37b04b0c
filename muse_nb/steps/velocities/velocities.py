"""``muse_nb.velocities``: radial velocities of the stars of a cube."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from muse_nb.core.errors import MuseError
from muse_nb.core.progress import Progress, watched
from muse_nb.core.robust import median
from muse_nb.products.cube_file import CubeFile
from muse_nb.steps.judge.wavelengths import sky_velocity
from muse_nb.steps.stars.result import StarSpectra
from muse_nb.steps.velocities.correlate import C_KM_S, Correlation, Templates, correlate
from muse_nb.steps.velocities.groups import compare_groups
from muse_nb.steps.velocities.origins import ifus_of
from muse_nb.steps.velocities.quality import judge
from muse_nb.steps.velocities.result import Velocities

if TYPE_CHECKING:
    from astropy.table import Table

    from muse_nb.core.process import Stop

__all__ = ["velocities"]

Array = NDArray[np.float64]
LSF = 2.6  # FWHM of MUSE's in the cube, where nobody says [Angstrom]
PIXFRAC = 0.8  # of muse_scipost: a pixel's light lies where its drop is, up to half of the rest away from it
LAGS = 4  # planes apart whose noise is compared
MIN_SHARED = 20  # good spectra that tell the shared noise


def velocities(
    spectra: StarSpectra | str | Path,
    *,
    lsf: float = LSF,
    reach: float = 400.0,
    zero: str | float | None = None,
    ifus: str | ArrayLike | None = None,
    progress: Progress | None = None,
    cancel: Stop | None = None,
) -> Velocities:
    """Measure radial velocities: cross-correlation with templates built from line lists.

    Parameters
    ----------
    spectra
        Of `muse_nb.extract_stars`, or the file that it wrote.
    lsf
        FWHM of the line-spread function [Angstrom].
    reach
        Velocities from -reach to reach are tried [km/s].
    zero
        ``"sky"``: the sky lines of the cube are measured, and their velocity is taken off; a number [km/s] is taken
        off; by default nothing is measured.
    ifus
        ``"cube"``: the stars of each IFU are compared with all others, and tell of wavelengths that are off, in the
        cube of one exposure that was made with ``extensions=["DQ"]``; or the number of each star's IFU, negative for
        none.
    progress, cancel
        Told of every star; stops when set.

    Returns
    -------
    Velocities
        For whom the cube's wavelengths are: barycentric, in cubes of the recipes and ours.

    Raises
    ------
    MuseError
        There are no errors, no lines of stars in the planes, or it was cancelled.

    Examples
    --------
    >>> stars = muse_nb.extract_stars("CUBE.fits")
    >>> found = muse_nb.velocities(stars)
    >>> len(found.table) == len(stars.stars)
    True
    """
    opened = spectra if isinstance(spectra, StarSpectra) else StarSpectra.read(spectra)
    if not len(opened):
        raise MuseError(f"{opened.cube} has no spectra of stars: extract some first")
    if not np.isfinite(opened.error).any():
        raise MuseError(f"{opened.cube} has no STAT: without errors of the spectra no velocity can be weighed")
    if not 20 <= reach <= 3000:
        raise MuseError(f"velocities up to {reach:g} km/s cannot be tried: choose 20 to 3000")
    seen_by = None if ifus is None else _seen_by(ifus, opened)
    templates = Templates(opened.wavelength, lsf, reach, vacuum=opened.medium == "vacuum")
    if not templates.has_lines:
        low, high = opened.wavelength[[0, -1]]
        raise MuseError(f"between {low:.0f} and {high:.0f} Angstrom no line of stars is known here: take more planes")
    step = watched(progress, cancel, "the velocities")
    found: list[Correlation | None] = []
    with threadpool_limits(1):  # the matrices are small
        for row in range(len(opened)):
            flux, error = opened.flux[row].astype(float), opened.error[row].astype(float)
            found.append(correlate(templates, flux, error, ~opened.mask[row]))
            step("stars", row + 1, len(opened))
    shared = _shared(found)
    point, doubt, notes = _zero_point(zero, opened)
    table = _table(opened, found, shared, point if zero is not None and np.isfinite(point) else 0.0)
    table["group"] = np.full(len(opened), -1) if seen_by is None else seen_by
    good = np.asarray(table["quality"]) == 0
    values = np.where(good, np.asarray(table["velocity"], float), np.nan)
    middle, step_of = float(np.median(opened.wavelength)), float(np.median(np.diff(opened.wavelength)))
    moved = (1 - PIXFRAC) / 2 * step_of / middle * C_KM_S
    notes = (
        *notes,
        f"resampling with pixfrac {PIXFRAC} moves the lines of a single exposure by up to {moved:.1f} km/s, much alike"
        " in all stars: that is not in their errors",
    )
    groups = compare_groups(values, np.asarray(table["velocity_err"], float), np.asarray(table["group"]))
    subtracted = zero is not None and bool(np.isfinite(point))
    return Velocities(table, point, doubt, subtracted, shared, groups, notes)


def _seen_by(ifus: str | ArrayLike, spectra: StarSpectra) -> NDArray[np.int64]:
    """Number of each star's IFU."""
    if isinstance(ifus, str):
        if ifus != "cube":
            raise MuseError(f"ifus={ifus!r} is neither 'cube' nor a number for each star")
        return ifus_of(spectra.cube, spectra.stars)
    if np.shape(ifus) != (len(spectra),):
        raise MuseError(f"{np.size(ifus)} IFUs do not belong to {len(spectra)} stars: give one for each")
    return np.asarray(ifus, np.int64)


def _shared(found: Sequence[Correlation | None]) -> float:
    """Factor on errors for what neighbouring planes share of their noise, from the residuals of all spectra.

    The variance of a weighted sum grows by the sum over lags of the noise's correlation times that of the weights with
    themselves.
    """
    good = [one for one in found if one is not None and judge(one) == 0]
    if len(good) < MIN_SHARED:
        return 1.0
    extra = 0.0
    for lag in range(1, LAGS + 1):
        noise, weights = [], []
        for one in good:
            a, b = one.left[:-lag], one.left[lag:]
            both = np.isfinite(a) & np.isfinite(b)
            noise.append((a[both] * b[both]).mean() / max((one.left[np.isfinite(one.left)] ** 2).mean(), 1e-12))
            weights.append((one.slope[:-lag] * one.slope[lag:]).sum() / (one.slope**2).sum())
        extra += 2 * median(noise) * median(weights)
    return float(np.sqrt(max(0.5, 1 + extra)))


def _table(spectra: StarSpectra, found: Sequence[Correlation | None], shared: float, zero: float) -> Table:
    from astropy.table import Table

    nan = float("nan")
    table = Table(spectra.stars[[n for n in ("number", "ra", "dec", "x", "y", "snr") if n in spectra.stars.colnames]])
    if "snr" not in table.colnames:
        with np.errstate(invalid="ignore", divide="ignore"):
            table["snr"] = [median(f / e) for f, e in zip(spectra.flux, spectra.error, strict=True)]
    table["velocity"] = [nan if one is None else one.velocity - zero for one in found]
    table["velocity_err"] = [nan if one is None else one.error * one.scatter * shared for one in found]
    for name in ("teff", "strength", "significance", "second", "scatter"):
        table[name] = [nan if one is None else getattr(one, name) for one in found]
    table["quality"] = [judge(one) for one in found]
    for name in ("velocity", "velocity_err"):
        table[name].unit = "km/s"
    table["teff"].unit = "K"
    return table


def _zero_point(zero: str | float | None, spectra: StarSpectra) -> tuple[float, float, tuple[str, ...]]:
    """Zero point of the wavelengths [km/s], its error, and what to say of it."""
    nan = float("nan")
    if zero is None:
        return nan, nan, ()
    if not isinstance(zero, str):
        return float(zero), 0.0, (f"{zero:+.2f} km/s, as given, were taken off the velocities",)
    if zero != "sky":
        raise MuseError(f"zero={zero!r} is neither 'sky' nor a velocity in km/s")
    found = sky_velocity(CubeFile.open(spectra.cube))
    if isinstance(found, str):
        return nan, nan, (found,)
    value, error = found
    return value, error, (f"the sky lines' velocity, {value:+.1f} +- {error:.1f} km/s, was taken off",)
