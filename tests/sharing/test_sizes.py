"""Five viewers of full frames in one notebook: alive in a page of less than 15 MB, as pictures in less than 3."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from books import with_widgets

import muse_nb
from muse_nb.products.object_red import write_object_red
from muse_nb.sharing.clean import Places
from muse_nb.sharing.page import notebook_page


@pytest.fixture(scope="module")
def five(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A notebook as the sharing runs it, with five viewers of a full frame of noise, which compresses worst."""
    path = tmp_path_factory.mktemp("five") / "OBJECT_RED_0001-07.fits"
    random = np.random.default_rng(3)
    data = random.normal(30, 6, (4112, 4096)).astype(np.float32)
    dq = (random.random(data.shape, np.float32) < 0.01).astype(np.int32) * 32
    header = fits.Header({"DATE-OBS": "2014-07-27T03:12:00.000", "EXTNAME": "CHAN07"})
    write_object_red(path, header, data, dq, np.full_like(data, 36.0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MUSE_NB_HEADLESS", "1")
        return with_widgets(*(muse_nb.ObjectRedViewer(path) for _ in range(5)))


def test_five_viewers_stay_small(five: Any, tmp_path: Path) -> None:
    live = notebook_page(five, about={}, places=Places(tmp_path))
    assert live.count('data-widget="') == 5
    assert len(live) < 15e6
    assert set(binning(live)) == {8}, "4 x 4 does not fit five times"
    still = notebook_page(five, about={}, places=Places(tmp_path), max_size=0)
    assert 'data-widget="' not in still
    assert still.count("<img ") == 5
    assert len(still) < 3e6


def test_one_viewer_is_as_fine_as_the_page_allows(five: Any, tmp_path: Path) -> None:
    one = copy.deepcopy(five)
    one.cells = one.cells[:1]
    sizes = {}
    for most in (15e6, 4e6, 1.5e6):
        page = notebook_page(one, about={}, places=Places(tmp_path), max_size=most)
        assert len(page) < most
        (sizes[most],) = binning(page)
    assert list(sizes.values()) == [4, 8, 16]


def test_what_does_not_fit_is_a_picture_and_says_so(five: Any, tmp_path: Path) -> None:
    still = len(notebook_page(five, about={}, places=Places(tmp_path), max_size=0))
    page = notebook_page(five, about={}, places=Places(tmp_path), max_size=still + 1.5e6)
    assert len(page) < still + 1.5e6
    alive = page.count('data-widget="')
    assert 0 < alive < 5
    assert page.count("it would make this page too large") == 5 - alive


def binning(page: str) -> list[int]:
    """Pixels a side of the frames that a page holds."""
    return [int(found) for found in re.findall(r'"bin": (\d+)', page)]
