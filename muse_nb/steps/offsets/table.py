"""From a solution of the fit to the table an observer reads: one row an exposure, with a verdict and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from muse_nb.steps.offsets.measurement import Measurement
from muse_nb.steps.offsets.result import Offsets
from muse_nb.steps.offsets.starfit import psf
from muse_nb.steps.offsets.starfit.arrays import Bools, Floats, Ints
from muse_nb.steps.offsets.starfit.catalogue import count_shown, count_shown_at
from muse_nb.steps.offsets.starfit.coarse import MIN_MARGIN
from muse_nb.steps.offsets.starfit.correlate import correlate
from muse_nb.steps.offsets.starfit.geometry import from_tangent, turn_matrix
from muse_nb.steps.offsets.starfit.solve import MAX_DEVIATION, Solution

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["assemble"]

MIN_SIGMA = 3.0  # of a star that counts as seen
MAX_DEVIATING_SHARE = 0.2  # of an exposure's stars
MAX_CORE_CHI2_FEW_STARS = 1.5
MANY_STARS = 5  # whose agreement vouches for an offset though no analytic PSF fits their cores
MAX_CORE_CHI2 = 10.0  # with more a core is not that star's
MAX_RADIUS_SHARE = 0.9  # of the search radius
MIN_SHOWN = 0.5  # of the stars that the others show: 0.9 and more where an exposure lies right, 0.25 where it does not
MIN_SHOWN_CORRELATED = 0.7  # of them, for an offset that the stars did not find: two of four may fall on others
FEW_STARS, MIN_PLACED = 2, 0.5  # stars that place too few of the exposures: a share below this
MAX_CORRELATION_ERROR = 1.0  # pixel: with more, the header is as good
MAX_OFFSET_ERROR = 0.5  # pixel: an offset with a larger error blurs the cube by more than it mends
MAX_DITHER = 30.0  # arcsec, half a field of view: exposures that point further apart are different pointings
MIN_FLUX = 0.05  # of the brightest star's, to tell an exposure's flux
RESIDUAL = ("ra_residual", "dec_residual", "ra_error", "dec_error")
UNITS = {
    "mjd_obs": "d", "posang": "deg", "ra_offset": "arcsec", "dec_offset": "arcsec", "ra_error": "arcsec",
    "dec_error": "arcsec", "fwhm": "arcsec", "rotation": "deg", "rotation_error": "deg",
}  # fmt: skip


def assemble(measurement: Measurement, solution: Solution, method: str, reference: str | None) -> Offsets:
    """Give every exposure its row; those without stars are tried by cross-correlation of the images."""
    from astropy.table import Table

    n = len(measurement.images)
    offset, covariance = solution.offset.copy(), solution.covariance.copy()
    methods = [method if np.isfinite(offset[i, 0]) else "none" for i in range(n)]
    if method == "stars":
        _correlate_the_rest(measurement, solution, offset, covariance, methods)
    measured = np.isfinite(offset[:, 0])
    alone = _by_picks_alone(measurement, solution, methods)
    sure = measured & ~alone
    base = _base(measurement, sure if sure.any() else measured, reference)
    rotation, rotation_error, turned = _rotation(solution, base)
    offset, error = _relative(_about_centres(measurement, solution, offset, base), covariance, base)
    seen, counts = _seen(solution, n), _shown(solution, n)
    judged = (
        _verdict(measurement, solution, i, methods[i], alone[i], offset[i], error[i], seen[i], *counts[i])
        for i in range(n)
    )
    verdict, why = zip(*judged, strict=True)
    why = tuple(_with_turn(*told) for told in zip(why, rotation, rotation_error, turned, strict=True))
    frames = measurement.solution.frames  # also of picked stars: the PSF is that of all stars
    flux = _flux(solution, n)
    home = [i for i in base if np.isfinite(flux[i])]
    flux /= np.mean(flux[home]) if home else 1.0
    table = Table(
        {
            "date_obs": measurement.date_obs,
            "mjd_obs": [image.mjd_obs for image in measurement.images],
            "posang": [np.nan if image.posang is None else image.posang for image in measurement.images],
            "pointing": _pointings(_centres(measurement)),
            "ra_offset": offset[:, 0],
            "dec_offset": offset[:, 1],
            "ra_error": error[:, 0],
            "dec_error": error[:, 1],
            "n_stars": seen,
            "chi2": np.where(measured, solution.chi2, np.nan),
            "fwhm": [psf.fwhm(f.psf) * f.plane.scale if m else np.nan for f, m in zip(frames, measured, strict=True)],
            "flux": flux,
            "rotation": rotation,
            "rotation_error": rotation_error,
            "turned": turned,
            "margin": [placement.margin for placement in solution.placements],
            "method": methods,
            "verdict": list(verdict),
            "why": list(why),
        }
    )
    for name, unit in UNITS.items():
        table[name].unit = unit
    name = "mean" if reference == "mean" else measurement.date_obs[base[0]]
    return Offsets(table, _residuals(measurement, solution), name, measurement.origin[1], (measurement, solution))


def _correlate_the_rest(
    measurement: Measurement, solution: Solution, offset: Floats, covariance: Floats, methods: list[str]
) -> None:
    """Exposures without a place among the stars: match their whole image to that of the best-known exposure."""
    known = np.isfinite(offset[:, 0])
    home = int(np.argmax(known))  # the first that is known, or else the first
    missing = [i for i in range(len(methods)) if not known[i] and (known.any() or i != home)]
    if not missing:
        return
    start = offset[home].copy() if known.any() else np.zeros(2)
    frames, found = measurement.solution.frames, 0
    for i in missing:
        shift = correlate(frames[home], frames[i], measurement.radius)
        if shift is None or shift.error.max() > MAX_CORRELATION_ERROR * measurement.planes[i].scale:
            continue
        if solution.fit is not None and known.any():
            expected, shown = count_shown_at(solution.fit, frames[i], start + shift.offset)
            if shown < MIN_SHOWN_CORRELATED * expected:
                continue
        found += 1
        offset[i] = start + shift.offset
        covariance[i] = covariance[:, :, i] = 0
        covariance[i, :, i] = np.diag(shift.error**2)
        methods[i] = "cross-correlation"
    if found and not known.any():
        offset[home], methods[home] = 0, "cross-correlation"
        covariance[home] = covariance[:, :, home] = 0


def _by_picks_alone(measurement: Measurement, solution: Solution, methods: list[str]) -> Bools:
    """Exposures that all stars together could not place and that were searched for the picked ones."""
    searched = [np.isfinite(placement.margin) for placement in solution.placements]  # not put by hand
    unplaced = np.isnan(measurement.solution.offset[:, 0])
    return np.asarray((np.array(methods) == "picks") & searched & unplaced)


def _base(measurement: Measurement, measured: Bools, reference: str | None) -> list[int]:
    """Exposures whose mean offset is 0."""
    if reference == "mean" and measured.any():
        return list(np.flatnonzero(measured))
    if reference not in (None, "mean"):
        return [measurement.index(str(reference))]
    return [int(np.argmax(measured))]


def _relative(offset: Floats, covariance: Floats, base: list[int]) -> tuple[Floats, Floats]:
    """Offsets relative to the mean of some exposures, and their errors."""
    n = len(offset)
    known = np.isfinite(offset[:, 0])
    use = [i for i in base if known[i]]
    if not use:
        return np.full((n, 2), np.nan), np.full((n, 2), np.nan)
    change = np.eye(n)
    change[:, use] -= 1 / len(use)
    change[:, ~known] = 0
    clean = np.nan_to_num(covariance)
    own = np.einsum("ij,jakb,lk->ialb", change, clean, change)
    error = np.sqrt(np.maximum(own[np.arange(n), :, np.arange(n), :][:, [0, 1], [0, 1]], 0))
    error[~known] = np.nan
    return offset - offset[use].mean(0), error


def _seen(solution: Solution, n: int) -> Ints:
    """Stars of at least 3 sigma in each exposure."""
    seen = np.zeros(n, int)
    if solution.fit is not None:
        seen[solution.placed] = ((solution.fit.significance() > MIN_SIGMA) & (solution.numbers >= 0)).sum(1)
    return seen


def _centres(measurement: Measurement) -> Floats:
    """Where the middle of each image lies, (n, 2) arcsec about the middle of the first."""
    shapes = [image.data.shape for image in measurement.images]
    return np.array(
        [plane.sky(np.array([nx - 1, ny - 1]) / 2) for plane, (ny, nx) in zip(measurement.planes, shapes, strict=True)]
    )


def _pointings(centres: Floats) -> list[int]:
    """Number of each exposure's pointing, from 1; dithers of half a field or less are one."""
    first: list[Floats] = []
    numbers = []
    for centre in centres:
        near = [k for k, other in enumerate(first, 1) if np.hypot(*(centre - other)) <= MAX_DITHER]
        if not near:
            first.append(centre)
        numbers.append(near[0] if near else len(first))
    return numbers


def _verdict(
    measurement: Measurement, solution: Solution, i: int, method: str, alone: bool, offset: Floats, error: Floats,
    seen: int, expected: int, shown: int,
) -> tuple[str, str]:  # fmt: skip
    if method == "none":
        return "refuse", _why_none(measurement, solution, i)
    if method == "cross-correlation":
        return "check", "too few stars: by cross-correlation of the images"
    if alone:
        return "check", "only the picked stars place it: another star may look like one of them"
    placed = len(solution.placed)
    if seen <= FEW_STARS and method == "stars" and placed < MIN_PLACED * len(measurement.images):
        return "refuse", f"only {placed} of {len(measurement.images)} exposures show its {seen} star(s)"
    if shown < MIN_SHOWN * expected:
        why = f"of {expected} stars that the other exposures show there, it shows {shown}: it lies wrong on them"
        return "refuse", why
    if np.hypot(*offset) > MAX_RADIUS_SHARE * measurement.radius:
        return "check", f"the offset is at the search radius of {measurement.radius:g} arcsec"
    if error.max() > MAX_OFFSET_ERROR * measurement.planes[i].scale:
        return "check", f"its stars tell the offset to {error.max():.2f} arcsec only"
    deviation = _deviations(solution, i)
    vouching = max(len(deviation), len(_deviations(measurement.solution, i)))  # picked or not
    if solution.chi2[i] > (MAX_CORE_CHI2 if vouching >= MANY_STARS else MAX_CORE_CHI2_FEW_STARS):
        return "check", f"the stars' cores fit badly (chi2 {solution.chi2[i]:.1f})"
    bad = int((deviation > MAX_DEVIATION).sum())
    if bad and bad >= MAX_DEVIATING_SHARE * len(deviation):
        return "check", f"{bad} of {len(deviation)} stars disagree by more than {MAX_DEVIATION:g} errors"
    return "agree", ""


def _shown(solution: Solution, n: int) -> Ints:
    """Stars (n, 2) that an exposure should show, as the others do, and that it shows; 0 without a fit."""
    counts = np.zeros((n, 2), int)
    if solution.fit is not None:
        counts[solution.placed] = count_shown(solution.fit)
    return counts


def _deviations(solution: Solution, i: int) -> Floats:
    """How far each star of an exposure lies from the common solution, in its errors."""
    if solution.stars is None or i not in solution.placed:
        return np.zeros(0)
    deviation = solution.stars.deviation[solution.placed.index(i)]
    return np.asarray(deviation[np.isfinite(deviation)])


def _why_none(measurement: Measurement, solution: Solution, i: int) -> str:
    """Say why an exposure has no offset."""
    frame, placement = measurement.solution.frames[i], solution.placements[i]
    if not frame.ok.any():
        return "the image holds no finite pixel"
    away = float(np.hypot(*_centres(measurement)[i]))
    if away > MAX_DITHER:
        return f"it points {away:.0f} arcsec from the first exposure: measure each pointing by itself"
    if not len(frame.peaks):
        return "no star is seen in it"
    if placement.sure:
        return "its stars fall where it has no data"
    return (
        f"its stars match no offset within {measurement.radius:g} arcsec better than another "
        f"(margin {max(placement.margin, 0):.1f}, needed {MIN_MARGIN:g})"
    )


def _flux(solution: Solution, n: int) -> Floats:
    """Flux of the stars that all exposures show (or else of the pairs), in the first one's unit; NaN where unknown."""
    flux = np.full(n, np.nan)
    fit = solution.fit
    if fit is None:
        return flux
    total = np.array([f.amplitude * np.pi * psf.scale(f.psf) / (f.psf[3] - 1) for f in fit.frames])
    worth = np.where(fit.active, total, 0.0)
    best = int(np.argmax(worth.sum(1)))
    for j, i in enumerate(solution.placed):
        both = fit.active[j] & fit.active[best]
        bright = both & (total[best] > MIN_FLUX * np.max(total[best][both], initial=0))
        if bright.any():
            flux[i] = total[j][bright].sum() / total[best][bright].sum()
    return flux


def _rotation(solution: Solution, base: list[int]) -> tuple[Floats, Floats, Bools]:
    """Rotation relative to the mean of some exposures, its error [deg], and whether it is in the offset."""
    n = len(solution.angle)
    turned = np.abs(_applied(solution, base)) > 0
    use = [i for i in base if np.isfinite(solution.angle[i])]
    if not use:
        return np.full(n, np.nan), np.full(n, np.nan), turned
    known = np.isfinite(solution.angle)
    change = np.eye(n)
    change[:, use] -= 1 / len(use)
    change[:, ~known] = 0
    variance = np.einsum("ij,jk,ik->i", change, np.nan_to_num(solution.angle_covariance), change)
    error = np.where(known, np.degrees(np.sqrt(np.maximum(variance, 0))), np.nan)
    return np.degrees(solution.angle - solution.angle[use].mean()), error, turned


def _applied(solution: Solution, base: list[int]) -> Floats:
    """Angles (n,) [rad] that the fit has put into the exposures' maps, relative to the mean of some of them."""
    angle = np.array([frame.plane.angle for frame in solution.frames])
    return np.asarray(angle - angle[base].mean())


def _about_centres(measurement: Measurement, solution: Solution, offset: Floats, base: list[int]) -> Floats:
    """Offsets (n, 2) of fields that are turned: how far off the header puts their centres, on the base's own system.

    The fit turns the sky that an exposure shows; the offset is that of a field which is turned about its centre and
    then displaced.
    """
    angle = np.array([frame.plane.angle for frame in solution.frames])
    if not angle.any():
        return offset
    centre = np.array([plane.centre for plane in measurement.planes])
    zero, home, start = angle[base].mean(), centre[base].mean(0), offset[base].mean(0)
    moved = []
    for i in range(len(offset)):
        apart = home - centre[i]
        moved.append(turn_matrix(angle[i]) @ (apart + offset[i] - start) - turn_matrix(angle[i] - zero) @ apart)
    return np.array(moved)


def _with_turn(why: str, rotation: float, error: float, turned: bool) -> str:
    """What is said of an exposure, and that it is turned where it is."""
    if not turned or not np.isfinite(rotation):
        return why
    told = f"turned by {rotation:+.4f} ± {error:.4f} deg"
    return f"{why}; {told}" if why else told


def _residuals(measurement: Measurement, solution: Solution) -> Table:
    """One row a star and exposure."""
    from astropy.table import Table

    columns: dict[str, object] = {
        name: [] for name in ("star", "ra", "dec", "date_obs", *RESIDUAL, "deviation", "outlier")
    }
    if solution.stars is not None and solution.fit is not None:
        ra, dec = from_tangent(solution.fit.sky, measurement.origin)
        stars = solution.stars
        j, k = np.nonzero(np.isfinite(stars.residual[..., 0]) & (solution.numbers >= 0))
        dates = np.array(measurement.date_obs)[np.array(solution.placed, int)[j]]
        milliarcsec = 1e3 * np.concatenate([stars.residual[j, k].T, stars.error[j, k].T])
        deviation = stars.deviation[j, k]
        values = (solution.numbers[k], ra[k], dec[k], dates, *milliarcsec, deviation, deviation > MAX_DEVIATION)
        columns = dict(zip(columns, values, strict=True))
    table = Table(columns)
    for name in ("ra", "dec"):
        table[name].unit = "deg"
    for name in RESIDUAL:
        table[name].unit = "mas"
    return table
