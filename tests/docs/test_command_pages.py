"""The pages of the commands hold what their parsers take, every argument with a sentence."""

from __future__ import annotations

import argparse
from pathlib import Path

import command_pages
import pytest

from muse_nb.cli import load


@pytest.mark.parametrize("name", command_pages.names())
def test_every_argument_is_on_the_command_s_page_with_what_it_does(name: str, tmp_path: Path) -> None:
    command_pages.write(tmp_path)
    page = (tmp_path / f"{name}.md").read_text()
    parser = argparse.ArgumentParser()
    load(name).add_arguments(parser)
    for action in parser._actions:
        assert action.help, f"muse-nb {name}: {action.option_strings or action.dest} has no help"
        for flag in action.option_strings:
            assert f"`{flag}" in page
    assert parser.epilog is None or "## Examples" in page
    assert f"({name}.md)" in (tmp_path / "index.md").read_text()


def test_pages_of_commands_that_are_gone_are_taken_away(tmp_path: Path) -> None:
    (tmp_path / "gone.md").write_text("gone")
    command_pages.write(tmp_path)
    assert not (tmp_path / "gone.md").exists()
