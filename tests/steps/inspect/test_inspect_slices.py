"""Slices moved with all their layers, or in wavelength, are found and named; cosmic rays are counted as they fell."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from muse_nb.products.field import CHANNEL, compass
from muse_nb.products.object_red import open_object_red, write_object_red
from muse_nb.simulator.detector import cosmic_rays
from muse_nb.simulator.instrument import Instrument
from muse_nb.simulator.layouts import layout_named
from muse_nb.steps.inspect.field import field, picture_of_channel
from muse_nb.steps.inspect.inspect import inspect
from muse_nb.steps.inspect.sample import frames, take_sample
from muse_nb.steps.inspect.slices import find_slices
from muse_nb.steps.inspect.stats import frame_statistics

if TYPE_CHECKING:
    from muse_nb.simulator.night import Night

SLICE = 20
Move = Callable[[np.ndarray], np.ndarray]


def object_reds(night: Night, pattern: str = "*") -> list[Path]:
    return sorted((night.folder / "reduced").glob(f"{pattern}/OBJECT_RED_*.fits"))


def planted(path: Path, folder: Path, move: Move) -> Path:
    """Copy of a frame in which one slice is moved over the gaps beside it, DATA, STAT and DQ alike."""
    found = find_slices(take_sample(next(frames(path))))
    assert found is not None
    first, last = int(found.left[SLICE - 1]) - 1, int(found.right[SLICE - 1]) + 3
    red = open_object_red(path)[0]
    layers = [red.data.copy(), red.dq.copy(), red.stat.copy()]
    for layer in layers:
        layer[:, first:last] = move(layer[:, first:last])
    write_object_red(folder / path.name, red.header, *layers)
    return folder / path.name


def along_x(part: np.ndarray) -> np.ndarray:
    return np.concatenate([part[:, :1], part[:, :1], part[:, :-2]], axis=1)


def along_y(part: np.ndarray) -> np.ndarray:
    return np.roll(part, 2, axis=0)


@pytest.mark.parametrize("siblings", ["exposures", "IFUs", "trace", "alone"])
def test_a_slice_moved_with_all_its_layers_is_found(siblings: str, night: Night, tmp_path: Path) -> None:
    every = object_reds(night)
    path = every[2]
    chosen = {
        "exposures": [other for other in every if other.name[-7:] == path.name[-7:]],
        "IFUs": object_reds(night, path.parent.name),
        "trace": [path],
        "alone": [path],
    }[siblings]
    trace = sorted((night.folder / "calib").glob("TRACE_TABLE*.fits")) if siblings == "trace" else None
    moved = planted(path, tmp_path, along_x)
    assert inspect(chosen, trace=trace).findings == []
    result = inspect([moved if other == path else other for other in chosen], trace=trace)
    (found,) = result.verdicts
    assert (found.name, found.ifu) == ("slice_moved", open_object_red(path)[0].ifu)
    assert f"slice {SLICE} lies +" in found.text
    assert "limit 1" in found.text
    assert found.value == pytest.approx(2, abs=0.5)


@pytest.mark.parametrize("siblings", ["exposures", "IFUs"])
def test_a_slice_shifted_in_wavelength_is_found(siblings: str, night: Night, tmp_path: Path) -> None:
    every = object_reds(night)
    path = every[2]
    same = [other for other in every if other.name[-7:] == path.name[-7:]]
    chosen = same if siblings == "exposures" else object_reds(night, path.parent.name)
    moved = planted(path, tmp_path, along_y)
    result = inspect([moved if other == path else other for other in chosen])
    (found,) = [finding for finding in result.verdicts if finding.name == "slice_wavelength"]
    assert f"the sky lines of slice {SLICE} lie" in found.text
    assert found.value == pytest.approx(2, abs=0.4)


def test_cosmic_rays_are_counted_as_they_fell(night: Night) -> None:
    """On the simulated night: hits per area and second within 15 % of what was drawn, for all frames together."""
    layout = layout_named("micro")
    fell = area = hits = 0.0
    for number, name in enumerate(night.labels):
        for path in object_reds(night, name):
            frame = next(frames(path))
            truth = cosmic_rays(Instrument(layout, 1), frame.ifu or 0, number, 60.0)
            fell += _groups(truth > 0) / (truth.size * 15e-4**2)
            cosmics = frame_statistics(frame).cosmics
            assert cosmics is not None
            hits, area = hits + cosmics.hits, area + cosmics.area
            assert cosmics.rate == pytest.approx(cosmics.hits / cosmics.area / 60)
    assert hits / area == pytest.approx(fell / len(object_reds(night)), rel=0.15)


def _groups(mask: np.ndarray) -> int:
    from scipy.ndimage import label

    return int(label(mask, np.ones((3, 3)))[1])


def test_known_hits_are_counted_one_by_one(tmp_path: Path, night: Night) -> None:
    path = object_reds(night)[0]
    red = open_object_red(path)[0]
    before = frame_statistics(next(frames(path))).cosmics
    slices = find_slices(take_sample(next(frames(path))))
    assert before is not None
    assert slices is not None
    data, stat, dq = red.data.copy(), red.stat.copy(), red.dq.copy()
    middles = slices.centre[::6].astype(int)
    for n, x in enumerate(middles):  # single pixels, tracks along x, y and the diagonal, one the recipe has flagged
        track = [[(0, 0)], [(0, k) for k in range(4)], [(k, 0) for k in range(5)], [(k, k) for k in range(4)]][n % 4]
        for dy, dx in track:
            y = 40 + 30 * n + dy
            data[y, x + dx] += 3000
            stat[y, x + dx] += 3000
            dq[y, x + dx] = 32 if n == 5 else 0
    write_object_red(tmp_path / "hit.fits", red.header, data, dq, stat)
    after = frame_statistics(next(frames(tmp_path / "hit.fits"))).cosmics
    assert after is not None
    assert after.hits == pytest.approx(before.hits + len(middles), abs=1)  # one may fall on one that is there


def test_without_stat_or_exptime_there_is_no_rate(tmp_path: Path, night: Night) -> None:
    red = open_object_red(object_reds(night)[0])[0]
    write_object_red(tmp_path / "no_stat.fits", red.header, red.data, red.dq, None)
    header = red.header.copy()
    del header["EXPTIME"]
    write_object_red(tmp_path / "no_time.fits", header, red.data, red.dq, red.stat)
    no_stat, no_time = (inspect(tmp_path / name).records()[0] for name in ("no_stat.fits", "no_time.fits"))
    assert (no_stat["cosmic_hits"], no_stat["cosmic_rate"]) == (None, None)
    assert no_time["cosmic_hits"] > 0
    assert no_time["cosmic_rate"] is None


def test_slices_are_drawn_where_they_lie_in_the_field(night: Night) -> None:
    """A frame whose signal is its slice's number: stacks and rows of the channel as the geometry table has them."""
    frame = next(frames(object_reds(night)[0]))
    sample = take_sample(frame)
    slices = find_slices(sample)
    assert slices is not None
    geometry = Instrument(layout_named("micro"), 1).geometry[frame.ifu or 0]
    for number in (1, 12, 30, 48):
        sample.data[...] = 0
        left, right = int(slices.left[number - 1]), int(slices.right[number - 1])
        sample.data[..., left : right + 1] = 1
        row, column = np.argwhere(np.nan_to_num(picture_of_channel(sample, slices)) > 0.9).mean(axis=0)
        here = geometry[number - 1]
        assert row == pytest.approx(5.5 - (here.y - np.mean([s.y for s in geometry])) / (300 / 288), abs=0.6)
        assert (column + 0.5) / CHANNEL[1] == pytest.approx(0.5 + here.x / (4 * (here.width + 0.1)), abs=0.02)


def test_north_turns_with_the_rotator_and_missing_channels_stay_empty() -> None:
    assert compass(0.0) == (pytest.approx((0, 1)), pytest.approx((-1, 0)))
    assert compass(90.0) == (pytest.approx((1, 0)), pytest.approx((0, 1)))
    whole = field({2: np.ones(CHANNEL, np.float32)}, [1, 2, 3])
    assert np.isfinite(whole).all(axis=1).tolist() == [False] * 12 + [True] * 12 + [False] * 12
