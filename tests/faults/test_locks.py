"""Locks of the living, of the dead elsewhere, and file systems without any: one sentence, or it goes on safely."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from muse_nb.core.errors import MuseError
from muse_nb.core.work import PREFIX, work_folder
from muse_nb.resample import unfinished
from muse_nb.resample.unfinished import Piece, Unfinished
from muse_nb.steps.offsets import picks as picks_of
from muse_nb.steps.offsets.picks import empty_picks, read_picks, save_picks

SIZE = 1000
HOLD = (
    "import fcntl, sys; file = open(sys.argv[1], 'a'); fcntl.flock(file, fcntl.LOCK_EX);"
    "print('held', flush=True); sys.stdin.read()"
)


@contextmanager
def held(lock: Path) -> Iterator[None]:
    """A lock that nobody here can break, as a file server holds it for a machine that went down."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "held\n"
        yield
    finally:
        process.communicate("", timeout=20)


def make(path: Path, letter: bytes, *, force: bool = False) -> None:
    """Make a file of one letter, piece by piece."""
    with Unfinished(path, SIZE, {"letter": letter.decode()}, force=force) as file:
        file.note(Piece("all", [(0, memoryview(letter * SIZE))], {}))


def test_picks_under_a_stale_lock_are_one_sentence_and_its_remedy_works(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(picks_of, "LOCK_TIMEOUT", 0.2)
    lock = tmp_path / ".picks.ecsv.lock"
    with held(lock):
        with pytest.raises(MuseError, match=r"picks\.ecsv is locked by another notebook.*remove .*picks\.ecsv\.lock"):
            save_picks(tmp_path / "picks.ecsv", empty_picks())
        assert not (tmp_path / "picks.ecsv").exists()
        lock.unlink()
        save_picks(tmp_path / "picks.ecsv", empty_picks())
        assert len(read_picks(tmp_path / "picks.ecsv")) == 0


def test_a_cube_under_a_stale_lock_is_one_sentence_and_its_remedy_works(tmp_path: Path) -> None:
    path, part = tmp_path / "C.fits", tmp_path / ".part-C.fits"
    with held(part):
        with pytest.raises(MuseError, match=r"being made by another process.*remove .*\.part-C\.fits"):
            make(path, b"a")
        part.unlink()
        make(path, b"a")
    assert path.read_bytes() == b"a" * SIZE
    assert [p.name for p in tmp_path.iterdir()] == ["C.fits"]


def test_what_a_killed_run_on_another_machine_left_is_cleared_away_once_its_lock_is_free(tmp_path: Path) -> None:
    left = tmp_path / f"{PREFIX}0123abcd.1-dead"  # process 1 is alive, but on this machine
    left.mkdir()
    with held(left / "lock"):
        with work_folder(tmp_path) as work:
            assert work.is_dir()
        assert left.exists(), "it may be at work over there"
    os.utime(left, (0, 0))  # one of the last minute may be about to be locked
    with work_folder(tmp_path):
        assert not left.exists()


@pytest.mark.parametrize("why", [errno.ENOLCK, errno.EOPNOTSUPP], ids=errno.errorcode.get)
def test_a_file_system_without_locks(why: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outputs and picks that two could write at once are refused in a sentence, a recipe's own folder needs no lock."""

    def refuse(*_: object) -> None:
        raise OSError(why, "No locks available")

    make(tmp_path / "C.fits", b"a")
    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(MuseError, match=r"C\.fits cannot be locked .*No locks available.*write to a disk of this"):
        make(tmp_path / "C.fits", b"b", force=True)
    assert (tmp_path / "C.fits").read_bytes() == b"a" * SIZE
    with pytest.raises(MuseError, match=r"picks\.ecsv cannot be written: No locks available"):
        save_picks(tmp_path / "picks.ecsv", empty_picks())
    with work_folder(tmp_path / "out") as work, work_folder(tmp_path / "out"):
        assert work.is_dir()
    assert list((tmp_path / "out").iterdir()) == []


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Let something happen between the moment in which a writer opens its file and that in which it locks it."""
    lock = fcntl.flock

    def before(happens: Callable[[], None]) -> None:
        def flock(fd: int, how: int) -> None:
            monkeypatch.setattr(unfinished.fcntl, "flock", lock)
            happens()
            lock(fd, how)

        monkeypatch.setattr(unfinished.fcntl, "flock", flock)

    return before


@pytest.mark.parametrize("force", [False, True], ids=["", "force"])
@pytest.mark.parametrize("third", [False, True], ids=["", "a third begins"])
def test_who_comes_late_does_not_cut_a_cube_just_finished(force: bool, third: bool, tmp_path: Path, late) -> None:
    """What it has opened is the other's finished cube by then: to write on would empty it."""
    path = tmp_path / "C.fits"
    first = Unfinished(path, SIZE, {"letter": "a"})
    others = []

    def finish() -> None:
        with first as file:
            file.note(Piece("all", [(0, memoryview(b"a" * SIZE))], {}))
        if third:
            others.append(Unfinished(path, SIZE, {"letter": "c"}, force=True))

    with pytest.raises(MuseError, match="is being made by another process"):  # noqa: PT012
        late(finish)
        make(path, b"b", force=force)
    assert path.read_bytes() == b"a" * SIZE
    for other in others:
        with other as file:
            file.note(Piece("all", [(0, memoryview(b"c" * SIZE))], {}))
        assert path.read_bytes() == b"c" * SIZE
    assert [p.name for p in tmp_path.iterdir()] == ["C.fits"]
