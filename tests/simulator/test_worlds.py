"""Nights other than the demo's: what is asked for is in the headers, in the truth and in the light."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from muse_nb.cli import main
from muse_nb.core.errors import MuseError
from muse_nb.products.dq import DQ, NOTCH
from muse_nb.simulator.detector import Chip, amplifiers
from muse_nb.simulator.fields import FIELDS, draw_field
from muse_nb.simulator.instrument import Instrument
from muse_nb.simulator.layouts import LAYOUTS
from muse_nb.simulator.light import GASES
from muse_nb.simulator.motion import barycentric_velocity
from muse_nb.simulator.plan import pointing
from muse_nb.simulator.rendering import field_coordinates, slice_profiles
from muse_nb.simulator.spectra import notched, warm_star
from muse_nb.simulator.world import MODES, World


def test_the_demo_is_the_default() -> None:
    """The default night's exposures and layout are not touched: its bytes stay."""
    plain = pointing(3, 1, 60.0)
    assert World().pointing(plain, 1) is plain
    assert World().layout(LAYOUTS["micro"]) == LAYOUTS["micro"]
    assert World().words == {}


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_has_what_it_is_called(field: str) -> None:
    drawn = draw_field(field, 12.0, 4)
    stars, light = drawn.stars, drawn.light
    number = {
        "cluster": (100, 2000),
        "few": (8, 8),
        "galaxy": (4, 4),
        "distant": (3, 9),
        "nebula": (12, 12),
        "bare-nebula": (0, 0),
    }
    low, high = number.get(field, (1, 8))
    assert low <= len(stars) <= high
    assert (len(light) > len(stars)) == (field in ("galaxy", "distant", "nebula", "bare-nebula"))
    assert (drawn.galaxy is not None) == (field in ("galaxy", "distant"))
    assert np.isfinite(light["flux"]).all()


def test_a_real_instrument_scatters_as_a_real_one() -> None:
    """Within the lowest and highest of a real night's quality control."""
    layout = World(real=True).layout(LAYOUTS["full"])
    instrument = Instrument(layout, 5)
    traces = [instrument.trace(s) for s in range(1, 49)]
    middle = layout.ny / 2
    left, right = (np.array([np.polynomial.polynomial.polyval(middle, t[k]) for t in traces]) for k in (1, 2))
    assert 74.6 <= (right - left).min() <= (right - left).max() <= 79.4
    assert 4.6 <= (left[1:] - right[:-1]).min() <= (left[1:] - right[:-1]).max() <= 11
    noise, bias = (np.array([amplifiers(layout, ifu)[k] for ifu in range(1, 25)]) for k in (0, 1))
    assert 1.94 <= noise.min() <= noise.max() <= 3.52
    assert np.median(noise) == pytest.approx(2.46, abs=0.15)
    assert 1197 <= bias.min() <= bias.max() <= 1208
    widths = [instrument.line_width(ifu, s) for ifu in (1, 12) for s in range(1, 49)]
    assert 1.97 <= min(widths) <= max(widths) <= 3.06


def test_no_light_passes_the_notch() -> None:
    layout = World("WFM-AO-N").layout(LAYOUTS["mini"])
    instrument = Instrument(layout)
    chip = Chip(instrument, 12)
    inside = notched(chip.map.wavelength, "WFM-AO-N")
    light = chip.expected([], pointing(0, 1, 60.0))
    low, high = NOTCH["WFM-AO-N"]
    deep = (chip.map.wavelength > low + 2) & (chip.map.wavelength < high - 2)
    assert inside.any()
    assert light[deep].max() == 0
    assert np.median(light[~inside]) > 0.5


def test_a_turned_field_is_turned_and_its_header_says_not() -> None:
    plain = pointing(1, 1, 60.0)
    turned = World(turned=0.5).pointing(plain, 1)
    assert turned.posang == plain.posang
    places = [
        np.array(field_coordinates(np.array([plain.ra + 0.004]), np.array([plain.dec]), p, np.zeros(2)))[:, 0]
        for p in (plain, turned)
    ]
    one, two = (np.degrees(np.arctan2(y, x)) for x, y in places)
    assert abs(two - one) == pytest.approx(0.5, abs=0.01)


def test_a_night_of_another_mode_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--mode", "NFM-AO-N", "--field", "few", "--real", "--short", "--angle", "33", "--exposures", "2"]
    assert main(["simulate", str(tmp_path / "night"), "--products", *options, "--json"]) == 0
    capsys.readouterr()
    truth = Table.read(tmp_path / "night" / "truth" / "exposures.ecsv", format="ascii.ecsv")
    assert truth.meta["mode"] == "NFM-AO-N"
    assert list(truth["posang"]) == [33.0, 123.0]
    assert list(truth["exptime"]) == [60.0, 10.0]
    assert 0 < truth["drift"].max() <= 0.47
    (image, *_) = sorted((tmp_path / "night").rglob("IMAGE_FOV_0001.fits"))
    with fits.open(image) as hdus:
        assert hdus[0].header["ESO INS MODE"] == "NFM-AO-N"
        assert hdus["DATA"].header["CD2_2"] * 3600 == pytest.approx(0.025)
    assert main(["simulate", str(tmp_path / "night"), "--exposures", "2"]) == 1
    assert "holds another night" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [{"mode": "WFM"}, {"field": "comet"}, {"turned": float("nan")}])
def test_what_there_is_not_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(MuseError, match="choose"):
        World(**wrong)  # type: ignore[arg-type]


def test_modes_and_flags_are_known() -> None:
    assert set(NOTCH) < set(MODES)
    assert int(DQ.NOTCH_NAD) == 134217728


def test_stars_move_with_the_cluster_and_have_the_temperature_of_their_spectrum() -> None:
    stars = draw_field("cluster", 30.0, 4).stars
    members = stars["vrad"][stars["member"]]
    assert np.median(members) == pytest.approx(18.4, abs=0.6)
    assert members.std() == pytest.approx(4.5, abs=0.4)
    assert 5 < (~stars["member"]).sum() < 0.08 * len(stars)
    few = draw_field("cluster", 10.0, 4).stars
    assert list(stars["vrad"][: len(few)]) == list(few["vrad"])  # whatever the radius
    assert stars["teff"].min() >= 4500
    assert stars["teff"].max() <= 6500


def test_light_in_a_pixel_has_the_velocity_of_its_star() -> None:
    """A star alone: its lines lie where its velocity, less the observer's, puts them."""
    instrument, exposure = Instrument(LAYOUTS["micro"], 1), pointing(0, 1, 60.0)
    field = draw_field("few", 6.0, 1).light[:1]
    field["ra"], field["dec"], field["warm"] = exposure.true_ra, exposure.true_dec, 1.0
    chip = Chip(instrument, 12)
    sky = chip.expected([], exposure)
    light = []
    for velocity in (0.0, 250.0):
        field["vrad"] = velocity + barycentric_velocity(exposure)
        light.append(chip.expected(slice_profiles(instrument, field, exposure)[12], exposure) - sky)
    bright = light[0] > 0.2 * light[0].max()
    wavelength = chip.map.wavelength[bright]
    moved = warm_star(wavelength * (1 - 250 / 299792.458)) / warm_star(wavelength)
    assert np.ptp(moved) > 0.3
    np.testing.assert_allclose(light[1][bright] / light[0][bright], moved, atol=0.01)


@pytest.mark.parametrize("name", ["nearby", "distant"])
def test_a_galaxys_points_rotate_as_its_table_says(name: str) -> None:
    drawn = draw_field({"nearby": "galaxy"}.get(name, name), 12.0, 4)
    (row,) = drawn.galaxy
    disc = drawn.light[drawn.light["template"] == name]
    east = (disc["ra"] - row["ra"]) * np.cos(np.radians(row["dec"])) * 3600
    north = (disc["dec"] - row["dec"]) * 3600
    assert np.hypot(east.mean(), north.mean()) < 0.02 * row["half_light"]
    pa = np.radians(row["pa"])
    major, minor = east * np.sin(pa) + north * np.cos(pa), east * np.cos(pa) - north * np.sin(pa)
    assert np.corrcoef(major, disc["vrad"])[0, 1] > 0.6
    assert abs(np.corrcoef(minor, disc["vrad"])[0, 1]) < 0.03
    assert np.median(abs(major)) / np.median(abs(minor)) == pytest.approx(
        1 / np.cos(np.radians(row["inclination"])), rel=0.1
    )
    outside = (abs(major) > 1.5 * row["half_light"]) & (abs(minor) < 0.2 * row["half_light"])
    fastest = row["maximum_velocity"] * np.sin(np.radians(row["inclination"]))
    assert abs(disc["vrad"][outside]).mean() == pytest.approx(0.98 * fastest, rel=0.04)
    assert disc["flux"].sum() * GASES[name].lines[0][1] == pytest.approx(
        drawn.galaxy.meta["lines"][0]["flux"], rel=1e-3
    )
