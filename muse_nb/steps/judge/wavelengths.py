"""Whether sky lines and telluric bands lie where they should, in all of the cube and in single IFUs and slices.

Where the sky was taken off, the photons of its lines still stand in STAT: their noise is the line. And where the sky
was taken off a line that lies elsewhere, a step in front of it and one behind are left in DATA.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.progress import silent
from muse_nb.core.robust import mad_sigma
from muse_nb.products.cube_file import CubeFile
from muse_nb.products.spectral_axis import SpectralAxis
from muse_nb.steps.judge.parts.lines import C, barycentric_velocity, limits
from muse_nb.steps.judge.parts.panel import Curve, Curves
from muse_nb.steps.judge.parts.places import CODE, Places, solve_groups
from muse_nb.steps.judge.parts.profile import Line, fit_line, measure_shifts, stands_out
from muse_nb.steps.judge.parts.reading import Sample, finite_mean, read_sample
from muse_nb.steps.judge.parts.tables import Exposure
from muse_nb.steps.judge.result import Check, Section
from muse_nb.steps.judge.sky import light_per_variance, named
from muse_nb.steps.judge.telluric import check_telluric

__all__ = ["check_wavelengths", "sky_velocity"]

Array = NDArray[np.float64]
LEAST_SCALE = 0.3  # of errors that turn out too large
SURE = 6.0  # errors that a difference must reach
MAX_SHIFT = 3.0  # Angstrom: more is another line
MAX_VELOCITY = 35.0  # km/s: the Earth's way around the Sun, and its turning
MIN_SPAXELS, MIN_OF_SLICE = 30, 6
MIN_ROWS = 300  # of a pixel table, in a bin about a line over all of an IFU
VISIBLE = 8.0  # times the scatter beside it, that a line must reach
PHASE = 0.17  # Angstrom: a resampled STAT may be off by that, because its weights are squared
SHARE = 0.3  # of the sky's light in DATA, with which the sky is taken for still there
BLIND = 2.0  # limits: where nothing smaller could have been found, nothing was compared


@dataclass(frozen=True)
class _Shift:
    name: str
    value: float
    error: float


def check_wavelengths(sample: Sample, places: Places | None, exposures: Sequence[Exposure]) -> Section:
    """Judge the wavelengths of sky lines and telluric bands."""
    light = light_per_variance(sample) if sample.has_stat else float("nan")
    heights = _heights(sample, light)
    whole, panels = _of_exposures(exposures) if exposures else _whole(sample, light)
    checks = [whole]
    for name, kind, slices in (("wavelength_ifu", "IFU", False), ("wavelength_slice", "slice", True)):
        if places is None and not exposures:
            text = "neither SLICES (combine --extensions DQ) nor pixel tables tell where the IFUs are"
            checks.append(Check.unknown(name, text, limits()[name]))
            continue
        sets = []
        if places is not None and not (slices and len(places.codes) > 1):
            sets += _of_cube(sample, places, slices, light)
        for number, exposure in enumerate(exposures, 1):
            sets += _of_table(exposure, number, slices, heights)
        check, shown = _judged(name, kind, sets)
        checks.append(check)
        panels += [] if slices else _drawn(shown, name)
    checks.append(check_telluric(sample))
    return Section("Wavelengths", tuple(checks), tuple(panels))


def sky_velocity(cube: CubeFile) -> tuple[float, float] | str:
    """Velocity of a cube's sky lines against the laboratory, the observer's motion taken out [km/s], and its error.

    A sentence where no sky line tells it.
    """
    axis = SpectralAxis.of(cube.header, cube.path)
    sample = read_sample(cube, axis, silent)
    found, source, _ = _sky_lines(sample, light_per_variance(sample) if sample.has_stat else float("nan"))
    velocity = barycentric_velocity({**dict(cube.header), **dict(cube.primary)})
    if not found:
        return f"no sky line stands out in {cube.path.name}: the zero point of its velocities was not measured"
    if velocity is None:
        return f"{cube.path.name} does not say for whom its wavelengths are: their zero point was not measured"
    at, shift = np.array(found).T
    values = shift / at * C - velocity
    doubt = PHASE / float(np.median(at)) * C if "STAT" in source else 0.0
    return float(np.median(values)), float(np.hypot(mad_sigma(values), doubt) / np.sqrt(len(values)))


def _sky_lines(sample: Sample, light: float) -> tuple[list[tuple[float, float]], set[str], list[Curve]]:
    """Sky lines that stand out: their laboratory wavelengths and how far they lie from these [Angstrom]."""
    found: list[tuple[float, float]] = []
    curves: list[Curve] = []
    source: set[str] = set()
    for line, planes, data, stat in sample.windows.values():
        away = sample.wavelength[planes.start : planes.stop] - line.at
        there, photons = _in_data_and_stat(sample, data, stat, away, light)
        fitted = there or photons
        if fitted is not None and abs(fitted.at) < MAX_SHIFT:
            found.append((line.at, fitted.at))
            source.add("DATA" if there else "STAT")
            cube = data if there or stat is None else stat
            spectrum = finite_mean(cube[:, sample.faint].astype(float).T)
            curves.append(Curve(away, (spectrum - fitted.ground) / fitted.height, f"{line.at:.1f}"))
    return found, source, curves


def _whole(sample: Sample, light: float) -> tuple[Check, list[Curves]]:
    """Sky lines of the whole field against their laboratory wavelengths."""
    found, source, curves = _sky_lines(sample, light)
    if not found:
        text = "no sky line stands out in DATA or STAT of the empty spaxels: wavelengths were not compared"
        return Check.unknown("wavelength", text, limits()["wavelength"]), []
    velocity = barycentric_velocity({**dict(sample.cube.header), **dict(sample.cube.primary)})
    doubt = PHASE if "STAT" in source else 0.0
    check = _against_laboratory(np.array(found), velocity, " and ".join(sorted(source)), doubt)
    return check, [Curves("Angstrom from the sky line", "sky line / its peak", curves, [(0.0, "")])]


def _of_exposures(exposures: Sequence[Exposure]) -> tuple[Check, list[Curves]]:
    """The same of pixel tables, each with its own velocity: the one that is worst."""
    worst, curves = None, []
    for number, exposure in enumerate(exposures, 1):
        found = []
        for name, sums in exposure.spectra.items():
            rows, _, stat, way = sums.sum(axis=1)
            good = rows > 0
            away, spectrum = way[good] / rows[good], stat[good] / rows[good]
            fitted = fit_line(away, spectrum) if stands_out(spectrum, away, VISIBLE) else None
            if fitted is not None and abs(fitted.at) < MAX_SHIFT:
                found.append((exposure.lines[name], fitted.at))
                if number == 1:
                    curves.append(Curve(away, (spectrum - fitted.ground) / fitted.height, name))
        if found:
            check = _against_laboratory(np.array(found), exposure.velocity, f"STAT of table {number}", 0.0)
            worst = check if worst is None or (check.value or 0) > (worst.value or 0) else worst
    if worst is None:
        text = "no sky line stands out in the pixel tables: wavelengths were not compared"
        return Check.unknown("wavelength", text, limits()["wavelength"]), []
    return worst, [Curves("Angstrom from the sky line", "sky line / its peak", curves, [(0.0, "")])]


def _against_laboratory(found: Array, velocity: float | None, source: str, doubt: float) -> Check:
    """Hold wavelengths and shifts (n, 2) against the laboratory, the velocity of the observer taken out."""
    limit = limits()["wavelength"] + doubt
    at, shift = found.T
    text = f"sky lines in {source}"
    if velocity is None:
        fitted = float(np.median(shift / at) * C)
        if abs(fitted) <= MAX_VELOCITY:
            shift = shift - fitted / C * at
            text += f", less {fitted:+.1f} km/s (the header does not say for whom its wavelengths are)"
    elif velocity:
        shift = shift - velocity / C * at
        text += f", less {velocity:+.1f} km/s to the barycentre"
    value = float(np.median(shift))
    worst = float(np.max(np.abs(shift)))
    text += f", lie {value:+.3f} Angstrom from their laboratory wavelengths ({len(shift)} line{'s' * (len(shift) != 1)}"
    text += f", the worst {worst:.3f}" if len(shift) > 1 else ""
    text += f"; resampling alone may shift them by {doubt})" if doubt else ")"
    return Check("wavelength", abs(value), limit, abs(value) <= limit, text)


def _of_table(exposure: Exposure, number: int, slices: bool, heights: dict[str, float]) -> list[list[_Shift]]:
    """Shifts of the IFUs or slices of a table: of the lines in STAT, and of what they left in DATA."""
    groups = 24 * 48 if slices else 24
    names = [
        f"{named((k // 48 + 1) * CODE + k % 48 + 1 if slices else (k + 1) * CODE)} of table {number}"
        for k in range(groups)
    ]
    sums = (_Mean(groups), _Mean(groups))
    for name, spectra in exposure.spectra.items():
        rows, data, stat, way = spectra.reshape(4, groups, -1, spectra.shape[-1]).sum(axis=2)
        total = rows.sum(axis=0)
        if not (total > 0).all():
            continue
        mean, place = stat.sum(axis=0) / total, way.sum(axis=0) / total
        line = fit_line(place, mean) if stands_out(mean, place, VISIBLE) else None
        if line is None:
            continue
        with np.errstate(invalid="ignore", divide="ignore"):
            values, at = np.where(rows > 0, stat / rows, np.nan), np.where(rows > 0, way / rows, np.nan)
            error = np.where(rows > 0, 0.5 * mean / np.sqrt(rows), np.nan)
            sums[0].add(*measure_shifts(values, at, error, line))
            if name in heights:
                left = np.where(rows > 0, data / rows, np.nan)
                error = np.where(rows > 0, np.sqrt(stat) / rows, np.nan)
                sums[1].add(
                    *measure_shifts(left, at, error, replace(line, height=heights[name], ground=0.0), left=True)
                )
    return [one.shifts(names) for one in sums]


def _heights(sample: Sample, light: float) -> dict[str, float]:
    """Height of each sky line before it was taken off, in the cube's unit, as its photons in STAT tell."""
    heights = {}
    for name, (line, planes, data, stat) in sample.windows.items():
        away = sample.wavelength[planes.start : planes.stop] - line.at
        _, photons = _in_data_and_stat(sample, data, stat, away, light)
        if photons is not None and np.isfinite(light):
            heights[name] = light * photons.height
    return heights


class _Mean:
    """Weighted mean of shifts over lines, each against the median of its groups."""

    def __init__(self, groups: int) -> None:
        self.top, self.weight = np.zeros(groups), np.zeros(groups)

    def add(self, shift: Array, error: Array) -> None:
        """Take in the shifts of a line."""
        good = np.isfinite(shift) & np.isfinite(error) & (error > 0)
        if good.sum() < 3:
            return
        self.top[good] += (shift[good] - np.median(shift[good])) / error[good] ** 2
        self.weight[good] += 1 / error[good] ** 2

    def shifts(self, names: Sequence[str]) -> list[_Shift]:
        """Mean shift of each group that has one."""
        return [
            _Shift(names[k], float(self.top[k] / self.weight[k]), float(self.weight[k] ** -0.5))
            for k in np.flatnonzero(self.weight > 0).tolist()
        ]


def _of_cube(sample: Sample, places: Places, slices: bool, light: float) -> list[list[_Shift]]:
    """Shifts of the IFUs or slices behind the spaxels: of lines in DATA or STAT, and of what was left of them."""
    several = len(places.codes) > 1
    sums: dict[str, _Mean] = {}
    names: list[str] = []
    for line, planes, data, stat in sample.windows.values():
        away = sample.wavelength[planes.start : planes.stop] - line.at
        chosen = sample.faint if not slices else np.asarray((places.codes > 0).any(axis=0))
        numbers, keys = places.groups(chosen, slices=slices)
        names = [named(code, exposure if several else 0) for exposure, code in keys]
        there, photons = _in_data_and_stat(sample, data, stat, away, light)
        for kind, cube, profile in (
            ("DATA", data, there or (photons.scaled(light) if photons and np.isfinite(light) else None)),
            ("STAT", stat, photons if there is None else None),
        ):
            if cube is not None and profile is not None:
                mean = sums.setdefault(kind, _Mean(len(names)))
                left = kind == "DATA" and there is None
                mean.add(
                    *_of_groups(
                        sample, cube[:, chosen].astype(float).T, numbers, len(names), away, profile, left, slices
                    )
                )
    return [mean.shifts(names) for mean in sums.values()]


def _in_data_and_stat(
    sample: Sample, data: NDArray[np.float32], stat: NDArray[np.float32] | None, away: Array, light: float
) -> tuple[Line | None, Line | None]:
    """A sky line in DATA, where the sky was not taken off, and in STAT."""
    flux = finite_mean(data[:, sample.faint].astype(float).T)
    variance = None if stat is None else finite_mean(stat[:, sample.faint].astype(float).T)
    photons = fit_line(away, variance) if variance is not None and stands_out(variance, away, VISIBLE) else None
    there = fit_line(away, flux) if stands_out(flux, away, VISIBLE) else None
    if there is not None and photons is not None and not there.height > SHARE * light * photons.height:
        there = None  # a residual
    return there, photons


def _of_groups(
    sample: Sample,
    values: Array,
    numbers: NDArray[np.int64],
    size: int,
    away: Array,
    profile: Line,
    left: bool,
    slices: bool,
) -> tuple[Array, Array]:
    nothing = np.full(size, np.nan), np.full(size, np.nan)
    use = np.isfinite(values).all(axis=1)
    if use.sum() < MIN_SPAXELS:
        return nothing
    values = values - np.median(values[:, np.abs(away) > 8], axis=1, keepdims=True)
    found, _, spaxels = solve_groups(values[use], numbers[:, use], size)
    known = spaxels >= (MIN_OF_SLICE if slices else MIN_SPAXELS)
    scatter = np.array([mad_sigma(column) for column in values[use].T]) * sample.shared_noise
    error = np.where(known, 1 / np.sqrt(np.maximum(spaxels, 1e-9)), np.nan)[:, None] * scatter
    return measure_shifts(found, np.broadcast_to(away, found.shape), error, profile, left=left)


def _judged(name: str, kind: str, sets: list[list[_Shift]]) -> tuple[Check, list[_Shift]]:
    """Say which is off in any of the sets; where none could have been found, that."""
    limit = limits()[name]
    sets = [shifts for shifts in sets if len(shifts) >= 3]
    if not sets:
        return Check.unknown(
            name, f"the sky lines of single {kind}s do not stand out: they were not compared", limit
        ), []
    worst: _Shift | None = None
    finest, blind, number, wrong = sets[0], np.inf, 0, 0
    for shifts in sets:
        value, error = (np.array([getattr(s, key) for s in shifts]) for key in ("value", "error"))
        error = error * max(LEAST_SCALE, mad_sigma(value / error))  # by what all scatter, their errors are
        number = max(number, len(value))
        if SURE * np.median(error) < blind:
            blind, finest = float(SURE * np.median(error)), shifts
        off = (np.abs(value) > SURE * error) & (np.abs(value) > limit)
        wrong = max(wrong, int(off.sum()))
        if off.any():
            k = int(np.argmax(np.where(off, np.abs(value) / error, 0)))
            if worst is None or abs(value[k]) / error[k] > abs(worst.value) / worst.error:
                worst, finest = _Shift(shifts[k].name, float(value[k]), float(error[k])), shifts
    spread = mad_sigma([s.value for s in finest])
    told = f"{number} {kind}s were compared, they scatter by {spread:.3f} Angstrom"
    if worst is not None:
        text = f"the sky lines of {worst.name} lie {worst.value:+.3f} +- {worst.error:.3f} Angstrom off the others'"
        text += f", and those of {wrong - 1} more {kind}s" if wrong > 1 else ""
        return Check(name, abs(worst.value), limit, False, f"{text}: {told}"), finest
    if blind > BLIND * limit:
        text = f"a {kind} that is off by less than {blind:.2f} Angstrom would not be seen: {told}"
        return Check(name, blind, limit, None, text), finest
    text = f"no {kind} lies off the others beyond {max(blind, limit):.2f} Angstrom: {told}"
    return Check(name, min(3 * spread, limit), limit, True, text), finest


def _drawn(shifts: list[_Shift], name: str) -> list[Curves]:
    if len(shifts) < 3:
        return []
    number = np.arange(len(shifts)) + 1.0
    values, errors = (np.array([getattr(s, key) for s in shifts]) for key in ("value", "error"))
    ends = np.array([0.5, len(shifts) + 0.5])
    bounds = [Curve(ends, np.full(2, s * limits()[name]), "limit" if s > 0 else "", "limit") for s in (1, -1)]
    label = "sky lines of an IFU, off [Angstrom]"
    return [
        Curves(
            "number of the IFU, in the order of the field",
            label,
            [Curve(number, values, "", "points", errors), *bounds],
        )
    ]
