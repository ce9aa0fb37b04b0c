"""A star that outshines all others, with wings that no Moffat has, neither moves nor hides them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from star_fields import PEAKS, STARS, TRUE, found, within, write

from muse_nb import measure_offsets
from muse_nb.steps.offsets.measurement import Measurement
from muse_nb.steps.offsets.starfit.coarse import Sources, scan


@pytest.mark.parametrize("peak", [5e3, 5e4, 2e5])
def test_offsets_beside_a_very_bright_star_are_those_of_all_stars(tmp_path: Path, peak: float) -> None:
    for seed in range(3):
        files = write(tmp_path / f"{seed}", TRUE, peaks=np.r_[peak, PEAKS[1:]], side=120, halo=0.05, seed=seed)
        offsets = measure_offsets(files)
        assert list(offsets.table["verdict"]) == ["agree"] * 4
        assert within(offsets, TRUE)
        np.testing.assert_allclose(found(offsets), TRUE, atol=3e-3)


def test_stars_in_the_wings_are_found(tmp_path: Path) -> None:
    files = write(tmp_path, TRUE, peaks=np.r_[5e4, PEAKS[1:]], side=120, halo=0.05)
    fit = Measurement(files).solution.fit
    assert fit is not None
    bright = int(np.argmax(fit.frames[0].amplitude))
    apart = (fit.sky - fit.sky[bright])[:, None] - (STARS - STARS[0])
    away = np.hypot(*apart.T)  # (true, found)
    assert (away.min(axis=1) < 0.1).all()


def test_a_star_alone_places_an_exposure_whose_others_its_wings_hide(tmp_path: Path) -> None:
    files = write(tmp_path, TRUE[:2], peaks=np.r_[2e5, PEAKS[1:]], side=120, halo=0.05)
    first, second = (Measurement(files).frames[i] for i in (0, 1))
    peaks = first.peaks.first(1)
    sources = Sources(first.plane.sky(peaks.position), peaks.amplitude, first.width * first.plane.scale)
    placement = scan(second, sources)
    assert placement.sure
    np.testing.assert_allclose(placement.offset, TRUE[1], atol=0.1)
