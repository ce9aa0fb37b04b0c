"""Protects files that are there: the runner keeps them, says when they are stale, and replaces them on a click."""

from __future__ import annotations

from pathlib import Path

from muse_nb.core.atomic import atomic_write
from muse_nb.widgets.recipe import RecipeRunner


def write(text: str, *, output: Path, force: bool = False) -> str:
    with atomic_write(output, force=force) as part:
        part.write_text(text)
    return text


def button(runner: RecipeRunner) -> str:
    return runner.children[0].children[0].description


def shown(runner: RecipeRunner) -> str:
    found = runner._repr_mimebundle_()
    return (found[0] if isinstance(found, tuple) else found)["text/html"]


def test_what_is_missing_is_made_and_what_is_there_is_kept(tmp_path: Path) -> None:
    made = tmp_path / "list"
    runner = RecipeRunner(write, "one", makes=made)
    assert button(runner) == "Run write"
    assert runner.make_missing() == "one"
    again = RecipeRunner(write, "two", makes=made)
    assert again.make_missing() is None
    assert made.read_text() == "one"
    assert "kept" in shown(again)
    assert button(again) == "Replace list"


def test_a_stale_file_says_so_and_one_click_makes_it_again(tmp_path: Path) -> None:
    made = tmp_path / "list"
    made.write_text("old")
    runner = RecipeRunner(write, "new", makes=made, stale="list is stale: made from <other> offsets")
    assert button(runner) == "Make it again"
    assert "made from &lt;other&gt; offsets" in shown(runner)
    assert "kept" not in shown(runner)
    runner.children[0].children[0].click()
    runner.wait(10)
    assert made.read_text() == "new"
    assert "stale" not in shown(runner)
    assert button(runner) == "Replace list"


def test_the_reason_is_asked_for_again(tmp_path: Path) -> None:
    made = tmp_path / "list"
    made.write_text("old")
    runner = RecipeRunner(write, "new", makes=made, stale=lambda: "stale" if made.read_text() == "old" else "")
    assert button(runner) == "Make it again"
    runner.start()
    runner.wait(10)
    assert "stale" not in shown(runner)
