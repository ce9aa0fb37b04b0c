"""What version 0.1 wrote is read: a night's picks, offsets, manifest, pixel tables, a cube with DQ, marked holes.

The files come from the last commit of 0.1: two exposures of its simulated night, their pixel tables cut to 1.6" and
31 Angstrom around 6515; the offsets measured on all stars; eight picked stars, of which one is dropped in one exposure;
the cube with DQ and EXPMAP, three of its NaN marked, and the manifest of them all.
"""

from __future__ import annotations

import json
from pathlib import Path
from shutil import unpack_archive

import numpy as np
import pytest
from astropy.io import fits

import muse_nb
from muse_nb.cli import main

BY_PICKS = (0.33146356576674946, -0.06339908921761721)  # arcsec of the second exposure, as 0.1 measured it
NAN, SUM = 39, 169554.27632926404  # of its cube


@pytest.fixture
def old(tmp_path: Path) -> Path:
    unpack_archive(Path(__file__).parents[1] / "data" / "night-0.1.zip", tmp_path)
    return tmp_path


def test_the_manifest_still_holds(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["survey", "--verify", str(old / "data_manifest.csv")]) == 0
    assert capsys.readouterr().out == "all as it was\n"
    assert main(["doctor", str(old), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["findings"] == []


def test_the_picks_give_the_same_offsets(old: Path) -> None:
    found = muse_nb.measure_offsets(sorted(old.glob("IMAGE_FOV_*.fits")), old / "picks.ecsv")
    assert (found.table["ra_offset"][1], found.table["dec_offset"][1]) == pytest.approx(BY_PICKS, abs=1e-3)
    assert list(found.table["verdict"]) == ["agree", "agree"]


def test_the_list_and_the_pixel_tables_give_the_same_cube(old: Path) -> None:
    listed = muse_nb.OffsetList.read(old / "OFFSET_LIST.fits")
    assert listed.rotangle == (0.0, 0.0), "0.1 measured none"
    tables, cube = sorted(old.glob("PIXTABLE_*.fits")), old / "again.fits"
    settings = {"lambdamin": 6500.0, "lambdamax": 6530.0, "extensions": ["DQ", "EXPMAP"], "checks": False}
    with pytest.warns(muse_nb.MuseWarning, match="crtype 'others'"):  # true of the data, whoever wrote them
        muse_nb.combine(tables, old / "OFFSET_LIST.fits", output=cube, **settings)
    with fits.open(cube) as new, fits.open(old / "DATACUBE_FINAL.fits") as before:
        for name in ("DATA", "STAT", "DQ", "EXPMAP"):
            np.testing.assert_array_equal(new[name].data, before[name].data, err_msg=name)
    assert muse_nb.stale_cube(old / "DATACUBE_FINAL.fits", tables, old / "OFFSET_LIST.fits") == ""


def test_the_cube_says_why_its_voxels_are_nan_and_marked_holes_are_told(old: Path) -> None:
    audit = muse_nb.audit_nans(old / "DATACUBE_FINAL.fits")
    assert audit.exact, "DQ names the causes"
    assert list(audit.table["voxels"]) == [NAN]
    holes = muse_nb.tell_holes(audit, old / "holes.ecsv")
    assert len(holes.table) == 3
    assert "3 marked, 3 of them NaN" in str(holes)
    with fits.open(old / "DATACUBE_FINAL.fits") as units:
        assert np.nansum(units["DATA"].data.astype(float)) == pytest.approx(SUM)
