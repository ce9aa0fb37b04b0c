"""How fast the observer moves towards what is looked at."""

from __future__ import annotations

from muse_nb.simulator.plan import LATITUDE, LONGITUDE, Pointing

__all__ = ["barycentric_velocity"]


def barycentric_velocity(pointing: Pointing) -> float:
    """Velocity that takes wavelengths to the solar system's barycentre [km/s]."""
    from astropy import units
    from astropy.coordinates import EarthLocation, SkyCoord
    from astropy.time import Time
    from astropy.utils import iers

    paranal = EarthLocation.from_geodetic(LONGITUDE * units.deg, LATITUDE * units.deg, 2648 * units.m)
    time = Time(pointing.mjd + pointing.exptime / 2 / 86400, format="mjd", location=paranal)
    with iers.conf.set_temp("auto_download", False):
        sky = SkyCoord(pointing.ra * units.deg, pointing.dec * units.deg)
        return float(sky.radial_velocity_correction(obstime=time).to_value(units.km / units.s))
