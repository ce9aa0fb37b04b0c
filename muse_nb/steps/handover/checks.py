"""Is the source fit to be modelled: a row a question, with a value, a limit and a sentence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from muse_nb.steps.handover.noise import SharedNoise
from muse_nb.steps.handover.sharpness import Width
from muse_nb.steps.handover.subcube import Emission, Subcube
from muse_nb.steps.look.catalogue import sky_lines

__all__ = ["Check", "checks_of", "line_image"]

Array = NDArray[np.float64]
MIN_PEAK, MIN_TOTAL = 3.0, 15.0  # S/N of the best voxel, and of the line: fewer do not tell a rotation
MAX_NAN = 0.1  # of the voxels
MIN_SIZE = 1.1  # times the PSF's FWHM that a source is resolved from
EDGE = 0.05  # of the light that may lie at the box's edge
NEAR_SKY = 3.0  # Angstrom
CORE = 1.5  # FWHM of the PSF: the radius in which the line is summed


@dataclass(frozen=True)
class Check:
    """One row.

    Attributes
    ----------
    name : str
    value, limit : float or None
        What was measured and what it is held against; None where it could not be known, or has no limit.
    good : bool or None
        None where it could not be known.
    text : str
        A sentence.
    """

    name: str
    value: float | None
    limit: float | None
    good: bool | None
    text: str


def line_image(sub: Subcube) -> Array:
    """Sum of the line's planes, shape (ny, nx); NaN where there are no data."""
    good = np.isfinite(sub.data)
    return np.where(good.any(0), np.where(good, sub.data, 0.0).sum(0), np.nan)


def checks_of(
    sub: Subcube, line: Emission, noise: SharedNoise, psf: Width, lsf: Width, place: tuple[float, float], scale: float
) -> tuple[Check, ...]:
    """Answer all questions; `place` is the source's in the box [spaxel from 0], `scale` a spaxel's size [arcsec]."""
    ny, nx = sub.data.shape[1:]
    rows, columns = np.mgrid[:ny, :nx]
    distance = np.hypot(columns - place[0], rows - place[1])
    inside = distance <= max(CORE * psf.fwhm / scale, 2.0)
    error = np.sqrt(sub.variance * noise.inflation)
    return (
        *_signal(sub, error, inside, noise, line),
        _holes(sub, inside),
        _spikes(sub, inside),
        _size(sub, error, distance, psf, scale),
        _edge(sub, distance, min(ny, nx)),
        _sky(sub, line),
        _noise(noise, sub),
    )


def _signal(
    sub: Subcube, error: Array, inside: NDArray[np.bool_], noise: SharedNoise, line: Emission
) -> tuple[Check, Check]:
    plain = np.sqrt(sub.variance)  # of a voxel for itself
    with np.errstate(invalid="ignore"):
        peak = np.nanmax(np.where(inside, sub.data / (plain * _finite(noise.scatter)), np.nan), initial=-np.inf)
        flux, spread = np.nansum(sub.data[:, inside]), np.sqrt(np.nansum(error[:, inside] ** 2))
    total = float(flux / spread) if spread > 0 else float("nan")
    told = "the velocities will be little more than noise" if peak < MIN_PEAK else "enough to see it turn"
    return (
        Check("peak S/N", float(peak), MIN_PEAK, bool(peak >= MIN_PEAK), f"the best voxel has S/N {peak:.1f}: {told}"),
        Check(
            "line S/N",
            total,
            MIN_TOTAL,
            bool(total >= MIN_TOTAL),
            f"{line.name} has S/N {total:.1f} within {CORE:g} FWHM of the PSF, shared noise counted",
        ),
    )


def _finite(value: float) -> float:
    return value if np.isfinite(value) and value > 0 else 1.0


def _holes(sub: Subcube, inside: NDArray[np.bool_]) -> Check:
    share = float(np.isnan(sub.data).mean())
    core = float(np.isnan(sub.data[:, inside]).mean()) if inside.any() else 1.0
    text = f"{100 * share:.1f} % of the voxels are NaN, {100 * core:.1f} % of those on the source"
    return Check("NaN", max(share, core), MAX_NAN, max(share, core) <= MAX_NAN, text)


def _spikes(sub: Subcube, inside: NDArray[np.bool_]) -> Check:
    if sub.spikes is None:
        return Check("spikes", None, None, None, "nobody looked for what is left of cosmic rays")
    number, core = int(sub.spikes.sum()), int(sub.spikes[:, inside].sum())
    if not number:
        return Check("spikes", 0.0, None, True, "no voxel is sharper than a star")
    text = f"{number} voxels sharper than a star, {core} of them on the source, were taken for cosmic rays and left out"
    return Check("spikes", float(number), None, True, text)


def _size(sub: Subcube, error: Array, distance: Array, psf: Width, scale: float) -> Check:
    """FWHM of a Gaussian of the same radius that holds half of the light, against the PSF's."""
    image = np.nan_to_num(line_image(sub))
    radii = np.arange(1, int(distance.max()))
    growth = np.array([image[distance <= r].sum() for r in radii])
    noise = np.sqrt(np.nansum(error**2, axis=0))
    if not growth.size or growth.max() < 5 * np.sqrt((noise**2).sum()) / 4 or growth.max() <= 0:
        return Check("size", None, MIN_SIZE, None, "the line is too faint to tell how large the source is")
    top = int(np.argmax(growth))
    half = float(np.interp(growth[top] / 2, growth[: top + 1], radii[: top + 1]))
    point = psf.fwhm / 2 * np.sqrt((2 ** (1 / (psf.beta - 1)) - 1) / (2 ** (1 / psf.beta) - 1)) / scale  # Moffat's half
    ratio = half / point
    kind = "resolved" if ratio >= MIN_SIZE else "hardly larger than a star: size and inclination will not be known"
    text = f"half of the light lies within {half * scale:.2f} arcsec, of a star {point * scale:.2f}: {kind}"
    return Check("size", float(ratio), MIN_SIZE, bool(ratio >= MIN_SIZE), text)


def _edge(sub: Subcube, distance: Array, side: int) -> Check:
    image = np.nan_to_num(line_image(sub))
    ring = distance > side / 2 - 1.5
    within = image[~ring].sum()
    share = float(image[ring].sum() / within) if within > 0 else 0.0
    if sub.clipped:
        return Check("edge", share, EDGE, False, "the box reaches beyond the field: some of the light may be missing")
    fine = share <= EDGE
    text = f"{100 * share:.1f} % of the line's light lies in the box's outermost spaxels"
    return Check("edge", share, EDGE, fine, text + ("" if fine else ": take a larger size, or leave neighbours out"))


def _sky(sub: Subcube, line: Emission) -> Check:
    low, high = float(sub.wavelength[0]), float(sub.wavelength[-1])
    near = [at for at, _ in sky_lines("air") if low - NEAR_SKY <= at <= high + NEAR_SKY]
    if not near:
        return Check("sky lines", 0.0, 0.0, True, f"no strong sky line lies in the planes of {line.name}")
    listed = ", ".join(f"{at:.1f}" for at in near)
    text = f"sky lines at {listed} Angstrom lie in the planes of {line.name}: look at the residuals there"
    return Check("sky lines", float(len(near)), 0.0, False, text)


def _noise(noise: SharedNoise, sub: Subcube) -> Check:
    if not np.isfinite(noise.factor):
        return Check("noise", None, None, None, "too few voxels tell what neighbours share: STAT is as it was")
    z, y, x = (f"{100 * value:.0f} %" for value in noise.neighbours)
    of = "STAT" if sub.has_stat else "their scatter beside the line"
    text = (
        f"voxels scatter {noise.scatter:.2f} times as {of} says and share {z}, {y} and {x} with the next in wavelength,"
        f" y and x: variances are multiplied by {noise.inflation:.2f}, and a good fit has a reduced chi2 near"
        f" {noise.scatter**2 / noise.inflation:.2f}"
    )
    return Check("noise", noise.inflation, None, True, text)
