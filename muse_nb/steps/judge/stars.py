"""The stars of a cube by wavelength: their width and shape, and the way they drift."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.robust import mad_sigma
from muse_nb.steps.judge.parts.lines import limits
from muse_nb.steps.judge.parts.panel import Curve, Curves, Map, Mark
from muse_nb.steps.judge.parts.reading import Sample
from muse_nb.steps.judge.result import Check, Section
from muse_nb.steps.offsets.starfit import psf
from muse_nb.steps.offsets.starfit.geometry import Plane
from muse_nb.steps.offsets.starfit.prepare import prepare
from muse_nb.steps.offsets.starfit.solve import solve

__all__ = ["Stars", "brightest", "check_stars", "measure_stars"]

Array = NDArray[np.float64]
MIN_SIDE = 12  # spaxels of a field in which stars can be fitted
MOST = 12  # bright stars whose spectra are looked at
MIN_SIGMA = 8.0  # of a star that counts
SEEING_POWER = -0.2  # Kolmogorov turbulence: FWHM falls as wavelength^-0.2
SURE = 5.0  # errors
MAX_ERROR = 0.05  # arcsec, of the place of all stars in a bin


@dataclass(frozen=True)
class Stars:
    """One profile and one drift for all stars, by bin of wavelength.

    Attributes
    ----------
    wavelength : numpy.ndarray
        Of the bins [Angstrom], shape (n,).
    fwhm, beta : numpy.ndarray
        Of the Moffat [arcsec], shape (n,).
    drift, error : numpy.ndarray
        To the east and the north against the first bin [arcsec], shape (n, 2).
    x, y : numpy.ndarray
        Stars [spaxel from 0], the brightest first.
    flux : numpy.ndarray
        Of each star in the white light, peak.
    number : int
        How many stars were fitted.
    """

    wavelength: Array
    fwhm: Array
    beta: Array
    drift: Array
    error: Array
    x: Array
    y: Array
    flux: Array
    number: int


def measure_stars(sample: Sample) -> Stars | str:
    """Fit all stars in all bins of wavelength at once; a sentence where that cannot be done."""
    ny, nx = sample.white.shape
    scale = sample.scale
    if not np.isfinite(scale):
        return "the header does not say where the field is on the sky: stars were not measured"
    if min(ny, nx) < MIN_SIDE:
        return f"a field of {nx} x {ny} spaxels is too small to fit stars in"
    good = [
        k for k, image in enumerate(sample.images) if np.isfinite(image).sum() > 0.5 * np.isfinite(sample.white).sum()
    ]
    if not good or not np.isfinite(sample.white).any():
        return "there is no light to look for stars in"
    origin = sample.sky((nx - 1) / 2, (ny - 1) / 2)
    plane = Plane.of(sample.cube.wcs.celestial, (ny, nx), origin)
    images = [sample.images[k] for k in good]
    if len(images) == 1:
        images = [images[0], images[0]]
    try:
        solution = solve([prepare(image, plane) for image in images], radius=2.0)
    except (np.linalg.LinAlgError, ValueError, IndexError, FloatingPointError):  # constants, or nothing but NaN
        return "the field is not one that stars can be fitted in"
    fit = solution.fit
    if fit is None or len(fit.sky) == 0:
        return "no star is seen in the bins of wavelength"
    position = plane.pixel(fit.sky)
    height = np.array([frame.amplitude for frame in fit.frames]).mean(axis=0)
    order = np.argsort(-height)
    sure = np.median(fit.significance(), axis=0)
    if not (sure > MIN_SIGMA).any():
        return "no star stands out enough to measure its width"
    placed = solution.placed
    covariance = np.array([np.sqrt(np.abs(np.diag(solution.covariance[k, :, k]))) for k in range(len(images))])
    if len(placed) < len(images) or not np.isfinite(covariance).all() or covariance.max() > MAX_ERROR:
        return "the stars are too few, or too faint, to be found in every bin of wavelength"
    drift, fwhm, beta = solution.offset.copy(), np.full(len(images), np.nan), np.full(len(images), np.nan)
    for j, k in enumerate(placed):
        fwhm[k], beta[k] = psf.fwhm(fit.frames[j].psf) * scale, fit.frames[j].psf[3]
    number = int((sure > MIN_SIGMA).sum())
    keep = slice(0, len(good))
    order = order[sure[order] > MIN_SIGMA]
    return Stars(
        sample.centres[good], fwhm[keep], beta[keep], drift[keep], covariance[keep],
        position[order, 0], position[order, 1], height[order], number,
    )  # fmt: skip


def brightest(sample: Sample) -> list[tuple[float, float]]:
    """Highest points of the white light that stand alone, x and y from 0, the brightest first."""
    from scipy import ndimage

    white = np.where(np.isfinite(sample.white), sample.white, np.nan)
    if min(white.shape) < MIN_SIDE or not np.isfinite(white).any():
        return []
    filled = np.where(np.isfinite(white), white, np.nanmin(white))
    top = (filled == ndimage.maximum_filter(filled, 9)) & np.isfinite(white)
    top[:3] = top[-3:] = top[:, :3] = top[:, -3:] = False
    level, noise = float(np.nanmedian(white)), mad_sigma(white)
    y, x = np.nonzero(top & (filled > level + 20 * noise))
    order = np.argsort(-filled[y, x])[:MOST]
    return [(float(x[k]), float(y[k])) for k in order]


def check_stars(sample: Sample, stars: Stars | str) -> Section:
    """Judge the width of the stars and their drift with the wavelength."""
    allowed, far = limits()["psf_trend"], limits()["drift"]
    if isinstance(stars, str):
        return Section(
            "Stars",
            (
                Check.unknown("psf", stars),
                Check.unknown("psf_trend", stars, allowed),
                Check.unknown("drift", stars, far),
            ),
        )
    good = np.isfinite(stars.fwhm)
    width = float(np.median(stars.fwhm[good]))
    text = f"{stars.number} star{'s' * (stars.number != 1)}: FWHM {width:.2f} arcsec,"
    text += f" beta {np.median(stars.beta[good]):.1f}"
    checks = [Check("psf", width, None, True, text)]
    panels: list[Curves | Map] = []
    if good.sum() < 3:
        short = "fewer than three bins of wavelength show the stars: "
        checks.append(Check.unknown("psf_trend", short + "their widths were not compared", allowed))
        checks.append(Check.unknown("drift", short + "their drift was not measured", far))
    else:
        checks += [_trend(stars, good, allowed), _drift(stars, good, far)]
        at = stars.wavelength
        usual = width * (at / np.median(at[good])) ** SEEING_POWER
        panels.append(
            Curves(
                "wavelength [Angstrom]",
                "FWHM [arcsec]",
                [Curve(at, stars.fwhm, "stars", "points"), Curve(at, usual, "seeing alone", "limit")],
            )
        )
        panels.append(Curves("wavelength [Angstrom]", "beta of the Moffat", [Curve(at, stars.beta, "", "points")]))
        panels.append(
            Curves("wavelength [Angstrom]", "way of the stars [arcsec]", [
                Curve(at, stars.drift[:, 0], "to the east", "points", stars.error[:, 0]),
                Curve(at, stars.drift[:, 1], "to the north", "points", stars.error[:, 1]),
            ])
        )  # fmt: skip
    marks = [Mark(x, y) for x, y in zip(stars.x[:20], stars.y[:20], strict=True)]
    panels.append(Map(sample.white, "white light", marks=marks))
    return Section("Stars", tuple(checks), tuple(panels))


def _trend(stars: Stars, good: NDArray[np.bool_], limit: float) -> Check:
    """Width over what seeing does, from one end to the other."""
    scaled = stars.fwhm[good] * (stars.wavelength[good] / np.median(stars.wavelength[good])) ** -SEEING_POWER
    change = float((scaled.max() - scaled.min()) / np.median(scaled))
    fine = change <= limit
    text = f"beyond what seeing does, the FWHM changes by {100 * change:.0f} % over the wavelengths"
    return Check(
        "psf_trend", change, limit, fine, text + ("" if fine else ": the images of some wavelengths are smeared")
    )


def _drift(stars: Stars, good: NDArray[np.bool_], limit: float) -> Check:
    """Length of the way, by a parabola through all bins, from one end of the wavelengths to the other."""
    at = (stars.wavelength[good] - stars.wavelength[good].mean()) / np.ptp(stars.wavelength[good])
    ends = np.linspace(at.min(), at.max(), 9)
    error = np.maximum(stars.error[good], 1e-4)
    way = []
    for axis in (0, 1):
        line = np.polyfit(
            at, stars.drift[good, axis], 1 if good.sum() < 5 else 2, w=1 / np.maximum(error[:, axis], 1e-3)
        )
        way.append(np.polyval(line, ends))
    distance = np.hypot(way[0][:, None] - way[0], way[1][:, None] - way[1])
    length = float(distance.max())
    noise = float(np.median(np.hypot(error[:, 0], error[:, 1])))
    where = f"{length:.3f} +- {noise:.3f} arcsec from one end of the wavelengths to the other"
    east, north = way[0][-1] - way[0][0], way[1][-1] - way[1][0]
    if length <= limit:
        return Check("drift", length, limit, True, f"the stars drift by {where}")
    if length < SURE * noise:
        return Check("drift", length, limit, None, f"the stars seem to drift by {where}: too uncertain to judge")
    text = f"the stars drift by {where} ({east:+.3f} to the east, {north:+.3f} to the north):"
    return Check("drift", length, limit, False, f"{text} atmospheric refraction is left in the cube")
