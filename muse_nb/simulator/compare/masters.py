"""Masters against the truth: noise, traces, wavelengths, line spread, illumination, response, tellurics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from astropy.io import fits

from muse_nb.products.fits.blocks import hdus
from muse_nb.simulator.compare.products import Product
from muse_nb.simulator.compare.truth import Truth

__all__ = [
    "compare_illumination",
    "compare_lsf",
    "compare_noise",
    "compare_response",
    "compare_tellurics",
    "compare_traces",
    "compare_wavelengths",
]

_POLY = np.polynomial.polynomial
BLUE, RED = 4750.0, 9350.0  # that every slice sees [Angstrom]
EDGES = (0, 1, 2)  # centre, left and right in a TRACE_TABLE
STEP = 8  # rows between those where polynomials are compared
COLUMNS = 20  # in a slice, where wavelengths are
MARGIN = 3.0  # from its edges [pix]


def compare_noise(products: Sequence[Product], truth: Truth) -> tuple[float, str]:
    """Read-out noise of a MASTER_BIAS' quadrants: the largest relative difference."""
    pairs = [
        (found, float(row["noise"]))
        for one in products
        for row in truth.of_ifu("detector", one.ifu)
        if (found := one.number(f"QC BIAS MASTER{row['quadrant']} RON")) is not None
    ]
    noise, true = np.array(pairs).reshape(-1, 2).T
    listed = ", ".join(f"{f:.3f} ({t:.3f})" for f, t in pairs[:4])
    more = ", ..." if len(pairs) > 4 else ""
    return _largest(noise / true - 1), f"read-out noise of the quadrants (true): {listed}{more} electrons"


def compare_traces(products: Sequence[Product], truth: Truth) -> tuple[float, str]:
    """Centres and edges of the slices: the median difference [pix]."""
    y = np.arange(1, truth.rows + 1, STEP, dtype=float)
    differences, missing = [], 0
    for one in products:
        found = fits.getdata(one.path, 1)
        for true in truth.of_ifu("traces", one.ifu):
            row = found[found["SliceNo"] == true["slice"]]
            if not len(row):
                missing += 1
                continue
            for edge in EDGES:
                wanted = _POLY.polyval(y, [true[f"tc{edge}_{k:02d}"] for k in range(6)])
                names = [name for name in found.names if name.startswith(f"tc{edge}_")]
                differences.append(_POLY.polyval(y, [row[name][0] for name in names]) - wanted)
    every = np.abs(np.array(differences))
    middle = _quantile(every, 0.5)
    text = f"slices are traced to {middle:.4f} pixels in the median, 95 % of all rows to {_quantile(every, 0.95):.3f}"
    return math.inf if missing else middle, text + _without(missing)


def compare_wavelengths(products: Sequence[Product], truth: Truth) -> tuple[float, str]:
    """Wavelengths on the chip from 4750 to 9350 Angstrom: the rms of the difference [Angstrom]."""
    y = np.arange(1, truth.rows + 1, STEP, dtype=float)
    differences, missing = [np.zeros(0)], 0
    for one in products:
        found = fits.getdata(one.path, 1)
        orders = [(int(name[3]), int(name[4])) for name in found.names if name.startswith("wlc")]
        for true, trace in zip(truth.of_ifu("wavelengths", one.ifu), truth.of_ifu("traces", one.ifu), strict=True):
            row = found[found["SliceNo"] == true["slice"]]
            if not len(row):
                missing += 1
                continue
            left, right = (float(trace[f"tc{edge}_00"]) for edge in (1, 2))
            x = np.linspace(left + MARGIN, right - MARGIN, COLUMNS)
            table = np.zeros((1 + max(i for i, _ in orders), 1 + max(j for _, j in orders)))
            for i, j in orders:
                table[i, j] = row[f"wlc{i}{j}"][0]
            wanted = np.array([[true[f"wlc{i}{j}"] for j in range(7)] for i in range(3)])
            wavelength = _POLY.polygrid2d(x, y, wanted)
            differences.append((_POLY.polygrid2d(x, y, table) - wavelength)[_inside(wavelength)])
    every = np.concatenate(differences)
    rms = float(np.sqrt(np.mean(every**2))) if every.size else math.nan
    text = f"wavelengths from {BLUE:.0f} to {RED:.0f} Angstrom are right to {rms:.4f} Angstrom (rms), all to"
    return math.inf if missing else rms, f"{text} {_largest(every):.3f}{_without(missing)}"


def compare_lsf(products: Sequence[Product], truth: Truth) -> tuple[float, str]:
    """Width of the line spread function of each slice: the largest relative difference."""
    pairs: list[tuple[float, float]] = []
    for one in products:
        cards = dict(one.cards) | hdus(one.path)[1].cards  # they stand in either header
        for row in truth.of_ifu("lsf", one.ifu):
            found = cards.get(f"ESO QC LSF SLICE{row['slice']} FWHM MEAN")
            if isinstance(found, (int, float)):
                pairs.append((float(found), float(row["fwhm"])))
    width, true = np.array(pairs).reshape(-1, 2).T
    off = 100 * (width / true - 1)
    text = f"lines of {off.size} slices are {_quantile(off, 0.5):+.1f} % wider than in truth in the median"
    return _largest(off) / 100, f"{text}, {_largest(off):.1f} % off at most"


def compare_response(products: Sequence[Product], truth: Truth) -> tuple[float, str]:
    """Response from 4750 to 9350 Angstrom: the largest difference [mag]."""
    difference = np.zeros(0)
    for one in products:
        found, true = fits.getdata(one.path, 1), truth["response"]
        inside = _inside(found["lambda"])
        difference = (found["response"] - np.interp(found["lambda"], true["lambda"], true["response"]))[inside]
    middle, most = _quantile(difference, 0.5), _largest(difference)
    return most, f"the response is {middle:+.3f} mag off in the median, {most:.3f} mag at most"


def compare_tellurics(products: Sequence[Product], truth: Truth) -> tuple[float, str]:
    """Transmission of the air's bands: the largest difference."""
    difference = np.zeros(0)
    for one in products:
        found, true = fits.getdata(one.path, 1), truth["tellurics"]
        inside = _inside(found["lambda"])
        difference = (found["ftelluric"] - np.interp(found["lambda"], true["lambda"], true["transmission"]))[inside]
    text = f"the transmission of the molecular bands is {_largest(difference):.3f} off at most"
    return _largest(difference), text


def compare_illumination(products: Sequence[Product], truth: Truth) -> tuple[float, str]:
    """Illumination of the field by the sky, all planes together: 95 % of positions are nearer than this."""
    from scipy.ndimage import map_coordinates

    difference, true = np.zeros(0), truth["illumination"]
    for one in products:
        cube, header = _cube(one.path)
        place = [
            (np.asarray(true[name], float) - header[f"CRVAL{axis}"]) / header[f"CD{axis}_{axis}"]
            + header[f"CRPIX{axis}"]
            - 1
            for axis, name in ((2, "y"), (1, "x"))
        ]
        planes = np.array([map_coordinates(plane, place, order=1, mode="nearest") for plane in cube])
        ratio = planes / np.asarray(true["illumination"])
        difference = np.abs(ratio / np.nanmedian(ratio) - 1)
    value = _quantile(difference, 0.95)
    text = f"the sky's illumination of the field is right to {100 * value:.2f} % at 95 % of the positions"
    return value, text


def _inside(wavelength: np.ndarray) -> np.ndarray:
    inside: np.ndarray = (wavelength > BLUE) & (wavelength < RED)
    return inside


def _without(missing: int) -> str:
    return f"; {missing} slice{'s are' if missing > 1 else ' is'} missing" if missing else ""


def _cube(path: Path) -> tuple[np.ndarray, fits.Header]:
    with fits.open(path) as found:
        return np.array(found["DATA"].data, float), found["DATA"].header


def _largest(values: np.ndarray) -> float:
    known = np.abs(values[np.isfinite(values)])
    return float(known.max()) if known.size else math.nan


def _quantile(values: np.ndarray, share: float) -> float:
    known = values[np.isfinite(values)]
    return float(np.quantile(known, share)) if known.size else math.nan
