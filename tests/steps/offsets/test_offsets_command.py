"""``muse-nb offsets``: the same numbers as the function, JSON for scripts, exit 1 with a sentence for bad data."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from star_fields import TRUE, write

from muse_nb import OffsetList, fit_wobble, measure_offsets
from muse_nb.cli import main


def test_json_and_list_hold_the_functions_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = write(tmp_path, TRUE)
    output = tmp_path / "OFFSET_LIST.fits"
    assert main(["offsets", *map(str, files), "-o", str(output), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    table = measure_offsets(files).table
    assert [row["date_obs"] for row in rows] == list(table["date_obs"])
    assert np.allclose([row["ra_offset_arcsec"] for row in rows], table["ra_offset"], atol=1e-9)
    assert {"dec_offset_arcsec", "ra_error_arcsec", "dec_error_arcsec", "n_stars", "verdict", "why"} <= set(rows[0])
    assert OffsetList.read(output).missing([row["date_obs"] for row in rows]) == []
    assert main(["offsets", *map(str, files), "-o", str(output)]) == 1
    assert "already there" in capsys.readouterr().err


def test_json_has_the_documented_fields(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = write(tmp_path, TRUE)
    with fits.open(files[1], mode="update") as hdus:
        hdus["DATA"].data[:] = np.nan
    assert main(["offsets", *map(str, files), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    for row, true in zip(rows, TRUE, strict=True):
        if row["verdict"] == "refuse":
            assert row["ra_offset_arcsec"] is row["dec_error_arcsec"] is None
            continue
        assert abs(row["ra_offset_arcsec"] - true[0]) <= 5 * row["ra_error_arcsec"] + 1e-9  # on the sky, not in RA
        assert abs(row["dec_offset_arcsec"] - true[1]) <= 5 * row["dec_error_arcsec"] + 1e-9
        assert isinstance(row["n_stars"], int)
    assert [row["verdict"] for row in rows] == ["agree", "refuse", "agree", "agree"]


def test_a_list_made_elsewhere_is_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(file) for file in write(tmp_path, TRUE)]
    good, bad = str(tmp_path / "good.fits"), tmp_path / "bad.fits"
    assert main(["offsets", *files, "-o", good]) == 0
    own = OffsetList.read(good)
    replace(own, dec_offset=tuple(-v for v in own.dec_offset), ra_offset=tuple(-v for v in own.ra_offset)).write(bad)
    assert main(["offsets", *files, "--check", good]) == 0
    capsys.readouterr()
    assert main(["offsets", *files, "--check", str(bad)]) == 1
    assert "wrong sign" in capsys.readouterr().err


def test_bad_input_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "IMAGE_FOV.fits"
    file.write_bytes(b"SIMPLE  =  nonsense")
    assert main(["offsets", str(file), str(file)]) == 1
    error = capsys.readouterr().err
    assert str(file) in error
    assert error.count("\n") == 1


def test_the_wobble_is_told_or_why_it_cannot_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    turned = 0.3 * np.array([[np.sin(a), np.cos(a)] for a in np.radians([0, -90, -180, -270])])
    files = write(tmp_path, turned - turned[0], posang=np.arange(4) * 90.0)
    assert main(["offsets", *map(str, files)]) == 0
    told = capsys.readouterr().out.splitlines()[-1]
    assert told == str(fit_wobble(measure_offsets(files)))
    length = re.match(r"Wobble (\d+) ± \d+ mas", told)
    assert length
    assert abs(int(length[1]) - 300) < 10
    assert main(["offsets", *map(str, files[:2])]) == 0
    assert "too few to see a wobble" in capsys.readouterr().out
