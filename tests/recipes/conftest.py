"""Frames for the recipes, and a look at what a run leaves behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from running import IFU, recipe_processes

from muse_nb.core.work import PREFIX
from muse_nb.recipes.backends import BACKENDS, available


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """Each way to run recipes that this machine has."""
    if not available()[request.param].usable:
        pytest.skip(available()[request.param].detail)
    return str(request.param)


@pytest.fixture
def basic(night) -> dict[str, list[Path]]:
    """Frames of muse_scibasic for one IFU: a recipe that takes half a second."""
    calib = night.folder / "calib"
    tags = ("MASTER_BIAS", "MASTER_FLAT", "TRACE_TABLE", "WAVECAL_TABLE")
    frames = {tag: [calib / f"{tag}-{IFU}.fits"] for tag in tags}
    return frames | {"OBJECT": [night.raw[0]], "GEOMETRY_TABLE": [calib / "GEOMETRY_TABLE.fits"]}


@pytest.fixture
def slow(night) -> tuple[str, dict[str, list[Path]]]:
    """A recipe that takes seconds: time to interrupt it."""
    return "muse_scipost_make_cube", {"PIXTABLE_OBJECT": [night.reduced["PIXTABLE_REDUCED"][0]]}


@pytest.fixture
def leaves_nothing(tmp_path, monkeypatch) -> Iterator[Path]:
    """Folder for products; afterwards, no process works in it and no private folder is left, in ``/tmp`` neither."""
    temporary = tmp_path / "system temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    monkeypatch.setenv("TMPDIR", str(temporary))
    yield tmp_path / "products"
    assert recipe_processes(tmp_path) == []
    assert list(tmp_path.rglob(f"{PREFIX}*")) == []
    assert list(temporary.iterdir()) == []
