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
from muse_nb.simulator.plan import pointing
from muse_nb.simulator.rendering import field_coordinates, nodes, profile_length
from muse_nb.simulator.spectra import notched
from muse_nb.simulator.world import MODES, World


def test_the_demo_is_the_default() -> None:
    """The default night's exposures and layout are not touched: its bytes stay."""
    plain = pointing(3, 1, 60.0)
    assert World().pointing(plain, 1) is plain
    assert World().layout(LAYOUTS["micro"]) == LAYOUTS["micro"]
    assert World().words == {}


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_has_what_it_is_called(field: str) -> None:
    stars, light = draw_field(field, 12.0, 4)
    number = {"cluster": (100, 2000), "few": (8, 8), "galaxy": (4, 4), "nebula": (12, 12), "bare-nebula": (0, 0)}
    low, high = number.get(field, (1, 8))
    assert low <= len(stars) <= high
    assert (len(light) > len(stars)) == (field in ("galaxy", "nebula", "bare-nebula"))
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
    light = chip.expected(
        np.zeros((len(nodes(layout)), 48 * profile_length(layout)), np.complex64), pointing(0, 1, 60.0)
    )
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
