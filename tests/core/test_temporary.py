"""Protects what SECURITY.md says of temporary folders: for our eyes only, and never in a place that is another's."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import pytest

from muse_nb.core.atomic import atomic_write
from muse_nb.core.errors import MuseError
from muse_nb.core.work import scratch_folder


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path / f"muse_nb-{os.getuid()}"


def test_a_temporary_folder_is_ours_alone_and_goes_after_an_error(place: Path) -> None:
    with pytest.raises(KeyboardInterrupt), scratch_folder() as folder:  # noqa: PT012
        assert folder.parent == place
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        raise KeyboardInterrupt
    assert not place.exists()


@pytest.mark.parametrize(("make", "call"), [(scratch_folder, "mkdir"), (atomic_write, "open")], ids=["folder", "file"])
def test_ctrl_c_in_the_moment_that_a_name_was_made_leaves_nothing(
    make, call: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, real = place / "it", getattr(os, call)

    def interrupted(path, *args: object, **options: object) -> int:
        made = real(path, *args, **options)
        if ".part-" in str(path) or ".muse_nb-" in str(path):
            assert Path(path).exists()
            raise KeyboardInterrupt
        return made

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):  # noqa: PT012
        patch.setattr(os, call, interrupted)
        with make(there) if make is atomic_write else make():
            pass
    assert not place.exists() or list(place.iterdir()) == []


def test_a_link_in_the_place_of_the_folder_is_refused(place: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    place.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(MuseError, match="belongs to somebody else"), scratch_folder():
        pass
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_folder_of_another_user_is_refused(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place.mkdir()
    ours = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: ours + 1)
    place.rename(place.with_name(f"muse_nb-{ours + 1}"))
    with pytest.raises(MuseError, match="belongs to somebody else"), scratch_folder():
        pass
