"""Exposures whose rotator was off: found with their offsets, told, and written as other tools read them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table
from star_fields import PEAKS, STARS, TRUE, found, within, write

from muse_nb.cli import main
from muse_nb.products.offset_list import OffsetList
from muse_nb.steps.offsets.crosscheck import check_offset_list, list_notes
from muse_nb.steps.offsets.measure import measure_offsets
from muse_nb.steps.offsets.measurement import Measurement

SKY = np.r_[STARS, [[-7.5, 1], [6, -7.5], [7.2, 6.5], [-3, -8]]]
BRIGHT = np.r_[PEAKS, [100, 70, 110, 90]]


@pytest.fixture(scope="module")
def turned(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Four exposures, the third turned by 0.6 deg."""
    return write(tmp_path_factory.mktemp("turned"), TRUE, sky=SKY, peaks=BRIGHT, turns=(0, 0, 0.6, 0))


@pytest.mark.parametrize("angle", [0.6, 4.7])
def test_angle_and_offset_come_out_together(angle: float, tmp_path: Path) -> None:
    files = write(tmp_path, TRUE, sky=SKY, peaks=BRIGHT, turns=(0, 0, angle, 0))
    table = (offsets := measure_offsets(files)).table
    assert within(offsets, TRUE)
    assert list(table["turned"]) == [False, False, True, False]
    for row, true in zip(table[1:], (0, angle, 0), strict=True):
        assert abs(row["rotation"] - true) < 5 * row["rotation_error"] < 0.2
    assert (table["verdict"] == "agree").all()
    assert "turned by +" in table["why"][2]


def test_a_turned_first_exposure_turns_the_others_against_it(tmp_path: Path) -> None:
    files = write(tmp_path, TRUE, sky=SKY, peaks=BRIGHT, turns=(-0.8, 0, 0, 0))
    table = measure_offsets(files).table
    assert table["rotation"][0] == 0
    assert np.abs(np.asarray(table["rotation"][1:]) - 0.8).max() < 0.05


def test_offsets_relative_to_a_turned_exposure_go_with_its_system(turned: list[Path]) -> None:
    """A star at rest on the turned exposure's own sky is where the others' offset and angle put it."""
    measurement = Measurement(turned)
    home, away = (measure_offsets(measurement, reference=name) for name in (None, measurement.date_obs[2]))
    np.testing.assert_allclose(away.table["rotation"], home.table["rotation"] - home.table["rotation"][2])
    a = np.radians(0.6)
    back = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    expected = found(home) - back @ found(home)[2]
    expected[2] = 0
    np.testing.assert_allclose(found(away), expected, atol=2e-4)


def test_one_star_tells_no_angle_and_loses_nothing(tmp_path: Path) -> None:
    offsets = measure_offsets(write(tmp_path, TRUE, sky=STARS[1:2], peaks=PEAKS[:1]))
    assert np.isnan(offsets.table["rotation"][1:]).all()
    assert within(offsets, TRUE)
    assert set(offsets.offset_list().rotangle) == {0.0}


def test_the_list_has_the_angle_with_the_sign_of_the_rotator(turned: list[Path], tmp_path: Path) -> None:
    offsets = measure_offsets(turned)
    offsets.write(tmp_path / "O.fits")
    listed = OffsetList.read(tmp_path / "O.fits")
    assert listed.rotangle[2] == pytest.approx(-offsets.table["rotation"][2])
    assert np.count_nonzero(listed.rotangle) == 1
    assert check_offset_list(listed, offsets) == []
    assert "the stream engine applies it" in list_notes(tmp_path / "O.fits", offsets)[0]
    flipped = OffsetList(**{**vars(listed), "rotangle": tuple(-angle for angle in listed.rotangle)})
    assert "wrong sign" in check_offset_list(flipped, offsets)[0]


def test_a_list_of_another_tool_is_read_with_its_angle(tmp_path: Path) -> None:
    """No units, more columns, rows in another order, no angle for one."""
    table = Table({"DATE_OBS": ["2014-07-27T03:02:00.000", "2014-07-27T03:00:00.000"], "MJD_OBS": [2.0, 1.0]})
    table["IEXPO_OBS"], table["RA_OFFSET"], table["DEC_OFFSET"] = [2, 1], [1e-4, 0.0], [2e-5, 0.0]
    table["FLUX_SCALE"], table["ROTANGLE"] = 0.0, [1.5, np.nan]
    table.write(tmp_path / "O.fits")
    listed = OffsetList.read(tmp_path / "O.fits")
    assert listed.angle_of("2014-07-27T03:02:00.000") == 1.5
    assert listed.angle_of("2014-07-27T03:00:00.000") == 0


def test_the_command_tells_the_angle(turned: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["offsets", *map(str, turned)]) == 0
    assert "turned by +0." in capsys.readouterr().out


def test_the_sign_is_that_by_which_mpdaf_turns_an_image() -> None:
    """ROTANGLE of pymusepipe: the image's WCS is rotated by minus that, which raises its position angle."""
    from mpdaf.obj import WCS

    wcs = WCS(crval=(-30.0, 10.0), cdelt=(0.2 / 3600, -0.2 / 3600), deg=True, shape=(100, 100))
    before = wcs.pix2sky((60, 50)) - wcs.pix2sky((50, 50))
    wcs.rotate(-2.0)
    after = wcs.pix2sky((60, 50)) - wcs.pix2sky((50, 50))
    north, east = after[0] * [1, np.cos(np.radians(30))]
    assert before[0][1] == pytest.approx(0, abs=1e-9)
    assert np.degrees(np.arctan2(east, north)) == pytest.approx(2.0, abs=1e-3)
