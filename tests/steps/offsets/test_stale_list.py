"""An OFFSET_LIST knows which stars and images it was measured on; offsets say when one that is there is not theirs."""

from __future__ import annotations

from pathlib import Path

import pytest
from astropy.io import fits
from sky import images

import muse_nb
from muse_nb.products.offset_list import OffsetList
from muse_nb.steps.offsets.measurement import Measurement
from muse_nb.steps.offsets.picked import candidates
from muse_nb.steps.offsets.picks import empty_picks, save_picks
from muse_nb.steps.offsets.result import Offsets


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Measurement, Offsets]:
    measurement = Measurement(images(tmp_path_factory.mktemp("images")))
    return measurement, muse_nb.measure_offsets(measurement)


def picks_of(measurement: Measurement, number: int):
    picks = empty_picks()
    for n, row in enumerate(candidates(measurement, number), 1):
        picks.add_row([n, row["ra"], row["dec"], "", float("nan"), float("nan"), False])
    return picks


def test_a_list_of_these_offsets_is_not_stale(measured: tuple[Measurement, Offsets], tmp_path: Path) -> None:
    _, offsets = measured
    path = tmp_path / "OFFSET_LIST.fits"
    assert offsets.stale(path) == ""
    offsets.write(path)
    assert offsets.stale(path) == ""
    assert muse_nb.stale_list(path, tmp_path / "picks.ecsv") == "", "no picks: all stars"


def test_other_picks_make_it_stale(measured: tuple[Measurement, Offsets], tmp_path: Path) -> None:
    measurement, offsets = measured
    path = tmp_path / "OFFSET_LIST.fits"
    offsets.write(path)
    picks = picks_of(measurement, 1)
    save_picks(tmp_path / "picks.ecsv", picks)
    told = muse_nb.measure_offsets(measurement, picks=picks).stale(path)
    assert told.startswith("OFFSET_LIST.fits is stale: made from other stars, its offsets are up to")
    assert "measured on other stars" in muse_nb.stale_list(path, tmp_path / "picks.ecsv")
    picks["dropped"] = True
    save_picks(tmp_path / "picks.ecsv", picks)
    assert muse_nb.stale_list(path, tmp_path / "picks.ecsv") == "", "none is in use: all stars"


def test_exposures_that_it_lacks_are_counted(measured: tuple[Measurement, Offsets], tmp_path: Path) -> None:
    _, offsets = measured
    whole = offsets.offset_list()
    columns = (whole.date_obs, whole.mjd_obs, whole.ra_offset, whole.dec_offset, whole.flux_scale)
    OffsetList(*(column[:2] for column in columns)).write(tmp_path / "OFFSET_LIST.fits")
    assert "lacks 1 of the 3 exposures" in offsets.stale(tmp_path / "OFFSET_LIST.fits")
    assert "does not say" in muse_nb.stale_list(tmp_path / "OFFSET_LIST.fits", tmp_path / "picks.ecsv")


def test_images_that_were_made_again_are_told(measured: tuple[Measurement, Offsets], tmp_path: Path) -> None:
    measurement, offsets = measured
    path = tmp_path / "OFFSET_LIST.fits"
    offsets.write(path)
    fits.setval(measurement.images[1].path, "DATAMD5", value="0123")
    moved = muse_nb.measure_offsets(measurement, picks=picks_of(measurement, 1))
    assert "made from other images" in moved.stale(path)
