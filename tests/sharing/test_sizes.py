"""Five viewers of full frames in one notebook: alive in a page of less than 15 MB, as pictures in less than 3."""

from __future__ import annotations

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
    still = notebook_page(five, about={}, places=Places(tmp_path), max_size=0)
    assert 'data-widget="' not in still
    assert still.count("<img ") == 5
    assert len(still) < 3e6


def test_what_does_not_fit_is_a_picture_and_says_so(five: Any, tmp_path: Path) -> None:
    page = notebook_page(five, about={}, places=Places(tmp_path), max_size=9e6)
    assert len(page) < 9e6
    alive = page.count('data-widget="')
    assert 0 < alive < 5
    assert page.count("it would make this page too large") == 5 - alive
