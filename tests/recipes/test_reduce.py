"""Protects a reduction: nothing is mixed, nothing is made twice, and frames that the recipes get wrong are refused."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path

import pytest
from astropy.io import fits

import muse_nb
from muse_nb.cli import main
from muse_nb.core.errors import MuseError, MuseWarning
from muse_nb.recipes.calibrations import find_calibrations
from muse_nb.recipes.joining import align, exp_combine
from muse_nb.recipes.reduce import reduce, reduce_all
from muse_nb.recipes.run import run_recipe

IFUS = [12, 13]
PRODUCTS = {
    "OBJECT_RED_0001-12.fits",
    "OBJECT_RED_0001-13.fits",
    "PIXTABLE_REDUCED_0001.fits",
    "DATACUBE_FINAL.fits",
    "IMAGE_FOV_0001.fits",
}
QUICK = {"ifus": IFUS, "sky": "none"}


def without(path: Path, folder: Path, **cards: str | None) -> Path:
    """Copy a file with keywords changed, or removed where the value is None."""
    folder.mkdir(exist_ok=True)
    copy = Path(shutil.copy(path, folder / path.name))
    with fits.open(copy, mode="update") as opened:
        for name, value in cards.items():
            keyword = name.replace("_", " ")
            if value is None:
                del opened[0].header[keyword]
            else:
                opened[0].header[keyword] = value
    return copy


@pytest.fixture(scope="module")
def calib(night):
    return night.folder / "calib"


@pytest.mark.eso
def test_a_second_run_makes_nothing_and_other_settings_are_not_mixed(night, calib, leaves_nothing):
    one = reduce(night.raw[0], calib, leaves_nothing, **QUICK)
    files = {path.name: path for path in one.folder.iterdir()}
    assert {name for name in files if name.endswith(".fits")} == PRODUCTS
    assert {name for name in files if name.endswith(".log")} == {
        "muse_scibasic-12.log",
        "muse_scibasic-13.log",
        "muse_scipost.log",
    }
    assert one.label == one.folder.name == night.labels[0]
    assert one.seconds > 0
    assert one.peak_memory > 20e6
    assert one.label in one._repr_html_()
    times = {name: path.stat().st_mtime_ns for name, path in files.items()}
    again = reduce(night.raw[0], calib, leaves_nothing, **QUICK)
    assert again.seconds == 0
    assert {path.name: path.stat().st_mtime_ns for path in one.folder.iterdir()} == times
    with pytest.raises(MuseError, match="other frames or settings"):
        reduce(night.raw[0], calib, leaves_nothing, badpix=False, **QUICK)
    one.cube.unlink()  # as if the move had been interrupted
    assert reduce(night.raw[0], calib, leaves_nothing, **QUICK).cube.exists()
    before = int((fits.getdata(one.object_red[0], "DQ") != 0).sum())
    reduce(night.raw[0], calib, leaves_nothing, badpix=False, force=True, **QUICK)
    assert int((fits.getdata(one.object_red[0], "DQ") != 0).sum()) < before


@pytest.mark.eso
def test_the_bad_pixel_table_counts(night, calib, tmp_path):
    counts = {}
    for name, table in {"with": True, "without": False, "zealous": calib / "BADPIX_TABLE_zealous.fits"}.items():
        frames = [(night.raw[0], "OBJECT"), *find_calibrations(calib).for_scibasic(12, _table(calib, table))]
        made = run_recipe("muse_scibasic", frames, {"nifu": 12}, output=tmp_path / name).products["OBJECT_RED"][0]
        counts[name] = int((fits.getdata(made, "DQ") != 0).sum())
    assert counts["without"] < counts["with"] < counts["zealous"]


def _table(calib, wanted):
    return find_calibrations(calib).badpix(wanted)


def test_calibrations_are_found_by_what_they_are(calib, tmp_path):
    found = find_calibrations(calib)
    assert found.common["BADPIX_TABLE"].name == "BADPIX_TABLE.fits"
    assert 12 in found.ifus
    odd = tmp_path / "odd names"
    odd.mkdir()
    for number, path in enumerate(sorted(calib.glob("*.fits"))):
        if "zealous" not in path.name:
            (odd / f"{number:03d}.fits").symlink_to(path)
    again = find_calibrations(odd)
    assert again.ifus == found.ifus
    assert set(again.common) == set(found.common)
    with pytest.raises(MuseError, match="no BADPIX_TABLE, its PRO CATG is"):
        found.badpix(calib / "FILTER_LIST.fits")
    (odd / f"{[p.name for p in sorted(calib.glob('*.fits'))].index('BADPIX_TABLE.fits'):03d}.fits").unlink()
    with pytest.warns(MuseWarning, match="has no BADPIX_TABLE"):
        find_calibrations(odd).badpix(True)


@pytest.mark.parametrize("keyword", ["ESO INS MODE", "RA", "DEC", "EXPTIME", "MJD-OBS", "DATE-OBS"])
def test_a_raw_frame_that_the_recipes_get_wrong_is_refused(night, calib, tmp_path, keyword):
    raw = without(night.raw[0], tmp_path / "raw", **{keyword.replace(" ", "_"): None})
    with pytest.raises(MuseError, match=keyword) as caught:
        reduce(raw, calib, tmp_path / "out")
    assert raw.name in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.eso
@pytest.mark.filterwarnings("ignore::muse_nb.core.errors.MuseWarning")
def test_a_missing_angle_is_told_once_with_the_result(night, calib, tmp_path):
    raw = without(night.raw[0], tmp_path / "raw", ESO_INS_DROT_POSANG=None)
    made = reduce(raw, calib, tmp_path / "out", **QUICK)
    (finding,) = [text for text in made.findings if raw.name in text]
    assert "POSANG" in finding
    assert "POSANG" in made._repr_html_()


def test_calibrations_of_another_mode_and_missing_ones_are_refused(night, calib, tmp_path):
    other = tmp_path / "calib"
    shutil.copytree(calib, other)
    without(calib / "MASTER_FLAT-13.fits", other, ESO_INS_MODE="NFM-AO-N")
    with pytest.raises(MuseError, match=r"MASTER_FLAT-13.fits is of INS MODE NFM-AO-N"):
        reduce(night.raw[0], other, tmp_path / "out")
    (other / "MASTER_FLAT-13.fits").unlink()
    (other / "GEOMETRY_TABLE.fits").unlink()
    with pytest.raises(MuseError, match="lacks GEOMETRY_TABLE"):
        reduce(night.raw[0], other, tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(MuseError, match="lacks MASTER_BIAS"):
        reduce(night.raw[0], tmp_path / "empty", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.eso
def test_the_error_is_that_of_the_ifu_that_failed_and_what_was_there_stays(night, calib, leaves_nothing, tmp_path):
    folder = leaves_nothing / night.labels[0]
    folder.mkdir(parents=True)
    (folder / "notes.txt").write_text("mine")
    broken = tmp_path / "calib"
    shutil.copytree(calib, broken)
    with fits.open(broken / "WAVECAL_TABLE-13.fits", mode="update") as opened:
        opened[1].columns.change_name(opened[1].columns.names[1], "other")
    with pytest.raises(MuseError, match="muse_scibasic") as caught:
        reduce(night.raw[0], broken, leaves_nothing, **QUICK)
    assert "cancelled" not in str(caught.value)
    assert "muse_scibasic-13.log" in str(caught.value)
    assert (folder / "muse_scibasic-13.log").exists()
    assert (folder / "notes.txt").read_text() == "mine"
    assert list(folder.glob("*.fits")) == []


@pytest.mark.eso
def test_progress_counts_the_recipes_or_the_exposures(night, calib, leaves_nothing):
    told = []
    reduce_all(night.raw[:1], calib, leaves_nothing, progress=lambda *step: told.append(step), **QUICK)
    assert [step for step in told if step[2]] == [("exposures reduced", 1, 1)]
    assert any("Saving pixel table" in line for line, _, total in told if not total)
    told.clear()
    reduce(night.raw[0], calib, leaves_nothing, force=True, progress=lambda *step: told.append(step), **QUICK)
    what = f"recipes of {night.labels[0]}"
    assert [step for step in told if step[2]] == [(what, 1, 3), (what, 2, 3), (what, 3, 3)]


def test_an_unknown_setting_is_refused_by_name(night, calib, leaves_nothing):
    with pytest.raises(TypeError, match="unexpected keyword argument 'filter'"):
        reduce(night.raw[0], calib, leaves_nothing, filter=["white"])
    assert not leaves_nothing.exists()


@pytest.mark.eso
def test_all_are_cancelled(night, calib, leaves_nothing):
    cancel = threading.Event()
    with pytest.raises(MuseError, match="cancelled"):
        reduce_all(night.raw[:2], calib, leaves_nothing, cancel=cancel, progress=lambda *_: cancel.set(), **QUICK)


@pytest.mark.eso
def test_the_command(night, calib, leaves_nothing, capsys):
    words = ["reduce", str(night.raw[1]), "--calib", str(calib), "-o", str(leaves_nothing), "--ifu", "12", "13"]
    assert main([*words, "--sky", "none", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [Path(path).name for path in told[0]["object_red"]] == ["OBJECT_RED_0001-12.fits", "OBJECT_RED_0001-13.fits"]
    assert Path(told[0]["cube"]).exists()
    assert main([*words, "--sky", "none", "--backend", "esorex"]) == 0
    assert "was there" in capsys.readouterr().out


@pytest.mark.parametrize("fault", ["empty folder", "truncated", "nothing there"])
def test_the_command_says_one_sentence(night, calib, leaves_nothing, tmp_path, capsys, fault):
    raw, folder = night.raw[0], calib
    if fault == "empty folder":
        folder = tmp_path / "empty"
        folder.mkdir()
    elif fault == "truncated":
        raw = tmp_path / "cut.fits"
        raw.write_bytes(night.raw[0].read_bytes()[:3_000_000])
    else:
        raw = tmp_path / "none.fits"
    assert main(["reduce", str(raw), "--calib", str(folder), "-o", str(leaves_nothing)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.strip().splitlines()) == 1
    assert {"empty folder": "empty", "truncated": "cut.fits", "nothing there": "none.fits"}[fault] in err
    assert not leaves_nothing.exists()


@pytest.mark.eso
def test_exposures_are_combined_and_a_table_without_ra_is_refused(night, leaves_nothing, tmp_path):
    tables = night.reduced["PIXTABLE_REDUCED"][:2]
    bad = without(tables[1], tmp_path / "bad", RA=None)
    with pytest.raises(MuseError, match=r"lacks RA: .*wrong cube"):
        exp_combine([tables[0], bad], None, leaves_nothing)
    assert not leaves_nothing.exists()


@pytest.mark.eso
def test_offsets_from_too_few_stars_are_flagged(night, leaves_nothing):
    """The micro field is small: whatever the recipe matches, its own count decides whether we warn."""
    images = night.reduced["IMAGE_FOV"][:3]
    frames = [(path, "IMAGE_FOV") for path in images]
    own = run_recipe("muse_exp_align", frames, {"iterations": 1000}, output=leaves_nothing).products["OFFSET_LIST"][0]
    matched = fits.getheader(own)["ESO QC EXPALIGN NMATCH MIN"]
    if matched <= 2:
        with pytest.warns(MuseWarning, match="not to be trusted"):
            align(images, leaves_nothing, force=True)
    else:
        align(images, leaves_nothing, force=True)


def test_the_public_door_is_the_same():
    assert muse_nb.reduce is reduce
    assert muse_nb.run_recipe is run_recipe
