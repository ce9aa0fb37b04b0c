"""STD_TELLURIC: the depth of the oxygen bands, and that nothing else is taken for the atmosphere's.

``arrays``: wavelength [Angstrom], transmission (n,).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.errors import MuseError
from muse_nb.products.calibrations.masters import Master
from muse_nb.steps.masters.parts.measured import Array, Measured, Quantity

__all__ = ["measure_telluric", "outside_bands"]

BANDS = ((5855.0, 6015.0), (6274.0, 6370.0), (6835.0, 7060.0), (7150.0, 7360.0), (7540.0, 7730.0), (8100.0, 8400.0),
         (8900.0, 9900.0))  # of the atmosphere and of the sodium notch [Angstrom]  # fmt: skip
A_BAND, B_BAND = (7590.0, 7650.0), (6860.0, 6900.0)


def outside_bands(wavelength: Array) -> NDArray[np.bool_]:
    """Tell which wavelengths lie in no band."""
    inside = [(wavelength > low) & (wavelength < high) for low, high in BANDS]
    return np.asarray(~np.any(inside, axis=0))


def measure_telluric(master: Master) -> Measured:
    """Measure a STD_TELLURIC, the transmission of the atmosphere."""
    try:
        wavelength, transmission = master.columns("lambda", "ftelluric")
    except MuseError as problem:
        return Measured(master, (), notes=(f"was not judged ({problem})",))
    good = np.isfinite(transmission)
    wavelength, transmission = wavelength[good], transmission[good]
    if not good.any():
        return Measured(master, (), notes=("holds no number: it was not judged",))
    found = [
        Quantity.of("telluric_bounds", [transmission.min(), transmission.max()], ("lowest", "highest")),
    ]
    notes = []
    for name, (low, high) in (("telluric_a_band", A_BAND), ("telluric_b_band", B_BAND)):
        inside = (wavelength > low) & (wavelength < high)
        if inside.sum() > 2 and wavelength[0] <= low and wavelength[-1] >= high:
            found.append(Quantity.one(name, float(transmission[inside].min())))
        else:
            notes.append(f"has nothing at {low:.0f} to {high:.0f} Angstrom: that band of oxygen was not judged")
    beside = np.abs(transmission - 1)[outside_bands(wavelength)]
    if beside.size:
        found.append(Quantity.one("telluric_outside", float(beside.max())))
    return Measured(master, tuple(found), {"wavelength": wavelength, "transmission": transmission}, tuple(notes))
