"""What the recipes should find, as tables beside the frames.

All are ECSV, their columns with units:

========================  ============================================================================================
``frames.ecsv``           one row a raw frame: file, tag, type, template, date_obs, exptime [s], lamp, faults (in words,
                          ``; `` between them); of frames of stars (NaN else) ra, dec (the header's), true_ra, true_dec
                          [deg], posang [deg], seeing (FWHM at 7000 Angstrom [arcsec]) and beta of their Moffat profile,
                          airmass, transparency, drift (by how much wavelengths lie above the arcs' [Angstrom]). Its
                          meta tells what was asked for
``detector.ecsv``         of each IFU and quadrant (the number of ESO DET OUTi): noise [electron], gain [electron/count]
                          and bias [count]
``traces.ecsv``           of each IFU and slice: tcE_OO as in a TRACE_TABLE, the coefficient of order OO in y of edge E
                          (0 centre, 1 left, 2 right) [pix], x and y from 1 on the trimmed chip
``wavelengths.ecsv``      of each IFU and slice: wlcXY as in a WAVECAL_TABLE, the coefficient of order X in x and Y in y
                          of the wavelength in air [Angstrom]
``lsf.ecsv``              of each IFU and slice: fwhm [Angstrom] of the Gaussian line spread function
``response.ecsv``         lambda [Angstrom], response as in a STD_RESPONSE: 2.5 log10 of counts (electrons) a second and
                          Angstrom for 1 erg/s/cm**2/Angstrom
``tellurics.ecsv``        lambda [Angstrom], transmission of the molecular bands at airmass 1
``illumination.ecsv``     of field positions x, y [spaxel]: illumination by the sky relative to its mean, as in a
                          TWILIGHT_CUBE
``stars.ecsv``            of the science exposure: star, ra, dec [deg], magnitude, flux at 6500 Angstrom, warm: the
                          share of it that has the spectrum of `muse_nb.simulator.spectra.warm_star`, the rest has that
                          of ``cool_star``
========================  ============================================================================================
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from muse_nb.simulator import spectra
from muse_nb.simulator.cascade.faults import FAULTS
from muse_nb.simulator.cascade.light import illumination, line_width
from muse_nb.simulator.cascade.schedule import Frame
from muse_nb.simulator.cascade.stars import Field
from muse_nb.simulator.detector import GAIN, amplifiers
from muse_nb.simulator.instrument import Instrument
from muse_nb.simulator.layouts import SLICES
from muse_nb.simulator.static import response_curve

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["truth_tables"]

_OF_STARS = {
    "ra": "deg",
    "dec": "deg",
    "true_ra": "deg",
    "true_dec": "deg",
    "posang": "deg",
    "seeing": "arcsec",
    "beta": "",
    "airmass": "",
    "transparency": "",
    "drift": "Angstrom",
}


def truth_tables(
    instrument: Instrument, frames: Sequence[Frame], fields: Mapping[str, Field], asked: Mapping[str, object]
) -> dict[str, Table]:
    """Return the tables by name; `asked` becomes the meta of the frames' table."""
    return {
        "frames": _frames(frames, fields, asked),
        "detector": _detector(instrument),
        "traces": _traces(instrument),
        "wavelengths": _wavelengths(instrument),
        "lsf": _lsf(instrument),
        "response": _response(instrument),
        "tellurics": _tellurics(),
        "illumination": _illumination(instrument),
        "stars": fields["OBJECT"].stars,
    }


def _table(columns: Mapping[str, object], units: Mapping[str, str]) -> Table:
    from astropy.table import Table

    table = Table(dict(columns))
    for name, unit in units.items():
        if unit:
            table[name].unit = unit
    return table


def _frames(frames: Sequence[Frame], fields: Mapping[str, Field], asked: Mapping[str, object]) -> Table:
    columns: dict[str, list[object]] = {
        "file": [frame.name for frame in frames],
        "tag": [frame.tag for frame in frames],
        "type": [frame.type for frame in frames],
        "template": [frame.template for frame in frames],
        "date_obs": [frame.date_obs for frame in frames],
        "exptime": [frame.exptime for frame in frames],
        "lamp": [frame.lamp for frame in frames],
        "faults": ["; ".join(FAULTS[name].text for name in frame.faults) for frame in frames],
    }
    pointings = [fields[frame.tag].pointing if frame.on_sky else None for frame in frames]
    for name in _OF_STARS:
        columns[name] = [math.nan if one is None else float(getattr(one, name)) for one in pointings]
    table = _table(columns, {"exptime": "s"} | _OF_STARS)
    table.meta = dict(asked)
    return table


def _detector(instrument: Instrument) -> Table:
    ifus = instrument.layout.ifus
    found = [amplifiers(instrument.layout, ifu) for ifu in ifus]
    columns = {
        "ifu": np.repeat(ifus, 4),
        "quadrant": np.tile([1, 2, 3, 4], len(ifus)),
        "noise": np.concatenate([noise for noise, _ in found]),
        "gain": np.tile(GAIN, len(ifus)),
        "bias": np.concatenate([bias for _, bias in found]),
    }
    return _table(columns, {"noise": "electron", "gain": "electron / ct", "bias": "ct"})


def _slices(instrument: Instrument) -> dict[str, object]:
    ifus = instrument.layout.ifus
    return {"ifu": np.repeat(ifus, SLICES), "slice": np.tile(np.arange(1, SLICES + 1), len(ifus))}


def _traces(instrument: Instrument) -> Table:
    one = np.array([instrument.trace(number) for number in range(1, SLICES + 1)])
    every = np.concatenate([one] * len(instrument.layout.ifus))  # slice, edge, coefficient
    columns = {f"tc{e}_{k:02d}": every[:, e, k] for e in range(every.shape[1]) for k in range(every.shape[2])}
    return _table(_slices(instrument) | columns, dict.fromkeys(columns, "pix"))


def _wavelengths(instrument: Instrument) -> Table:
    every = np.array(
        [
            instrument.wavelength_polynomial(ifu, number)
            for ifu in instrument.layout.ifus
            for number in range(1, SLICES + 1)
        ]
    )
    columns = {f"wlc{x}{y}": every[:, x, y] for x in range(every.shape[1]) for y in range(every.shape[2])}
    return _table(_slices(instrument) | columns, dict.fromkeys(columns, "Angstrom"))


def _lsf(instrument: Instrument) -> Table:
    widths = [line_width(instrument, ifu, k) for ifu in instrument.layout.ifus for k in range(1, SLICES + 1)]
    return _table(_slices(instrument) | {"fwhm": widths}, {"fwhm": "Angstrom"})


def _response(instrument: Instrument) -> Table:
    """As the recipes find it: a flat's mean is that of all pixels of the slices, those in their soft edges too."""
    wavelength = np.arange(4500.0, 9501.0, 10.0)
    pixels = instrument.pixels(instrument.layout.ifus[0], range(1, SLICES + 1, 8))
    response = 2.5 * np.log10(response_curve(instrument, wavelength) * pixels.coverage[pixels.inside].mean())
    return _table({"lambda": wavelength, "response": response}, {"lambda": "Angstrom"})


def _tellurics() -> Table:
    wavelength = np.arange(4500.0, 9501.0, 2.0)
    return _table({"lambda": wavelength, "transmission": spectra.telluric(wavelength)}, {"lambda": "Angstrom"})


def _illumination(instrument: Instrument) -> Table:
    low, high = instrument.limits
    x, y = (
        grid.ravel() for grid in np.meshgrid(*(np.arange(np.ceil(a), b, 2.0) for a, b in zip(low, high, strict=True)))
    )
    columns = {"x": x, "y": y, "illumination": illumination(instrument, x, y)}
    return _table(columns, {"x": "pix", "y": "pix"})
