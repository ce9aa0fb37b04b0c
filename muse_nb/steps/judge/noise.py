"""The noise of the voxels against STAT, what neighbours share of it, and how deep the cube is."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.robust import median
from muse_nb.steps.judge.parts.lines import limits
from muse_nb.steps.judge.parts.panel import Curve, Curves
from muse_nb.steps.judge.parts.reading import Sample
from muse_nb.steps.judge.result import Check, Section
from muse_nb.steps.judge.stars import Stars

__all__ = ["check_noise", "smoothed"]

Array = NDArray[np.float64]
MIN_PLANES = 5
BAND, LINE = 100.0, 5.0  # Angstrom: of the continuum's depth, and of a line's
SIGMAS = 5.0
SEEING, BETA = 0.8, 2.5  # arcsec, where no star tells
LIGHT = 2.99792458e18  # speed of light [Angstrom / s]
AB_ZERO = 48.6  # Oke & Gunn 1983 (ApJ 266, 713)
SHARED = 0.45  # more that neighbours share than any drizzle


def check_noise(sample: Sample, stars: Stars | str) -> Section:
    """Judge STAT, the covariance, and tell the depth."""
    checks = [*_against_stat(sample), _covariance(sample)]
    depth, panels = _depth(sample, stars)
    shown: list[Curves] = []
    if sample.has_stat and np.isfinite(sample.ratio).any():
        at, ratio = smoothed(sample.wavelength, sample.ratio)
        bounds = [
            Curve(at[[0, -1]], np.full(2, limits()[name]), "limit" if name == "noise_low" else "", "limit")
            for name in ("noise_low", "noise_high")
        ]
        shown.append(Curves("wavelength [Angstrom]", "scatter of voxels / root of STAT", [Curve(at, ratio), *bounds]))
    return Section("Noise and depth", (*checks, *depth), (*shown, *panels))


def smoothed(wavelength: Array, values: Array, most: int = 200) -> tuple[Array, Array]:
    """Medians in at most so many bins."""
    parts = np.array_split(np.arange(len(values)), min(most, len(values)))
    return np.array([wavelength[p].mean() for p in parts]), np.array([median(values[p]) for p in parts])


def _against_stat(sample: Sample) -> list[Check]:
    low, high = limits()["noise_low"], limits()["noise_high"]
    if not sample.cube.has("STAT"):
        return [Check.unknown("noise", "there is no STAT: errors are not known, and nothing to hold the noise against")]
    good = np.isfinite(sample.ratio) & (sample.ratio > 0)  # 0: constants
    if good.sum() < MIN_PLANES:
        text = "too few planes with data and a STAT above 0: the noise was not held against STAT"
        return [Check.unknown("noise", text, high)]
    ratio = float(np.median(sample.ratio[good]))
    text = f"from plane to plane empty spaxels scatter {ratio:.3f} times as much as STAT says"
    if low <= ratio <= high:
        return [Check("noise", ratio, high, True, text)]
    off = 100 * (1 - 1 / ratio**2)
    kind = "too low" if off > 0 else "too high"
    return [Check("noise", ratio, high if off > 0 else low, False, f"{text}: STAT is {abs(off):.0f} % {kind}")]


def _covariance(sample: Sample) -> Check:
    shared = sample.covariance
    if not np.isfinite(shared).any():
        return Check.unknown("covariance", "too few voxels to tell what neighbours share of their noise")
    told = ", ".join(
        f"{100 * value:.0f} % in {axis}"
        for axis, value in zip(("x", "y", "wavelength"), shared, strict=True)
        if np.isfinite(value)
    )
    factor = sample.shared_noise
    text = f"neighbours share {told} of their noise: the error of a sum over many spaxels is {factor:.2f} times what"
    return Check(
        "covariance",
        float(np.nanmax(shared[:2])) if np.isfinite(shared[:2]).any() else None,
        None,
        True,
        text + " STAT alone gives",
    )


def _depth(sample: Sample, stars: Stars | str) -> tuple[list[Check], list[Curves]]:
    """5 sigma of a point source by the noise that is there, weighted by its profile, with what neighbours share."""
    noise = sample.noise
    scale = sample.scale
    if np.isfinite(noise).sum() < MIN_PLANES or not np.isfinite(scale) or not scale > 0:
        why = "too few planes tell the noise" if np.isfinite(scale) else "the header does not say how large a spaxel is"
        return [Check.unknown(name, f"{why}: no depth") for name in ("depth_magnitude", "depth_line")], []
    measured = not isinstance(stars, str)
    fwhm, beta = (median(stars.fwhm), median(stars.beta)) if not isinstance(stars, str) else (SEEING, BETA)
    area = _noise_area(fwhm / scale, beta)
    along = float(np.clip(np.nan_to_num(sample.covariance[2]), 0, 0.5))
    point = noise * np.sqrt(area) * sample.shared_noise  # of the flux of a source in a plane
    planes = {width: max(1.0, width / sample.step) for width in (BAND, LINE)}
    continuum = SIGMAS * point / np.sqrt(planes[BAND]) * np.sqrt(1 + 2 * along)
    line = SIGMAS * point * sample.step * np.sqrt(planes[LINE]) * np.sqrt(1 + 2 * along)
    unit = _cgs(sample)
    source = f"FWHM {fwhm:.2f} arcsec" + ("" if measured else ", assumed")
    at, line_at = smoothed(sample.wavelength, line)
    if unit is None:
        text = f"the unit of the cube is no flux by wavelength: no magnitudes; a line of {LINE:g} Angstrom shows"
        text += f" above {median(line):.3g} in the cube's unit times Angstrom ({source})"
        return [Check.unknown("depth_magnitude", text), Check("depth_line", median(line), None, True, text)], []
    with np.errstate(invalid="ignore", divide="ignore"):
        magnitude = -2.5 * np.log10(continuum * unit * sample.wavelength**2 / LIGHT) - AB_ZERO
    places = [f"{magnitude_:.2f} at {w:.0f}" for w, magnitude_ in _few(sample.wavelength, magnitude)]
    lines = [f"{value:.2g} at {w:.0f}" for w, value in _few(sample.wavelength, line * unit)]
    texts = (
        f"5 sigma of a point source over {BAND:g} Angstrom ({source}): AB magnitude {', '.join(places)} Angstrom",
        f"5 sigma of a line over {LINE:g} Angstrom of a point source: {', '.join(lines)} Angstrom [erg/s/cm2]",
    )
    panels = [
        Curves(
            "wavelength [Angstrom]",
            f"5 sigma point source, {BAND:g} Angstrom [AB mag]",
            [Curve(*smoothed(sample.wavelength, magnitude))],
        ),
        Curves("wavelength [Angstrom]", "5 sigma line of a point source [erg/s/cm2]", [Curve(at, line_at * unit)]),
    ]
    return [
        Check("depth_magnitude", median(magnitude), None, True, texts[0]),
        Check("depth_line", median(line) * unit, None, True, texts[1]),
    ], panels


def _few(wavelength: Array, values: Array) -> list[tuple[float, float]]:
    """Values at three wavelengths: medians of a tenth of the range about them."""
    n = len(values)
    found = []
    for share in (0.15, 0.5, 0.85):
        here = slice(max(0, int((share - 0.05) * n)), max(1, int((share + 0.05) * n) + 1))
        if np.isfinite(values[here]).any():
            found.append((float(wavelength[int(share * (n - 1))]), median(values[here])))
    return found


def _noise_area(fwhm: float, beta: float) -> float:
    """Spaxels that the noise of a flux weighted by a Moffat comes from: 1 / sum of the profile squared."""
    beta = max(beta, 1.3)
    core2 = (fwhm / 2) ** 2 / (2 ** (1 / beta) - 1)
    return float(np.pi * core2 * (2 * beta - 1) / (beta - 1) ** 2)


def _cgs(sample: Sample) -> float | None:
    """The cube's unit in erg/s/cm2/Angstrom; None where it is none of flux by wavelength."""
    import astropy.units as u

    text = str(sample.cube.header.get("BUNIT") or "").strip()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return float((1 * u.Unit(text)).to_value("erg / (s cm2 Angstrom)")) if text else None
        except (ValueError, TypeError, u.UnitConversionError):
            return None
