"""Cross-correlation of spectra with templates made of line lists, weighted by the errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from muse_nb.products.light.air import to_air
from muse_nb.products.light.star_lines import COOL, WARM, absorption

__all__ = ["C_KM_S", "Correlation", "Templates", "correlate"]

Array = NDArray[np.float64]
C_KM_S = 299792.458
TEMPERATURES = tuple(np.linspace(COOL, WARM, 5).tolist())  # K
STEP = 10.0  # km/s, of the velocities that are tried
FINE = 0.25  # Angstrom, of the templates
PIECE = 200.0  # Angstrom in which the continuum bends once
MIN_PLANES = 30  # with data
CLIP = 5.0  # sigma of planes that are no star's
TELLURIC = ((6860.0, 6960.0), (7590.0, 7710.0), (7160.0, 7340.0), (8930.0, 9350.0))  # oxygen and water [Angstrom]
AWAY = 2.5  # widths of the peak from it, where a second one may be
FREE = 4  # parameters beside the continuum's


@dataclass(frozen=True)
class Correlation:
    """What one spectrum tells.

    Attributes
    ----------
    velocity, error : float
        [km/s], from the height and the curvature of the best template's peak; the error is that of STAT.
    teff : float
        Of the best template [K].
    strength : float
        Of its lines over the template's.
    significance : float
        Root of the drop in chi2 that the lines make.
    second : float
        The same of the highest other peak.
    scatter : float
        Root of chi2 by degree of freedom.
    left : numpy.ndarray
        Residuals over their errors, shape (planes,), NaN where left out.
    slope : numpy.ndarray
        Change of the model with velocity over the errors, shape (planes,), 0 where left out.
    at_end : bool
        Whether the peak lies at the end of the range.
    """

    velocity: float
    error: float
    teff: float
    strength: float
    significance: float
    second: float
    scatter: float
    left: Array
    slope: Array
    at_end: bool


class Templates:
    """Lines of stars of some temperatures at all velocities that are tried, on the planes of a cube.

    Parameters
    ----------
    wavelength
        Of the planes [Angstrom], in air or, with `vacuum`, in vacuum.
    lsf
        FWHM of the line-spread function [Angstrom].
    reach
        Velocities from -reach to reach [km/s].
    """

    def __init__(self, wavelength: Array, lsf: float, reach: float, *, vacuum: bool = False) -> None:
        self.wavelength = np.asarray(to_air(wavelength) if vacuum else wavelength, float)
        self.velocity = np.arange(-reach, reach + STEP / 2, STEP)
        margin = 2 * reach / C_KM_S * self.wavelength.max() + 20
        self._grid = np.arange(self.wavelength.min() - margin, self.wavelength.max() + margin, FINE)
        self._depth = [absorption(self._grid, teff, lsf) for teff in TEMPERATURES]
        self.depth = np.array([self.at(k, v) for k in range(len(TEMPERATURES)) for v in self.velocity])
        self.square = self.depth**2
        bends = max(2, round(float(np.ptp(self.wavelength)) / PIECE))
        x = 2 * (self.wavelength - self.wavelength.min()) / max(float(np.ptp(self.wavelength)), 1.0) - 1
        self.smooth = np.polynomial.legendre.legvander(x, bends)
        self.open = np.ones(len(self.wavelength), bool)
        for low, high in TELLURIC:
            self.open &= (self.wavelength < low) | (self.wavelength > high)

    def at(self, number: int, velocity: float) -> Array:
        """Share of the light that a template's lines take at a velocity [km/s], shape (planes,)."""
        return np.asarray(np.interp(self.wavelength / (1 + velocity / C_KM_S), self._grid, self._depth[number]))

    @property
    def has_lines(self) -> bool:
        """Whether there are lines of stars in the planes at all."""
        return bool(self.depth.max() > 0.01)


def correlate(templates: Templates, flux: Array, error: Array, good: NDArray[np.bool_]) -> Correlation | None:
    """Find the velocity at which a template explains most of a spectrum beside a smooth continuum.

    The continuum and the depth of the lines are linear in every trial: Tonry & Davis 1979 (AJ 84, 1511) with the
    weights of a chi2.

    Parameters
    ----------
    templates
        Of all velocities.
    flux, error
        Shape (planes,).
    good
        Planes to use.

    Returns
    -------
    Correlation or None
        None where too few planes hold data.
    """
    use = good & templates.open & np.isfinite(flux) & np.isfinite(error) & (error > 0)
    best = None
    for _ in range(3):
        if use.sum() < max(MIN_PLANES, templates.smooth.shape[1] + FREE):
            return None
        best = _best(templates, flux, error, use)
        if best is None:
            return None
        sigma = max(best.scatter, 1.0)
        with np.errstate(invalid="ignore"):
            keep = use & ~(np.abs(best.left) > CLIP * sigma)
        if keep.sum() == use.sum():
            break
        use = keep
    return best


def _best(templates: Templates, flux: Array, error: Array, use: NDArray[np.bool_]) -> Correlation | None:
    weight = 1 / error[use]
    smooth = templates.smooth[use] * weight[:, None]
    level = templates.smooth[use] @ np.linalg.lstsq(smooth, flux[use] * weight)[0]
    basis = np.linalg.qr(smooth)[0]
    star = _without(flux[use] * weight, basis)
    gain = _gain(templates, use, level * weight, star, basis)
    kind, place = (int(k) for k in np.unravel_index(np.argmax(gain), gain.shape))
    if not gain[kind, place] > 0:
        return None
    at_end = place in (0, gain.shape[1] - 1)
    velocity, curvature = _peak(templates.velocity, gain[kind], place)
    slope = (templates.at(kind, velocity + 1) - templates.at(kind, velocity - 1))[use] / 2 * level * weight
    shape = templates.at(kind, velocity)[use] * level * weight
    full = np.linalg.qr(np.column_stack([basis, shape]))[0]
    left = _without(star, full)
    strength = float(-(_without(shape, basis) @ star) / max((_without(shape, basis) ** 2).sum(), 1e-300))
    slope = _without(slope, full) * strength
    information = float((slope**2).sum())
    if not information > 0:
        return None
    width = np.sqrt(gain[kind, place] / max(curvature, 1e-12))
    other = np.abs(templates.velocity - velocity) > AWAY * max(width, STEP)
    scatter = float(np.sqrt((left**2).sum() / max(use.sum() - basis.shape[1] - 2, 1)))
    spread, change = np.full(len(flux), np.nan), np.zeros(len(flux))
    spread[use], change[use] = left, slope
    return Correlation(
        velocity,
        1 / np.sqrt(information),
        TEMPERATURES[kind],
        strength,
        float(np.sqrt(gain[kind, place])),
        float(np.sqrt(_highest(gain[:, other]))),
        scatter,
        spread,
        change,
        at_end,
    )


def _gain(templates: Templates, use: NDArray[np.bool_], height: Array, star: Array, basis: Array) -> Array:
    """Drop in chi2 by the lines of each template at each velocity, shape (templates, velocities)."""
    right = np.zeros((len(use), basis.shape[1] + 1))
    right[use] = np.column_stack([star, basis]) * height[:, None]
    squares = np.zeros(len(use))
    squares[use] = height**2
    product, *projected = (templates.depth @ right).T
    power = templates.square @ squares - (np.array(projected) ** 2).sum(axis=0)  # less what the continuum can do
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = np.where((product < 0) & (power > 0), product**2 / power, 0.0)  # lines take light away
    return np.asarray(gain.reshape(len(TEMPERATURES), -1))


def _highest(gain: Array) -> float:
    """Highest peak that is one: larger than both of its neighbours."""
    if gain.shape[1] < 3:
        return 0.0
    inner = gain[:, 1:-1]
    peaks = np.where((inner >= gain[:, :-2]) & (inner >= gain[:, 2:]), inner, 0.0)
    return float(peaks.max())


def _without(values: Array, basis: Array) -> Array:
    return np.asarray(values - basis @ (basis.T @ values))


def _peak(velocity: Array, gain: Array, place: int) -> tuple[float, float]:
    """Vertex of the parabola through the peak, and half of its curvature downwards [1/(km/s)^2]."""
    if place in (0, len(gain) - 1):
        return float(velocity[place]), 1e-12
    left, middle, right = gain[place - 1 : place + 2]
    bend = max(2 * middle - left - right, 1e-12)
    return float(velocity[place] + STEP * 0.5 * (right - left) / bend), float(bend / 2 / STEP**2)
