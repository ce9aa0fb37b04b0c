"""How the profile and the places of the stars change with the wavelength: measured in bins, smooth between them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from muse_nb.kernels.crowd import Mesh
from muse_nb.steps.stars.fit.bins import Bins
from muse_nb.steps.stars.fit.profile import CORE, Profile
from muse_nb.steps.stars.fit.shape import Fit, Image, Stars, fit_image, improve

__all__ = ["Shapes", "measure_shapes"]

Array = NDArray[np.float64]
MOFFATS, CORES = 2, 1  # steps towards the Moffat, and to the correction of its core
DEGREE = 2  # of the polynomials over the wavelengths
CORE_DEGREE = 1
LEAST_ERROR = 1e-4  # of a parameter, against which its errors are held
SURE = 0.5  # of what a parameter may be off by: one with a larger error does not count
CHANGE, MOVE = 0.004, 0.02  # of the FWHM, and pixel, that do not matter
FREE = 4  # parameters of the Moffat


@dataclass(frozen=True)
class Shapes:
    """Profile and drift by plane, polynomials in its number.

    Attributes
    ----------
    first, last : float
        Planes between which the polynomials run from -1 to 1.
    moffat, core, drift : ndarray, shapes (4, n), (CORE, m), (2, n)
        Coefficients, the highest power first: see `Profile.parameters`; drift in x and y [pixel].
    middle : ndarray, shape (bins,)
        Planes where they were measured.
    fits : list of Fit
        Of each bin.
    """

    first: float
    last: float
    moffat: Array
    core: Array
    drift: Array
    middle: Array
    fits: list[Fit]

    def _at(self, plane: float) -> float:
        middle, half = (self.first + self.last) / 2, max((self.last - self.first) / 2, 1e-9)
        return float(np.clip((plane - middle) / half, -1.3, 1.3)) if self.last > self.first else 0.0

    def profile(self, plane: float) -> Profile:
        """The profile at a plane (from 0)."""
        at = self._at(plane)
        moffat = np.array([np.polyval(line, at) for line in self.moffat])
        return Profile.from_parameters(np.r_[moffat, [np.polyval(line, at) for line in self.core]])

    def shift(self, plane: float) -> tuple[float, float]:
        """By how much the stars lie elsewhere than in the white light [pixel]."""
        at = self._at(plane)
        return float(np.polyval(self.drift[0], at)), float(np.polyval(self.drift[1], at))

    def steady(self, most: int) -> int:
        """Planes, `most` at most, over which neither profile nor places change by what matters."""
        one, other = self.profile(self.first), self.profile(self.last)
        span = max(self.last - self.first, 1.0)
        moves = np.hypot(*(np.array(self.shift(self.last)) - self.shift(self.first)))
        change = max(abs(np.log(other.fwhm / one.fwhm)) / CHANGE, moves / MOVE) / span
        return int(np.clip(1 / change if change > 0 else most, 1, most))

    def flux(self, plane: float) -> Array:
        """Fluxes of all stars about a plane, between those of the bins; not below 0."""
        every = np.array([np.nan_to_num(fit.flux) for fit in self.fits])
        k = int(np.clip(np.searchsorted(self.middle, plane) - 1, 0, max(len(self.middle) - 2, 0)))
        if len(self.middle) == 1:
            return np.asarray(np.maximum(every[0], 0))
        share = np.clip((plane - self.middle[k]) / (self.middle[k + 1] - self.middle[k]), 0, 1)
        return np.asarray(np.maximum((1 - share) * every[k] + share * every[k + 1], 0))


def measure_shapes(bins: Bins, stars: Stars, profile: Profile, mesh: Mesh, core: bool) -> Shapes:
    """Measure the profile and the places in every bin that has data.

    Parameters
    ----------
    bins, stars, profile
        The bins; the stars of the white light and their profile there.
    mesh
        Of the background.
    core
        Whether the core's correction is measured; else it is that of the white light.
    """
    found: list[tuple[float, Array, Array, Fit]] = []
    for middle, data, variance in zip(bins.middle, bins.image, bins.variance, strict=True):
        if np.isfinite(data).mean() < 0.5 * np.isfinite(bins.image).any(0).mean():
            continue
        found.append((middle, *_of_bin(Image.of(data, variance, mesh), stars, profile, core)))
    middle = np.array([row[0] for row in found])
    values, errors = (np.array([row[k] for row in found]) for k in (1, 2))
    first, last = float(middle.min()), float(middle.max())
    half = max((last - first) / 2, 1e-9)
    at = (middle - (first + last) / 2) / half if last > first else np.zeros(len(middle))
    lines = [
        _smooth(at, values[:, p], errors[:, p], CORE_DEGREE if FREE <= p < FREE + CORE else DEGREE)
        for p in range(values.shape[1])
    ]
    moffat, drift = np.array(lines[:FREE]), np.array(lines[FREE + CORE :])
    made = Shapes(first, last, moffat, np.array(lines[FREE : FREE + CORE]), drift, middle, [row[3] for row in found])
    fits = []
    for plane, (_, _, _, before), data, variance in zip(middle, found, *_with_data(bins, middle), strict=True):
        image = Image.of(data, variance, mesh)
        stamps = stars.stamps(image, made.profile(plane), made.shift(plane))
        fits.append(fit_image(image, stamps, before.light))
    return replace(made, fits=[_light(fit) for fit in fits])


def _with_data(bins: Bins, middle: Array) -> tuple[list[Array], list[Array]]:
    used = [k for k, plane in enumerate(bins.middle) if plane in middle]
    return [bins.image[k] for k in used], [bins.variance[k] for k in used]


def _light(fit: Fit) -> Fit:
    """The fit without what takes room."""
    nothing = np.zeros((0, 0), np.float32)
    return replace(fit, residual=nothing, light=nothing, stamps=replace(fit.stamps, value=nothing))


def _of_bin(image: Image, stars: Stars, profile: Profile, core: bool) -> tuple[Array, Array, Fit]:
    """Parameters of the profile and the shift, their errors, and the last fit."""
    shift = np.zeros(2)
    errors = np.full(FREE + CORE + 2, np.inf)
    fit = fit_image(image, stars.stamps(image, profile))
    for step in range(MOFFATS + (CORES if core else 0)):
        of_core = step >= MOFFATS
        at = (float(shift[0]), float(shift[1]))
        profile, change, told = improve(image, stars, profile, fit, core=of_core, shift=at)
        shift = shift + change
        if of_core:
            errors[FREE : FREE + CORE] = told[2:-2]
        else:
            errors[:FREE] = told[:FREE]
        errors[-2:] = told[-2:]
        stamps = stars.stamps(image, profile, (float(shift[0]), float(shift[1])))
        fit = fit_image(image, stamps, fit.light)
    return np.r_[profile.parameters, shift], errors, fit


def _smooth(at: Array, values: Array, errors: Array, degree: int) -> Array:
    """Polynomial through values with errors, of a lower degree where few are known; always degree + 1 coefficients."""
    known = np.isfinite(errors) & np.isfinite(values)
    line = np.zeros(degree + 1)
    if not known.any():
        line[-1] = values[0] if len(values) else 0.0
        return line
    spread = np.ptp(values[known])
    error = np.hypot(errors[known], max(LEAST_ERROR, 0.1 * float(np.median(errors[known]))))
    number = min(degree, max(0, int(known.sum()) - 2)) if spread > 0 else 0
    found = np.polyfit(at[known], values[known], number, w=1 / error)
    line[degree - number :] = found
    return line
