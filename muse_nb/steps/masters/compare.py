"""Two nights of masters side by side: what moved, by how much, and how sure that is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from muse_nb.core.robust import ERROR_OF_MEDIAN, mad_sigma, median
from muse_nb.core.text import listed, printable
from muse_nb.products.field import SLICES
from muse_nb.steps.masters.kinds.flat import lamp_flux
from muse_nb.steps.masters.parts.judge import Finding
from muse_nb.steps.masters.parts.limits import Limits
from muse_nb.steps.masters.parts.measured import Array, Measured, quadrants

__all__ = ["SURE", "Moved", "compare"]

SURE = 5.0  # errors beyond which something moved
LEAST = 1e-9  # error of a number that is exact
UNKNOWN = float("nan")  # error of a number that has none
Values = Iterator[tuple[str, str, float, float]]  # name of the limit, place, difference, its error


@dataclass(frozen=True)
class Moved:
    """One number of a master, less that of the other night.

    Attributes
    ----------
    kind : str
        PRO CATG.
    ifu : int or None
        None of the whole field.
    place : str
        Slice, quadrant or part of the field; empty of the whole.
    name : str
        As in limits.csv.
    value, error : float
        Difference, this night less the other, and its standard error, NaN where nothing tells it.
    unit : str
    file, other : str
        The two files.
    """

    kind: str
    ifu: int | None
    place: str
    name: str
    value: float
    error: float
    unit: str
    file: str
    other: str

    @property
    def significance(self) -> float:
        """Difference over its error; NaN where that is not known."""
        return self.value / self.error


def compare(
    here: Sequence[Measured], there: Sequence[Measured], limits: Limits
) -> tuple[list[Moved], list[Finding], list[str]]:
    """Compare what two nights have in common.

    Parameters
    ----------
    here, there
        Measured masters of the night that is judged, and of the other.
    limits
        Those that start with ``moved_``.

    Returns
    -------
    list of Moved
        All numbers that were compared.
    list of Finding
        Those that are beyond their limit and, where their error is known, more than `SURE` errors from 0.
    list of str
        What was not compared, a sentence each.
    """
    sides = []
    for measured in (here, there):
        groups: dict[tuple[str, int], list[Measured]] = defaultdict(list)
        for one in measured:
            groups[one.master.kind, one.master.ifu].append(one)
        sides.append(groups)
    moved: list[Moved] = []
    found: list[Finding] = []
    said: dict[tuple[str, str], list[int]] = defaultdict(list)  # kind, what of it -> IFUs
    keys = set(sides[0]) | set(sides[1])
    for kind, ifu in [key for kind in _BY_KIND for key in sorted(keys) if key[0] == kind]:
        ours, others = sides[0].get((kind, ifu), []), sides[1].get((kind, ifu), [])
        if len(ours) != 1 or len(others) != 1:
            said[kind, f"was not compared: this night has {len(ours)} of it, the other {len(others)}"].append(ifu)
            continue
        modes = [printable(one.master.mode) for one in (ours[0], others[0]) if one.master.mode]
        if len(set(modes)) > 1:
            said[kind, f"was compared across modes, {' and '.join(modes)}"].append(ifu)
        made = _BY_KIND[kind](ours[0], others[0])
        rows = [_moved(ours[0], others[0], *row, limits) for row in made if np.isfinite(row[2])]
        if not rows:
            said[kind, "was not compared: the two have no number in common"].append(ifu)
        moved += rows
        found += _findings(rows, limits)
    notes = [f"{kind}{f' of IFU {listed(ifus)}' if any(ifus) else ''} {text}." for (kind, text), ifus in said.items()]
    return moved, found, notes


def _moved(ours: Measured, other: Measured, name: str, place: str, value: float, error: float, limits: Limits) -> Moved:
    master = ours.master
    files = str(master.path), str(other.master.path)
    error = max(float(error), LEAST) if np.isfinite(error) else UNKNOWN
    return Moved(master.kind, master.ifu or None, place, name, float(value), error, limits[name].unit, *files)


def _findings(rows: Sequence[Moved], limits: Limits) -> list[Finding]:
    """A sentence for the worst of each number that is beyond its limit."""
    beyond: dict[str, list[Moved]] = defaultdict(list)
    for row in rows:
        if limits[row.name].passed(row.value) is not None and not abs(row.significance) <= SURE:
            beyond[row.name].append(row)
    found = []
    for name, wrong in beyond.items():
        worst = max(wrong, key=lambda row: abs(row.value))
        limit = limits[name]
        where = [worst.kind, *([f"IFU {worst.ifu}"] if worst.ifu else []), *([worst.place] if worst.place else [])]
        unit = f" {limit.unit}" if limit.unit else ""
        error = f" +- {worst.error:.2g}" if np.isfinite(worst.error) else ""
        text = f"{', '.join(where)}: {limit.what} moved by {worst.value:+.3g}{error}{unit}"
        text += f" against {printable(worst.other)} (limit {limit.range_text})"
        text += f", and {len(wrong) - 1} more of it" if len(wrong) > 1 else ""
        edge = limit.passed(worst.value) or 0.0
        found.append(Finding(worst.file, worst.kind, worst.ifu, worst.place, name, worst.value, edge, text))
    return found


def _slices(whole: str, single: str, differences: Array, own: float = UNKNOWN) -> Values:
    """The median of all slices, its error by their scatter, and each slice against it, with its `own` error."""
    known = np.isfinite(differences)
    if not known.any():
        return
    middle, scatter = median(differences), np.fmax(mad_sigma(differences), own)
    yield whole, "", middle, float(ERROR_OF_MEDIAN * scatter / np.sqrt(np.count_nonzero(known)))
    for n in np.flatnonzero(known).tolist():
        yield single, f"slice {n + 1}", float(differences[n] - middle), own


def _bias(ours: Measured, other: Measured) -> Values:
    for n in range(1, 5):
        level, noise = (
            [one.master.number(keyword.format(n)) for one in (ours, other)]
            for keyword in ("ESO QC BIAS LEVEL{} MEDIAN", "ESO QC BIAS MASTER{} RON")
        )
        yield "moved_bias_level", f"quadrant {n}", level[0] - level[1], 1.0
        doubt = [one.master.number(f"ESO QC BIAS MASTER{n} RONERR") for one in (ours, other)]
        if noise[1]:
            error = 100 * float(np.hypot(doubt[0], doubt[1])) / noise[1]
            yield "moved_bias_noise", f"quadrant {n}", 100 * (noise[0] / noise[1] - 1), error
    levels = [one.get("bias_level") for one in (ours, other)]
    if levels[0].shape == levels[1].shape:
        for n, (a, b) in enumerate(zip(*levels, strict=True), 1):
            yield "moved_bias_master", f"quadrant {n}", a - b, _error_of_level(ours, other, n)


def _error_of_level(ours: Measured, other: Measured, quadrant: int) -> float:
    """Error of a quadrant's median by the scatter of its columns' medians."""
    found = []
    for one in (ours, other):
        columns = one.arrays.get("columns", np.zeros(0))
        part = quadrants(np.broadcast_to(columns, (2, columns.size)))[quadrant - 1]
        found.append(mad_sigma(part) / np.sqrt(max(1, part.size // 2)))
    return float(np.hypot(found[0], found[1]))


def _dark(ours: Measured, other: Measured) -> Values:
    levels = [one.get("dark_level") for one in (ours, other)]
    if levels[0].shape == levels[1].shape:
        for n, (a, b) in enumerate(zip(*levels, strict=True), 1):
            yield "moved_dark_level", f"quadrant {n}", a - b, _error_of_level(ours, other, n)


def _flat(ours: Measured, other: Measured) -> Values:
    flux = [lamp_flux(one.master) for one in (ours, other)]
    if flux[1]:
        yield "moved_flat_level", "", 100 * (flux[0] / flux[1] - 1), UNKNOWN
    levels = [one.arrays.get("slices", np.zeros(0)) for one in (ours, other)]
    if levels[0].shape == levels[1].shape == (SLICES,):
        change = 100 * (levels[0] / levels[1] - 1)
        for name, place, value, error in _slices("", "moved_flat_slice", change):
            if place:
                yield name, place, value, error


def _trace(ours: Measured, other: Measured) -> Values:
    """Positions in x, in the mean of the rows and of both edges."""
    rows = [one.arrays.get("rows", np.zeros(0)) for one in (ours, other)]
    if rows[0].size < 2 or not np.array_equal(rows[0], rows[1]):
        return
    edges = [np.stack([one.arrays[name] for name in ("centre", "left", "right")]) for one in (ours, other)]
    doubt = median([*ours.get("trace_rms"), *other.get("trace_rms")])
    own = doubt * np.sqrt(2 / rows[0].size)
    yield from _slices("moved_trace", "moved_trace_slice", np.mean(edges[0] - edges[1], axis=(0, 2)), own)


def _wavecal(ours: Measured, other: Measured) -> Values:
    """Wavelengths on the slices' centres, in the mean of the rows."""
    rows = [one.arrays.get("rows", np.zeros(0)) for one in (ours, other)]
    if rows[0].size < 2 or not np.array_equal(rows[0], rows[1]):
        return
    change = np.mean(ours.arrays["wavelength"] - other.arrays["wavelength"], axis=1)
    doubt = median([*ours.get("wave_rms"), *other.get("wave_rms")])
    lines = median([*ours.get("wave_lines"), *other.get("wave_lines")])
    own = doubt * np.sqrt(2 / lines) if lines > 0 else doubt
    yield from _slices("moved_wave", "moved_wave_slice", change, own)


def _lsf(ours: Measured, other: Measured) -> Values:
    widths = [one.get("lsf_fwhm") for one in (ours, other)]
    if widths[0].shape == widths[1].shape == (SLICES,):
        yield from _slices("moved_lsf", "moved_lsf_slice", 100 * (widths[0] / widths[1] - 1))


def _twilight(ours: Measured, other: Measured) -> Values:
    whites = [one.arrays.get("white", np.zeros((0, 0))) for one in (ours, other)]
    if whites[0].shape == whites[1].shape and whites[0].size:
        change = 100 * (whites[0] / whites[1] - 1)
        ny, nx = (max(1, n // 4) for n in change.shape)
        for i in range(4):
            for j in range(4):
                part = change[i * ny : (i + 1) * ny, j * nx : (j + 1) * nx]
                if (many := np.count_nonzero(np.isfinite(part))) > 20:
                    error = ERROR_OF_MEDIAN * mad_sigma(part) / np.sqrt(many)
                    yield "moved_twilight", f"part {j + 1}, {i + 1} of 4 x 4", median(part), max(error, 0.01)
    ifus = [one.arrays.get("ifus", np.zeros(0)) for one in (ours, other)]
    if ifus[0].shape == ifus[1].shape and min(np.count_nonzero(np.isfinite(side)) for side in ifus) > 1:
        for n in np.flatnonzero(np.isfinite(ifus[0] * ifus[1])).tolist():
            yield "moved_twilight_ifu", f"IFU {n + 1}", 100 * (ifus[0][n] / ifus[1][n] - 1), UNKNOWN


def _response(ours: Measured, other: Measured) -> Values:
    if not (ours.arrays and other.arrays):
        return
    a, b = ours.arrays, other.arrays
    low, high = (choose(a["wavelength"][n], b["wavelength"][n]) for choose, n in ((max, 0), (min, -1)))
    marks = np.arange(np.ceil(low / 250) * 250, high + 1, 250)
    if marks.size < 3:
        return
    change = np.interp(marks, a["wavelength"], a["response"]) - np.interp(marks, b["wavelength"], b["response"])
    error = np.hypot(*(np.interp(marks, side["wavelength"], side["error"]) for side in (a, b)))
    middle = median(change)
    yield "moved_response", "", middle, ERROR_OF_MEDIAN * max(median(error), mad_sigma(change)) / np.sqrt(marks.size)
    for mark, value, doubt in zip(marks.tolist(), change - middle, error, strict=True):
        yield "moved_response_shape", f"{mark:.0f} Angstrom", float(value), float(doubt)


def _astrometry(ours: Measured, other: Measured) -> Values:
    scales = [one.get("astrometry_scale") for one in (ours, other)]
    if scales[0].shape == scales[1].shape == (2,):
        for place, a, b in zip(("x", "y"), *scales, strict=True):
            yield "moved_scale", place, 100 * (a / b - 1), UNKNOWN
        yield "moved_angle", "", float((ours.get("astrometry_angle") - other.get("astrometry_angle"))[0]), UNKNOWN


_BY_KIND: dict[str, Callable[[Measured, Measured], Values]] = {
    "MASTER_BIAS": _bias,
    "MASTER_DARK": _dark,
    "MASTER_FLAT": _flat,
    "TRACE_TABLE": _trace,
    "WAVECAL_TABLE": _wavecal,
    "LSF_PROFILE": _lsf,
    "TWILIGHT_CUBE": _twilight,
    "STD_RESPONSE": _response,
    "ASTROMETRY_WCS": _astrometry,
}
