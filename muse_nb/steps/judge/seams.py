"""Steps of level and of gain at the borders of slices and IFUs.

A slice is one row of spaxels, and the stars are wider than that: neighbouring slices tell what a slice should show.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.robust import mad_sigma
from muse_nb.products.field import IFUS, SLICE_SKY, SLICES, SLICES_PER_STACK
from muse_nb.steps.judge.parts.lines import limits
from muse_nb.steps.judge.parts.panel import Curve, Curves
from muse_nb.steps.judge.parts.places import CODE, Places
from muse_nb.steps.judge.parts.reading import Sample, finite_mean
from muse_nb.steps.judge.parts.tables import Exposure
from muse_nb.steps.judge.result import Check, Section
from muse_nb.steps.judge.sky import named

__all__ = ["check_seams"]

Array = NDArray[np.float64]
NEAR = 3  # slices on either side that tell of one
PRIOR_LEVEL, PRIOR_GAIN = 0.02, 0.01  # noise of a voxel, and share: what goes along with a gain, with a level
KERNEL = 0.9  # width of the stars' covariance over their FWHM
MODEL = 0.005  # of the light: what neighbours cannot tell of the profile of stars
MIN_KNOWN, MIN_BORDERS = 24, 5  # that tell how all scatter
SURE = 8.0  # errors, scaled by the scatter of all slices, whose profile of stars is not quite that of the neighbours
MIN_LENGTH, MIN_ROWS = 12, 12  # columns of a strip and its rows
SPAXEL = 0.2  # arcsec, where the header does not say
QUARTERS = 4
MOST = 0.5  # of rows and columns that must have light, where nobody knows where the slices are
ALONE = 10.0  # the same where nobody knows where the slices are


@dataclass(frozen=True)
class _Row:
    """A slice: its place on the sky [arcsec] (n, 2), light and its variance (n,), its name and its IFU."""

    place: Array
    light: Array
    variance: Array
    name: str
    ifu: int


@dataclass(frozen=True)
class _Found:
    """Gain and level of something against its neighbours, with their errors."""

    name: str
    gain: float
    gain_error: float
    level: float
    level_error: float


def check_seams(sample: Sample, places: Places | None, exposures: Sequence[Exposure], width: float) -> Section:
    """Judge gain and level of slices and IFUs against their neighbours; `width` is the FWHM of stars [arcsec]."""
    strips = list(_of_tables(exposures)) if exposures else list(_of_cube(sample, places))
    known = bool(exposures) or places is not None
    checks: list[Check] = []
    panels: list[Curves] = []
    voxel = sample.voxel_noise if sample.voxel_noise > 0 else 1.0
    results = [_solve(strip, width, voxel) for strip in strips]
    slices, borders = ([one for result in results for one in result[k]] for k in (0, 1))
    for kind, found, word in (
        ("slice", _together(slices), "slice" if known else "part of a row or column"),
        ("ifu", _together(borders), "border of IFUs"),
    ):
        names = (f"seam_gain_{kind}", f"seam_level_{kind}")
        if not strips or (kind == "ifu" and not known):
            why = _why_not(sample, known, kind == "ifu")
            checks += [Check.unknown(name, why, limits()[name.rsplit("_", 1)[0]]) for name in names]
            continue
        checks += _judged(names, word, found, sample.voxel_noise)
        panels += _drawn(found, word)
    return Section("Seams", tuple(checks), tuple(panels))


def _why_not(sample: Sample, known: bool, whole: bool) -> str:
    if whole and not known:
        return (
            "neither SLICES (combine --extensions DQ) nor pixel tables tell where the IFUs are: no seams were looked at"
        )
    if not np.isfinite(sample.white).any():
        return "there is no light to look for seams in"
    return (
        "slices of several exposures, or of one turned against the cube, lie over one another: only their pixel tables"
        " tell seams"
        if known
        else "the field is too small to tell seams"
    )


def _of_cube(sample: Sample, places: Places | None) -> Iterable[list[_Row]]:
    """Strips of the white light: by slices where these lie along the cube's axes, else quarters of rows and columns."""
    white = sample.white
    scale = sample.scale if np.isfinite(sample.scale) else SPAXEL
    planes = np.maximum(sample.count, 1)
    usual = finite_mean(sample.variances) if sample.has_stat else np.full(white.shape, np.nan)
    usual = usual * np.mean([len(b) for b in sample.bins]) / planes
    variance = np.where(np.isfinite(usual), usual, sample.voxel_noise**2 / planes)
    if places is not None:
        if len(places.codes) > 1:
            return
        angle = places.angles[0] % 180
        turned = min(abs(angle - 90), abs(angle)) if angle < 135 else min(abs(angle - 180), abs(angle - 90))
        if turned > 1:
            return
        upright = abs(angle - 90) < 45
        codes = places.codes[0]
        if upright:
            white, variance, codes = white.T, variance.T, codes.T
        for stack in range(QUARTERS):
            inside = (codes > 0) & (
                (SLICE_SKY[np.clip(codes % CODE - 1, 0, SLICES - 1)] - 1) // SLICES_PER_STACK == stack
            )
            yield from _cut(white, variance, inside, codes, scale)
        return
    for light, spread, word in ((white, variance, "row y ="), (white.T, variance.T, "column x =")):
        width = light.shape[1]
        for k in range(QUARTERS):
            inside = np.zeros(light.shape, bool)
            inside[:, k * width // QUARTERS : (k + 1) * width // QUARTERS] = True
            yield from _cut(light, spread, inside & np.isfinite(light), None, scale, word)


def _cut(
    light: Array,
    variance: Array,
    inside: NDArray[np.bool_],
    codes: NDArray[np.int64] | None,
    scale: float,
    word: str = "",
) -> Iterable[list[_Row]]:
    """The box of a stack: rows that are full, columns that they have in common."""
    rows = np.flatnonzero(inside.sum(axis=1) >= MIN_LENGTH)
    if len(rows) < MIN_ROWS:
        return
    rows = np.arange(rows[0], rows[-1] + 1)
    columns = np.flatnonzero(inside[rows].mean(axis=0) > 0.9)
    if len(columns) < MIN_LENGTH:
        return
    box = np.ix_(rows, columns)
    values = np.where(inside[box], light[box], np.nan)
    found = []
    for number, row in enumerate(rows):
        good = np.isfinite(values[number]) & (variance[row, columns] > 0)
        place = scale * np.stack([columns[good], np.full(good.sum(), row)], axis=1).astype(float)
        if codes is None:
            name, ifu = f"{word} {row + 1} about {'x' if 'y' in word else 'y'} = {columns.mean() + 1:.0f}", 0
        else:
            code = _most(codes[row, columns])
            name, ifu = named(code), code // CODE
        found.append(_Row(place, values[number][good], variance[row, columns][good], name, ifu))
    yield found


def _most(codes: NDArray[np.int64]) -> int:
    values, numbers = np.unique(codes[codes > 0], return_counts=True)
    return int(values[np.argmax(numbers)]) if len(values) else 0


def _of_tables(exposures: Sequence[Exposure]) -> Iterable[list[_Row]]:
    """Strips of the pixel tables: the light along each slice, where it really lies."""
    for exposure in exposures:
        rows, data, stat, east, north = exposure.profile
        if not (rows > 0).any():
            continue
        full = rows > 0.5 * np.median(rows[rows > 0])
        with np.errstate(invalid="ignore", divide="ignore"):
            light, variance = np.where(full, data / rows, np.nan), np.where(full, stat / rows**2, np.nan)
            place = np.stack([east / rows, north / rows], axis=-1)
        for stack in range(QUARTERS):
            strip = []
            for ifu in range(IFUS):
                for k in range(SLICES_PER_STACK):
                    slice_ = int(np.flatnonzero(stack * SLICES_PER_STACK + k + 1 == SLICE_SKY)[0])
                    n = ifu * SLICES + slice_
                    good = full[n] & np.isfinite(light[n]) & (variance[n] > 0)
                    if good.sum() >= MIN_LENGTH:
                        name = named((ifu + 1) * CODE + slice_ + 1)
                        strip.append(_Row(place[n][good], light[n][good], variance[n][good], name, ifu + 1))
            if len(strip) >= MIN_ROWS:
                yield strip


def _solve(strip: list[_Row], width: float, voxel: float) -> tuple[list[_Found], list[_Found]]:
    """Predict each slice from its neighbours (kriging with the stars' own covariance) and hold it against that.

    Returns
    -------
    slices, borders : list of _Found
        Of single slices, and of each IFU against the one before.
    """
    slices: list[_Found] = []
    steps: dict[tuple[int, int], list[tuple[Array, Array, Array]]] = {}
    for k in range(NEAR, len(strip) - NEAR):
        own = strip[k]
        others = [strip[m] for m in range(k - NEAR, k + NEAR + 1) if m != k]
        predicted, error2, weights, light = _predict(own, others, width)
        total = own.variance + error2 + (MODEL * predicted) ** 2
        design = np.stack([predicted, np.ones_like(predicted)], axis=1)
        left = own.light - predicted
        gain = _fit(design, left, total, (np.inf, PRIOR_LEVEL * voxel))
        level = _fit(design, left, total, (PRIOR_GAIN, np.inf))
        if gain is not None and level is not None:
            slices.append(_Found(own.name, gain[0][0], gain[1][0], level[0][1], level[1][1]))
        ifus = np.concatenate([np.full(len(one.light), one.ifu) for one in others])
        for other in set(ifus.tolist()) - {own.ifu}:
            beyond = ifus == other
            gain, level = weights[:, beyond] @ light[beyond], weights[:, beyond].sum(axis=1)
            sign = 1.0 if other < own.ifu else -1.0
            key = (min(other, own.ifu), max(other, own.ifu))
            part = (sign * np.stack([gain, level], axis=1), own.light - predicted, total)
            steps.setdefault(key, []).append(part)
    borders = []
    for (one, other), parts in sorted(steps.items()):
        design, left, total = (np.concatenate([part[n] for part in parts]) for n in range(3))
        gain = _fit(design, left, total, (np.inf, PRIOR_LEVEL * voxel))
        level = _fit(design, left, total, (PRIOR_GAIN, np.inf))
        if gain is not None and level is not None:
            name = f"the border of IFU {one} and {other}"
            borders.append(_Found(name, gain[0][0], gain[1][0], level[0][1], level[1][1]))
    return slices, borders


def _predict(own: _Row, others: list[_Row], width: float) -> tuple[Array, Array, Array, Array]:
    """Light of a slice by its neighbours: prediction, its variance, weights (n, m) and the light they multiply."""
    place, light, variance = (
        np.concatenate([getattr(one, name) for one in others]) for name in ("place", "light", "variance")
    )
    middle = float(np.median(light))
    height = float(np.var(light)) + 1e-30

    def covariance(a: Array, b: Array) -> Array:
        r2 = ((a[:, None] - b[None]) ** 2).sum(axis=-1)
        return np.asarray(height * (1 + r2 / (KERNEL * width) ** 2) ** -1.5)

    among = covariance(place, place)
    among[np.diag_indices(len(place))] += variance + (MODEL * light) ** 2 + 1e-9 * height
    across = covariance(place, own.place)
    weights = np.linalg.solve(among, across).T
    predicted = middle + weights @ (light - middle)
    error2 = np.maximum(height - (weights * across.T).sum(axis=1), 0.0)
    return predicted, np.asarray(error2, float), np.asarray(weights, float), light - middle


def _fit(design: Array, left: Array, total: Array, prior: tuple[float, float]) -> tuple[Array, Array] | None:
    """Least squares of two numbers and their errors, scaled where they do not explain what is left."""
    weighted = design / np.sqrt(total)[:, None]
    normal = weighted.T @ weighted + np.diag([1 / p**2 for p in prior])
    scale = np.sqrt(np.diag(normal))
    if not (scale > 0).all() or np.linalg.cond(normal / np.outer(scale, scale)) > 1e10:
        return None
    inverse = np.linalg.inv(normal / np.outer(scale, scale)) / np.outer(scale, scale)
    found = inverse @ (weighted.T @ (left / np.sqrt(total)))
    chi2 = float(((left - design @ found) ** 2 / total).sum()) / max(1, len(left) - 2)
    return found, np.sqrt(np.diag(inverse) * max(1.0, chi2))


def _together(found: list[_Found]) -> list[_Found]:
    """The same slice of all exposures, or border of all stacks, as one."""
    names: dict[str, list[_Found]] = {}
    for one in found:
        names.setdefault(one.name, []).append(one)
    joined = []
    for name, parts in names.items():
        values = []
        for key in ("gain", "level"):
            value, error = (np.array([getattr(one, part) for one in parts]) for part in (key, f"{key}_error"))
            weight = 1 / error**2
            values += [float((value * weight).sum() / weight.sum()), float(weight.sum() ** -0.5)]
        joined.append(_Found(name, *values))
    return joined


def _judged(names: tuple[str, str], word: str, found: list[_Found], voxel: float) -> list[Check]:
    plural = (
        "borders of IFUs"
        if word.startswith("border")
        else "parts of rows and columns"
        if " or " in word
        else f"{word}s"
    )
    sure_at = SURE if " or " not in word else ALONE
    allowed = (limits()["seam_gain"], limits()["seam_level"])
    if len(found) < 3:
        text = f"too few {plural} have light enough to be compared with their neighbours"
        return [Check.unknown(name, text, limit) for name, limit in zip(names, allowed, strict=True)]
    checks = []
    for name, limit, what, values, errors, unit in (
        (names[0], allowed[0], "gain", [100 * f.gain for f in found], [100 * f.gain_error for f in found], "%"),
        (
            names[1],
            allowed[1],
            "level",
            [f.level / voxel for f in found],
            [f.level_error / voxel for f in found],
            "noise of a voxel",
        ),
    ):
        value, error = np.array(values), np.array(errors)
        if not np.isfinite(value).all():
            checks.append(Check.unknown(name, f"the noise of a voxel is not known, to compare {what}s with", limit))
            continue
        known = error < limit / 2  # of a gain: enough light
        share = float(known.mean())
        if known.sum() < (MIN_BORDERS if "border" in word else MIN_KNOWN) or (" or " in word and share < MOST):
            text = f"{int(known.sum())} of {len(value)} {plural} have light enough to tell their {what} to {limit:g}"
            text += f" {unit}: too few to judge"
            checks.append(Check.unknown(name, text, limit))
            continue
        pull = (value - np.median(value[known])) / error
        scale = float(np.clip(mad_sigma(pull[known]), 0.5, None))
        sure = known & (np.abs(pull) > sure_at * scale) & (np.abs(value) > limit)
        told = (
            f"{int(known.sum())} of {len(value)} {plural} could be compared"
            if share < 1
            else f"{len(value)} {plural} were compared"
        )
        if not sure.any():
            seen = max(limit, SURE * scale * float(np.median(error[known])))
            text = f"no {word} differs from its neighbours in {what} beyond its error; half of those compared"
            text += f" would show {seen:.2g} {unit}: {told}"
            checks.append(Check(name, min(limit, float(np.median(np.abs(value[known])))), limit, True, text))
            continue
        worst = int(np.argmax(np.where(sure, np.abs(pull), 0)))
        text = f"{found[worst].name} is {value[worst]:+.1f} +- {error[worst] * scale:.1f} {unit} off its neighbours"
        text += f" in {what}"
        text += f", and {int(sure.sum()) - 1} more" if sure.sum() > 1 else ""
        checks.append(Check(name, abs(float(value[worst])), limit, False, f"{text}: {told}"))
    return checks


def _drawn(found: list[_Found], word: str) -> list[Curves]:
    if len(found) < 3:
        return []
    number = np.arange(len(found)) + 1.0
    gain, error = np.array([100 * f.gain for f in found]), np.array([100 * f.gain_error for f in found])
    ends = np.array([0.5, len(found) + 0.5])
    bounds = [Curve(ends, np.full(2, s * limits()["seam_gain"]), "limit" if s > 0 else "", "limit") for s in (1, -1)]
    return [
        Curves(
            f"number of the {word}",
            "gain against its neighbours [%]",
            [Curve(number, gain, "", "points", error), *bounds],
        )
    ]
