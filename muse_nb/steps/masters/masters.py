"""``muse_nb.judge_masters``: is every master calibration of a night good, and what moved since another night?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from muse_nb.core.errors import MuseError
from muse_nb.core.progress import Progress, watched
from muse_nb.core.robust import median
from muse_nb.products.calibrations.masters import OF_AN_IFU, OF_THE_FIELD, Master, find_masters
from muse_nb.steps.masters.compare import compare
from muse_nb.steps.masters.kinds.astrometry import measure_astrometry
from muse_nb.steps.masters.kinds.bias import measure_bias
from muse_nb.steps.masters.kinds.dark import measure_dark
from muse_nb.steps.masters.kinds.flat import lamp_flux, measure_flat
from muse_nb.steps.masters.kinds.lsf import measure_lsf
from muse_nb.steps.masters.kinds.residuals import measure_residuals
from muse_nb.steps.masters.kinds.response import measure_response
from muse_nb.steps.masters.kinds.telluric import measure_telluric
from muse_nb.steps.masters.kinds.trace import measure_trace
from muse_nb.steps.masters.kinds.twilight import measure_twilight
from muse_nb.steps.masters.kinds.wavecal import measure_wavecal
from muse_nb.steps.masters.parts.chip import Chips
from muse_nb.steps.masters.parts.judge import judge, unknown
from muse_nb.steps.masters.parts.limits import Limits, read_limits
from muse_nb.steps.masters.parts.measured import Measured, Quantity
from muse_nb.steps.masters.result import Masters

if TYPE_CHECKING:
    from muse_nb.core.process import Stop

__all__ = ["judge_masters"]

Source = str | Path | Iterable[str | Path]
MIN_IFUS = 3  # with a flat, for one of them to be held against the others


def judge_masters(
    masters: Source,
    *,
    other: Source | None = None,
    limits_table: str | Path | None = None,
    progress: Progress | None = None,
    cancel: Stop | None = None,
) -> Masters:
    """Judge every master calibration: biases, darks, flats, traces, wavelengths, LSF, twilight, response, astrometry.

    ESO's pipeline is not needed. Of each number the limit, the range of a real night and the source of the limit stand
    in ``steps/masters/limits.csv`` and in docs/masters.md. One master is read at a time.

    Parameters
    ----------
    masters
        A folder, looked through with its subfolders, or files: of one IFU each, or with all IFUs in one file.
    other
        Masters of another night, to say what moved.
    limits_table
        CSV with columns ``name``, ``low`` and ``high`` that replaces some of the limits.
    progress, cancel
        Told of every master; stops when set.

    Returns
    -------
    Masters
        With ``findings``, ``notes`` (what could not be judged), ``table``, ``moved`` and ``plot(kind)``.

    Raises
    ------
    MuseError
        There is no master, a file is damaged or does not say of which IFU it is, or it was cancelled.

    Examples
    --------
    >>> masters = muse_nb.judge_masters("night/calib")
    >>> print(masters.head)
    6 MASTER_BIAS, 6 MASTER_FLAT, 6 TRACE_TABLE, 6 WAVECAL_TABLE, ...: 0 findings
    >>> masters.findings
    []
    """
    limits = read_limits(limits_table)
    step = watched(progress, cancel, "the judgement of the masters")
    ours = _measure(masters, step, "masters")
    found = [finding for one, name in zip(ours, _names(ours), strict=True) for finding in judge(one, limits, name)]
    notes = [*_notes(ours, limits), *_without_siblings(ours)]
    if other is None:
        return Masters(tuple(ours), tuple(found), tuple(notes), limits)
    theirs = _measure(other, step, "the other night's masters")
    moved, changed, apart = compare(ours, theirs, limits)
    return Masters(tuple(ours), (*found, *changed), (*notes, *apart), limits, tuple(moved), tuple(theirs))


def _measure(source: Source, step: Progress, what: str) -> list[Measured]:
    """Measure the masters of a night."""
    found = find_masters(source)
    if not found:
        where = source if isinstance(source, str | Path) else "the list of files"
        raise MuseError(
            f"{where} holds no master calibration: name a folder with MASTER_BIAS, TRACE_TABLE and the like"
        )
    chips = Chips.of(found)
    measured: list[Measured] = []
    for number, master in enumerate(found, 1):
        with np.errstate(all="ignore"):  # what is not finite is not known
            measured.append(_measured(master, chips, measured))
        step(what, number, len(found))
    return _with_siblings(measured)


def _measured(master: Master, chips: Chips, before: Sequence[Measured]) -> Measured:
    """Measure a master, whatever its kind."""
    simple: dict[str, Callable[[Master], Measured]] = {
        "MASTER_BIAS": measure_bias,
        "MASTER_DARK": measure_dark,
        "LSF_PROFILE": measure_lsf,
        "TWILIGHT_CUBE": measure_twilight,
        "STD_RESPONSE": measure_response,
        "STD_TELLURIC": measure_telluric,
        "ASTROMETRY_WCS": measure_astrometry,
    }
    if master.kind in simple:
        return simple[master.kind](master)
    if master.kind == "MASTER_FLAT":
        return measure_flat(master, chips.trace(master))
    if master.kind == "TRACE_TABLE":
        return measure_trace(master, chips.height(master))
    if master.kind == "WAVECAL_TABLE":
        return measure_wavecal(master, chips.trace(master), chips.height(master))
    return measure_residuals(master, _span(master, before))


def _span(master: Master, before: Sequence[Measured]) -> tuple[float, float] | None:
    """First and last wavelength of a chip, by the WAVECAL_TABLE of its IFU."""
    tables = [one for one in before if one.master.kind == "WAVECAL_TABLE" and one.master.ifu == master.ifu]
    own = [one for one in tables if one.master.path.parent == master.path.parent] or tables
    wavelength = own[0].arrays.get("wavelength") if len(own) == 1 else None
    if wavelength is None or not np.isfinite(wavelength).all():
        return None
    return float(median(wavelength[:, 0])), float(median(wavelength[:, -1]))


def _with_siblings(measured: Sequence[Measured]) -> list[Measured]:
    """Add what needs the other IFUs: the lamp's light in each, over the median of those of its mode."""
    every = [(one.master.mode, lamp_flux(one.master)) for one in measured if one.master.kind == "MASTER_FLAT"]
    found = []
    for one in measured:
        alike = [flux for mode, flux in every if mode == one.master.mode and np.isfinite(flux)]
        if one.master.kind == "MASTER_FLAT" and len(alike) >= MIN_IFUS:
            share = Quantity.one("flat_ifu", lamp_flux(one.master) / median(alike))
            one = replace(one, quantities=(*one.quantities, share))
        found.append(one)
    return found


def _names(measured: Sequence[Measured]) -> list[str]:
    """Call each master by its file's name, or by its path where two files have the same name."""
    paths: dict[str, set[Path]] = {}
    for one in measured:
        paths.setdefault(one.master.name, set()).add(one.master.path)
    return [str(one.master.path) if len(paths[one.master.name]) > 1 else one.master.name for one in measured]


def _notes(measured: Sequence[Measured], limits: Limits) -> list[str]:
    """Say what could not be judged of single masters, alike ones together."""
    said: dict[tuple[str, str], list[str]] = {}
    for one, name in zip(measured, _names(measured), strict=True):
        for note in (*one.notes, *unknown(one, limits)):
            said.setdefault((one.master.kind, note), []).append(name)
    return [
        f"{names[0]}{f' (like {len(names) - 1} more {kind})' if len(names) > 1 else ''} {note}."
        for (kind, note), names in said.items()
    ]


def _without_siblings(measured: Sequence[Measured]) -> list[str]:
    """Say what could not be held against anything, and which kinds are not there at all."""
    said = []
    flats = [one for one in measured if one.master.kind == "MASTER_FLAT"]
    if flats and not any(one.get("flat_ifu").size for one in flats):
        many = f"{len(flats)} MASTER_FLAT{'s' * (len(flats) != 1)}"
        said.append(f"{many}: the lamp's light was not compared between IFUs, which needs {MIN_IFUS}.")
    there = {one.master.kind for one in measured}
    if missing := [kind for kind in (*OF_AN_IFU, *OF_THE_FIELD) if kind not in there]:
        said.append(f"Not there, and so not judged: {', '.join(missing)}.")
    return said
