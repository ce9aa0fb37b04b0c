"""Protects the RecipeRunner: it runs what it is given, tells how far it is, can be cancelled, escapes what it shows."""

from __future__ import annotations

import threading

import pytest

from muse_nb.core.errors import MuseError
from muse_nb.core.html import FINDINGS_MIME, Shown
from muse_nb.widgets.recipe import RecipeRunner


def controls(runner: RecipeRunner) -> tuple:
    """Its two buttons, the bar and the line of words."""
    return runner.children[0].children


def bundle(runner: RecipeRunner) -> dict:
    """What a page without a kernel shows of it."""
    shown = runner._repr_mimebundle_()
    return shown[0] if isinstance(shown, tuple) else shown


def html(runner: RecipeRunner) -> str:
    return bundle(runner)["text/html"]


def test_result_progress_and_log():
    def step(number, *, progress, cancel):
        assert not cancel.is_set()
        progress("loaded <b>frame</b>", 0, 0)
        progress("planes", 1, 4)
        progress("planes", 3, 4)
        return number + 1

    runner = RecipeRunner(step, 41)
    assert runner.state == "ready"
    go, _, bar, _ = controls(runner)
    assert "Run step" in go.description
    go.click()
    assert runner.wait(10) == 42
    assert runner.state == "done"
    assert list(runner.lines) == ["loaded <b>frame</b>"]
    assert bar.value == 1.0
    assert "loaded &lt;b&gt;frame" in html(runner)
    assert "42" in html(runner)
    assert "application/vnd.jupyter.widget-view+json" in str(runner._repr_mimebundle_())


def test_the_bar_stays_where_the_work_ended():
    def step(progress):
        progress("planes", 1, 4)
        progress("planes", 3, 4)
        raise MuseError("the disk is full")

    runner = RecipeRunner(step)
    runner.start()
    with pytest.raises(MuseError):
        runner.wait(10)
    _, _, bar, _ = controls(runner)
    assert bar.value == 0.75


def test_what_a_result_found_wrong_goes_with_it_as_data():
    class Result(Shown):
        findings = ("<IFU 7> is dim",)

        def _repr_html_(self):
            return "<p>a result</p>"

    runner = RecipeRunner(Result)
    runner.start()
    runner.wait(10)
    assert bundle(runner)[FINDINGS_MIME] == {"findings": ["<IFU 7> is dim"]}


def test_a_call_that_knows_neither_progress_nor_cancel():
    assert RecipeRunner(len, "abc").wait() is None
    runner = RecipeRunner(len, "abc")
    runner.start()
    assert runner.wait(10) == 3


def test_an_error_is_shown_escaped_and_the_next_run_forgets_it():
    faults = [MuseError("<script>alert(1)</script> is not FITS"), None]

    def step():
        fault = faults.pop(0)
        if fault:
            raise fault

    runner = RecipeRunner(step)
    runner.start()
    with pytest.raises(MuseError):
        runner.wait(10)
    assert runner.state == "failed"
    assert "<script>" not in html(runner)
    assert "&lt;script&gt;alert(1)" in html(runner)
    assert runner.lines.maxlen is not None
    assert not runner.lines  # a sentence, no traceback
    runner.start()
    assert runner.wait(10) is None
    assert runner.error is None
    assert runner.state == "done"


def test_a_bug_leaves_its_traceback_in_the_log():
    runner = RecipeRunner(lambda: 1 // 0, title="odd <step>")
    runner.start()
    with pytest.raises(ZeroDivisionError):
        runner.wait(10)
    assert "Traceback" in "\n".join(runner.lines)
    assert "odd &lt;step&gt;" in html(runner)


def test_cancel():
    running = threading.Event()

    def step(*, cancel):
        running.set()
        assert cancel.wait(20)
        raise MuseError("it was stopped")

    runner = RecipeRunner(step)
    runner.start()
    assert running.wait(10)
    runner.start()  # without effect
    go, stop, *_ = controls(runner)
    assert go.disabled
    stop.click()
    with pytest.raises(MuseError):
        runner.wait(10)
    assert runner.state == "cancelled"
    assert not go.disabled
    assert stop.disabled


@pytest.mark.eso
def test_a_recipe_is_cancelled(night, tmp_path):
    from muse_nb.recipes.run import run_recipe

    table = night.reduced["PIXTABLE_REDUCED"][0]
    runner = RecipeRunner(run_recipe, "muse_scipost_make_cube", {"PIXTABLE_OBJECT": table}, output=tmp_path)
    runner.start()
    while runner._thread.is_alive() and not runner.lines:
        runner._thread.join(0.05)
    runner.cancel()
    with pytest.raises(MuseError, match="cancelled"):
        runner.wait(20)
    assert [path.suffix for path in tmp_path.iterdir()] == [".log"]
