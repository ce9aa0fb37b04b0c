"""What a measurement keeps is values: no fit, and no click, changes what was there before it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from star_fields import PEAKS, STARS, TRUE, write

from muse_nb import cross_check, measure_offsets
from muse_nb.steps.offsets.measurement import Measurement
from muse_nb.steps.offsets.picked import candidates
from muse_nb.steps.offsets.picks import empty_picks
from muse_nb.steps.offsets.starfit.fit import Fit
from muse_nb.steps.offsets.starfit.frame import Frame
from muse_nb.steps.offsets.starfit.noise import with_edges_masked, with_noise_law, with_outliers_clipped
from muse_nb.steps.offsets.starfit.revise import revised


def on_a_galaxy(i: int, image: NDArray) -> NDArray:
    y, x = np.indices(image.shape)
    east, north = TRUE[i]
    return image + 60 * np.exp(-np.hypot(x - 40 + east / 0.2, (y - 45 - north / 0.2) / 0.6) / 15)


def with_what_is_no_star(i: int, image: NDArray) -> NDArray:
    """A trail in one exposure, and in all a source wider than a star."""
    y, x = np.indices(image.shape)
    east, north = TRUE[i]
    wide = 60 * np.exp(-((x - 60 + east / 0.2) ** 2 + (y - 66 - north / 0.2) ** 2) / 40)
    return image + wide + (i == 2) * 25 * np.exp(-((y - 20 - 0.4 * x) ** 2) / 6)


FIELDS = {
    "stars": {},
    "a galaxy": {"spoil": on_a_galaxy},  # a light that all exposures share
    "a halo": {"peaks": np.r_[5e4, PEAKS[1:]], "side": 120, "halo": 0.05},  # taken out of the images
    "what is no star": {"spoil": with_what_is_no_star},  # masked
    "a star at the edge": {"sky": np.r_[STARS, [[9.8, -8.0]]], "peaks": np.r_[PEAKS, 400]},  # masked, too
}


def arrays(value: object) -> Iterator[NDArray]:
    """All arrays of a frame or a fit."""
    for field in fields(value):  # type: ignore[arg-type]
        found = getattr(value, field.name)
        if isinstance(found, np.ndarray):
            yield found
        elif isinstance(found, tuple):
            for part in found:
                yield from arrays(part)


def copied(values: tuple[Frame, ...] | tuple[Fit]) -> list[NDArray]:
    return [array.copy() for value in values for array in arrays(value)]


def same(values: tuple[Frame, ...] | tuple[Fit], before: list[NDArray]) -> bool:
    after = [array for value in values for array in arrays(value)]
    return len(after) == len(before) and all(map(np.array_equal, after, before, [True] * len(after)))


def picks_of(measurement: Measurement, most: int):
    picks = empty_picks()
    for row in candidates(measurement, most):
        picks.add_row([row["star"], row["ra"], row["dec"], "", np.nan, np.nan, False])
    return picks


@pytest.mark.parametrize("kind", FIELDS)
def test_the_images_are_the_same_before_and_after_their_fit(kind: str, tmp_path: Path) -> None:
    files = write(tmp_path, TRUE, **FIELDS[kind])  # type: ignore[arg-type]
    measurement, other = Measurement(files), Measurement(files)
    frames = measurement.frames
    before = copied(frames)
    assert measurement.solution.fit is not None
    assert measurement.frames is frames
    assert same(frames, before)
    _ = other.solution  # asked for the fit first
    assert same(other.frames, before)


@pytest.mark.parametrize("kind", FIELDS)
def test_the_fit_of_all_stars_is_the_same_after_picks_clicks_and_checks(kind: str, tmp_path: Path) -> None:
    measurement = Measurement(write(tmp_path, TRUE, **FIELDS[kind]))  # type: ignore[arg-type]
    offsets, solution = measure_offsets(measurement), measurement.solution
    assert solution.fit is not None
    fit, frames = copied((solution.fit,)), copied(solution.frames)
    picks = picks_of(measurement, 3)
    first = measure_offsets(measurement, picks=picks)
    _ = measurement.star_shifts
    measurement.star_near(1, 40.0, 40.0)
    cross_check(measurement, offsets, eso=False)
    assert measurement.solution is solution
    assert same((solution.fit,), fit)
    assert same(solution.frames, frames)
    assert measure_offsets(measurement, picks=picks).rows() == first.rows()


def test_each_step_gives_a_new_frame_and_leaves_the_old_one_as_it_was(tmp_path: Path) -> None:
    fit = Measurement(write(tmp_path, TRUE, spoil=on_a_galaxy)).solution.fit
    assert fit is not None
    frame, light = fit.frames[1], np.ones(fit.frames[1].shape)
    before = copied((frame,))
    for after in (
        frame.masked(light > 0),
        frame.without(light),
        frame.on_ground(light),
        frame.with_light_moved(np.array([0.1, 0.1])),
        frame.with_background_refined(),
        with_edges_masked(frame),
        with_outliers_clipped(frame, 1),
        *with_noise_law([frame, fit.frames[0]]),
        fit.draw(1, frame.masked(light > 0)).frame,
        fit.with_fluxes().frames[1],
        fit.with_light_shared().frames[1],
        fit.step(0.5)[0].frames[1],
        revised(fit).frames[1],
    ):
        assert after.shape == frame.shape
        assert same((frame,), before)
