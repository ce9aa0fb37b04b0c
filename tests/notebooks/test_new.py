"""Notebooks for a night of one's own: all of them, with its folders, and nothing that is there is lost."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest

from muse_nb.cli import main
from muse_nb.core.notebooks import notebooks_folder
from muse_nb.sharing.running.parameters import defaults


def test_the_folders_are_set_in_every_notebook(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    night = tmp_path / 'data "2024"'
    night.mkdir()
    assert main(["new", str(tmp_path / "mine"), "--night", str(night), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert len(told["notebooks"]) == len(list(notebooks_folder().glob("*.ipynb")))
    assert told["notebooks"][0].endswith("start.ipynb")
    for path in told["notebooks"]:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        values = defaults(notebook)
        assert values["night"] == str(night)
        assert values["products"] == "products", "in the folder, so that both can be moved"


def test_notebooks_that_are_there_are_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", str(tmp_path)]) == 0
    assert f"put the night's files into {tmp_path / 'night'}" in capsys.readouterr().out
    (tmp_path / "03-offsets.ipynb").write_text("mine")
    assert main(["new", str(tmp_path)]) == 1
    assert "already there" in capsys.readouterr().err
    assert (tmp_path / "03-offsets.ipynb").read_text() == "mine"
    assert main(["new", str(tmp_path), "--force"]) == 0
    assert (tmp_path / "03-offsets.ipynb").read_text() != "mine"


def test_a_night_that_is_not_there_is_said_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["new", str(tmp_path / "mine"), "--night", str(tmp_path / "nowhere")]) == 1
    assert "is not a folder" in capsys.readouterr().err
    assert not (tmp_path / "mine").exists()
