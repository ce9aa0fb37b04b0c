"""The survey: what is there, what belongs together, what is missing; the manifest and its verification."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from astropy.io import fits

import muse_nb
from muse_nb.cli import main
from muse_nb.core.errors import MuseError
from muse_nb.core.html import FINDINGS_MIME
from muse_nb.products.manifest import read_manifest
from muse_nb.steps.survey.files import locate
from muse_nb.steps.survey.result import Survey
from muse_nb.steps.survey.survey import survey
from muse_nb.steps.survey.verify import verify

DATE = "2014-07-27T03:{:02d}:00.417"


def product(path: Path, category: str = "OBJECT_RED", number: int = 0, ifu: int = 0, **changes: object) -> Path:
    """A small file with a product's headers; a keyword set to None is left out."""
    keys = {"DATE-OBS": DATE.format(number), "RA": 265.17, "DEC": -53.67, "EXPTIME": 60.0, "OBJECT": "NGC 6397"}
    keys |= {"ESO INS MODE": "WFM-NOAO-N", "ESO INS DROT POSANG": 90.0 * (number % 4), "ESO PRO CATG": category}
    keys |= {"EXTNAME": f"CHAN{ifu:02d}"} if ifu else {}
    header = fits.Header()
    for key, value in (keys | changes).items():
        if value is not None:
            header[f"HIERARCH {key}" if key.startswith("ESO") else key] = value
    names = {"OBJECT_RED": ("DATA", "DQ", "STAT"), "DATACUBE_FINAL": ("DATA", "STAT"), "IMAGE_FOV": ("DATA",)}
    units = [fits.PrimaryHDU(header=header), *(fits.ImageHDU(name=name) for name in names.get(category, ()))]
    path.parent.mkdir(parents=True, exist_ok=True)
    fits.HDUList(units).writeto(path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three exposures with two IFUs, an image and a cube each, and nothing wrong."""
    root = tmp_path / "a night"
    for number in range(3):
        home = root / f"{number}"
        for ifu in (1, 2):
            product(home / f"OBJECT_RED_0001-{ifu:02d}.fits", number=number, ifu=ifu)
        product(home / "IMAGE_FOV_0001.fits", "IMAGE_FOV", number)
        product(home / "DATACUBE_FINAL.fits", "DATACUBE_FINAL", number)
    return root


def test_a_night_is_grouped_in_time_order(night) -> None:
    found = muse_nb.survey(night.folder)
    assert [e.label for e in found.exposures] == night.labels
    assert [e.posang for e in found.exposures] == [0, 90, 180, 270]
    assert found.pointings == 1
    first = found.exposure(0)
    assert first is found.exposure(first.label) is found.exposure(first.date_obs)
    assert len(first.files("OBJECT_RED")) == len(first.ifus) == len(night.layout.ifus)
    assert first.files("RAW OBJECT") == [night.raw[0]]
    assert [path.parent.name for path in found.files_of("PIXTABLE_REDUCED")] == night.labels
    assert {"MASTER_FLAT", "TRACE_TABLE", "BADPIX_TABLE", "GEOMETRY_TABLE"} <= set(found.files["category"])
    assert found.files["size"].sum() == sum(p.stat().st_size for p in night.folder.rglob("*.fits"))
    assert "IFU" not in " ".join(found.findings)
    with pytest.raises(MuseError, match="no exposure 'x': it has 2014-07-27T"):
        found.exposure("x")


@pytest.mark.eso
def test_the_recipes_products_are_recognised(recipe_night) -> None:
    found = survey(recipe_night[0].folder.parent)
    first = found.exposures[0]
    assert {"OBJECT_RED", "PIXTABLE_REDUCED", "DATACUBE_FINAL", "IMAGE_FOV"} <= set(first.categories)
    row = next(fact for fact in first.facts if fact.category == "DATACUBE_FINAL")
    assert row.recipe == "muse_scipost"
    assert row.inputs[0].startswith("PIXTABLE_OBJECT_0001-")


def test_a_good_folder_has_no_findings(folder: Path) -> None:
    assert survey(folder).findings == []


BREAKAGES: list[tuple[Callable[[Path], object], str]] = [
    (lambda f: [p.unlink() for p in (f / "1").glob("OBJECT_RED*")], "exposure 2014-07-27T030100 has no OBJECT_RED"),
    (lambda f: (f / "1" / "IMAGE_FOV_0001.fits").unlink(), "exposure 2014-07-27T030100 has no IMAGE_FOV"),
    (lambda f: (f / "2" / "OBJECT_RED_0001-02.fits").unlink(), "exposure 2014-07-27T030200 lacks IFU 2"),
    (
        lambda f: product(f / "raw.fits", "", 0, **{"ESO DPR TYPE": "OBJECT", "EXTNAME": "CHAN03"}),
        "lack IFU 3",
    ),
    (
        lambda f: product(f / "3" / "a.fits", number=3, **{"ESO INS MODE": "WFM-AO-N"}),
        "different INS MODEs: WFM-NOAO-N (3), WFM-AO-N (1)",
    ),
    (
        lambda f: product(f / "TRACE.fits", "TRACE_TABLE", **{"ESO INS MODE": "NFM-AO-N"}),
        "TRACE_TABLE are of INS MODE NFM-AO-N, the exposures of WFM-NOAO-N",
    ),
    (
        lambda f: shutil.copy(f / "0" / "OBJECT_RED_0001-01.fits", f / "copy.fits"),
        "the DATE-OBS 2014-07-27T03:00:00.417 is there twice as OBJECT_RED (0/OBJECT_RED_0001-01.fits, copy.fits)",
    ),
    (lambda f: product(f / "a.fits", "IMAGE_FOV", 4, RA=None, EXPTIME=None), "a.fits lacks RA, EXPTIME: the recipes"),
    (lambda f: product(f / "a.fits", "IMAGE_FOV", **{"DATE-OBS": None}), "a.fits lacks DATE-OBS:"),
    (lambda f: product(f / "a.fits", number=4, **{"ESO INS MODE": None}), "a.fits lacks ESO INS MODE:"),
    (lambda f: product(f / "a.fits", number=4, **{"ESO INS DROT POSANG": None}), "a.fits lacks ESO INS DROT POSANG:"),
    (lambda f: (f / "a.fits").write_bytes(b"SIMPLE  = nonsense"), "a.fits is truncated"),
    (lambda f: os.truncate(f / "0" / "OBJECT_RED_0001-01.fits", 2880), "OBJECT_RED without DATA, DQ, STAT: it was cut"),
    (lambda f: (f / "out.fits").symlink_to("/dev/null"), "out.fits is a link that leads out of the folder"),
    (lambda f: (f / "out").symlink_to(f.parent), "out is a link that leads out of the folder"),
]


@pytest.mark.parametrize(("damage", "said"), BREAKAGES, ids=[said[:40] for _, said in BREAKAGES])
def test_what_is_wrong_is_said(folder: Path, damage: Callable[[Path], object], said: str) -> None:
    damage(folder)
    found = survey(folder)
    assert said in "\n".join(found.findings)
    assert len(found.exposures) >= 3


def test_pointings_are_told_apart_and_dithers_are_not(folder: Path) -> None:
    minute = 1 / 60
    for number, (ra, dec) in enumerate(
        [(265.17, -53.67 + minute), (265.17 + 2 * minute, -53.67), (265.1702, -53.67)], 10
    ):
        product(folder / f"{number}.fits", number=number, RA=ra, DEC=dec)
    product(folder / "edge1.fits", number=20, RA=359.9999, DEC=0.0)
    product(folder / "edge2.fits", number=21, RA=0.0001, DEC=0.0)
    product(folder / "narrow1.fits", number=30, RA=10.0, DEC=0.0, **{"ESO INS MODE": "NFM-AO-N"})
    product(folder / "narrow2.fits", number=31, RA=10.0, DEC=8 / 3600, **{"ESO INS MODE": "NFM-AO-N"})
    found = survey(folder)
    assert [e.pointing for e in found.exposures] == [1, 1, 1, 2, 3, 1, 4, 4, 5, 6]


@pytest.mark.parametrize(
    "history",
    [
        {"ID": "muse_exp_combine", "RAW": ["PIXTABLE_REDUCED"] * 3},
        {"ID": "muse_nb", "RAW": ["PIXTABLE_REDUCED"] * 2},
        {
            "ID": "muse_scipost",
            "RAW": ["PIXTABLE_OBJECT"] * 4,
            "names": ["a_0001-01", "a_0001-02", "a_0002-01", "a_0002-02"],
        },
    ],
    ids=lambda h: h["ID"],
)
def test_what_was_made_of_several_exposures_is_none_of_them(folder: Path, history: dict) -> None:
    rec = {
        "ESO PRO REC1 ID": "muse_scibasic",
        "ESO PRO REC2 ID": history["ID"],
        "ESO PRO DATANCOM": len(history["RAW"]),
    }
    for n, category in enumerate(history["RAW"], 1):
        name = history.get("names", [f"PIXTABLE_REDUCED_{k:04d}" for k in range(9)])[n - 1]
        rec |= {f"ESO PRO REC2 RAW{n} NAME": f"{name}.fits", f"ESO PRO REC2 RAW{n} CATG": category}
    product(folder / "combined" / "DATACUBE_FINAL.fits", "DATACUBE_FINAL", 0, **rec)
    found = survey(folder)
    assert found.findings == []
    assert len(found.exposures[0].files("DATACUBE_FINAL")) == 1
    fact = next(f for f in found.facts if f.path.parent.name == "combined")
    assert fact.date_obs == ""
    assert fact.exposures == 2 + (history["ID"] == "muse_exp_combine")


def test_the_cube_of_one_exposure_of_eight_ifus_is_that_exposures(folder: Path) -> None:
    rec = {"ESO PRO REC1 ID": "muse_scipost", "ESO PRO DATANCOM": 8}
    for n in range(1, 9):
        rec |= {f"ESO PRO REC1 RAW{n} NAME": f"PIXTABLE_OBJECT_0001-{n:02d}.fits"}
        rec |= {f"ESO PRO REC1 RAW{n} CATG": "PIXTABLE_OBJECT"}
    product(folder / "7.fits", "DATACUBE_FINAL", 7, **rec)
    assert survey(folder).exposures[-1].label == "2014-07-27T030700"


def test_images_of_one_exposure_in_two_filters_are_no_doubles(folder: Path) -> None:
    product(folder / "0" / "IMAGE_FOV_0002.fits", "IMAGE_FOV", 0, **{"ESO DRS MUSE FILTER NAME": "Johnson_V"})
    assert survey(folder).findings == []


def test_real_files_are_surveyed(mpdaf_data: Path) -> None:
    found = survey(mpdaf_data)
    kinds = {path.name: kind for path, kind in ((f.path, f.category) for f in found.facts)}
    assert kinds["subcub_mosaic.fits"] in ("CUBE", "DATACUBE_FINAL")
    assert kinds["minicube.fits"] in ("CUBE", "DATACUBE_FINAL")
    assert kinds["IMAGE-HDFS-1.34.fits"] == "IMAGE"
    assert found.findings == []
    assert locate("package:mpdaf/data") == mpdaf_data
    for name in ("package:no_such_thing/data", "package:mpdaf/../../x", "package:../x"):
        with pytest.raises(MuseError, match="no installed package"):
            locate(name)


def test_a_manifest_is_verified_from_anywhere(folder: Path, capsys: pytest.CaptureFixture, monkeypatch) -> None:
    monkeypatch.chdir(folder.parent)
    assert main(["survey", folder.name, "-o", "data_manifest.csv"]) == 0
    assert main(["survey", "--verify", "data_manifest.csv"]) == 0
    monkeypatch.chdir("/")
    manifest = str(folder.parent / "data_manifest.csv")
    assert main(["survey", "--verify", manifest]) == 0
    assert main(["survey", "--verify", manifest, str(folder)]) == 0
    moved = folder.rename(folder.parent / "elsewhere")
    assert main(["survey", "--verify", manifest, str(moved)]) == 0
    capsys.readouterr()
    assert main(["survey", "--verify", manifest]) == 1
    assert "12 files are lost" in capsys.readouterr().out
    rows = list(csv.DictReader((moved.parent / "data_manifest.csv").read_text().splitlines()))
    assert {row["category"] for row in rows} == {"OBJECT_RED", "IMAGE_FOV", "DATACUBE_FINAL"}
    assert {row["posang"] for row in rows} == {"0", "90", "180"}


def test_changed_lost_and_new_files_are_told_apart(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    manifest = tmp_path / "m.csv"
    survey(folder).write(manifest)
    flipped = bytearray((folder / "0" / "IMAGE_FOV_0001.fits").read_bytes())
    flipped[-1] ^= 1
    (folder / "0" / "IMAGE_FOV_0001.fits").write_bytes(flipped)
    with (folder / "1" / "IMAGE_FOV_0001.fits").open("ab") as file:
        file.write(b"more")
    (folder / "2" / "IMAGE_FOV_0001.fits").unlink()
    product(folder / "new.fits", number=5)
    found = verify(manifest)
    assert found.changed == ("0/IMAGE_FOV_0001.fits", "1/IMAGE_FOV_0001.fits")
    assert (found.lost, found.extra) == (("2/IMAGE_FOV_0001.fits",), ("new.fits",))
    assert main(["survey", "--verify", str(manifest), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["extra"] == ["new.fits"]


def test_a_manifest_that_leads_elsewhere_reads_nothing_there(folder: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "m.csv"
    survey(folder).write(manifest)
    secret = tmp_path / "secret.fits"
    secret.write_text("x")
    text = manifest.read_text().replace("0/IMAGE_FOV_0001.fits", "../secret.fits")
    manifest.write_text(text)
    assert "../secret.fits leads out of the folder: it is not looked at" in verify(manifest).sentences


NAMES = [
    "with space.fits",
    'quote".fits',
    "two\nlines.fits",
    "\r.fits",
    "=1+1.fits",
    "-x.fits",
    "é.fits",
    "\udcff.fits",
]


def test_odd_file_names_go_through_everything(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    folder = tmp_path / "<b>odd"
    for number, name in enumerate(NAMES):
        product(folder / name, number=number, OBJECT="<script>alert(1)</script>", RA=None if number % 2 else 1.0)
    found = survey(folder)
    assert len(found.exposures) == len(NAMES)
    assert not [text for text in found.findings if not text.isprintable()]
    assert "<script" not in found._repr_html_()
    found.write(tmp_path / "m.csv")
    assert sorted(e.file for e in read_manifest(tmp_path / "m.csv")) == sorted(NAMES)
    assert not verify(tmp_path / "m.csv")
    assert main(["survey", str(folder)]) == 0
    assert r"\r.fits" in capsys.readouterr().out
    assert main(["survey", str(folder), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["files"]) == len(NAMES)


def test_an_output_that_is_there_stays_and_misuse_exits_with_2(folder: Path, tmp_path: Path, capsys) -> None:
    manifest = tmp_path / "m.csv"
    manifest.write_text("mine")
    assert main(["survey", str(folder), "-o", str(manifest)]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert manifest.read_text() == "mine"
    assert main(["survey", str(folder), "-o", str(manifest), "--force"]) == 0
    assert main(["survey", str(tmp_path / "nowhere")]) == 1
    assert main(["survey", "--verify", str(folder)]) == 1
    for wrong in (["survey"], ["survey", "--verify", "a", "-o", "b"]):
        with pytest.raises(SystemExit, match="2"):
            main(wrong)


def test_an_empty_folder_is_no_error(tmp_path: Path) -> None:
    found = survey(tmp_path)
    assert (len(found.files), found.exposures, found.findings) == (0, (), [])
    found.write(tmp_path / "m.csv")
    assert not verify(tmp_path / "m.csv")
    assert "0 exposures" in found._repr_html_()


def test_five_hundred_exposures_stay_usable(folder: Path, tmp_path: Path) -> None:
    import time

    seed = (folder / "0" / "OBJECT_RED_0001-01.fits").read_bytes()
    many = tmp_path / "many"
    many.mkdir()
    for number in range(500):
        date = f"2014-{1 + number // 250:02d}-{1 + number % 25:02d}T{number % 24:02d}:{number % 60:02d}:00.{number:03d}"
        for ifu in range(1, 5):
            text = seed.replace(DATE.format(0).encode(), date.encode()).replace(b"CHAN01", b"CHAN%02d" % ifu)
            (many / f"{number}-{ifu}.fits").write_bytes(text)
    started = time.process_time()
    found = survey(many)
    html = found._repr_html_()
    assert len(found.exposures) == 500
    assert time.process_time() - started < 20
    assert len(html) < 1_000_000


@pytest.mark.parametrize("spread", [0.0, 0.03])
def test_the_figure_shows_north_up_and_east_left(folder: Path, spread: float) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    product(folder / "east.fits", number=9, RA=265.17 + spread + 1e-4, **{"ESO INS DROT POSANG": None})
    found: Survey = survey(folder)
    axes = found.plot()
    low, high = axes.get_xlim()
    assert low > high
    assert "arcsec" in axes.get_xlabel()
    assert len(axes.figure.axes) == 2
    _, own = plt.subplots()
    assert found.plot(own) is own
    axes.figure.canvas.draw()
    plt.close("all")


def test_the_repositorys_manifest_lists_the_demo_night_and_the_real_files(night, mpdaf_data) -> None:
    manifest = Path(__file__).parents[3] / "data_manifest.csv"
    assert not verify(manifest, "package:mpdaf/data")
    entries = {(entry.folder, entry.file): entry for entry in read_manifest(manifest)}
    calibrations = {file for folder, file in entries if folder == "demo/night/calib"}
    assert calibrations == {path.name for path in (night.folder / "calib").glob("*.fits")}
    frames = [entry for (folder, _), entry in entries.items() if folder == "demo/night/raw"]
    assert len(frames) == 19
    for path, entry in zip(night.raw, frames, strict=False):  # the demo's first exposures
        assert (path.name, path.stat().st_size) == (entry.file, entry.size)


def test_progress_counts_files_and_the_bytes_of_a_manifest(folder: Path, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []

    def note(what: str, done: int, total: int) -> None:
        seen.append((what, done, total))

    found = survey(folder, progress=note)
    assert seen == [("headers read", number, 12) for number in range(1, 13)]
    size = sum(fact.size for fact in found.facts)
    for act in (
        lambda: found.write(tmp_path / "m.csv", progress=note),
        lambda: verify(tmp_path / "m.csv", progress=note),
    ):
        seen.clear()
        act()
        assert seen[-1] == ("bytes hashed", size, size)
        assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)


def test_what_was_found_travels_as_data(folder: Path) -> None:
    (folder / "1" / "IMAGE_FOV_0001.fits").unlink()
    found = survey(folder)
    bundle = found._repr_mimebundle_()
    assert bundle[FINDINGS_MIME] == {"findings": found.findings}
    assert bundle["text/html"] == found._repr_html_()
    assert found.findings
