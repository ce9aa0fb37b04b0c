"""StarPicker without a browser: what a click changes, what follows it, what an export shows."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sky import OFFSETS, STARS, images

from muse_nb.widgets.stars import picker as stars_module
from muse_nb.widgets.stars.latest import Latest
from muse_nb.widgets.stars.picker import StarPicker


@pytest.fixture
def picker(tmp_path: Path) -> StarPicker:
    return StarPicker(images(tmp_path))


def click(picker: StarPicker, number: int) -> None:
    x, y = STARS[number, :2]
    picker._received(None, {"type": "click", "exposure": 0, "x": float(x), "y": float(y)}, [])
    assert picker.error == ""


def offset(row: dict) -> list[float]:
    return [row["ra_offset_arcsec"], row["dec_offset_arcsec"]]


def test_a_click_tells_the_browser_places_residuals_and_stamps(picker: StarPicker) -> None:
    click(picker, 0)
    click(picker, 1)
    assert [star["star"] for star in picker.stars] == [1, 2]
    places = np.frombuffer(picker.places, "<f4").reshape(2, 3, 2)
    assert places[1] == pytest.approx(STARS[1, :2] + OFFSETS / 0.2 * [-1, 1], abs=0.1)
    residuals = np.frombuffer(picker.residuals, "<f4").reshape(-1, 8)
    assert {(int(row[0]), int(row[1])) for row in residuals} == {(star, i) for star in (1, 2) for i in range(3)}
    assert np.abs(residuals[:, 2:4]).max() < 20  # mas
    assert picker.stamps["star"] == picker.selected == 2
    assert len(picker.stamps["pixels"]) == 3 * 3 * picker.stamps["side"] ** 2
    picker.selected = 1
    assert picker.stamps["star"] == 1
    click(picker, 0)  # the second click drops it
    assert picker.stamps == {}


def test_clicks_go_on_while_a_fit_runs_and_only_the_last_is_fitted(
    picker: StarPicker, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, begun, fitted = threading.Event(), threading.Event(), []
    measure = stars_module.measure_offsets

    def slow(measurement, picks):
        begun.set()
        assert go.wait(20)
        fitted.append(0 if picks is None else len(picks))
        return measure(measurement, picks=picks)

    click(picker, 0)
    picker._live = True
    monkeypatch.setattr(stars_module, "measure_offsets", slow)
    click(picker, 1)
    assert begun.wait(20)
    click(picker, 2)
    click(picker, 3)
    assert len(picker.stars) == 4  # at once
    assert picker.method == "4 picked stars (a first estimate, the fit follows)"  # and so are offsets
    first, answers = np.array(list(map(offset, picker.rows))), picker.measured
    go.set()
    assert len(picker.offsets.table) == 3
    for _ in range(200):
        if picker.measured > answers and not picker._follower._running:
            break
        threading.Event().wait(0.05)
    assert fitted == [2, 4]
    assert (picker.method, picker.measured) == ("4 picked stars", answers + 1)
    full = measure(picker.measurement, picks=picker.picks)
    assert picker.rows == full.rows()
    assert first == pytest.approx(np.array(list(map(offset, picker.rows))), abs=3 * max(full.table["ra_error"]))


def test_a_saved_picker_shows_the_finished_fit(picker: StarPicker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUSE_NB_HEADLESS", "1")
    said: list[str] = []
    picker.observe(lambda change: said.append(change["new"]), "status")
    assert len(picker.offsets.table) == len(OFFSETS)
    assert said[0], "it says what it does"
    assert picker.status == ""
    picker._repr_mimebundle_()
    assert picker.status == "", "but not when it is done"
    assert len(picker.rows) == len(OFFSETS)
    assert "first estimate" not in picker.method
    picker.add_best(3)
    assert picker.status == ""
    assert picker.method == "3 picked stars"


def test_an_action_asked_for_often_runs_once_more() -> None:
    go, runs, begun, done = threading.Event(), [], threading.Semaphore(0), threading.Semaphore(0)

    def action() -> None:
        begun.release()
        assert go.wait(20)
        runs.append(1)
        done.release()

    latest = Latest(action)
    latest.ask()
    assert begun.acquire(timeout=20)
    for _ in range(5):
        latest.ask()
    go.set()
    assert done.acquire(timeout=20)
    assert done.acquire(timeout=20)
    assert not done.acquire(timeout=0.2)
    assert len(runs) == 2


def test_an_action_asked_for_often_before_it_begins_runs_once() -> None:
    done = threading.Semaphore(0)
    latest = Latest(lambda: done.release(), pause=0.3)
    for _ in range(5):
        latest.ask()
    assert not done.acquire(blocking=False)
    assert done.acquire(timeout=20)
    assert not done.acquire(timeout=0.7)


def test_the_static_picture_has_the_offsets_under_each_name(picker: StarPicker) -> None:
    bare = Image.open(io.BytesIO(picker.picture()))
    click(picker, 0)
    full = Image.open(io.BytesIO(picker.picture()))
    assert full.size == bare.size
    strip = (0, 16, 190, 30)
    assert np.asarray(full.crop(strip)).std() > 5 > np.asarray(bare.crop(strip)).std()
