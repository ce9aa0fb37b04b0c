"""Good frames have no findings, each planted fault has its own, every form of OBJECT_RED gives the same numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from astropy.io import fits

from muse_nb.cli import main
from muse_nb.core.errors import MuseError
from muse_nb.core.html import FINDINGS_MIME
from muse_nb.products.object_red import open_object_red, write_object_red
from muse_nb.steps.inspect.inspect import inspect

if TYPE_CHECKING:
    from muse_nb.simulator.night import Night

Plant = Callable[[np.ndarray, np.ndarray, np.ndarray], None]


def object_reds(night: Night) -> list[Path]:
    return sorted((night.folder / "reduced").glob("*/OBJECT_RED_*.fits"))


@pytest.fixture
def frame(night: Night) -> Path:
    return object_reds(night)[2]


def test_good_frames_have_no_findings(night: Night) -> None:
    result = inspect(object_reds(night))
    assert result.findings == []
    assert len(result.table) == len(object_reds(night))
    assert np.all(np.abs(result.table["noise_ratio"] - 1) < 0.05)
    dates = sorted({frame.exposure for frame in result.frames})
    assert result.middle["time"] == dates[1]
    assert result.middle["quality"] in dates


def dead_quadrant(data: np.ndarray, dq: np.ndarray, stat: np.ndarray) -> None:
    data[: data.shape[0] // 2, : data.shape[1] // 2] = 0


def flagged_quadrant(data: np.ndarray, dq: np.ndarray, stat: np.ndarray) -> None:
    dq[data.shape[0] // 2 :, data.shape[1] // 2 :] |= 8192


def wrong_gain_of_a_quadrant(data: np.ndarray, dq: np.ndarray, stat: np.ndarray) -> None:
    data[: data.shape[0] // 2, data.shape[1] // 2 :] *= 1.2
    stat[: data.shape[0] // 2, data.shape[1] // 2 :] *= 1.44


def wrong_gain(data: np.ndarray, dq: np.ndarray, stat: np.ndarray) -> None:
    data *= 1.5


def wrong_variance(data: np.ndarray, dq: np.ndarray, stat: np.ndarray) -> None:
    stat *= 2


def saturated_star(data: np.ndarray, dq: np.ndarray, stat: np.ndarray) -> None:
    data[100:140, 300:303], dq[100:140, 300:303] = 72000, 4096


def saturated_star_without_flag(data: np.ndarray, dq: np.ndarray, stat: np.ndarray) -> None:
    data[100:140, 300:303], stat[100:140, 300:303] = 72000, 72000


def dark_slice(data: np.ndarray, dq: np.ndarray, stat: np.ndarray) -> None:
    nx = data.shape[1]
    part = slice(nx // 2, nx // 2 + nx // 16)  # three slices wide: two of them as a whole
    data[:, part] = np.random.default_rng(0).normal(0, 2.5, (len(data), nx // 16))


def shifted_slice(data: np.ndarray, dq: np.ndarray, stat: np.ndarray) -> None:
    nx = data.shape[1]
    part = slice(nx // 2 - nx // 48, nx // 2 + nx // 24)
    data[:, part] = np.roll(data[:, part], 6, axis=1)


def stripes(data: np.ndarray, dq: np.ndarray, stat: np.ndarray) -> None:
    data[::2] += 5


def not_finite(data: np.ndarray, dq: np.ndarray, stat: np.ndarray) -> None:
    data[50:53, 100:103], dq[50:53, 100:103] = np.nan, 0


PLANTED: dict[Plant, str] = {
    dead_quadrant: "quadrant BL has no light",
    flagged_quadrant: "quadrant TR is dead",
    wrong_gain_of_a_quadrant: "quadrant's gain is wrong",
    wrong_gain: "STAT is too small or the gain is wrong",
    wrong_variance: "STAT is too large or the gain is wrong",
    saturated_star: "120 pixels are saturated",
    saturated_star_without_flag: "pixels are saturated",
    dark_slice: "without light",
    shifted_slice: "is shifted",
    stripes: "rows are striped",
    not_finite: "9 pixels are not finite",
}


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_a_planted_fault_is_found_with_its_number_and_limit(plant: Plant, frame: Path, tmp_path: Path) -> None:
    red = open_object_red(frame)[0]
    data, dq, stat = red.data.copy(), red.dq.copy(), red.stat.copy()
    plant(data, dq, stat)
    write_object_red(tmp_path / "planted.fits", red.header, data, dq, stat)
    found = [text for text in inspect(tmp_path / "planted.fits").findings if PLANTED[plant] in text]
    assert found
    assert "limit" in found[0]


def test_a_missing_ifu_is_found(night: Night) -> None:
    paths = object_reds(night)
    lost = paths.pop(2)
    found = inspect(paths).findings
    assert len(found) == 1
    assert f"IFU {open_object_red(lost)[0].ifu} of exposure" in found[0]


def test_an_exposure_that_differs_is_found(night: Night, tmp_path: Path) -> None:
    paths = object_reds(night)
    last = paths[-1].parent.name
    for number, path in enumerate(paths):
        if path.parent.name == last:
            red = open_object_red(path)[0]
            paths[number] = tmp_path / path.name
            write_object_red(paths[number], red.header, red.data * 3, red.dq, red.stat * 9)
    assert any("differs from the others" in text for text in inspect(paths).findings)


def test_every_form_of_the_file_gives_the_same_numbers(frame: Path, tmp_path: Path) -> None:
    expected = inspect(frame).records()[0]
    with fits.open(frame) as hdus:
        primary, data, dq, stat = (hdu.copy() for hdu in hdus)
        other = fits.HDUList([primary, stat, data, dq])
        other.writeto(tmp_path / "order.fits")
        ifu = expected["ifu"]
        merged = [primary] + [fits.ImageHDU(h.data, h.header, name=f"CHAN{ifu:02d}.{h.name}") for h in (data, dq, stat)]
        fits.HDUList(merged).writeto(tmp_path / "merged.fits")
        lossless = {"quantize_level": 0, "compression_type": "GZIP_1"}
        packed = [fits.CompImageHDU(h.data, h.header, name=h.name, **lossless) for h in (data, dq, stat)]
        fits.HDUList([primary, *packed]).writeto(tmp_path / "packed.fits.fz")
    for name in ("order.fits", "merged.fits", "packed.fits.fz"):
        got = inspect(tmp_path / name).records()[0]
        assert got | {"file": ""} == expected | {"file": ""}, name


@pytest.mark.parametrize("lost", ["dq", "stat", "both"])
def test_what_a_file_lacks_is_said_and_is_no_finding(lost: str, frame: Path, tmp_path: Path) -> None:
    red = open_object_red(frame)[0]
    dq = None if lost in ("dq", "both") else red.dq
    stat = None if lost in ("stat", "both") else red.stat
    write_object_red(tmp_path / "less.fits", red.header, red.data, dq, stat)
    result = inspect(tmp_path / "less.fits")
    assert result.findings == []
    assert [name in " ".join(result.notes) for name in ("DQ", "STAT")] == [dq is None, stat is None]


def test_a_frame_of_only_nan_has_one_finding(frame: Path, tmp_path: Path) -> None:
    red = open_object_red(frame)[0]
    write_object_red(tmp_path / "nan.fits", red.header, red.data * np.nan, red.dq, red.stat)
    assert [text for text in inspect(tmp_path / "nan.fits").findings if "no pixel is usable" in text]


@pytest.mark.parametrize("name", ["sdetect/minicube.fits", "sdetect/subcub_mosaic.fits", "obj/IMAGE-HDFS-1.34.fits"])
def test_real_images_and_cubes_are_measured(mpdaf_data: Path, name: str) -> None:
    record = inspect(mpdaf_data / name).records()[0]
    assert record["ifu"] is None
    assert all(value is not None for value in record["background"].values())
    assert record["noise_ratio"] > 0


def test_limits_can_be_edited(frame: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("name,limit\nflagged,0.001\n")
    assert any("flagged (limit 0 %)" in text for text in inspect(frame, limits_table=tmp_path / "mine.csv").findings)
    (tmp_path / "mine.csv").write_text("name,limit\nno_such,1\n")
    with pytest.raises(MuseError, match="no_such"):
        inspect(frame, limits_table=tmp_path / "mine.csv")


def test_the_command_prints_one_object_per_ifu(frame: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(frame), "--json", "-o", str(tmp_path / "out.csv")]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert set(record) >= {"file", "ifu", "background", "noise_ratio", "dq", "findings"}
    assert (tmp_path / "out.csv").read_text().startswith("file,exposure,ifu,background_BL")
    assert main(["inspect", str(tmp_path / "nothing.fits")]) == 1


def test_markup_in_a_header_stays_text(frame: Path, tmp_path: Path) -> None:
    red = open_object_red(frame)[0]
    header = red.header.copy()
    header["DATE-OBS"] = "<script>alert(1)</script>"
    write_object_red(tmp_path / "bad.fits", header, red.data * 3, red.dq, red.stat)
    assert "<script" not in inspect(tmp_path / "bad.fits")._repr_html_()


def test_the_mosaic_shows_every_ifu(night: Night) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    result = inspect(object_reds(night))
    axes = result.plot()
    shown = {text.get_text() for text in axes.texts}
    assert {f"IFU {frame.ifu}" for frame in result.frames} <= shown
    plt.close(axes.figure)


def test_what_was_found_travels_as_data_and_progress_counts_files(night: Night, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    (path,) = sorted((night.folder / "reduced").rglob("OBJECT_RED_*.fits"))[:1]
    (red,) = open_object_red(path)
    data = red.data.copy()
    data[: data.shape[0] // 2, : data.shape[1] // 2] = 0
    write_object_red(tmp_path / "dark.fits", red.header, data, red.dq, red.stat)
    found = inspect([path, tmp_path / "dark.fits"], progress=lambda *step: seen.append(step))
    assert seen == [("frames measured", 1, 2), ("frames measured", 2, 2)]
    assert any("quadrant BL has no light" in text for text in found.findings)
    assert found._repr_mimebundle_()[FINDINGS_MIME] == {"findings": found.findings}
