"""What one exposure alone shows - trails, cosmic rays wider than a pixel - neither places it nor moves its stars."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from star_fields import PEAKS, STARS, TRUE, found, resampled, within, write

from muse_nb import measure_offsets
from muse_nb.steps.offsets.measurement import Measurement
from muse_nb.steps.offsets.starfit import begin
from muse_nb.steps.offsets.starfit.coarse import Placement
from muse_nb.steps.offsets.starfit.correlate import correlate
from muse_nb.steps.offsets.starfit.transients import transients
from muse_nb.steps.offsets.table import assemble


def spoiled(i: int, image: NDArray) -> NDArray:
    """Six cosmic rays a few pixels wide; in the third exposure a satellite's trail, too."""
    rng = np.random.default_rng(i)
    for y, x in rng.integers(5, np.array(image.shape) - 8, (6, 2)):
        image[y : y + rng.integers(2, 4), x : x + rng.integers(1, 4)] += rng.exponential(80)
    if i == 2:
        y, x = np.indices(image.shape)
        image += 25 * np.exp(-((y - 20 - 0.4 * x) ** 2) / 6)
    return resampled(image, 0.3)


@pytest.mark.parametrize("stars", [5, 8])
def test_exposures_full_of_what_is_no_star(stars: int, tmp_path: Path) -> None:
    for seed in range(4):
        folder = tmp_path / f"{seed}"
        files = write(folder, TRUE, sky=STARS[:stars], peaks=PEAKS[:stars] / 3, seed=seed, spoil=spoiled)
        offsets = measure_offsets(files)
        assert (offsets.table["verdict"] != "refuse").all()
        assert within(offsets, TRUE)
        assert np.abs(found(offsets) - TRUE).max() < 0.05


def test_a_trail_is_told_from_the_stars_beside_it(tmp_path: Path) -> None:
    frames = Measurement(write(tmp_path, TRUE, spoil=spoiled)).frames
    x = np.array([20.0, 38.0, 80.0])
    trail = frames[2].plane.sky(np.c_[x, 20 + 0.4 * x] + 0.3) - TRUE[2]
    alone = transients(frames, list(TRUE), np.r_[trail, STARS[:5]], [frame.map for frame in frames])
    assert alone[2, :3].all()
    assert not alone[:, 3:].any()


def test_few_bright_stars_place_an_exposure_and_a_faint_one_does_not_hide_them(tmp_path: Path) -> None:
    peaks = np.array([60, 40, 50, 30, 2.2])
    files = write(tmp_path, TRUE, sky=STARS[:5], peaks=peaks, spoil=lambda _, image: resampled(image, 0.5))
    placements = begin.place_all(Measurement(files).frames)
    assert all(placement.sure for placement in placements)
    assert np.abs([p.offset - placements[0].offset for p in placements] - TRUE).max() < 0.1


def test_an_exposure_whose_stars_no_other_shows_has_no_offset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once it had that of its placement, with an error of 0."""
    files = write(tmp_path, TRUE, sky=STARS[:5], peaks=PEAKS[:5])
    real = begin.place_all

    def misplacing(*args: object) -> list[Placement]:
        placements = real(*args)  # type: ignore[arg-type]
        placements[3] = Placement(placements[3].offset + np.array([1.7, -1.1]), 20.0, 3)
        return placements

    monkeypatch.setattr(begin, "place_all", misplacing)
    row = measure_offsets(files).table[3]
    assert row["verdict"] == "refuse" or within_row(row)


def within_row(row: object) -> bool:
    """An offset within 5 of its errors, which are more than nothing."""
    error = np.array([row["ra_error"], row["dec_error"]])  # type: ignore[index]
    miss = np.abs(np.array([row["ra_offset"], row["dec_offset"]]) - TRUE[3])  # type: ignore[index]
    return bool((error > 0).all() and (miss < 5 * error).all())


def test_sources_none_of_which_is_a_star_leave_the_images_to_be_matched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("muse_nb.steps.offsets.starfit.noise.wider_than_stars", lambda fit: np.ones(len(fit.sky), bool))
    offsets = measure_offsets(write(tmp_path, TRUE))
    assert list(offsets.table["method"]) == ["cross-correlation"] * 4
    assert within(offsets, TRUE)


@pytest.mark.parametrize("holed", [0, 1])
def test_a_star_cut_by_a_hole_in_either_image_is_matched_with_doubt(tmp_path: Path, holed: int) -> None:
    def spoil(i: int, image: NDArray) -> NDArray:
        if i == holed:
            image[:, 48:70] = np.nan
        return image

    files = write(tmp_path, TRUE[:2], sky=STARS[:1], peaks=PEAKS[:1], spoil=spoil)
    shift = correlate(*Measurement(files).frames)
    assert shift is None or (np.abs(shift.offset - TRUE[1]) < 3 * shift.error).all()


@pytest.mark.parametrize("cut", [-1, 0, 1, 3])
def test_a_bright_star_that_a_hole_cuts_does_not_pull_the_correlation(tmp_path: Path, cut: int) -> None:
    """Its light looked pushed away from the hole, by 0.3 to 0.7 arcsec; cut through the core, it has no say."""

    def spoil(i: int, image: NDArray) -> NDArray:
        if i == 1:
            image[:, 39 + cut : 53 + cut] = np.nan  # the star is at 39.35
        return image

    true = np.array([[0, 0], [1.63, -1.1]])
    files = write(tmp_path, true, peaks=PEAKS * np.array([40, *[1] * 7]), spoil=spoil)
    shift = correlate(*Measurement(files).frames)
    assert shift is None or np.abs(shift.offset - true[1]).max() < 0.1


def test_a_correlation_that_stars_belie_or_that_tells_too_little_is_no_offset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from muse_nb.steps.offsets import table as offset_table
    from muse_nb.steps.offsets.starfit.correlate import Shift

    measurement = Measurement(write(tmp_path, TRUE))
    offset = measurement.solution.offset.copy()
    offset[3] = np.nan
    solution = replace(measurement.solution, offset=offset)
    right, wrong = (0.15, 0.35), (3.0, -2.0)
    for shift, error, method in ((right, 0.01, "cross-correlation"), (wrong, 0.01, "none"), (right, 0.3, "none")):
        found_there = Shift(np.array(shift), np.array([0.01, error]), 20.0)
        monkeypatch.setattr(offset_table, "correlate", lambda *_, there=found_there: there)
        assert assemble(measurement, solution, "stars", None).table["method"][3] == method
