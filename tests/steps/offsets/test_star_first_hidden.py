"""Stars that the first exposure does not show: the others are measured against each other, and say so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table
from numpy.typing import NDArray
from star_fields import PEAKS, STARS, TRUE, found, write

from muse_nb import measure_offsets
from muse_nb.steps.offsets.measurement import Measurement
from muse_nb.steps.offsets.picks import empty_picks
from muse_nb.steps.offsets.preview import preview_offsets
from muse_nb.steps.offsets.result import Offsets


def hidden(i: int, image: NDArray) -> NDArray:
    """No data about the middle of the first exposure."""
    if i == 0:
        image[:, 40:60] = np.nan
    return image


def field(folder: Path, stars: int) -> Measurement:
    return Measurement(write(folder, TRUE, sky=STARS[:stars], peaks=PEAKS[:stars], spoil=hidden))


def middle(offset: NDArray) -> Table:
    """The star in the middle, picked, where the header of an exposure of that offset [arcsec] has it."""
    picks = empty_picks()
    ra = 265.2 + offset[0] / 3600 / np.cos(np.radians(53.7))
    picks.add_row([1, ra, -53.7 + offset[1] / 3600, "", np.nan, np.nan, False])
    return picks


def against_the_second(offsets: Offsets) -> NDArray:
    """Errors [arcsec] of the exposures after the first, relative to the second of all."""
    assert offsets.reference.startswith("2014-07-27T03:01")
    return (found(offsets) - TRUE + TRUE[1])[1:]


def test_one_star_is_enough_for_the_exposures_that_show_it(tmp_path: Path) -> None:
    measurement = field(tmp_path, 1)
    offsets = measure_offsets(measurement)
    assert list(offsets.table["verdict"]) == ["refuse", "agree", "agree", "agree"]
    assert np.abs(against_the_second(offsets)).max() < 0.01
    assert measurement.solution.home == 1
    picked = measure_offsets(measurement, picks=middle(TRUE[1]))
    assert np.abs(against_the_second(picked)).max() < 0.01


@pytest.mark.parametrize("measure", [measure_offsets, preview_offsets])
def test_one_picked_star_of_many(measure, tmp_path: Path) -> None:
    measurement = field(tmp_path, 8)
    assert set(measure_offsets(measurement).table["verdict"]) == {"agree"}
    offsets = measure(measurement, picks=middle(TRUE[0]))
    assert list(offsets.table["verdict"]) == ["refuse", "agree", "agree", "agree"]
    assert np.abs(against_the_second(offsets)).max() < 0.01


def test_a_star_that_another_may_be_taken_for_is_for_checking_and_no_reference(tmp_path: Path) -> None:
    """The first exposure shows but the second star: it came out as the picked one, 6 arcsec off, and all were so."""
    measurement = field(tmp_path, 2)
    assert measure_offsets(measurement).table["verdict"][0] == "refuse"
    offsets = measure_offsets(measurement, picks=middle(TRUE[1]))
    assert list(offsets.table["verdict"]) == ["check", "agree", "agree", "agree"]
    assert "only the picked stars" in offsets.table["why"][0]
    assert np.abs(against_the_second(offsets)).max() < 0.01


def test_a_catalogue_holds_though_the_first_exposure_has_no_place(tmp_path: Path) -> None:
    ra = 265.2 + STARS[:2, 0] / 3600 / np.cos(np.radians(53.7))
    offsets = measure_offsets(field(tmp_path, 2), catalogue=Table({"ra": ra, "dec": -53.7 + STARS[:2, 1] / 3600}))
    assert np.isnan(found(offsets)[0]).all()
    assert np.abs(found(offsets) - TRUE)[1:].max() < 0.01
