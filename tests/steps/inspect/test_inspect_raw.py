"""Raw frames: each channel is judged for itself; one that is empty is no IFU, and good ones give no finding."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from astropy.io import fits

from muse_nb.cli import main
from muse_nb.steps.doctor.doctor import doctor
from muse_nb.steps.inspect.inspect import inspect
from muse_nb.steps.survey.survey import survey

if TYPE_CHECKING:
    from muse_nb.simulator.night import Night


@pytest.fixture
def damaged(night: Night, tmp_path: Path) -> list[Path]:
    """A saturated and a dark channel; a channel that is not there; one that is empty."""
    paths = [tmp_path / path.name for path in night.raw[:3]]
    with fits.open(night.raw[0]) as hdus:
        hdus["CHAN12"].data[:], hdus["CHAN14"].data[:] = 65535, 0
        hdus.writeto(paths[0])
    with fits.open(night.raw[1]) as hdus:
        del hdus["CHAN13"]
        hdus.writeto(paths[1])
    with fits.open(night.raw[2]) as hdus:
        empty = fits.ImageHDU()
        empty.header["EXTNAME"] = "CHAN13"
        hdus[hdus.index_of("CHAN13")] = empty
        hdus.writeto(paths[2])
    return paths


def test_good_raw_frames_have_no_findings(night: Night) -> None:
    result = inspect(night.raw)
    assert result.findings == []
    assert len(result.frames) == len(night.raw) * len(night.layout.ifus)
    assert any("slices need OBJECT_RED" in note for note in result.notes)


def test_channels_are_judged_one_by_one(damaged: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    found = [(finding.ifu, Path(finding.file).name) for finding in inspect(damaged).verdicts]
    one, two, three = (path.name for path in damaged)
    assert sorted(found) == sorted([(12, one), (14, one), (13, two), (13, three)])
    assert main(["inspect", *map(str, damaged), "--json"]) == 0
    records = json.loads(capsys.readouterr().out)
    assert [record["ifu"] for record in records if record["file"] == str(damaged[2])] == [10, 11, 12, 14, 15]


def test_survey_and_doctor_tell_of_them(damaged: list[Path]) -> None:
    assert [exposure.ifus for exposure in survey(damaged[0].parent).exposures][2] == [10, 11, 12, 14, 15]
    said = doctor(damaged[0].parent).findings
    for file, ifu in ((damaged[0], 12), (damaged[0], 14), (damaged[1], 13), (damaged[2], 13)):
        assert any(file.name in text and f"IFU {ifu}" in text for text in said), (file, ifu)


@pytest.mark.parametrize("what", ["no light", "noisy"])
def test_a_channel_without_light_or_with_noise_is_found(what: str, night: Night, tmp_path: Path) -> None:
    with fits.open(night.raw[0]) as hdus:
        channel = hdus["CHAN11"]
        noise = np.random.default_rng(0).normal(0, 2.3 if what == "no light" else 9, channel.data.shape)
        channel.data = np.rint((1000 if what == "no light" else channel.data) + noise).astype(np.uint16)
        hdus.writeto(tmp_path / "raw.fits")
    (found,) = inspect(tmp_path / "raw.fits").verdicts
    assert (found.ifu, found.name) == (11, "raw_dark" if what == "no light" else "raw_noise")
