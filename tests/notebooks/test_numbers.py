"""A number that a notebook says twice is the same both times."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import muse_nb
from muse_nb.cli import main
from muse_nb.core.saved import HEADLESS
from muse_nb.products.offset_list import OffsetList
from muse_nb.steps.nans.causes import Cause

if TYPE_CHECKING:
    from muse_nb.simulator.night import Night
    from muse_nb.steps.nans.result import NanAudit


@pytest.fixture(scope="module")
def audit(night: Night, tmp_path_factory: pytest.TempPathFactory) -> NanAudit:
    tables = muse_nb.survey(night.folder).exposure(0).files("PIXTABLE_REDUCED")
    made = muse_nb.cube(tables, output=tmp_path_factory.mktemp("cube") / "cube.fits", filters=(), checks=False)
    return muse_nb.audit_nans(made.path, tables)


def test_the_night_counts_its_exposures_once(night: Night) -> None:
    survey = muse_nb.survey(night.folder)
    told = re.search(r"<b>(\d+) exposures</b>", survey._repr_html_())
    assert told is not None
    assert int(told[1]) == len(muse_nb.ExposureTable(survey).rows) == len(survey.exposures)
    assert muse_nb.doctor(night.folder).files == len(survey.facts)


def test_the_parts_of_the_nan_are_all_of_it(audit: NanAudit) -> None:
    totals = audit.totals()
    nz, ny, nx = audit.shape
    assert sum(totals.values()) == audit.voxels
    assert audit.nan_fraction == pytest.approx(audit.voxels / (nz * ny * nx))
    outside = totals.get(Cause.OUTSIDE_FIELD, 0)
    assert outside > 0, "else there is nothing to tell apart"
    inside = audit.nan_fraction_in_field * (nz * ny * nx - outside)
    assert inside == pytest.approx(audit.voxels - outside), "what is outside the field is not said to be in it"


def test_the_viewer_the_words_and_the_title_say_the_same_share(audit: NanAudit) -> None:
    html = audit._repr_html_()
    shares = re.findall(r"([\d.]+%) (?:NaN|of the voxels are NaN)", html)
    assert len(shares) == 2
    assert len(set(shares)) == 1
    viewer = muse_nb.NanViewer(audit.cube.path, audit)
    assert f"{viewer.cube['fraction']:.2%}" == shares[0]
    assert f"{viewer.cube['fraction_in_field']:.2%} of those inside" in audit.findings[0]
    voxels = {cause["name"]: cause["voxels"] for cause in viewer.cube["causes"]}
    assert voxels == {str(name): number for name, number in audit.totals().items()}


def test_the_offsets_are_the_same_wherever_they_are_said(
    night: Night, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(HEADLESS, "1")  # as in a run without a browser
    images = muse_nb.survey(night.folder).files_of("IMAGE_FOV")
    picker = muse_nb.StarPicker(images, picks=tmp_path / "picks.ecsv")
    offsets = picker.offsets
    picker._repr_mimebundle_()
    assert picker.rows == offsets.rows()
    said = re.findall(r"<td>([+\u2212][\d.]+)\u00a0±\u00a0([\d.]+)</td>", offsets._repr_html_().replace("-", "\u2212"))
    numbers = [(float(value.replace("\u2212", "-")), float(error)) for value, error in said]
    for row, (ra, dec, turn) in zip(offsets.rows(), zip(*[iter(numbers)] * 3, strict=True), strict=True):
        assert ra == pytest.approx((1e3 * row["ra_offset_arcsec"], 1e3 * row["ra_error_arcsec"]), abs=0.051)
        assert dec == pytest.approx((1e3 * row["dec_offset_arcsec"], 1e3 * row["dec_error_arcsec"]), abs=0.051)
        assert turn == pytest.approx((row["rotation_deg"], row["rotation_error_deg"]), abs=0.000051)
    listed = tmp_path / "OFFSET_LIST.fits"
    offsets.write(listed)
    read = OffsetList.read(listed)
    east = [1e3 * 3600 * value * np.cos(np.radians(offsets.dec)) for value in read.ra_offset]
    assert east == pytest.approx([1e3 * row["ra_offset_arcsec"] for row in offsets.rows()], abs=0.01)
    assert main(["offsets", *map(str, images), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    for row, one in zip(offsets.rows(), told["exposures"] if isinstance(told, dict) else told, strict=True):
        assert one["ra_offset_arcsec"] == pytest.approx(row["ra_offset_arcsec"], abs=1e-5)
        assert one["dec_error_arcsec"] == pytest.approx(row["dec_error_arcsec"], abs=1e-5)


def test_notebooks_use_one_word_for_one_thing() -> None:
    texts = {path.stem: path.read_text() for path in (Path(__file__).parents[2] / "notebooks").glob("0[0-4]*.ipynb")}
    everything = " ".join(texts.values())
    assert "Summed over wavelength" not in everything, "an IMAGE_FOV is averaged"
    assert "saved beside the data" not in everything, "picks go to the products"
    for name in ("01-exposure", "02-bad-pixels"):
        assert "trace=trace, wavecal=wavecal" in texts[name], "slices and wavelengths are told"
