"""Protects nights and their logs: noon to noon in Chile, seeing and sky by exposure as the archive's logs have them."""

from __future__ import annotations

from pathlib import Path

import pytest

from muse_nb.core.errors import MuseError
from muse_nb.products.night.clock import bounds, evening, mjd_of
from muse_nb.products.night.log import read_night_log

LOG = Path(__file__).parents[1] / "archive" / "night.NL.txt"


@pytest.mark.parametrize(
    ("date", "night"),
    [
        ("2017-06-15T22:00:00", "2017-06-15"),
        ("2017-06-16T15:59:59.999", "2017-06-15"),  # UTC-4 in winter
        ("2017-06-16T16:00:00", "2017-06-16"),
        ("2015-01-27T14:59:59", "2015-01-26"),  # UTC-3 in summer
        ("2015-01-27T15:00:00Z", "2015-01-27"),
    ],
)
def test_a_night_has_its_evenings_date(date: str, night: str) -> None:
    assert evening(mjd_of(date)) == night
    first, last = bounds(night)
    assert first.isoformat()[:19] <= date[:19] < last.isoformat()[:19]


def test_what_is_no_date_has_no_night() -> None:
    assert evening(mjd_of("yesterday")) == ""
    with pytest.raises(ValueError, match="Invalid isoformat"):
        bounds("the 13th")


def test_a_log_gives_seeing_and_sky_by_exposure() -> None:
    log = read_night_log(LOG)
    assert log.seeing == (0.6, 1.3)
    assert (log.programme, log.block, log.grade) == ("60.A-9100(C)", "NGC6397-core", "X")
    assert [seen.time for seen in log.weather] == ["22:04", "23:16", "02:04", "03:13", "05:18"]
    assert log.exposures["MUSE.2014-07-27T03:14:30.417"].seeing == 0.82
    assert log.exposures["MUSE.2014-07-27T03:12:00.417"].airmass == 1.162
    assert log.sky_at("2014-07-27T03:12:00.417") == "ThinCirrus"  # the last before it
    assert log.sky_at("2014-07-27T03:14:30.417") == "Clear"
    assert log.sky_at("2014-07-26T21:00:00") == "ThickCirrus"  # the first after it
    assert log.sky_at("") == ""


def test_a_log_without_weather_or_numbers_says_nothing_of_them(tmp_path: Path) -> None:
    path = tmp_path / "a.NL.txt"
    path.write_text("Instrument: MUSE\nSeeing:  n/a\nOriginal Filename\tArchive Filename\tDIMM\nx\tMUSE.2\tn/a\n")
    log = read_night_log(path)
    assert log.seeing is None
    assert log.weather == ()
    assert log.exposures["MUSE.2"].seeing is None
    assert log.sky_at("2014-07-27T03:12:00") == ""


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", b"\xff\xfe\x00" * 100])
def test_what_is_no_log_is_a_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.NL.txt"
    path.write_bytes(content)
    with pytest.raises(MuseError, match="is no night log"):
        read_night_log(path)
