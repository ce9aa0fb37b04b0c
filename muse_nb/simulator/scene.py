"""The sky: a globular cluster like NGC 6397, star by star."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from muse_nb.simulator.seeds import generator
from muse_nb.simulator.spectra import magnitude_to_flux, temperature

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["CENTRE", "cluster"]

CENTRE = (265.175, -53.674)  # RA, Dec of NGC 6397 [deg]
CORE = 9.0  # radius where the density has halved [arcsec]
DENSITY = 1.7  # stars in the centre [1/arcsec**2]

SYSTEMIC, DISPERSION = 18.4, 4.5  # radial velocities of the cluster's stars [km/s]
FIELD_SHARE, FIELD_MEAN, FIELD_DISPERSION = 0.03, -25.0, 60.0  # stars in front and behind, and their velocities [km/s]

# Cumulative luminosity function in R: giants, horizontal branch, turn-off at 16, then the main sequence.
MAGNITUDES = [11.0, 12.3, 13.0, 15.0, 15.7, 16.5, 17.5, 19.0, 20.5, 22.0, 23.5]
FRACTIONS = [0.0, 0.004, 0.012, 0.030, 0.050, 0.100, 0.190, 0.370, 0.600, 0.840, 1.0]


def cluster(radius: float, seed: int) -> Table:
    """Draw the stars within `radius` of the cluster's centre.

    The surface density is a King profile without truncation, 1 / (1 + (r / core)**2); the same `seed` gives the same
    stars whatever the radius, sorted outwards.

    Parameters
    ----------
    radius
        How far out [arcsec].
    seed
        Which cluster.

    Returns
    -------
    astropy.table.Table
        star (from 1), ra, dec [deg], magnitude (R), flux at 6500 Angstrom [1e-20 erg/s/cm**2/Angstrom], warm, the share
        of the flux that has the spectrum of a turn-off star, teff [K], vrad, the barycentric radial velocity [km/s],
        and member, False for stars in front of the cluster and behind it.
    """
    from astropy.table import Table

    def number_within(r: float) -> float:
        return float(np.pi * DENSITY * CORE**2 * np.log1p((r / CORE) ** 2))

    random = generator(seed, "cluster")
    # Sum of unit-rate exponentials: a Poisson process in enclosed number, so that radii come sorted.
    count, total = int(number_within(radius) * 1.3 + 50), number_within(radius)
    draws = random.random((count, 3))
    enclosed = np.cumsum(-np.log1p(-draws[:, 0]))
    keep = enclosed < total
    r = CORE * np.sqrt(np.expm1(enclosed[keep] / (np.pi * DENSITY * CORE**2)))
    angle, rank = 2 * np.pi * draws[keep, 1], draws[keep, 2]
    magnitude = np.interp(rank, FRACTIONS, MAGNITUDES)
    dec = CENTRE[1] + r * np.cos(angle) / 3600
    ra = CENTRE[0] + r * np.sin(angle) / 3600 / np.cos(np.radians(dec))
    warm = np.exp(-(((magnitude - 16.2) / 1.6) ** 2))
    member, vrad = _velocities(r.size, seed)
    table = Table(
        {
            "star": np.arange(1, r.size + 1),
            "ra": ra,
            "dec": dec,
            "magnitude": magnitude,
            "flux": magnitude_to_flux(magnitude),
            "warm": warm,
            "teff": temperature(warm),
            "vrad": vrad,
            "member": member,
        }
    )
    table["ra"].unit = table["dec"].unit = "deg"
    table["magnitude"].unit = "mag"
    table["flux"].unit = "1e-20 erg / (s cm2 Angstrom)"
    table["teff"].unit, table["vrad"].unit = "K", "km/s"
    return table


def _velocities(number: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw who is a member, and everybody's radial velocity [km/s]."""
    from scipy.stats import norm

    random = generator(seed, "velocities")
    draws = random.standard_normal((number, 2))
    member = draws[:, 0] > norm.ppf(FIELD_SHARE)
    velocity = np.where(member, SYSTEMIC + DISPERSION * draws[:, 1], FIELD_MEAN + FIELD_DISPERSION * draws[:, 1])
    return member, velocity
