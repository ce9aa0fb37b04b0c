"""Telluric bands of oxygen in the spectra of stars, against each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.robust import mad_sigma
from muse_nb.products.voxels import Voxels
from muse_nb.steps.judge.parts.lines import limits
from muse_nb.steps.judge.parts.reading import Sample
from muse_nb.steps.judge.result import Check
from muse_nb.steps.judge.stars import brightest

__all__ = ["check_telluric"]

Array = NDArray[np.float64]
BANDS = ((6840.0, 6930.0), (7590.0, 7680.0))  # B and A band of oxygen [Angstrom]
ASIDE = 30.0  # Angstrom of continuum on either side
MIN_STARS = 3
DEEP = 0.08  # of the light that a band must take


def check_telluric(sample: Sample) -> Check:
    """Hold the bands of bright stars against each other."""
    limit = limits()["telluric"]
    stars = brightest(sample)
    wavelength = sample.wavelength
    inside = [b for b in BANDS if wavelength.min() <= b[0] - ASIDE and wavelength.max() >= b[1] + ASIDE]
    if not inside:
        return Check.unknown("telluric", "the wavelengths hold no telluric band with continuum beside it", limit)
    if len(stars) < MIN_STARS:
        text = f"{len(stars)} stars are bright enough for the telluric bands, and it takes {MIN_STARS}"
        return Check.unknown("telluric", text, limit)
    found = [shift for band in inside for shift in _shifts(sample, band, stars, limit)]
    if not found:
        text = "no telluric band shows in the spectra of three bright stars: corrected, or too shallow to compare"
        return Check.unknown("telluric", text, limit)
    worst = float(np.max(np.abs(found)))
    text = f"the oxygen bands in {len(found)} spectra of stars lie within {worst:.2f} Angstrom of each other"
    return Check("telluric", worst, limit, worst <= limit, text)


def _shifts(sample: Sample, band: tuple[float, float], stars: list[tuple[float, float]], limit: float) -> list[float]:
    """Shift of the band in each star that tells it to a third of the limit [Angstrom], against their median."""
    near = sample.axis.within(band[0] - ASIDE, band[1] + ASIDE, len(sample.wavelength))
    away = sample.wavelength[near.start : near.stop] - (band[0] + band[1]) / 2
    ends = np.abs(away) > (band[1] - band[0]) / 2
    taken = []
    for x, y in stars:
        light = _spectrum(sample, near, x, y)
        if np.isfinite(light).all() and np.median(light[ends]) > 0:
            taken.append(1 - light / np.polyval(np.polyfit(away[ends], light[ends], 1), away))
    if len(taken) < MIN_STARS:
        return []
    mean = np.median(taken, axis=0)
    if mean.max() < DEEP:
        return []
    design = np.stack([-np.gradient(mean, away), mean], axis=1)
    inverse = np.linalg.inv(design.T @ design)
    shifts = []
    for one in taken:
        found = inverse @ (design.T @ one)
        error = mad_sigma(one - design @ found) * np.sqrt(inverse[0, 0]) / max(found[1], 1e-9)
        if found[1] > 0.3 and error < limit / 3:
            shifts.append(found[0] / found[1])
    return [float(s - np.median(shifts)) for s in shifts] if len(shifts) >= MIN_STARS else []


def _spectrum(sample: Sample, planes: range, x: float, y: float) -> Array:
    column, row = round(x), round(y)
    box = (slice(planes.start, planes.stop), slice(max(0, row - 1), row + 2), slice(max(0, column - 1), column + 2))
    return np.asarray(Voxels(sample.cube)[box].astype(float).sum(axis=(1, 2)))
