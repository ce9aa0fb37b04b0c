"""Progress on a terminal: bars for what is counted, lines above or beside them; nothing where nobody looks."""

from __future__ import annotations

import io
import sys

import pytest

from muse_nb.core.progress import on_terminal, say


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def terminal_on(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """What a user would see on stderr; to be called in the test, whose stderr pytest sets anew."""
    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    return shown


def test_without_a_terminal_nothing_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with on_terminal("plane") as progress:
        progress("planes made", 1, 2)
        progress("a line", 0, 0)
    assert capsys.readouterr() == ("", "")


def test_a_bar_for_each_thing_that_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = terminal_on(monkeypatch)
    with on_terminal("plane") as progress:
        for done in range(1, 4):
            progress("planes made", done, 3)
        progress("slabs kept", 1, 2)
        progress("planes made", 1, 5)  # of another cube
    shown = terminal.getvalue()
    assert "planes made" in shown
    assert "/3 " in shown
    assert "slabs kept" in shown
    assert "/5 " in shown


def test_lines_are_written_above_and_a_log_beside_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = terminal_on(monkeypatch)
    with on_terminal() as progress:
        progress("preparing", 0, 0)
    assert terminal.getvalue() == "preparing\n"
    with on_terminal(log=True) as progress:
        progress("before there is a bar", 0, 0)
        progress("exposures reduced", 0, 1)
        progress("muse_scibasic says", 0, 0)
        progress("exposures reduced", 1, 1)
    assert "before" not in terminal.getvalue()
    assert "muse_scibasic says" in terminal.getvalue()


def test_what_is_said_goes_to_stdout_at_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal_on(monkeypatch)
    say("made")
    assert capsys.readouterr().out == "made\n"
