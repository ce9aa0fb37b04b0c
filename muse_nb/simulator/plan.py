"""The night's log: when, where and through what air each exposure was taken, and where it really looked."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np

from muse_nb.simulator.scene import CENTRE
from muse_nb.simulator.seeds import generator

__all__ = ["LATITUDE", "LONGITUDE", "Pointing", "offset_from", "pointing"]

LATITUDE, LONGITUDE = -24.6270, -70.4040  # Paranal [deg]
START = dt.datetime(2014, 7, 27, 3, 12, 0, 417000)
CADENCE = dt.timedelta(seconds=150)  # exposure, read-out and turning the derotator
WOBBLE = 0.14  # radius of the circle on which the pointing turns with the derotator [arcsec]
SCATTER = 0.085  # of the pointing, per axis [arcsec]
DITHER = 0.4  # commanded steps, per axis [arcsec]


@dataclass(frozen=True)
class Pointing:
    """One exposure of the night.

    Attributes
    ----------
    number
        From 0.
    date_obs, mjd
        Start of the exposure (UTC).
    ra, dec
        Where the header says that it looks: dithers included [deg].
    error
        True minus header pointing, towards east and north [arcsec].
    posang
        ESO INS DROT POSANG [deg].
    rotator
        By how much the rotator is off: true angle of the field minus `posang` [deg].
    exptime
        [s]
    seeing
        FWHM at 7000 Angstrom and at the pointing's airmass [arcsec].
    transparency
        Share of the light that thin cloud leaves.
    sky, lines
        Brightness of the sky's continuum and of its lines relative to a dark night.
    lst
        Local sidereal time [deg].
    airmass, parang, altitude, azimuth
        At mid-exposure; angles in degrees.
    drift
        By how much wavelengths lie above what the arcs say [Angstrom].
    beta
        Exponent of the stars' Moffat profile.
    """

    number: int
    date_obs: str
    mjd: float
    ra: float
    dec: float
    error: tuple[float, float]
    posang: float
    exptime: float
    seeing: float
    transparency: float
    sky: float
    lines: float
    lst: float
    airmass: float
    parang: float
    altitude: float
    azimuth: float
    rotator: float = 0.0
    drift: float = 0.0
    beta: float = 2.8

    @property
    def true_ra(self) -> float:
        """Where it really looked [deg]."""
        return float(self.ra + self.error[0] / 3600 / np.cos(np.radians(self.dec)))

    @property
    def true_dec(self) -> float:
        """Where it really looked [deg]."""
        return self.dec + self.error[1] / 3600


def pointing(
    number: int,
    seed: int,
    exptime: float,
    rotator: float = 0.0,
    *,
    scale: float = 1.0,
    time: dt.datetime | None = None,
    centre: tuple[float, float] = CENTRE,
) -> Pointing:
    """Plan exposure `number` (from 0) of the night `seed`, its rotator off by so many degrees.

    `scale` shrinks its offsets for a small field; `time` (UTC) and `centre` (RA, Dec [deg]) are the demo's by default.
    """
    time = time or START + number * CADENCE
    night = generator(seed, "night").random(8)
    random = generator(seed, "exposure", number)
    posang = 90.0 * (number % 4)
    # The star's offset (header minus true) turns by -90 degrees with each step of the rotator.
    phase = 2 * np.pi * night[0] - np.radians(posang)
    scatter = random.normal(0, SCATTER, 2)
    offset = (WOBBLE * np.array([np.cos(phase), np.sin(phase)]) + scatter) * scale
    dither = random.uniform(-DITHER, DITHER, 2) if number else np.zeros(2)
    dither = dither * scale
    dec = centre[1] + dither[1] / 3600
    ra = centre[0] + dither[0] / 3600 / np.cos(np.radians(dec))
    drift = number / 19
    seeing = 0.82 + 0.13 * np.sin(2 * np.pi * (1.3 * drift + night[1])) + random.normal(0, 0.04)
    transparency = 0.95 - 0.13 * max(0.0, np.sin(2 * np.pi * (0.8 * drift + night[2]))) + random.normal(0, 0.01)
    days = (time - dt.datetime(1858, 11, 17)) / dt.timedelta(days=1)
    lst = (280.46061837 + 360.98564736629 * (days + 2400000.5 - 2451545.0) + LONGITUDE) % 360
    hour_angle = lst - ra + exptime / 2 * 15.041 / 3600
    altitude, azimuth, parang = _horizon(hour_angle, dec)
    return Pointing(
        number=number,
        date_obs=time.isoformat(timespec="milliseconds"),
        mjd=round(days, 8),
        ra=round(ra, 7),
        dec=round(dec, 7),
        error=(-float(offset[0]), -float(offset[1])),
        posang=posang,
        exptime=exptime,
        seeing=float(np.clip(seeing, 0.7, 1.1)),
        transparency=float(np.clip(transparency, 0.75, 1.0)),
        sky=1 + 0.15 * drift + float(random.normal(0, 0.02)),
        lines=0.9 + 0.3 * float(random.random()),
        lst=lst,
        airmass=float(1 / np.sin(np.radians(altitude))),
        parang=parang,
        altitude=altitude,
        azimuth=azimuth,
        rotator=rotator,
    )


def _horizon(hour_angle: float, dec: float) -> tuple[float, float, float]:
    """Altitude, azimuth (south 0, west 90: ESO's) and parallactic angle [deg]."""
    h, d, phi = np.radians([hour_angle, dec, LATITUDE])
    altitude = np.arcsin(np.sin(phi) * np.sin(d) + np.cos(phi) * np.cos(d) * np.cos(h))
    azimuth = np.arctan2(np.sin(h), np.cos(h) * np.sin(phi) - np.tan(d) * np.cos(phi))
    parang = np.arctan2(np.sin(h), np.tan(phi) * np.cos(d) - np.sin(d) * np.cos(h))
    return float(np.degrees(altitude)), float(np.degrees(azimuth) % 360), float(np.degrees(parang))


def offset_from(first: Pointing, other: Pointing) -> tuple[float, float]:
    """Offset of `other` relative to `first` as in an OFFSET_LIST, RA x cos(dec) and Dec [arcsec]: header minus true."""
    return first.error[0] - other.error[0], first.error[1] - other.error[1]
