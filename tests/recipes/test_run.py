"""Protects the recipes' door: same files by both backends, and one sentence with nothing left behind when it fails."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from running import IFU, recipe_processes

from muse_nb.core.errors import MuseError
from muse_nb.core.work import PREFIX
from muse_nb.recipes.backends import available
from muse_nb.recipes.errors import RecipeError
from muse_nb.recipes.run import run_recipe

pytestmark = pytest.mark.eso
ODD = 'it\'s [1] (b) + "é" $HOME;'


def sentence(caught: pytest.ExceptionInfo[BaseException]) -> str:
    """The message, which must be one line."""
    text = str(caught.value)
    assert "\n" not in text
    assert "Traceback" not in text
    return text


def test_both_backends_make_the_same_cube(night, tmp_path):
    table = night.reduced["PIXTABLE_REDUCED"][0]
    middle = float(np.median(fits.getdata(table, "lambda")))
    limits = {"lambdamin": middle - 60, "lambdamax": middle + 60}
    made = {}
    for backend in ("python-cpl", "esorex"):
        result = run_recipe(
            "muse_scipost_make_cube",
            {"PIXTABLE_OBJECT": table},
            limits,
            output=tmp_path / backend,
            backend=backend,
        )
        assert result.backend == backend
        assert result.cpu_seconds > 0
        assert 20e6 < result.peak_memory < 2e9
        made[backend] = result.products
    one, other = made.values()
    assert {tag: [p.name for p in paths] for tag, paths in one.items()} == {
        tag: [p.name for p in paths] for tag, paths in other.items()
    }
    for first, second in zip(one["DATACUBE_FINAL"], other["DATACUBE_FINAL"], strict=True):
        for name in ("DATA", "STAT"):
            values = fits.getdata(first, name)
            assert np.isfinite(values).mean() > 0.3
            np.testing.assert_array_equal(values, fits.getdata(second, name))


def test_odd_names_and_a_log_of_any_letters(basic, backend, leaves_nothing):
    folder = leaves_nothing.with_name(ODD)
    folder.mkdir()
    basic["OBJECT"] = [Path(shutil.copy(basic["OBJECT"][0], folder / "raw 'é' [x].fits"))]
    lines: list[str] = []

    def keep(line: str, done: int, total: int) -> None:
        assert (done, total) == (0, 0)
        lines.append(line)

    result = run_recipe("muse_scibasic", basic, {"nifu": IFU}, output=folder / ODD, backend=backend, progress=keep)
    assert result.products["OBJECT_RED"] == [folder / ODD / f"OBJECT_RED_0001-{IFU}.fits"]
    assert set(result.products) == {"OBJECT_RED", "PIXTABLE_OBJECT"}
    assert any("Saving pixel table" in line for line in lines)  # to the end
    assert "Saving pixel table" in result.log.read_text()
    assert "OBJECT_RED" in result._repr_html_()


def test_products_are_not_replaced_unless_asked_for(basic, leaves_nothing):
    run = {"name": "muse_scibasic", "frames": basic, "parameters": {"nifu": IFU}, "output": leaves_nothing}
    first = run_recipe(**run).products["OBJECT_RED"][0]
    before = first.stat().st_ino
    with pytest.raises(MuseError, match="already there"):
        run_recipe(**run)
    assert first.stat().st_ino == before
    assert run_recipe(**run, force=True).products["OBJECT_RED"][0].stat().st_ino != before


def test_a_users_esorex_settings_change_nothing(basic, backend, leaves_nothing, tmp_path, monkeypatch):
    settings = tmp_path / "home" / ".esorex"
    settings.mkdir(parents=True)
    (settings / "esorex.rc").write_text("esorex.caller.suppress-prefix=FALSE\n")
    (settings / "muse_scibasic.rc").write_text("muse.muse_scibasic.saveimage=FALSE\n")
    monkeypatch.setenv("HOME", str(settings.parent))
    monkeypatch.setenv("ESOREX_OUTPUT_PREFIX", "x")
    result = run_recipe("muse_scibasic", basic, {"nifu": IFU}, output=leaves_nothing, backend=backend)
    assert [path.name for path in result.products["OBJECT_RED"]] == [f"OBJECT_RED_0001-{IFU}.fits"]


def test_a_failed_recipe_tells_the_reason_of_its_log(basic, backend, leaves_nothing):
    del basic["MASTER_BIAS"]
    with pytest.raises(RecipeError) as caught:
        run_recipe("muse_scibasic", basic, {"nifu": IFU}, output=leaves_nothing, backend=backend)
    assert "MASTER_BIAS" in sentence(caught)
    assert "MASTER_BIAS" in caught.value.log.read_text()
    assert [path.name for path in leaves_nothing.iterdir()] == ["muse_scibasic.log"]


def test_a_crash_is_told(night, backend, leaves_nothing, tmp_path, monkeypatch):
    """Without INS MODE muse_scipost crashes: we refuse that; with the refusal taken away the crash itself is told."""
    run_recipe("muse_scibasic", _frames(night), {"nifu": IFU}, output=tmp_path / "basic")
    table = tmp_path / "basic" / f"PIXTABLE_OBJECT_0001-{IFU}.fits"
    with fits.open(table, mode="update") as opened:
        del opened[0].header["ESO INS MODE"]
    run = {"name": "muse_scipost", "frames": {"PIXTABLE_OBJECT": table}, "parameters": {"skymethod": "none"}}
    with pytest.raises(MuseError, match="INS MODE"):
        run_recipe(**run, output=leaves_nothing, backend=backend)
    assert not leaves_nothing.exists()
    monkeypatch.setattr("muse_nb.recipes.run.refuse", lambda *_: None)
    with pytest.raises(RecipeError, match="crashed or was killed") as caught:
        run_recipe(**run, output=leaves_nothing, backend=backend)
    sentence(caught)


def _frames(night):
    calib = night.folder / "calib"
    tags = ("MASTER_BIAS", "MASTER_FLAT", "TRACE_TABLE", "WAVECAL_TABLE")
    frames = {tag: calib / f"{tag}-{IFU}.fits" for tag in tags}
    return frames | {"OBJECT": night.raw[0], "GEOMETRY_TABLE": calib / "GEOMETRY_TABLE.fits"}


def damaged(kind: str, night, folder: Path) -> tuple[str, list[tuple[Path, str]], str]:
    good = night.reduced["PIXTABLE_REDUCED"][0]
    bad = folder / f"{kind}.fits"
    if kind == "missing":
        pass
    elif kind == "truncated":
        bad.write_bytes(good.read_bytes()[:1_000_001])
    elif kind == "text":
        bad.write_text("not FITS at all")
    else:
        shutil.copy(good, bad)
        with fits.open(bad, mode="update") as opened:
            del opened[0].header[kind]
    frames = [(good, "PIXTABLE_REDUCED"), (bad, "PIXTABLE_REDUCED")]
    if kind == "twice":
        frames = [(good, "PIXTABLE_REDUCED")] * 2
    return "muse_exp_combine", [] if kind == "empty" else frames, bad.name


@pytest.mark.parametrize("kind", ["missing", "truncated", "text", "RA", "DEC", "CD1_1"])
def test_a_frame_that_cannot_work_is_refused_by_name(night, leaves_nothing, tmp_path, kind):
    recipe, frames, name = damaged(kind, night, tmp_path)
    with pytest.raises(MuseError) as caught:
        run_recipe(recipe, frames, output=leaves_nothing)
    assert name in sentence(caught)
    if len(kind) < 6:
        assert kind in str(caught.value)
    assert not leaves_nothing.exists()


def test_an_empty_set_and_one_exposure_twice_are_refused(night, leaves_nothing):
    with pytest.raises(MuseError, match="no frames"):
        run_recipe("muse_exp_combine", [], output=leaves_nothing)
    table = night.reduced["PIXTABLE_REDUCED"][0]
    with pytest.raises(MuseError, match="DATE-OBS"):
        run_recipe("muse_exp_combine", {"PIXTABLE_REDUCED": [table, table]}, output=leaves_nothing)
    assert not leaves_nothing.exists()


@pytest.mark.parametrize("victim", ["leader", "last child"])
def test_a_killed_recipe_is_one_sentence(slow, backend, leaves_nothing, victim):
    killed: list[int] = []

    def kill(line: str, *_: int) -> None:
        if "MUSE Instrument Pipeline" not in line or killed:
            return
        family = sorted(recipe_processes(leaves_nothing), key=lambda process: process.create_time())
        killed.append((family[0] if victim == "leader" else family[-1]).pid)
        os.kill(killed[0], signal.SIGKILL)

    started = time.monotonic()
    with pytest.raises(RecipeError, match="crashed or was killed") as caught:
        run_recipe(*slow, output=leaves_nothing, backend=backend, progress=kill)
    assert killed
    sentence(caught)
    assert time.monotonic() - started < 60
    assert [path.suffix for path in leaves_nothing.iterdir()] == [".log"]


@pytest.mark.parametrize("how", ["cancelled", "time limit"])
def test_a_recipe_is_stopped(slow, backend, leaves_nothing, how):
    cancel = threading.Event()
    timer = threading.Timer(0.8, cancel.set)
    timer.start()
    limit = {"cancel": cancel} if how == "cancelled" else {"timeout": 0.8}
    with pytest.raises(RecipeError, match=how) as caught:
        run_recipe(*slow, output=leaves_nothing, backend=backend, **limit)
    timer.cancel()
    sentence(caught)


def test_after_kill_minus_nine_nothing_runs_and_the_next_run_cleans_up(slow, basic, backend, leaves_nothing):
    recipe, frames = slow
    code = (
        "import sys; from muse_nb.recipes.run import run_recipe;"
        f"run_recipe({recipe!r}, {[(str(p), t) for t, ps in frames.items() for p in ps]!r},"
        f" output={str(leaves_nothing)!r}, backend={backend!r}, progress=print)"
    )
    notebook = subprocess.Popen([sys.executable, "-u", "-c", code], stdout=subprocess.PIPE, text=True)
    assert notebook.stdout is not None
    for line in notebook.stdout:
        if "MUSE Instrument Pipeline" in line:
            break
    assert recipe_processes(leaves_nothing)
    notebook.kill()
    notebook.communicate()
    deadline = time.monotonic() + 10
    while recipe_processes(leaves_nothing) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert recipe_processes(leaves_nothing) == []
    assert list(leaves_nothing.glob(f"{PREFIX}*"))
    run_recipe("muse_scibasic", basic, {"nifu": IFU}, output=leaves_nothing, backend=backend)
    assert list(leaves_nothing.glob(f"{PREFIX}*")) == []


def test_ctrl_c_ends_the_recipe(slow, leaves_nothing):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_recipe(*slow, output=leaves_nothing, progress=interrupt)


def test_what_is_available_is_told():
    assert set(available()) == {"python-cpl", "esorex"}
    assert all(backend.detail for backend in available().values())


def test_an_unusable_backend_is_told(basic, tmp_path):
    with pytest.raises(RecipeError, match="choose python-cpl or esorex"):
        run_recipe("muse_scibasic", basic, output=tmp_path, backend="reflex")
