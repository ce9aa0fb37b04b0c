"""What is left of the sky: on its lines, beside them, and in single IFUs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.robust import mad_sigma, median
from muse_nb.steps.judge.parts.lines import SkyLine, limits, lines_within
from muse_nb.steps.judge.parts.panel import Curve, Curves, Map
from muse_nb.steps.judge.parts.places import CODE, Places, solve_groups
from muse_nb.steps.judge.parts.reading import Sample, finite_mean
from muse_nb.steps.judge.parts.tables import Exposure
from muse_nb.steps.judge.result import Check, Section

__all__ = ["check_sky", "light_per_variance", "named"]

Array = NDArray[np.float64]
ON, BESIDE = 3.0, (10.0, 50.0)  # Angstrom from a line: on it; beside it, from and to
MIN_SPAXELS = 20  # that tell something of an IFU
SURE = 6.0  # errors that a difference must reach
RANGE = 8.0  # from the faintest to the brightest spaxel that tells it
MIN_BRIGHT = 12  # spaxels that tell how variance grows with light
PATCH = 12  # spaxels on a side, where nobody knows the IFUs
CORE = 2.5  # Angstrom about a line that hold its light


def check_sky(sample: Sample, places: Places | None, exposures: Sequence[Exposure]) -> Section:
    """Judge the sky that is left in the empty spaxels (the faintest 30 % by white light)."""
    if sample.faint.sum() < 4:
        text = f"{int(sample.faint.sum())} empty spaxels are too few to tell what is left of the sky"
        return Section("Sky", (Check.unknown("sky_lines", text), Check.unknown("sky_ifu", text)))
    checks, curve = _on_lines(sample)
    checks.append(_beside(sample))
    by_ifu, panel = _by_ifu(sample, places, exposures)
    panels = [_spectrum(sample), *curve, *panel]
    return Section("Sky", (*checks, *by_ifu), tuple(panels))


def _on_lines(sample: Sample) -> tuple[list[Check], list[Curves]]:
    """Hold the scatter on each line against that beside it, and against what the photons of the line explain."""
    low, high = float(sample.wavelength.min()), float(sample.wavelength.max())
    lines = lines_within(low, high, sample.axis.medium)
    checks, found, expected, at = [], [], [], []
    for line in lines:
        ratio = _ratio(sample.scatter, sample.wavelength, line)
        if not np.isfinite(ratio):
            continue
        photons = _ratio(sample.expected, sample.wavelength, line) if sample.has_stat else np.nan
        name, where = f"sky_{line.name}", f"at {line.at:.1f} Angstrom empty spaxels scatter {ratio:.2f} times as much"
        if np.isfinite(photons):
            limit = limits()["sky_line"] * photons
            good = bool(ratio <= limit)
            text = f"{where} as beside the line, {photons:.2f} times by the line's photons"
            text += "" if good else ": sky is left on the line"
            checks.append(Check(name, ratio, limit, good, text))
        else:
            text = f"{where} as beside the line; without STAT nobody knows how much of it are its photons"
            checks.append(Check(name, ratio, None, None, text))
        at.append(line.at)
        found.append(ratio)
        expected.append(photons)
    if not checks:
        text = f"no sky line of the list lies between {low:.0f} and {high:.0f} Angstrom with wavelengths beside it"
        return [Check.unknown("sky_lines", text)], []
    curves = [Curve(np.array(at), np.array(found), "found", "points")]
    if np.isfinite(expected).any():
        curves.append(Curve(np.array(at), np.array(expected), "photons alone, by STAT", "points"))
        top = limits()["sky_line"] * np.array(expected)
        curves.append(Curve(np.array(at), top, "limit", "limit"))
    return checks, [Curves("wavelength [Angstrom]", "scatter on a sky line / beside it", curves)]


def _ratio(scatter: Array, wavelength: Array, line: SkyLine) -> float:
    """Mean within 3 Angstrom of a line over the median from 10 to 50 Angstrom away."""
    away = np.abs(wavelength - line.at)
    on = scatter[away <= ON]
    beside = median(scatter[(away >= BESIDE[0]) & (away <= BESIDE[1])])
    on = on[np.isfinite(on)]
    return float(on.mean() / beside) if on.size and beside > 0 else float("nan")


def _off_lines(sample: Sample) -> NDArray[np.bool_]:
    lines = lines_within(float(sample.wavelength.min()), float(sample.wavelength.max()), sample.axis.medium)
    off = np.ones(len(sample.wavelength), bool)
    for line in lines:
        off &= np.abs(sample.wavelength - line.at) > 2 * ON
    return off


def _beside(sample: Sample) -> Check:
    """Level of the empty spaxels between the lines: light that is missing there was sky that is none."""
    limit = limits()["sky_beside"]
    level = median(sample.level[_off_lines(sample)]) / sample.voxel_noise if sample.voxel_noise > 0 else np.nan
    if not np.isfinite(level):
        return Check.unknown("sky_beside", "between the sky lines no plane holds data", limit)
    where = f"between the lines the faintest 30 % of the spaxels lie {level:+.2f} noise of a voxel from zero"
    if level < -limit:
        return Check("sky_beside", level, limit, False, f"{where}: too much sky was taken off")
    if level > limit:
        text = f"{where}: faint light of the field, or sky that was left, which the cube alone cannot tell apart"
        return Check("sky_beside", level, limit, None, text)
    return Check("sky_beside", level, limit, True, where)


def _spectrum(sample: Sample) -> Curves:
    wavelength = sample.wavelength
    curves = [Curve(wavelength, sample.scatter, "scatter"), Curve(wavelength, sample.level, "median")]
    if sample.has_stat:
        curves.insert(1, Curve(wavelength, sample.expected, "root of STAT"))
    lines = lines_within(float(wavelength.min()), float(wavelength.max()), sample.axis.medium)
    marks = [(line.at, line.name) for line in lines]
    unit = str(sample.cube.header.get("BUNIT") or "unit of the cube")
    return Curves("wavelength [Angstrom]", f"empty spaxels [{unit}]", curves, marks)


def light_per_variance(sample: Sample) -> float:
    """Flux over the variance that its photons make, from spaxels with and without light; NaN where none tells."""
    found: list[float] = []
    for image, variance in zip(sample.images, sample.variances, strict=True):
        planes = len(sample.bins[len(found)]) if len(found) < len(sample.bins) else 1
        stat = variance * planes  # of one voxel
        good = np.isfinite(image) & np.isfinite(stat)
        dark = good & sample.faint
        if dark.sum() < MIN_SPAXELS:
            found.append(np.nan)
            continue
        light, noise = image - np.median(image[dark]), stat - np.median(stat[dark])
        faintest = 5 * mad_sigma(image[dark])
        bright = good & (light > faintest) & (light < RANGE * faintest)  # errors in percent of the light come later
        if bright.sum() < MIN_BRIGHT:
            found.append(np.nan)
            continue
        slope = float(noise[bright].sum() / light[bright].sum())
        found.append(1 / slope if slope > 0 else np.nan)
    return median(found)


def _by_ifu(
    sample: Sample, places: Places | None, exposures: Sequence[Exposure]
) -> tuple[list[Check], list[Map | Curves]]:
    limit = limits()["sky_ifu"]
    if not sample.windows:
        return [Check.unknown("sky_ifu", "without a sky line nobody knows the sky of single IFUs", limit)], []
    if not sample.has_stat:
        return [Check.unknown("sky_ifu", "without STAT the sky that was taken off is unknown", limit)], []
    light = light_per_variance(sample)
    if not np.isfinite(light):
        text = "no star is bright enough to tell how much light stands behind STAT: the sky of IFUs was not compared"
        return [Check.unknown("sky_ifu", text, limit)], []
    found = _amplitudes(sample, places, light)
    fluxes = sky_fluxes(sample, light)
    for number, exposure in enumerate(exposures, 1):
        found += _of_table(exposure, number, fluxes)
    if len(found) < 3:
        return [Check.unknown("sky_ifu", "too few empty spaxels show single IFUs", limit)], []
    share, error = (np.array([one[k] for one in found]) for k in (1, 2))
    error = np.hypot(error, mad_sigma(share) * 0.5)
    sure = (np.abs(share) > SURE * error) & (np.abs(share) > limit)
    known = bool(places is not None or exposures)
    named_by = "IFUs" if known else "parts of the field"
    blind = SURE * float(np.median(error))
    value: float | None = min(limit, float(np.median(np.abs(share))))
    good: bool | None = True
    if sure.any():
        worst = int(np.argmax(np.where(sure, np.abs(share), 0.0)))
        value, good = abs(float(share[worst])), False
        kind = "over" if share[worst] < 0 else "under"
        text = f"the sky is {kind}-subtracted by {value:.1f} +- {error[worst]:.1f} % in {found[worst][0]}"
        text += f", and wrong in {int(sure.sum()) - 1} more" if sure.sum() > 1 else ""
        if not known:
            text += "; which IFU that is its SLICES (combine --extensions DQ) or the pixel tables would tell"
    elif blind > 2 * limit:
        value, good = None, None
        text = f"the sky lines are too faint to tell {named_by} apart whose sky is off by less than {blind:.0f} %"
    else:
        text = f"the sky lines of {len(found)} {named_by} agree;"
        text += f" one that is off by {max(limit, blind):.0f} % of the sky would show"
    panel = Curves(
        "number of the IFU or part", "sky left [% of the sky]",
        [Curve(np.arange(len(share)) + 1.0, share, "", "points", error),
         *(Curve(np.array([0.5, len(share) + 0.5]), np.full(2, s * limit), "limit" if s > 0 else "", "limit")
           for s in (1, -1))],
    )  # fmt: skip
    return [Check("sky_ifu", value, limit, good, text)], [panel]


def _amplitudes(sample: Sample, places: Places | None, light: float) -> list[tuple[str, float, float]]:
    """Sky left in groups of spaxels of the cube: name, percent of the sky, error."""
    numbers, names = _groups(sample, places)
    size, (top, weight) = len(names), np.zeros((2, len(names)))
    shared = sample.shared_noise  # neighbours do not tell twice what they share
    for line, planes, data, stat in sample.windows.values():
        if stat is None:
            continue
        away = np.abs(sample.wavelength[planes.start : planes.stop] - line.at)
        on, off = away <= CORE, away > 3 * CORE
        if not on.any() or off.sum() < 3:
            continue
        dark, told = data[:, sample.faint].astype(float), stat[:, sample.faint].astype(float)
        residual = finite_mean(dark[on]) - finite_mean(dark[off])
        sky = light * float(finite_mean(told[on].ravel()) - finite_mean(told[off].ravel()))
        use = np.isfinite(residual)
        if sky <= 0 or use.sum() < MIN_SPAXELS:
            continue
        left, error, spaxels = solve_groups(residual[use, None], numbers[:, use], size)
        share = 100 * (left[:, 0] - np.median(left[:, 0])) / sky
        error = 100 * error * shared / sky
        known = (spaxels >= MIN_SPAXELS) & (error > 0)
        top[known] += share[known] / error[known] ** 2
        weight[known] += 1 / error[known] ** 2
    return [(names[g], top[g] / weight[g], weight[g] ** -0.5) for g in np.flatnonzero(weight > 0)]


def sky_fluxes(sample: Sample, light: float) -> dict[str, float]:
    """Light of each sky line, mean of the planes within 2.5 Angstrom, by its photons in STAT, in the cube's unit."""
    fluxes = {}
    for name, (line, planes, _, stat) in sample.windows.items():
        away = np.abs(sample.wavelength[planes.start : planes.stop] - line.at)
        on, off = away <= CORE, away > 3 * CORE
        if stat is not None and on.any() and off.any():
            told = stat[:, sample.faint].astype(float)
            fluxes[name] = light * float(finite_mean(told[on].ravel()) - finite_mean(told[off].ravel()))
    return fluxes


def _groups(sample: Sample, places: Places | None) -> tuple[NDArray[np.int64], list[str]]:
    if places is not None:
        numbers, keys = places.groups(sample.faint, slices=False)
        return numbers, [named(code, exposure if len(places.codes) > 1 else 0) for exposure, code in keys]
    y, x = np.nonzero(sample.faint)
    columns = -(-sample.faint.shape[1] // PATCH)
    patches, numbers = np.unique(y // PATCH * columns + x // PATCH, return_inverse=True)
    corners = [(int(p % columns) * PATCH, int(p // columns) * PATCH) for p in patches]
    return numbers.reshape(1, -1), [
        f"the part of the field at x {a + 1} to {a + PATCH}, y {b + 1} to {b + PATCH}" for a, b in corners
    ]


def named(code: int, exposure: int = 0) -> str:
    """Name an IFU (or slice), and the exposure where there are several."""
    text = f"IFU {code // CODE}" + (f" slice {code % CODE}" if code % CODE else "")
    return text + (f" of exposure {exposure}" if exposure else "")


def _of_table(exposure: Exposure, number: int, fluxes: dict[str, float]) -> list[tuple[str, float, float]]:
    """Sky left in the IFUs of a pixel table, in its dark spaxels."""
    ifus = 24
    top, weight = np.zeros((2, ifus))
    for name, sums in exposure.spectra.items():
        away = np.abs(exposure.offsets[name])
        on, off = away <= CORE, away > 3 * CORE
        rows, data, stat = (part.reshape(ifus, -1, part.shape[-1]).sum(axis=1) for part in sums[:3])
        n_on, n_off = rows[:, on].sum(axis=1), rows[:, off].sum(axis=1)
        known = (n_on > 10 * MIN_SPAXELS) & (n_off > 10 * MIN_SPAXELS)
        if known.sum() < 3:
            continue
        with np.errstate(invalid="ignore", divide="ignore"):
            left = data[:, on].sum(axis=1) / n_on - data[:, off].sum(axis=1) / n_off
            error = np.sqrt(stat[:, on].sum(axis=1) / n_on**2 + stat[:, off].sum(axis=1) / n_off**2)
        sky = fluxes.get(name, 0.0)
        if sky <= 0:
            continue
        share, error = 100 * (left - np.median(left[known])) / sky, 100 * error / sky
        top[known] += share[known] / error[known] ** 2
        weight[known] += 1 / error[known] ** 2
    return [
        (f"IFU {k + 1} of table {number}", top[k] / weight[k], weight[k] ** -0.5) for k in np.flatnonzero(weight > 0)
    ]
