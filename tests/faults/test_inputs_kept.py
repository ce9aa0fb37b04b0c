"""Inputs are never written to: no --force replaces a file that is being read, under whatever name it is given."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from inputs import Good, good_files

from benchmarks.tables import write_tables
from muse_nb import cube, inspect, measure_offsets, survey
from muse_nb.cli import main
from muse_nb.core.atomic import atomic_write
from muse_nb.core.errors import MuseError
from muse_nb.products.badpix_table import BadpixTable
from muse_nb.steps.badpix.apply import flag_pixtable


@pytest.fixture(scope="module")
def goods(night, tmp_path_factory: pytest.TempPathFactory) -> list[Good]:
    return good_files(night, tmp_path_factory.mktemp("good"))


def aimed_at_the_input(good: Good, folder: Path) -> list[str]:
    """The words of a command whose output is its input; none where it writes to a folder."""
    words = [str(word) for word in good.words(good.path, folder)]
    if words[0] == "reduce" or "-o" not in words:
        return []
    words[words.index("-o") + 1] = str(good.path)
    return [*words, *(["--force"] if "--force" not in words else [])]


def test_no_command_replaces_its_input(goods: list[Good], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tried = set()
    for good in goods:
        words = aimed_at_the_input(good, tmp_path)
        if words:
            tried.add(words[0])
            assert main(words) == 1, words
            said = capsys.readouterr().err
            assert "never written to" in said, said
            assert len(said.splitlines()) == 1
            assert good.path.read_bytes() == good.content
    assert tried >= {"inspect", "cube", "offsets", "nans", "combine"}


def test_no_picture_replaces_a_frame(goods: list[Good], capsys: pytest.CaptureFixture[str]) -> None:
    frame = next(good for good in goods if good.name == "OBJECT_RED")
    assert main(["inspect", str(frame.path), "--plot", str(frame.path), "--force"]) == 1
    assert "never written to" in capsys.readouterr().err
    assert frame.path.read_bytes() == frame.content


def test_no_step_replaces_its_input(night, tmp_path: Path) -> None:
    """The same from Python, where no command looks at the words first."""
    (table,) = write_tables(tmp_path, 1, 7200, ifus=1)
    copies = [
        night.folder / "calib" / "BADPIX_TABLE.fits",
        night.reduced["OBJECT_RED"][0],
        *night.reduced["IMAGE_FOV"][:2],
    ]
    badpix, frame, *images = [Path(shutil.copy(path, tmp_path / f"{i}.fits")) for i, path in enumerate(copies)]
    nothing = np.zeros(len(BadpixTable.open(badpix)), bool)
    steps: list[tuple[Path, Callable[[], object]]] = [
        (table, lambda: cube(table, output=table, force=True)),
        (table, lambda: flag_pixtable(table, badpix, table, force=True)),
        (table, lambda: survey(tmp_path).write(table, force=True)),
        (badpix, lambda: BadpixTable.open(badpix).write_without(badpix, nothing, force=True)),
        (images[1], lambda: measure_offsets(images).write(images[1], force=True)),
        (frame, lambda: inspect([frame]).write(frame, force=True)),
    ]
    for path, step in steps:
        before = path.read_bytes()
        with pytest.raises(MuseError, match="never written to"):
            step()
        assert path.read_bytes() == before


@pytest.mark.parametrize("link", [os.symlink, os.link], ids=["symbolic", "hard"])
def test_a_link_to_an_input_is_the_input(link: Callable, tmp_path: Path) -> None:
    (tmp_path / "a.fits").write_text("precious")
    link(tmp_path / "a.fits", tmp_path / "b.fits")
    with (
        pytest.raises(MuseError, match=r"b\.fits is one of the inputs"),
        atomic_write(tmp_path / "b.fits", force=True, inputs=[tmp_path / "a.fits"]),
    ):
        pass
    assert (tmp_path / "b.fits").read_text() == "precious"
