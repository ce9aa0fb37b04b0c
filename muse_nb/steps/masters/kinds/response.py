"""STD_RESPONSE: level and run of the throughput against those of MUSE, ripple and errors.

``arrays``: wavelength, response, error [mag], throughput (n,), within the standard's wavelengths, and reference (n,),
MUSE's throughput on the real night.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files

import numpy as np

from muse_nb.core.errors import MuseError
from muse_nb.core.robust import median
from muse_nb.products.calibrations.masters import Master
from muse_nb.products.history import history
from muse_nb.steps.masters.kinds.telluric import outside_bands
from muse_nb.steps.masters.parts.measured import Array, Measured, Quantity, running_median

__all__ = ["known_throughput", "measure_response"]

PLANCK_C = 1.98644586e-8  # Planck's constant times the speed of light [erg Angstrom]
AREA = 483250.765  # of the mirror without its hole, as the recipes have it [cm^2]
NOMINAL = (4750.0, 9350.0)  # wavelengths that are judged [Angstrom]
SMOOTH_ORDER = 5  # of the polynomial that a response without lines follows well enough
RIPPLE = (30.0, 400.0)  # dips of about this width against a running median of that [Angstrom]


@cache
def known_throughput() -> tuple[Array, Array]:
    """Wavelengths [Angstrom] and throughputs of MUSE, telescope and atmosphere above airmass 1 taken out."""
    text = (files("muse_nb.steps.masters.kinds") / "throughput.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    return np.array([float(row["air"]) for row in rows]), np.array([float(row["throughput"]) for row in rows])


def measure_response(master: Master) -> Measured:
    """Measure a STD_RESPONSE, whose response is 2.5 log10 of (count/s/Angstrom)/(erg/s/cm^2/Angstrom).

    Throughput = 10^(0.4 response) h c / (wavelength area): counted over arriving photons.
    """
    try:
        wavelength, response, error = master.columns("lambda", "response", "resperr")
    except MuseError as problem:
        return Measured(master, (), notes=(f"was not judged ({problem})",))
    low, high = _standards_range(master)
    use = (wavelength >= low) & (wavelength <= high) & np.isfinite(response)
    if use.sum() < 3:
        return Measured(master, (), notes=(f"has no response between {low:.0f} and {high:.0f} Angstrom: not judged",))
    wavelength, response, error = wavelength[use], response[use], error[use]
    throughput = 10 ** (0.4 * response) * PLANCK_C / (wavelength * AREA)
    notes = []
    if low > NOMINAL[0] or high < NOMINAL[1]:
        notes.append(f"was made of {low:.0f} to {high:.0f} Angstrom: what it has beyond is extrapolated and not judged")
    at, known = known_throughput()
    reference = np.where((wavelength >= at[0]) & (wavelength <= at[-1]), np.interp(wavelength, at, known), np.nan)
    found = [Quantity.one("response_error", median(error))]
    ratio = throughput / reference
    if np.isfinite(ratio).any():
        level = median(ratio)
        found.append(Quantity.one("response_level", level))
        marks = [w for w in (5000, 6000, 7000, 8000, 9000) if wavelength[0] <= w <= wavelength[-1]]
        run = 2.5 * np.log10(np.interp(marks, wavelength, throughput) / np.interp(marks, at, known) / level)
        found.append(Quantity.of("response_shape", run, [f"{w} Angstrom" for w in marks]))
    else:
        notes.append("has nothing between 5000 and 9000 Angstrom, where MUSE's throughput is known")
    try:
        rough = master.columns("response_unsmoothed")[0][use]
    except MuseError:
        rough = response
        notes.append("has no response_unsmoothed: lines that were smoothed away are not told")
    found.append(Quantity.one("response_ripple", _ripple(wavelength, rough)))
    arrays = {
        "wavelength": wavelength,
        "response": response,
        "error": error,
        "throughput": throughput,
        "reference": reference,
    }
    return Measured(master, tuple(found), arrays, tuple(notes))


def _standards_range(master: Master) -> tuple[float, float]:
    """Wavelengths that the standard was measured at, as its recipe was told, within `NOMINAL`."""
    parameters = next((run.parameters for run in reversed(history(master.header)) if run.recipe == "muse_standard"), {})
    ends = []
    for name, nominal, choose in (("lambdamin", NOMINAL[0], max), ("lambdamax", NOMINAL[1], min)):
        try:
            ends.append(choose(nominal, float(str(parameters.get(name, nominal)))))
        except ValueError:
            ends.append(nominal)
    return ends[0], ends[1]


def _ripple(wavelength: Array, response: Array) -> float:
    """Largest dip or bump of a narrow running median against a wide one, outside of the atmosphere's bands [mag]."""
    step = median(np.diff(wavelength))
    if not step > 0 or wavelength.size * step < 2 * RIPPLE[1]:
        return float("nan")
    smooth = np.polynomial.Polynomial.fit(wavelength, response, SMOOTH_ORDER)
    response = response - smooth(wavelength)  # so that a slope leaves nothing at the ends
    narrow, wide = (running_median(response, max(1, round(width / step)) | 1) for width in RIPPLE)
    away = np.abs(narrow - wide)[outside_bands(wavelength)]
    return float(np.nanmax(away)) if np.isfinite(away).any() else float("nan")
