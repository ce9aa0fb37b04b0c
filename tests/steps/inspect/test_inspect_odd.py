"""Frames of odd sizes and contents are measured or refused in a sentence, and the command prints an object for each."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from muse_nb.cli import main
from muse_nb.core.errors import MuseError
from muse_nb.products.object_red import write_object_red
from muse_nb.steps.inspect.inspect import inspect
from muse_nb.widgets.mosaic.mosaic import Mosaic

SHAPES = [(1, 1), (3, 5), (4, 4096), (17, 61), (200, 96), (301, 1087)]


def header(ifu: int = 7) -> fits.Header:
    found = fits.Header({"EXTNAME": f"CHAN{ifu:02d}", "DATE-OBS": "2014-07-27T03:12:00.000", "EXPTIME": 60.0})
    found["HIERARCH ESO PRO CATG"] = "OBJECT_RED"
    return found


def ask(capsys: pytest.CaptureFixture[str], *paths: Path) -> list[dict]:
    assert main(["inspect", *map(str, paths), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("layers", ["all", "DATA"])
def test_any_shape_is_measured(
    shape: tuple[int, int], layers: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    random = np.random.default_rng(0)
    data = random.normal(40, 6, shape).astype(np.float32)
    dq, stat = (np.zeros(shape, np.int32), np.full(shape, 36, np.float32)) if layers == "all" else (None, None)
    write_object_red(tmp_path / "odd.fits", header(), data, dq, stat)
    (record,) = ask(capsys, tmp_path / "odd.fits")
    assert record["ifu"] == 7
    assert record["dq"] == ({} if layers == "all" else None)
    known = [value for value in record["background"].values() if value is not None]
    assert known
    assert np.median(known) == pytest.approx(40, abs=20 / np.sqrt(min(data.size, 100)) + 0.5)


@pytest.mark.parametrize("kind", [np.int16, np.int32, np.uint16, np.float64])
def test_numbers_of_other_kinds_are_measured(kind: type, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = np.random.default_rng(0).normal(400, 20, (200, 300)).astype(kind)
    layers = [fits.ImageHDU(data, name="DATA"), fits.ImageHDU(np.zeros(data.shape, np.int16), name="DQ")]
    fits.HDUList([fits.PrimaryHDU(header=header()), *layers]).writeto(tmp_path / "kind.fits")
    (record,) = ask(capsys, tmp_path / "kind.fits")
    assert all(value == pytest.approx(400, abs=2) for value in record["background"].values())


def test_a_merged_file_gives_an_object_for_each_ifu(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    top = header()
    del top["EXTNAME"]
    units = [fits.PrimaryHDU(header=top)]
    for ifu in (24, 3, 11):
        data = np.full((64, 96), 10.0 * ifu, np.float32)
        layers: list[tuple[str, Callable[[], np.ndarray]]] = [
            ("STAT", lambda data=data: data),
            ("DQ", lambda ifu=ifu: np.full((64, 96), 32 * (ifu == 3), np.int32)),
            ("DATA", lambda data=data: data),
        ]
        units += [fits.ImageHDU(make(), name=f"CHAN{ifu:02d}.{name}") for name, make in layers]
    fits.HDUList(units).writeto(tmp_path / "merged.fits")
    records = ask(capsys, tmp_path / "merged.fits")
    assert [record["ifu"] for record in records] == [3, 11, 24]
    assert [record["background"]["BL"] for record in records] == [None, 110, 240]
    assert records[0]["dq"] == {"COSMICRAY": 64 * 96}
    assert records[0]["findings"]


def test_values_without_number_make_no_number(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = np.full((64, 96), np.nan, np.float32)
    write_object_red(tmp_path / "nan.fits", header(), data, np.zeros(data.shape, np.int32), data)
    (record,) = ask(capsys, tmp_path / "nan.fits")
    assert record["noise_ratio"] is None
    assert record["background"] == dict.fromkeys(("BL", "BR", "TR", "TL"))
    assert any("no pixel is usable" in text for text in record["findings"])


@pytest.mark.parametrize("statistic", ["noise", "cosmic", "findings"])
def test_the_mosaic_is_drawn_of_what_there_is(statistic: str, tmp_path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    for ifu in (3, 5):
        data = np.full((64, 96), np.nan if ifu == 3 else 30, np.float32)
        write_object_red(tmp_path / f"{ifu}.fits", header(ifu), data, None, None)
    axes = inspect([tmp_path / "3.fits", tmp_path / "5.fits"]).plot_mosaic(statistic)
    assert {"IFU 3", "IFU 4", "IFU 5"} <= {text.get_text() for text in axes.texts}
    plt.close(axes.figure)


def unnamed(folder: Path, **cards: object) -> Path:
    """A frame with DATA, DQ and STAT whose header lacks what says that it is an OBJECT_RED of IFU 7."""
    top = header()
    for keyword, value in cards.items():
        keyword = keyword.replace("_", " ")
        if value is None:
            del top[keyword]
        else:
            top[keyword] = value
    data = np.random.default_rng(0).normal(40, 6, (400, 1088)).astype(np.float32)
    path = folder / "f.fits"
    write_object_red(path, top, data, np.zeros(data.shape, np.int32), np.full(data.shape, 36, np.float32))
    return path


def test_an_object_red_without_its_category_is_one_all_the_same_and_that_is_said(tmp_path: Path) -> None:
    found = inspect(unnamed(tmp_path, ESO_PRO_CATG=None))
    (frame,) = found.frames
    assert frame.ifu == 7
    assert frame.cosmics is not None
    assert any("f.fits has no ESO PRO CATG: taken for OBJECT_RED" in note for note in found.notes)
    assert Mosaic(found).error == ""


@pytest.mark.parametrize("cards", [{"ESO_PRO_CATG": None, "EXTNAME": None}, {"EXTNAME": "other"}], ids=str)
def test_a_frame_that_does_not_say_its_ifu_is_told_by_the_mosaic(cards: dict[str, object], tmp_path: Path) -> None:
    found = inspect(unnamed(tmp_path, **cards))
    mosaic = Mosaic(found)
    assert mosaic.error.startswith("f.fits does not say its IFU")
    assert mosaic.error in found.notes
    assert mosaic.picture().startswith(b"\x89PNG")


def test_an_image_of_another_kind_is_not_taken_for_an_object_red(tmp_path: Path) -> None:
    found = inspect(unnamed(tmp_path, ESO_PRO_CATG="IMAGE_FOV"))
    assert found.frames[0].ifu is None
    assert not any("taken for" in note for note in found.notes)


@pytest.mark.filterwarnings("ignore::astropy.utils.exceptions.AstropyUserWarning")
def test_a_file_whose_first_headers_are_zeroed_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "broken.fits"
    images = [fits.ImageHDU(np.ones((40, 40), np.float32), name=name) for name in ("DATA", "STAT")]
    fits.HDUList([fits.PrimaryHDU(), *images]).writeto(path)
    content = bytearray(path.read_bytes())
    content[400:4400] = bytes(4000)
    path.write_bytes(content)
    with pytest.raises(MuseError, match=r"broken\.fits"):
        inspect(path)
