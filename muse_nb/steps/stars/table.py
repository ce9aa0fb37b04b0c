"""The table of stars: places, magnitudes, signal to noise, and what each star's spectrum is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from muse_nb.steps.stars import quality
from muse_nb.steps.stars.fit.blends import Blends
from muse_nb.steps.stars.magnitudes import Magnitude

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["judged", "star_table"]

Array = NDArray[np.float64]
CROWDED, BLENDED = 1.2, 2.0  # errors over those of the star alone
FAINT = 2.0  # S/N of a plane
EDGE = 0.9  # of a profile's square that must have data
MISFIT = 2.0  # sigma of the residuals in a core
HOLES = 0.5  # of the planes


def judged(blends: Blends, snr: Array, share: Array, chi2: Array, mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Bits of what is wrong with each star: see `muse_nb.steps.stars.quality`.

    Parameters
    ----------
    blends
        Errors of stars that overlap.
    snr, share, chi2 : ndarray, shape (K,)
        Signal to noise of a plane; share of the squared profile that has data; mean square of the residuals in the
        core, over what the errors say. NaN where there is no STAT.
    mask : ndarray of bool, shape (K, planes)
        Planes without flux.
    """
    with np.errstate(invalid="ignore"):
        together = np.sqrt(blends.together / blends.alone)
        bits = {
            quality.CROWDED: (together > CROWDED) & (together <= BLENDED),
            quality.BLENDED: together > BLENDED,
            quality.FAINT: snr < FAINT,
            quality.EDGE: ~(share > EDGE),
            quality.MISFIT: np.sqrt(chi2) > MISFIT,
            quality.HOLES: mask.mean(1) > HOLES,
        }
    found = np.zeros(len(snr), np.int64)
    for bit, which in bits.items():
        found |= np.where(which, bit, 0)
    return found


def star_table(
    name: list[str], sky: tuple[Array, Array], pixel: tuple[Array, Array], magnitudes: list[Magnitude],
    columns: dict[str, tuple[Array, str | None]],
) -> Table:  # fmt: skip
    """Put the table together, the stars numbered from 1; `columns`: name to (values, unit)."""
    from astropy.table import Table

    table = Table({"number": np.arange(1, len(name) + 1), "id": np.array(name, str)})
    given: dict[str, tuple[Array, str | None]] = {
        "ra": (sky[0], "deg"), "dec": (sky[1], "deg"), "x": (pixel[0], "pixel"), "y": (pixel[1], "pixel"),
    }  # fmt: skip
    for magnitude in magnitudes:
        given[f"mag_{magnitude.name}"] = magnitude.value, "mag"
        given[f"mag_err_{magnitude.name}"] = magnitude.error, "mag"
    for column, (values, unit) in (given | columns).items():
        table[column] = values
        table[column].unit = unit
    return table
