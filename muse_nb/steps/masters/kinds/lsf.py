"""LSF_PROFILE: width and centre of the line spread function by slice and wavelength.

``arrays``: wavelength (n,) [Angstrom], fwhm (48, n) [Angstrom], measured on the profiles.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.robust import median
from muse_nb.products.calibrations.masters import Master
from muse_nb.products.field import SLICES
from muse_nb.products.header import number_of, read_all
from muse_nb.steps.masters.parts.measured import Array, Measured, Quantity, slices

__all__ = ["measure_lsf"]

CORE = 2.0  # FWHM within which the centre is taken


def measure_lsf(master: Master) -> Measured:
    """Measure an LSF_PROFILE: an image (48 slices, wavelengths, distances from the line)."""
    number = next(iter(master.extensions.values()), None)
    name = next(iter(master.extensions), "")
    shape = master.shape(name)
    if number is None or len(shape) != 3 or shape[0] != SLICES:
        return Measured(master, (), notes=("has no image of 48 slices, wavelengths and profiles: it was not judged",))
    header = read_all(master.path)[number]
    axes = [_axis(header, n, shape[-n]) for n in (1, 2)]
    profiles = master.image(name)
    if axes[0] is None or axes[1] is None or profiles is None:
        return Measured(master, (), notes=("does not say at which wavelengths its profiles are: it was not judged",))
    away, wavelength = axes[0], axes[1]
    fwhm, centre = _widths(away, profiles.astype(float))
    known = np.isfinite(fwhm).any(axis=1)
    mean, low, high, worst = (np.full(SLICES, np.nan) for _ in range(4))
    for n in np.flatnonzero(known).tolist():
        here = fwhm[n][np.isfinite(fwhm[n])]
        mean[n], low[n], high[n] = here.mean(), here.min(), here.max()
        off = centre[n][np.isfinite(centre[n])]
        worst[n] = off[np.argmax(np.abs(off))] if off.size else np.nan
    found = (
        Quantity.of("lsf_fwhm", mean, slices()),
        Quantity.of("lsf_sharpest", low, slices()),
        Quantity.of("lsf_widest", high, slices()),
        Quantity.of("lsf_relative", mean / median(mean), slices()),
        Quantity.of("lsf_centre", worst, slices()),
        Quantity.one("lsf_empty", float(np.count_nonzero(~known))),
    )
    return Measured(master, found, {"wavelength": wavelength, "fwhm": fwhm})


def _axis(header: object, axis: int, length: int) -> Array | None:
    """Values along an axis by CRVAL, CRPIX and CD."""
    get = getattr(header, "get")  # noqa: B009
    value, step = number_of(get(f"CRVAL{axis}")), number_of(get(f"CD{axis}_{axis}", get(f"CDELT{axis}")))
    if value is None or not step:
        return None
    return value + (np.arange(1.0, length + 1) - (number_of(get(f"CRPIX{axis}")) or 1.0)) * step


def _widths(away: Array, profiles: NDArray[np.float64]) -> tuple[Array, Array]:
    """FWHM and centroid of the core of every profile, shapes (48, wavelengths); NaN of one without a peak."""
    fwhm, centre = np.full((2, *profiles.shape[:2]), np.nan)
    for index in np.ndindex(*profiles.shape[:2]):
        line = profiles[index]
        if not np.isfinite(line).all() or not line.max() > 0:
            continue
        top = int(line.argmax())
        below = np.flatnonzero(line < line[top] / 2)
        left, right = below[below < top], below[below > top]
        if not (left.size and right.size):
            continue
        edges = [
            float(np.interp(line[top] / 2, [line[a], line[b]], [away[a], away[b]]))
            for a, b in ((left[-1], left[-1] + 1), (right[0], right[0] - 1))
        ]
        fwhm[index] = edges[1] - edges[0]
        core = (np.abs(away - away[top]) < CORE * fwhm[index] / 2) & (line > 0)
        centre[index] = float(np.sum(away[core] * line[core]) / np.sum(line[core]))
    return fwhm, centre
