"""What the browser gets stands for the file's values: half floats, DQ index, thumbnails, limits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from muse_nb.core.saved import NO_DATA, NO_DATA_BITS
from muse_nb.widgets.object_red.frames import Cache
from muse_nb.widgets.shared import transport
from muse_nb.widgets.shared.limits import limits


@given(st.integers(0, 2**32 - 1), st.floats(1, 1e5), st.floats(-1e6, 1e6))
def test_half_floats_keep_values_to_a_part_in_a_thousand_of_their_distance_from_the_median(
    seed: int, spread: float, level: float
) -> None:
    image = np.random.default_rng(seed).normal(level, spread, (20, 30)).astype(np.float32)
    image[3, 4], image[5, 6] = np.nan, level + 400 * spread
    offset, scale = transport.code(image)
    coded = transport.halves(image, offset, scale)
    assert coded[3, 4] == NO_DATA
    assert coded.view(np.uint16)[3, 4] == NO_DATA_BITS
    back = coded.astype(np.float64) * scale + offset
    good = np.isfinite(image)
    assert (np.abs(back - image)[good] <= 1e-3 * np.abs(image - offset)[good] + 1e-3 * spread).all()


@pytest.mark.parametrize("fill", [np.nan, 0.0, -7.0, np.inf, 3e38])
def test_frames_of_one_value_are_no_trouble(fill: float) -> None:
    image = np.full((9, 7), fill, np.float32)
    offset, scale = transport.code(image)
    coded = transport.halves(image, offset, scale)
    assert np.isfinite([offset, scale]).all()
    assert scale > 0
    assert np.isfinite(coded).all()


def test_the_index_of_dq_values_gives_them_back_with_bit_31_as_a_positive_number() -> None:
    dq = np.zeros((50, 60), np.int32)
    dq[1:4, 2:9], dq[7, 7], dq[9] = 32, 32 | 16384, np.int32(-(2**31))
    found = transport.index_values(dq)
    assert sorted(found.table.tolist()) == [0, 32, 32 | 16384, 2**31]
    assert (found.table[found.index] == (dq.astype(np.int64) & 0xFFFFFFFF)).all()
    assert found.counts.sum() == dq.size
    assert found.counts[found.table.tolist().index(32)] == 21


def test_many_dq_values_take_two_bytes() -> None:
    dq = np.arange(300, dtype=np.int32).reshape(3, 100)
    found = transport.index_values(dq)
    assert found.index.dtype == np.uint16
    assert (found.table[found.index] == dq).all()


@pytest.mark.parametrize("shape", [(4112, 4096), (512, 1376), (50, 37), (1, 1), (901, 1801)])
def test_thumbnails_have_the_size_that_the_browser_expects(shape: tuple[int, int]) -> None:
    bins = transport.thumb_bins(shape)
    thumb = transport.thumbnail(np.ones(shape, np.float32), bins)
    assert thumb.shape == tuple(-(-n // bins) for n in shape)
    assert max(thumb.shape) <= transport.THUMB_SIDE
    assert (thumb == 1).all()


def test_a_page_without_a_kernel_holds_finer_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    shape = (4112, 4096)
    monkeypatch.delenv("MUSE_NB_HEADLESS", raising=False)
    notebook = transport.thumb_bins(shape)
    monkeypatch.setenv("MUSE_NB_HEADLESS", "1")
    assert transport.thumb_bins(shape) < notebook
    assert (
        max(transport.thumbnail(np.ones(shape, np.float32), transport.thumb_bins(shape)).shape) <= transport.PAGE_SIDE
    )


def test_every_flag_of_a_block_is_kept() -> None:
    flags = np.zeros((5, 7), np.int32)
    flags[0, 1], flags[1, 0], flags[4, 6] = 32, np.int32(-(2**31)), 1
    blocks = transport.flags_of_blocks(flags, 2)
    assert blocks.shape == (3, 4)
    assert int(blocks[0, 0]) & 0xFFFFFFFF == 32 | 2**31
    assert blocks[2, 3] == 1
    assert np.count_nonzero(blocks) == 2


def test_a_thumbnail_is_the_mean_of_what_is_finite() -> None:
    image = np.arange(36, dtype=np.float32).reshape(6, 6)
    image[0, 0] = np.nan
    image[3:, 3:] = np.nan
    thumb = transport.thumbnail(image, 3)
    assert thumb[0, 0] == pytest.approx(np.nanmean(image[:3, :3]))
    assert np.isnan(thumb[1, 1])


def test_strips_put_together_are_the_plane() -> None:
    plane = np.random.default_rng(1).integers(0, 60000, (3000, 2100), dtype=np.uint16)
    rows, parts = zip(*transport.strips(plane), strict=True)
    assert len(parts) > 1
    assert max(len(part) for part in parts) <= transport.STRIP_BYTES
    assert b"".join(parts) == plane.tobytes()
    assert rows[1] * plane[0].nbytes == len(parts[0])


def test_limits_are_ordered_and_finite_for_any_values() -> None:
    for values in (np.array([np.nan]), np.array([]), np.array([5.0]), np.random.default_rng(2).normal(size=999)):
        for low, high in limits(values).values():
            assert np.isfinite([low, high]).all()
            assert low <= high


def test_the_cache_forgets_the_oldest_and_makes_each_value_once() -> None:
    made: list[object] = []
    cache: Cache[object] = Cache(lambda key: made.append(key) or key, size=2)
    for key in (1, 2, 1, 3, 1, 2):
        assert cache.get(key) == key
    assert made == [1, 2, 3, 2]
