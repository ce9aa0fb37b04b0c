"""Picked stars: the same fit limited to them; picks.ecsv saved whole and merged between notebooks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table
from star_fields import TRUE, within, write

from muse_nb import MuseError, measure_offsets
from muse_nb.steps.offsets.measurement import Measurement
from muse_nb.steps.offsets.picked import candidates
from muse_nb.steps.offsets.picks import PickFile, empty_picks, merge_picks, read_picks, save_picks
from muse_nb.steps.offsets.preview import preview_offsets
from muse_nb.steps.offsets.starfit.click import centre


@pytest.fixture(scope="module")
def measurement(tmp_path_factory: pytest.TempPathFactory) -> Measurement:
    return Measurement(write(tmp_path_factory.mktemp("field"), TRUE))


def picks_of(stars: Table, numbers: list[int]) -> Table:
    picks = empty_picks()
    for k in numbers:
        picks.add_row([k + 1, stars["ra"][k], stars["dec"][k], "", np.nan, np.nan, False])
    return picks


def test_candidates_are_the_stars_and_a_click_finds_their_centre(measurement: Measurement) -> None:
    stars = candidates(measurement, 5)
    assert len(stars) == 5
    assert (np.asarray(stars["n_exposures"]) == 4).all()
    x, y = centre(measurement.frames[0], stars["x"][0] + 2, stars["y"][0] - 1)
    assert np.hypot(x - stars["x"][0], y - stars["y"][0]) < 0.1
    assert centre(measurement.frames[0], 8, 8) is None


def test_a_click_on_a_faint_star_does_not_slide_to_its_bright_neighbour(tmp_path: Path) -> None:
    sky = np.array([[0.0, 0.0], [-1.5, 0.0], [5.0, 5.0]])
    measurement = Measurement(write(tmp_path, TRUE, sky=sky, peaks=np.array([300.0, 40.0, 100.0])))
    for i, offset in enumerate(TRUE):
        x, y = measurement.planes[i].pixel(sky[1] + offset)
        for step in (-1.0, 0.0, 1.0):
            found = measurement.star_near(i, x + step, y + 1)
            assert found is not None
            assert np.hypot(found[0] - x, found[1] - y) < 0.2


@pytest.mark.parametrize("numbers", [[0], [0, 1, 2]])
def test_a_few_picked_stars_give_the_offsets(measurement: Measurement, numbers: list[int], tmp_path: Path) -> None:
    picks = picks_of(candidates(measurement, 5), numbers)
    save_picks(tmp_path / "picks.ecsv", picks)
    offsets = measure_offsets(measurement, picks=tmp_path / "picks.ecsv")
    assert within(offsets, TRUE)
    assert (np.asarray(offsets.table["n_stars"]) == len(numbers)).all()
    assert set(offsets.table["method"]) == {"picks"}


def test_a_click_is_answered_near_the_fit_that_follows_or_not_at_all(measurement: Measurement) -> None:
    picks = picks_of(candidates(measurement, 5), [0, 1, 2])
    first, fit = preview_offsets(measurement, picks), measure_offsets(measurement, picks=picks)
    assert first is not None
    for name in ("ra", "dec"):
        error = np.asarray(fit.table[f"{name}_error"])[1:]
        assert np.abs((first.table[f"{name}_offset"] - fit.table[f"{name}_offset"])[1:] / error).max() < 1
        assert np.asarray(first.table[f"{name}_error"])[1:] == pytest.approx(error, rel=0.3)
    assert (np.asarray(first.table["n_stars"]) == 3).all()
    assert len(first.residuals) == len(fit.residuals)
    assert first.stamps(2).data.shape[0] == 4
    picks.add_row([9, picks["ra"][0], picks["dec"][0] + 6 / 3600, "", np.nan, np.nan, False])  # where no star is
    assert preview_offsets(measurement, picks) is None
    picks = picks_of(candidates(measurement, 5), [0])
    picks.add_row([1, np.nan, np.nan, measurement.date_obs[1], 30.0, 30.0, False])
    assert preview_offsets(measurement, picks) is None


def test_dropped_picks_do_not_count(measurement: Measurement) -> None:
    picks = picks_of(candidates(measurement, 5), [0, 1])
    picks["dropped"][1] = True
    assert (np.asarray(measure_offsets(measurement, picks=picks).table["n_stars"]) == 1).all()
    picks["dropped"] = True
    assert set(measure_offsets(measurement, picks=picks).table["verdict"]) == {"refuse"}


def test_picks_come_back_as_they_were_saved(tmp_path: Path) -> None:
    picks = empty_picks()
    picks.add_row([1, 265.2, -53.7, "", np.nan, np.nan, False])
    picks.add_row([1, np.nan, np.nan, "2014-07-27T03:01:00.000", 10.5, 20.25, True])
    save_picks(tmp_path / "picks.ecsv", picks)
    back = read_picks(tmp_path / "picks.ecsv")
    assert back.pformat() == picks.pformat()
    (tmp_path / "bad.ecsv").write_text("no table")
    with pytest.raises(MuseError, match=r"bad\.ecsv"):
        read_picks(tmp_path / "bad.ecsv")


def test_two_notebooks_do_not_lose_each_others_picks(tmp_path: Path) -> None:
    path, start = tmp_path / "picks.ecsv", empty_picks()
    start.add_row([1, 10.0, 0.0, "", np.nan, np.nan, False])
    start.add_row([2, 10.1, 0.0, "", np.nan, np.nan, False])
    save_picks(path, start)
    one, other = PickFile(path), PickFile(path)
    mine, theirs = one.picks.copy(), other.picks.copy()
    mine.add_row([3, 10.2, 0.0, "", np.nan, np.nan, False])
    theirs.add_row([3, 10.3, 0.0, "", np.nan, np.nan, False])  # the same number for another star
    theirs.remove_row(0)
    other.save(theirs)
    merged = one.save(mine)
    assert sorted(merged["ra"]) == sorted(read_picks(path)["ra"]) == [10.1, 10.2, 10.3]
    assert sorted(one.save(merged[merged["ra"] > 10.15])["ra"]) == [10.2, 10.3]  # what it has seen it may drop


def test_picks_whose_file_was_deleted_are_written_again(tmp_path: Path) -> None:
    start = empty_picks()
    start.add_row([1, 10.0, 0.0, "", np.nan, np.nan, False])
    file = PickFile(tmp_path / "picks.ecsv")
    file.save(start)
    file.path.unlink()
    assert len(file.save(start)) == len(read_picks(file.path)) == 1


def test_the_same_star_picked_twice_is_one() -> None:
    start, mine, theirs = empty_picks(), empty_picks(), empty_picks()
    mine.add_row([1, 10.0, -60.0, "", np.nan, np.nan, False])
    theirs.add_row([4, 10.0 + 0.1 / 3600, -60.0, "", np.nan, np.nan, False])
    assert len(merge_picks(start, mine, theirs)) == 1
