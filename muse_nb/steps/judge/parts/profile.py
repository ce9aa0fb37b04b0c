"""The profile of a sky line, and how far lines lie from where it is."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.robust import mad_sigma, median

__all__ = ["Line", "fit_line", "measure_shifts", "stands_out"]

Array = NDArray[np.float64]
NEAR, FAR = 5.0, 8.0  # Angstrom: a line lies within, its ground outside
WIDTHS = (0.6, 3.0)  # sigma [Angstrom]
MIN_BINS = 6


@dataclass(frozen=True)
class Line:
    """A Gaussian: place [Angstrom from the laboratory's], sigma [Angstrom], height and ground."""

    at: float
    sigma: float
    height: float
    ground: float

    def scaled(self, factor: float) -> Line:
        """The same with another height and no ground."""
        return replace(self, height=self.height * factor, ground=0.0)

    def shape(self, away: Array) -> tuple[Array, Array]:
        """Profile without its ground, and its change with the place of the line."""
        z = (away - self.at) / self.sigma
        light = self.height * np.exp(-0.5 * z**2)
        return light, light * z / self.sigma


def stands_out(spectrum: Array, away: Array, times: float) -> bool:
    """Whether a line rises above what is beside it, by many times the scatter there."""
    beside, on = spectrum[np.abs(away) > FAR], spectrum[np.abs(away) < 2]
    on = on[np.isfinite(on)]
    if on.size < 2 or np.isfinite(beside).sum() < 4:
        return False
    level = median(beside)
    return bool(on.mean() - level > max(times * mad_sigma(beside), 0.1 * abs(level)))


def fit_line(away: Array, spectrum: Array) -> Line | None:
    """Fit a Gaussian to a line; None where there is none."""
    from scipy.optimize import least_squares

    use = (np.abs(away) < FAR) & np.isfinite(spectrum)
    if use.sum() < MIN_BINS:
        return None
    x, y = away[use], spectrum[use]
    unit = float(np.ptp(y))
    if not unit > 0:
        return None
    ground = float(np.min(y))

    def left(p: Array) -> Array:
        return np.asarray(p[0] * np.exp(-0.5 * ((x - p[1]) / p[2]) ** 2) + p[3] - (y - ground) / unit)

    low, high = [0.0, -NEAR, WIDTHS[0] / 2, -1.0], [3.0, NEAR, 2 * WIDTHS[1], 1.0]
    start = np.clip([1.0, float(x[np.argmax(y)]), 1.1, 0.0], low, high)
    fit = least_squares(left, start, bounds=(low, high))
    height, at, sigma, over = fit.x
    if not fit.success or height < 0.1 or not WIDTHS[0] <= sigma <= WIDTHS[1]:
        return None
    return Line(float(at), float(sigma), float(height * unit), float(over * unit + ground))


def measure_shifts(values: Array, away: Array, error: Array, line: Line, *, left: bool = False) -> tuple[Array, Array]:
    """How far the line of each spectrum lies from `line`, and the error of that [Angstrom].

    Parameters
    ----------
    values, away, error
        Spectra, the distance of each bin from the line's laboratory wavelength [Angstrom], and the error of each
        value; shape (n, bins). NaN is left out.
    line
        Profile of all.
    left
        The spectra are what is left where `line` was taken off: a shift shows as its slope.
    """
    shift, told = np.full(len(values), np.nan), np.full(len(values), np.nan)
    for k in range(len(values)):
        good = np.isfinite(values[k]) & np.isfinite(away[k]) & np.isfinite(error[k]) & (error[k] > 0)
        good &= np.abs(np.where(good, away[k], 99)) < FAR
        if good.sum() < MIN_BINS:
            continue
        light, slope = line.shape(away[k][good])
        design = np.stack([slope, light, np.ones_like(light)], axis=1)
        weighted = design / error[k][good, None]
        normal = weighted.T @ weighted
        scale = np.sqrt(np.diag(normal))
        if not (scale > 0).all() or np.linalg.cond(normal / np.outer(scale, scale)) > 1e8:
            continue
        inverse = np.linalg.inv(normal / np.outer(scale, scale)) / np.outer(scale, scale)
        found = inverse @ (weighted.T @ (values[k][good] / error[k][good]))
        rest = (values[k][good] - design @ found) / error[k][good]
        chi2 = max(1.0, float((rest**2).sum()) / max(1, good.sum() - 3))
        times = 1.0 if left else found[1]
        if times > 0.1:
            shift[k], told[k] = found[0] / times, np.sqrt(inverse[0, 0] * chi2) / times
    return shift, told
