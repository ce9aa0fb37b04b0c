"""Protects night logs in the survey: each exposure gets its seeing and its sky, and manifests the archive's names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from astropy.io import fits

import muse_nb
from muse_nb.cli import main
from muse_nb.products.manifest import read_manifest
from muse_nb.widgets.exposures.table import ExposureTable

LOG = Path(__file__).parents[2] / "archive" / "night.NL.txt"
NAMES = ("MUSE.2014-07-27T03:12:00.417", "MUSE.2014-07-27T03:14:30.417")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in NAMES:
        frame = fits.PrimaryHDU()
        frame.header["ARCFILE"], frame.header["DATE-OBS"] = f"{name}.fits", name[5:]
        frame.header["HIERARCH ESO DPR TYPE"] = "OBJECT"
        frame.writeto(tmp_path / f"{name}.fits")
    (tmp_path / f"{NAMES[0]}.NL.txt").write_text(LOG.read_text())
    (tmp_path / "broken.NL.txt").write_text("<b>no</b>")
    return tmp_path


def test_exposures_have_the_seeing_and_the_sky_of_their_log(folder: Path, capsys) -> None:
    found = muse_nb.survey(folder)
    assert [(e.seeing, e.sky) for e in found.exposures] == [(0.74, "ThinCirrus"), (0.82, "Clear")]
    assert any("broken.NL.txt is no night log" in text for text in found.findings)
    assert "ThinCirrus" in found._repr_html_()
    table = ExposureTable(found)
    assert "seeing [″]" in table.columns
    assert all(len(row) == len(table.columns) for row in table.rows)
    assert main(["survey", str(folder)]) == 0
    assert 'seeing 0.74"  ThinCirrus' in capsys.readouterr().out
    assert main(["survey", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["exposures"][1]["sky"] == "Clear"


def test_a_night_without_logs_has_no_columns_for_them(folder: Path) -> None:
    for path in folder.glob("*.NL.txt"):
        path.unlink()
    found = muse_nb.survey(folder)
    assert not found.logged
    assert "sky" not in ExposureTable(found).columns


def test_the_manifest_has_the_archives_names(folder: Path) -> None:
    product = fits.PrimaryHDU()
    product.header["ARCFILE"] = f"{NAMES[0]}.fits"
    product.header["HIERARCH ESO PRO CATG"] = "MASTER_FLAT"
    product.writeto(folder / "MASTER_FLAT.fits")
    fits.PrimaryHDU().writeto(folder / "M.MUSE.2014-06-01T00_00_00.000.fits")
    path = folder / "m.csv"
    muse_nb.survey(folder).write(path)
    assert {entry.file: entry.archive for entry in read_manifest(path)} == {
        "M.MUSE.2014-06-01T00_00_00.000.fits": "M.MUSE.2014-06-01T00:00:00.000",
        "MASTER_FLAT.fits": "",  # made from it, not in the archive
        **{f"{name}.fits": name for name in NAMES},
    }
    old = path.read_text().splitlines()
    path.write_text("\n".join(line.rpartition(",")[0] for line in old) + "\n")  # from before there was the column
    assert {entry.archive for entry in read_manifest(path)} == {""}
