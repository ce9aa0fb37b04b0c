"""Geometry and air: the tables say what the pixels do, in every layout; the sky turns as astropy's."""

from __future__ import annotations

import numpy as np
import pytest

from muse_nb.simulator.atmosphere import refraction_shift, refractive_index
from muse_nb.simulator.detector import chip_defects
from muse_nb.simulator.instrument import Instrument
from muse_nb.simulator.layouts import LAYOUTS, PRESCAN, SLICES, Layout
from muse_nb.simulator.plan import LATITUDE, LONGITUDE, pointing
from muse_nb.simulator.static import over_zealous


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=list(LAYOUTS))
def test_slices_fill_the_chip_without_touching(layout: Layout) -> None:
    instrument = Instrument(layout)
    y = np.linspace(1, layout.ny, 50)
    edges = np.array([[np.polynomial.polynomial.polyval(y, p) for p in instrument.trace(s)[1:]] for s in range(1, 49)])
    assert edges.min() > 1
    assert edges.max() < layout.nx
    assert (edges[1:, 0] - edges[:-1, 1]).min() > 2
    assert np.mean([13 - 0.5 - ifu for ifu in layout.ifus]) == pytest.approx(0)  # the derotator's axis is central


@pytest.mark.parametrize("name", ["micro", "fov"])
def test_limits_and_wavelengths_are_those_of_the_pixels(name: str) -> None:
    layout = LAYOUTS[name]
    instrument = Instrument(layout)
    ends = [layout.ifus[0], layout.ifus[-1]]
    low, high, reach = [], [], []
    for ifu in ends:
        pixels = instrument.pixels(ifu)
        x, y = (axis[pixels.inside] for axis in instrument.field_position(ifu, pixels))
        low.append((x.min(), y.min()))
        high.append((x.max(), y.max()))
        reach.append((pixels.wavelength[pixels.inside].min(), pixels.wavelength[pixels.inside].max()))
        order = pixels.slice.astype(int) * 10**8 + pixels.row * 10**4 + pixels.column
        assert (np.diff(order) > 0).all()  # slice, row, column: the pixel table's order
    assert np.min(low, axis=0)[1] == pytest.approx(instrument.limits[0][1], abs=1e-4)
    assert np.max(high, axis=0)[1] == pytest.approx(instrument.limits[1][1], abs=1e-4)
    assert (np.min(low, axis=0) >= instrument.limits[0] - 1e-4).all()
    assert (np.max(high, axis=0) <= instrument.limits[1] + 1e-4).all()
    assert instrument.wavelengths == pytest.approx((max(reach)[0], min(r[1] for r in reach)), abs=1e-6)
    size = (instrument.limits[1] - instrument.limits[0]) * 0.2
    assert size[0] == pytest.approx(size[1], rel=0.03)  # square: all rotator angles overlap


def test_the_over_zealous_table_only_adds_to_the_true_defects() -> None:
    instrument = Instrument(LAYOUTS["micro"])
    true, more = chip_defects(instrument, 12), over_zealous(instrument, 12)
    area = {
        name: sum((d.x[1] - d.x[0] + 1) * (d.y[1] - d.y[0] + 1) for d in group)
        for name, group in (("true", true), ("more", more))
    }
    assert area["more"] > 10 * area["true"]
    assert len(more) == SLICES // 4
    for defect in true + more:
        assert 1 <= defect.x[0] <= defect.x[1] <= instrument.layout.nx
        assert 1 <= defect.y[0] <= defect.y[1] <= instrument.layout.ny
    assert PRESCAN == 32


def test_the_star_stands_where_astropy_says() -> None:
    from astropy import units
    from astropy.coordinates import AltAz, EarthLocation, SkyCoord
    from astropy.time import Time
    from astropy.utils import iers

    exposure = pointing(7, 1, 60.0)
    place = EarthLocation.from_geodetic(LONGITUDE * units.deg, LATITUDE * units.deg, 2648 * units.m)
    time = Time(exposure.mjd + 30 / 86400, format="mjd")
    star = SkyCoord(exposure.ra * units.deg, exposure.dec * units.deg)
    with iers.conf.set_temp("auto_download", False):
        seen = star.transform_to(AltAz(obstime=time, location=place))
        zenith = SkyCoord(alt=90 * units.deg, az=0 * units.deg, frame=AltAz(obstime=time, location=place))
        parang = star.position_angle(zenith.transform_to("icrs")).wrap_at(180 * units.deg).deg
    assert exposure.altitude == pytest.approx(seen.alt.deg, abs=0.2)
    assert exposure.azimuth == pytest.approx((seen.az.deg + 180) % 360, abs=0.4)  # ESO counts from the south
    assert exposure.parang == pytest.approx(parang, abs=0.4)
    assert exposure.airmass == pytest.approx(1 / np.sin(seen.alt.rad), abs=0.005)


def test_blue_light_lies_towards_the_zenith() -> None:
    exposure = pointing(0, 1, 60.0)
    x, y = refraction_shift(np.array([4750.0, 7000.0, 9300.0]), exposure)
    towards = np.array([-np.sin(np.radians(exposure.parang)), np.cos(np.radians(exposure.parang))])
    along = np.array([x, y]).T @ towards * 0.2
    assert along[1] == 0
    assert along[0] > 0.3 > -0.1 > along[2]
    assert refractive_index(np.array(6000.0)) == pytest.approx(2.0e-4, rel=0.05)  # at 743 mbar
