"""Protects the making of masters: by the plan, once, only what is stale, with a reason, and nothing of what failed."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from pretended import catalogue

import muse_nb
from muse_nb.cli import main
from muse_nb.core.errors import MuseError
from muse_nb.core.graph import Node, graph_html
from muse_nb.demo.cascade import demo_cascade
from muse_nb.products.fits.fingerprint import content_digest
from muse_nb.recipes import backends
from muse_nb.recipes.calibrations import find_calibrations
from muse_nb.steps.calibrate.result import Calibration

OF_TWO_IFUS = {
    "muse_bias": 2,
    "muse_flat": 2,
    "muse_wavecal": 2,
    "muse_lsf": 2,
    "muse_twilight": 1,
    "muse_scibasic": 2,
    "muse_standard": 1,
}


def make(raw: Path, **options: Any) -> Calibration:
    return muse_nb.calibrate(raw, raw.parent / "calib", backend="esorex", **options)


def made(log: Path) -> Counter[str]:
    """Runs of each recipe since the last look."""
    lines = log.read_text().splitlines()
    log.write_text("")
    return Counter(line.split()[0] for line in lines)


def test_the_masters_are_made_by_the_plan_and_kept(raw: Path, pretended: Path) -> None:
    seen: list[tuple[str, ...]] = []
    found = make(raw, watch=lambda nodes: seen.append(tuple(node.state for node in nodes)))
    assert found.whole
    assert made(pretended) == OF_TWO_IFUS
    folder = raw.parent / "calib"
    assert {path.name for path in found.products["MASTER_FLAT"]} == {"MASTER_FLAT-01.fits", "MASTER_FLAT-02.fits"}
    assert len(list((folder / "logs").glob("*.log"))) == sum(OF_TWO_IFUS.values())
    assert seen[0] == ("waiting",) * 7
    assert seen[-1] == ("done",) * 7
    assert any("running" in states for states in seen)
    with fits.open(folder / "MASTER_BIAS-02.fits") as opened:
        assert opened[1].name == "CHAN02"

    again = make(raw)
    assert made(pretended) == {}
    assert (len(again.made), len(again.kept)) == (0, 12)
    assert again.forecast.jobs == 0


def test_only_what_is_stale_is_made_again_and_it_is_said_why(raw: Path, pretended: Path) -> None:
    make(raw)
    made(pretended)
    with fits.open(raw / "STD_0.fits", mode="update") as opened:
        opened[1].data[:] = 7
    found = make(raw)
    assert made(pretended) == {"muse_scibasic": 2, "muse_standard": 1}
    assert {found.why[name] for name in found.made if name.startswith("std")} == {"STD_0.fits is another than before"}

    (raw.parent / "calib" / "LSF_PROFILE-02.fits").unlink()
    assert list(make(raw).why.values()) == ["LSF_PROFILE-02.fits is gone"]
    # the same content is the same master, whenever it was made: nothing that took the bias is made again
    (raw.parent / "calib" / "MASTER_BIAS-01.fits").unlink()
    made(pretended)
    make(raw)
    assert made(pretended) == {"muse_bias": 1}

    found = make(raw, parameters={"muse_lsf": {"line_quality": 3}})
    assert set(found.why.values()) == {"other parameters: line_quality was 5"}
    path = raw.parent / "calib" / "WAVECAL_TABLE-01.fits"
    content = path.read_bytes()
    path.write_bytes(content[:5760] + b"x" + content[5761:])  # the first byte of its data
    found = make(raw, parameters={"muse_lsf": {"line_quality": 3}})
    assert "WAVECAL_TABLE-01.fits is not as it was made" in found.why.values()


def test_reduce_takes_the_folder_as_it_is(raw: Path, pretended: Path) -> None:
    make(raw)
    folder = raw.parent / "calib"
    index = json.loads((folder / "calibrations.json").read_text())["exposures"]["2017-06-16T101400"]
    assert index["MASTER_BIAS"] == ["MASTER_BIAS-01.fits", "MASTER_BIAS-02.fits"]
    assert Path(index["ILLUM"][0]).name == "FLAT-LAMP-ILLUM_0.fits"
    from muse_nb.products.fits.blocks import hdus
    from muse_nb.products.header import exposure

    science = raw / "OBJECT_0.fits"
    found = find_calibrations(folder).serving(exposure(hdus(science)[0].cards, science))
    found.check()
    assert found.ifus == [1, 2]
    tags = [tag for _, tag in found.for_scipost("model", [1, 2])]
    assert Counter(tags)["LSF_PROFILE"] == 2
    assert {"SKY_LINES", "STD_RESPONSE", "EXTINCT_TABLE"} < set(tags)
    assert all(path.exists() for path, _ in found.for_scibasic(2, None))


def test_a_second_night_in_the_folder_gets_names_of_its_own(raw: Path, pretended: Path) -> None:
    make(raw)
    for path in sorted(raw.glob("BIAS_*.fits")):
        later = Path(shutil.copy(path, raw / f"LATER_{path.name}"))
        with fits.open(later, mode="update") as opened:
            opened[0].header["MJD-OBS"] += 1.0
            opened[0].header["ESO TPL START"] = "2017-06-17T10:00:00"
    found = make(raw)
    names = {path.name for path in found.products["MASTER_BIAS"]}
    assert names == {f"MASTER_BIAS{stamp}-{n:02d}.fits" for stamp in ("", "_2017-06-17T100000") for n in (1, 2)}
    assert len(found.made) == 2


def test_nothing_of_a_failed_recipe_is_kept(
    raw: Path, pretended: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PRETEND_FAILS", "muse_flat")
    folder = raw.parent / "calib"
    words = ["calibrate", str(raw), "-o", str(folder), "--backend", "esorex"]
    assert main(words) == 1
    said = capsys.readouterr()
    assert "muse_flat failed: the lamp was off" in said.err
    assert "wavecal-2017-06-16T100600 was not made: flat-2017-06-16T100300-02 failed" in said.out
    assert not list(folder.rglob("MASTER_FLAT*"))
    assert made(pretended) == {"muse_bias": 2}
    monkeypatch.delenv("PRETEND_FAILS")
    assert main([*words, "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["kept"]) == 2
    assert made(pretended) == {recipe: n for recipe, n in OF_TWO_IFUS.items() if recipe != "muse_bias"}


def test_a_master_that_could_not_be_made_again_serves_no_more(
    raw: Path, pretended: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(raw)
    monkeypatch.setenv("PRETEND_FAILS", "muse_flat")
    found = make(raw, parameters={"muse_flat": {"filter": "other"}})
    folder = raw.parent / "calib"
    assert len(found.failed) == 2
    assert (folder / "MASTER_FLAT-01.fits").exists()
    assert "MASTER_FLAT" not in found.products
    with pytest.raises(MuseError, match="lacks MASTER_FLAT, TRACE_TABLE, WAVECAL_TABLE"):
        muse_nb.reduce(raw / "OBJECT_0.fits", folder, raw.parent / "reduced")


def test_what_is_missing_is_said_with_where_to_get_it(raw: Path, pretended: Path) -> None:
    (raw.parent / "static" / "LINE_CATALOG.fits").unlink()
    (raw / "BIAS_2.fits").unlink()
    found = make(raw)
    assert "muse_bias needs 3" in " ".join(found.findings)
    assert not found.made
    shutil.copy(raw / "BIAS_1.fits", raw / "BIAS_2.fits")
    with fits.open(raw / "BIAS_2.fits", mode="update") as opened:
        opened[0].header["MJD-OBS"] += 0.001
    found = make(raw)
    (text,) = [text for name, text in found.missing.items() if name.startswith("wavecal")]
    assert "muse_wavecal needs LINE_CATALOG" in text
    assert "muse-calib" in text
    assert set(made(pretended)) == {"muse_bias", "muse_flat"}


def test_a_recipe_that_would_not_end_is_not_started(raw: Path, pretended: Path) -> None:
    catalogue(raw.parent / "static" / "LINE_CATALOG.fits", flux=1.0)
    found = make(raw, ifus=[1])
    (text,) = [text for name, text in found.failed.items() if name.startswith("wavecal")]
    assert (
        "has fluxes up to 1, not in electrons as the frames are: no line is left and muse_wavecal does not end" in text
    )
    assert set(made(pretended)) == {"muse_bias", "muse_flat"}


def test_arcs_without_a_lamp_are_told(raw: Path, pretended: Path) -> None:
    with fits.open(raw / "WAVE_1.fits", mode="update") as opened:
        opened[0].header["ESO INS LAMP4 ST"] = False
    found = make(raw, ifus=[1])
    (text,) = [text for name, text in found.failed.items() if name.startswith("wavecal")]
    assert "WAVE_1.fits had no lamp on" in text
    (raw / "WAVE_1.fits").unlink()
    found = make(raw, ifus=[1])
    assert any("there are no arcs of xenon" in text for text in found.findings)
    assert any(name.startswith("wavecal") for name in found.made)


def test_ifus_and_a_time_limit(raw: Path, pretended: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = make(raw, ifus=[2])
    assert "IFU 1 is not among its IFUs" in " ".join(found.missing.values())
    monkeypatch.setenv("PRETEND_SECONDS", "60")
    found = make(raw, ifus=[1], timeout=0.3)
    assert "(time limit): give it more time with --timeout" in " ".join(found.failed.values())
    with pytest.raises(MuseError, match="name IFUs between 1 and 24"):
        make(raw, ifus=[25])
    with pytest.raises(MuseError, match="muse_lsf has no parameter 'line_qualty': did you mean line_quality"):
        make(raw, parameters={"muse_lsf": {"line_qualty": 3}})
    with pytest.raises(MuseError, match="there is no recipe 'muse_lfs'"):
        make(raw, parameters={"muse_lfs": {"line_quality": 3}})
    with pytest.raises(MuseError, match="nifu is set for each IFU apart"):
        make(raw, parameters={"muse_lsf": {"nifu": 3}})
    with pytest.raises(TypeError, match="unexpected keyword argument 'ifu'"):
        make(raw, ifu=[1])


def test_a_disk_that_is_too_small_and_a_folder_in_use_are_refused(
    raw: Path, pretended: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from filelock import FileLock

    monkeypatch.setattr("muse_nb.steps.calibrate.calibrate.free_disk", lambda _: 1.0)
    with pytest.raises(MuseError, match=r"the masters take about .* GB: free some"):
        make(raw)
    monkeypatch.undo()
    with (
        FileLock(raw.parent / "calib" / ".calibrate.lock"),
        pytest.raises(MuseError, match="another muse-nb calibrate"),
    ):
        muse_nb.calibrate(raw, raw.parent / "calib")


def test_without_the_pipeline_it_says_so(raw: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    none = {name: backends.Backend(name, False, "ESO's MUSE recipes are not installed") for name in backends.BACKENDS}
    monkeypatch.setattr("muse_nb.recipes.run.available", lambda: none)
    assert main(["calibrate", str(raw), "-o", str(raw.parent / "calib")]) == 1
    assert capsys.readouterr().err == (
        "muse-nb calibrate: calibrate cannot run here: ESO's MUSE recipes are not installed\n"
    )
    assert not (raw.parent / "calib").exists()
    assert main(["calibrate", str(raw), "--plan"]) == 0


def test_cancelled_it_keeps_what_was_made(raw: Path, pretended: Path) -> None:
    stop = Event()

    def after_the_biases(nodes: Sequence[Node]) -> None:
        if nodes[0].state == "done":
            stop.set()

    with pytest.raises(MuseError, match="what was made is kept"):
        make(raw, cancel=stop, watch=after_the_biases)
    assert made(pretended)["muse_bias"] == 2
    assert not [path for path in (raw.parent / "calib").iterdir() if path.name.startswith(".muse_nb-")]
    assert make(raw).whole
    assert made(pretended)["muse_bias"] == 0


def test_names_that_lead_out_of_the_folder_are_not_followed(raw: Path, pretended: Path) -> None:
    for path in raw.glob("BIAS_*.fits"):
        with fits.open(path, mode="update") as opened:
            opened[0].header["ESO INS MODE"] = "../../x" if path.stem != "BIAS_0" else "WFM-NOAO-N"
    shutil.copy(raw / "BIAS_1.fits", raw / "BIAS_3.fits")
    with fits.open(raw / "BIAS_3.fits", mode="update") as opened:
        opened[0].header["MJD-OBS"] += 0.001
    found = make(raw, ifus=[1])
    assert [name for name in found.made if name.startswith("bias")] == ["bias-2017-06-16T100000-.._.._x-01"]
    folder = raw.parent / "calib"
    record = next(folder.glob("MASTER_BIAS*.made_from.json"))
    outside = raw.parent / "kept.fits"
    outside.touch()
    record.write_text(record.read_text().replace(json.loads(record.read_text())["files"][0]["name"], "../kept.fits"))
    make(raw, ifus=[1])
    assert outside.exists()


def test_the_demo_says_that_it_needs_the_recipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    none = {name: backends.Backend(name, False, "ESO's MUSE recipes are not installed") for name in backends.BACKENDS}
    monkeypatch.setattr("muse_nb.demo.cascade.available", lambda: none)
    with pytest.raises(MuseError, match="are not installed: the demo of the calibrations runs them"):
        demo_cascade(tmp_path / "demo")
    assert not (tmp_path / "demo").exists()


def test_on_a_cluster_the_same_is_made(raw: Path, pretended: Path) -> None:
    pytest.importorskip("distributed")
    found = make(raw, workers=1)
    assert found.whole
    assert made(pretended) == OF_TWO_IFUS
    assert len(make(raw).kept) == 12


def test_the_runner_draws_the_tasks(raw: Path, pretended: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRETEND_FAILS", "muse_wavecal")
    runner = muse_nb.RecipeRunner(muse_nb.calibrate, raw, raw.parent / "calib", backend="esorex", ifus=[1])
    runner.start()
    found = runner.wait(60)
    shown = found._repr_html_()
    assert "1 failed" in shown
    assert "lsf-2017-06-16T100600 was not made: wavecal-2017-06-16T100600-01 failed" in shown
    assert "data:image/svg+xml" in str(runner._repr_mimebundle_())


def test_names_in_the_graph_are_text() -> None:
    nodes = [Node("<b>", "muse_bias", (), ("done", "failed")), Node("two", "muse_flat", ("<b>",), ("waiting",), "<i>")]
    shown = graph_html(nodes)
    assert "<b>" not in shown
    assert "<i>" not in shown
    assert "1 waiting, 1 done, 1 failed" in shown


def test_what_does_not_change_the_data_does_not_change_the_digest(tmp_path: Path) -> None:

    def digest(date: str, value: float) -> str:
        primary = fits.PrimaryHDU(np.full((3, 3), value))
        primary.header["DATE"] = date
        primary.writeto(tmp_path / "a.fits", overwrite=True, checksum=True)
        return content_digest(tmp_path / "a.fits")

    assert digest("2017-06-16", 1.0) == digest("2017-06-17", 1.0) != digest("2017-06-16", 2.0)


@pytest.mark.eso
def test_the_recipes_themselves(tmp_path: Path) -> None:
    """On small chips muse_bias works and muse_flat fails, after it has written a MASTER_FLAT."""
    night = muse_nb.simulate_cascade(tmp_path / "night", layout="cascade-micro", science=False)
    found = muse_nb.calibrate(night.folder / "raw", tmp_path / "calib", ifus=[1, 2])
    assert len(found.products["MASTER_BIAS"]) == 2
    assert len(found.failed) == 2
    for text in found.failed.values():
        assert "slice is too narrow" in text
        assert "are these lamp flats of a whole chip, with the lamp on?" in text
    assert not list((tmp_path / "calib").rglob("MASTER_FLAT*"))
    again = muse_nb.calibrate(night.folder / "raw", tmp_path / "calib", ifus=[1, 2])
    assert len(again.kept) == 2
    # two runs of a recipe on the same frames agree in all but when they were
    files = [Path(path) for path in found.products["MASTER_BIAS"]]
    before = [content_digest(path) for path in files]
    muse_nb.calibrate(night.folder / "raw", tmp_path / "calib", ifus=[1, 2], force=True)
    assert [content_digest(path) for path in files] == before
