"""Protects what `judge_masters` says: silence on good masters, a finding for each fault, and what it cannot know."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import makers
import numpy as np
import pytest
from astropy.io import fits

import muse_nb
from muse_nb.cli import main
from muse_nb.core.errors import MuseError
from muse_nb.core.html import FINDINGS_MIME

if TYPE_CHECKING:
    from muse_nb.simulator.night import Night


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A good master of every kind, of IFU 1. Read only."""
    return makers.night(tmp_path_factory.mktemp("masters"))


def names(folder: Path, **options: object) -> set[str]:
    return {finding.name for finding in muse_nb.judge_masters(folder, **options).verdicts}


def test_good_masters_have_no_findings(good: Path) -> None:
    judged = muse_nb.judge_masters(good)
    assert judged.findings == []
    assert judged.good
    assert len(judged.kinds) == len(judged.measured) == 11
    assert not judged.table["outside"].any()
    # Nothing was left out: 5 wavelengths of the response, 3 lamps, 48 slices.
    many = {str(row["name"]): int(row["values"]) for row in judged.table}
    assert (many["response_shape"], many["wave_lamp"], many["wave_ends"], many["lsf_fwhm"]) == (5, 3, 48, 48)
    # Only what needs several IFUs was not judged.
    assert [note for note in judged.notes if "IFUs" not in note] == []


def test_the_simulators_masters_have_no_findings(night: Night) -> None:
    judged = muse_nb.judge_masters(night.folder / "calib")
    assert judged.findings == []
    assert {one.master.ifu for one in judged.measured} == {0, *range(10, 16)}
    assert any("LSF_PROFILE" in note and "not judged" in note for note in judged.notes)


def without_a_lamp(folder: Path) -> None:
    makers.trace(folder)
    makers.wavecal(folder, lamps=("HgCd", "Ne"))


def without_the_mercury_lamp(folder: Path) -> None:
    makers.trace(folder)
    makers.wavecal(folder, lamps=("Ne", "Xe"))


def with_a_wrong_slice(folder: Path) -> None:
    makers.trace(folder)
    makers.wavecal(folder, wrong=12)


def with_a_dark_slice(folder: Path) -> None:
    makers.trace(folder)
    makers.flat(folder, dark_slice=7)


def with_a_lost_edge(left: np.ndarray, right: np.ndarray) -> None:
    right[20] -= 12.0


def with_a_skipped_slice(left: np.ndarray, right: np.ndarray) -> None:
    left[30:] += 84.0
    right[30:] += 84.0


def with_a_lost_slice(left: np.ndarray, right: np.ndarray) -> None:
    left[3] = np.nan


PLANTED: dict[str, tuple[Callable[[Path], object], set[str], str]] = {
    "a bias with light": (
        lambda folder: makers.bias(folder, light=4.0),
        {"bias_level", "bias_structure", "bias_columns"},
        "light",
    ),
    "hot columns": (lambda folder: makers.bias(folder, hot=10), {"bias_columns"}, "number of unflagged columns"),
    "a warm dark": (lambda folder: makers.dark(folder, level=80.0), {"dark_level"}, "80"),
    "a flat without its lamp": (
        lambda folder: makers.flat(folder, levels=(25000.0, 25000.0, 30.0)),
        {"flat_frames"},
        "frame 3",
    ),
    "flats without any lamp": (
        lambda folder: makers.flat(folder, levels=(20.0, 21.0, 20.0)),
        {"flat_level"},
        "the lamp was off",
    ),
    "a slice without light": (with_a_dark_slice, {"flat_slice", "flat_slice_level"}, "slice 7"),
    "a lost edge": (
        lambda folder: makers.trace(folder, change=with_a_lost_edge),
        {"trace_width", "trace_relative", "trace_gap", "trace_step"},
        "slice 21",
    ),
    "a skipped slice": (
        lambda folder: makers.trace(folder, change=with_a_skipped_slice),
        {"trace_step", "trace_gap"},
        "slices 30 and 31",
    ),
    "a lost slice": (lambda folder: makers.trace(folder, change=with_a_lost_slice), {"trace_missing"}, "1"),
    "a lamp that was off": (without_a_lamp, {"wave_lamp", "wave_ends", "wave_gap"}, "lamp Xe"),
    "another lamp that was off": (without_the_mercury_lamp, {"wave_lamp", "wave_ends"}, "lamp HgCd"),
    "a saturated arc": (lambda folder: makers.wavecal(folder, saturated=90000), {"wave_saturated"}, "lamp Ne"),
    "a slice with other lines": (with_a_wrong_slice, {"wave_relative", "wave_step"}, "slice 12"),
    "a slice out of focus": (
        lambda folder: makers.lsf(folder, wide=5),
        {"lsf_fwhm", "lsf_relative", "lsf_sharpest"},
        "slice 5",
    ),
    "a dim IFU": (lambda folder: makers.twilight(folder, dim=9), {"twilight_ifu"}, "IFU 9"),
    "seams in the twilight": (lambda folder: makers.twilight(folder, seams=True), {"twilight_rough"}, "smooth"),
    "a fainter star": (lambda folder: makers.response(folder, factor=0.3), {"response_level"}, "STD_FLUX_TABLE"),
    "a redder star": (lambda folder: makers.response(folder, tilt=1.2), {"response_shape"}, "STD_FLUX_TABLE"),
    "a star with lines": (lambda folder: makers.response(folder, lines=0.3), {"response_ripple"}, "another star"),
    "no telluric bands": (
        lambda folder: makers.telluric(folder, depth=0.01),
        {"telluric_a_band", "telluric_b_band"},
        "no absorption",
    ),
    "a line of the star": (lambda folder: makers.telluric(folder, star=0.3), {"telluric_outside"}, "line of the star"),
    "a wrong scale": (lambda folder: makers.astrometry(folder, scale=0.21), {"astrometry_scale"}, "1.05"),
    "a turned field": (lambda folder: makers.astrometry(folder, angle=4.0), {"astrometry_angle"}, "4 deg"),
    "too few stars": (lambda folder: makers.astrometry(folder, stars=3), {"astrometry_stars"}, "3"),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_found_and_no_other(fault: str, tmp_path: Path) -> None:
    plant, expected, words = PLANTED[fault]
    plant(tmp_path)
    judged = muse_nb.judge_masters(tmp_path)
    assert {finding.name for finding in judged.verdicts} == expected
    assert any(words in text for text in judged.findings)
    assert all(Path(finding.file).exists() for finding in judged.verdicts)


def test_a_mode_with_small_spaxels_is_held_against_them(tmp_path: Path) -> None:
    makers.astrometry(tmp_path, scale=0.025, mode="NFM-AO-N")
    assert names(tmp_path) == set()


def test_an_ifu_is_held_against_its_siblings(tmp_path: Path) -> None:
    for ifu in range(1, 5):
        makers.flat(tmp_path, ifu, levels=(9000.0 if ifu == 3 else 25000.0,) * 3)
    found = muse_nb.judge_masters(tmp_path).verdicts
    assert [(finding.name, finding.ifu) for finding in found] == [("flat_ifu", 3)]


def test_merged_files_give_the_same_numbers(tmp_path: Path) -> None:
    single, together = tmp_path / "single", tmp_path / "merged"
    for ifu in (1, 2, 24):
        makers.night(single, ifu)
    for kind in ("MASTER_BIAS", "MASTER_FLAT", "TRACE_TABLE", "WAVECAL_TABLE", "WAVECAL_RESIDUALS", "LSF_PROFILE"):
        makers.merged(sorted(single.glob(f"{kind}-*.fits")), together / f"{kind}.fits")
    judged, of_one = muse_nb.judge_masters(together), muse_nb.judge_masters(single)
    assert judged.findings == of_one.findings == []
    kept = [row for row in of_one.table if row["kind"] in judged.kinds and row["ifu"]]
    assert len(kept) == len(judged.table) > 40
    for row, other in zip(judged.table, kept, strict=True):
        assert (row["kind"], row["ifu"], row["name"]) == (other["kind"], other["ifu"], other["name"])
        assert row["median"] == other["median"]


def test_a_shifted_detector_is_found_against_another_night(good: Path, tmp_path: Path) -> None:
    makers.trace(tmp_path, shift=1.2)
    makers.wavecal(tmp_path, shift=2.0)
    assert names(tmp_path) == set()
    judged = muse_nb.judge_masters(tmp_path, other=good)
    assert {finding.name for finding in judged.verdicts} == {"moved_trace", "moved_wave"}
    by_name = {row.name: row for row in judged.moved if not row.place}
    assert by_name["moved_trace"].value == pytest.approx(1.2, abs=0.01)
    assert by_name["moved_wave"].value == pytest.approx(2.0, abs=0.01)
    assert all(abs(by_name[name].significance) > 100 for name in ("moved_trace", "moved_wave"))


def test_what_moved_of_the_other_kinds_is_found(good: Path, tmp_path: Path) -> None:
    makers.bias(tmp_path, seed=5, level=1260.0)
    makers.lsf(tmp_path, fwhm=2.8)
    makers.response(tmp_path, factor=0.7)
    makers.astrometry(tmp_path, angle=0.5)
    judged = muse_nb.judge_masters(tmp_path, other=good)
    assert {finding.name for finding in judged.verdicts} == {
        "moved_bias_level",
        "moved_lsf",
        "moved_response",
        "moved_angle",
    }
    assert any("MASTER_FLAT" in note and "not compared" in note for note in judged.notes)


def test_two_draws_of_one_night_have_not_moved(good: Path, tmp_path: Path) -> None:
    makers.night(tmp_path)
    makers.bias(tmp_path, seed=11)
    judged = muse_nb.judge_masters(tmp_path, other=good)
    assert judged.findings == []
    levels = [row for row in judged.moved if row.name == "moved_bias_master"]
    assert len(levels) == 4
    assert 0 < max(abs(row.value) for row in levels) < 0.05
    assert max(abs(row.significance) for row in levels) < 5


def test_it_says_what_it_cannot_know(tmp_path: Path) -> None:
    makers.wavecal(tmp_path)[1].unlink()
    judged = muse_nb.judge_masters(tmp_path)
    assert judged.findings == []
    assert any("TRACE_TABLE" in note and "wavelengths and dispersions were not judged" in note for note in judged.notes)
    assert any("WAVECAL_RESIDUALS" in note and "not judged" in note for note in judged.notes)
    assert all(row["name"] != "wave_centre" for row in judged.table)


@pytest.mark.parametrize("values", [np.nan, 0.0])
def test_an_empty_image_is_not_called_good(values: float, tmp_path: Path) -> None:
    path = makers.bias(tmp_path)
    with fits.open(path, mode="update") as opened:
        opened["DATA"].data[:] = values
    judged = muse_nb.judge_masters(path)
    assert judged.findings or any("were not judged" in note for note in judged.notes)
    assert set(judged.table["name"]) == {"bias_noise"}


def test_a_number_that_is_missing_is_named(tmp_path: Path) -> None:
    path = makers.lsf(tmp_path)
    with fits.open(path, mode="update") as opened:
        opened[1].data[16] = np.nan
    judged = muse_nb.judge_masters(path)
    assert {finding.name for finding in judged.verdicts} == {"lsf_empty"}
    assert any("gave no number for the mean FWHM" in note and "slice 17" in note for note in judged.notes)


def test_own_limits_replace_those_of_the_package(good: Path, tmp_path: Path) -> None:
    own = tmp_path / "limits.csv"
    own.write_text("name,low,high\nbias_noise,,2\n")
    assert names(good, limits_table=own) == {"bias_noise"}
    own.write_text("name,low,high\nnoise,,2\n")
    with pytest.raises(MuseError, match="'noise'"):
        muse_nb.judge_masters(good, limits_table=own)


def test_other_files_are_passed_over_in_a_folder_and_refused_by_name(good: Path, tmp_path: Path) -> None:
    other = makers.write(tmp_path / "GEOMETRY_TABLE.fits", makers.header("GEOMETRY_TABLE", 0, {}))
    with pytest.raises(MuseError, match="holds no master"):
        muse_nb.judge_masters(tmp_path)
    with pytest.raises(MuseError, match="GEOMETRY_TABLE"):
        muse_nb.judge_masters(other)
    nameless = makers.write(tmp_path / "bias.fits", makers.header("MASTER_BIAS", 0, {}))
    with pytest.raises(MuseError, match="EXTNAME"):
        muse_nb.judge_masters(nameless)


def test_a_table_without_its_columns_is_told(tmp_path: Path) -> None:
    makers.write(
        tmp_path / "TRACE_TABLE-03.fits",
        makers.header("TRACE_TABLE", 3, {}),
        makers.table({"SliceNo": np.arange(1, 49)}),
    )
    judged = muse_nb.judge_masters(tmp_path)
    assert {finding.name for finding in judged.verdicts} == {"trace_missing"}
    assert any("tc0_00" in note for note in judged.notes)


def test_it_shows_itself(good: Path, tmp_path: Path) -> None:
    makers.bias(tmp_path, light=4.0)
    judged = muse_nb.judge_masters(tmp_path, other=good)
    bundle = judged._repr_mimebundle_()
    assert bundle[FINDINGS_MIME] == {"findings": judged.findings}
    assert "median above the overscan" in str(bundle["text/html"])
    assert "a real night" in str(bundle["text/html"])
    whole = muse_nb.judge_masters(good, other=good)
    for kind in whole.kinds:
        assert whole.plot(kind).axes
    assert whole.plot_moved("TRACE_TABLE").axes
    with pytest.raises(MuseError, match="MASTER_BIAS"):
        judged.plot("LSF_PROFILE")


def test_the_command_prints_findings_and_what_moved(good: Path, tmp_path: Path, capsys) -> None:
    assert main(["masters", str(good), "-o", str(tmp_path / "numbers.csv")]) == 0
    assert "0 findings" in capsys.readouterr().out
    assert "wave_rms" in (tmp_path / "numbers.csv").read_text()
    night = tmp_path / "night"
    makers.trace(night, shift=-2.0)
    assert main(["masters", str(night), "--compare", str(good), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert [finding["name"] for finding in told["findings"]] == ["moved_trace"]
    assert told["findings"][0]["value"] == pytest.approx(-2.0, abs=0.01)
    assert {row["name"] for row in told["moved"]} == {"moved_trace", "moved_trace_slice"}
    assert {"file", "kind", "ifu", "name", "unit", "median", "limit_low", "real_low"} <= set(told["numbers"][0])


def test_a_file_name_is_no_markup(tmp_path: Path) -> None:
    makers.bias(tmp_path, light=4.0).rename(tmp_path / "<img src=x>-01.fits")
    shown = muse_nb.judge_masters(tmp_path)._repr_html_()
    assert "<img" not in shown
    assert "&lt;img" in shown
