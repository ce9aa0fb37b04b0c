"""Protects against what a machine does: full disk, read-only folder, stale lock, two writers, a hang, Ctrl-C."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from rows import ROWS

from benchmarks.kills import HIDDEN
from benchmarks.tables import write_tables
from muse_nb.cli import main
from muse_nb.core.atomic import atomic_write
from muse_nb.core.errors import MuseError
from muse_nb.core.work import PREFIX, work_folder
from muse_nb.products.offset_list import OffsetList
from muse_nb.recipes.errors import RecipeError
from muse_nb.recipes.run import run_recipe

Words = Callable[[Path], list[object]]


@pytest.fixture(scope="module")
def commands(night, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Words]:
    """Every command that writes, on small inputs."""
    tables = write_tables(tmp_path_factory.mktemp("tables"), 2, 14400, ifus=1)
    frame = night.reduced["OBJECT_RED"][0]
    images = night.reduced["IMAGE_FOV"][:2]
    cube = tmp_path_factory.mktemp("cube") / "C.fits"
    assert main(["cube", str(tables[0]), "-o", str(cube), "--threads", "1"]) == 0
    return {
        "survey": lambda o: ["survey", tables[0].parent, "-o", o / "m.csv"],
        "inspect": lambda o: ["inspect", frame, "-o", o / "i.csv"],
        "nans": lambda o: ["nans", cube, "-o", o / "n.csv"],
        "offsets": lambda o: ["offsets", *images, "-o", o / "L.fits"],
        "combine": lambda o: ["combine", *tables, "-o", o / "C.fits", "--threads", "1"],
        "simulate": lambda o: ["simulate", o, "--exposures", "1"],
    }


COMMANDS = ("survey", "inspect", "nans", "offsets", "combine", "simulate")


def run(words: list[object], limit: int | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command in a process whose files may have `limit` bytes, as on a disk that is full beyond them."""

    def small_files() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    command = [sys.executable, "-m", "muse_nb", *map(str, words)]
    whole_code = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}  # Python itself would keep the bytecode that did not fit
    return subprocess.run(command, capture_output=True, text=True, preexec_fn=small_files, env=whole_code)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_full_disk_is_one_sentence_and_leaves_nothing_half(name: str, commands, tmp_path: Path) -> None:
    ended = run(commands[name](tmp_path), limit=100)
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert len([line for line in ended.stderr.splitlines() if "cannot be written" in line]) == 1
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("part", [0, 1, 2879, 5760])
def test_the_disk_is_full_at_any_write(part: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The write that fails is the one behind `part` bytes, the one of fsync, or the rename."""
    path = tmp_path / "a"
    for fails in ("write", "fsync", "link"):

        def full(*_: object, **__: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch, pytest.raises(MuseError, match=r"a cannot be written: No space left"):  # noqa: PT012
            if fails == "fsync":
                patch.setattr(os, "fsync", full)
            elif fails == "link":
                patch.setattr(os, "link", full)
                patch.setattr(Path, "replace", full)
            with atomic_write(path) as temporary:
                temporary.write_bytes(b"x" * part)
                if fails == "write":
                    full()
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", COMMANDS)
def test_a_folder_that_cannot_be_made_is_one_sentence(name: str, commands, tmp_path: Path, capsys) -> None:
    """A file is in the place of the folder: refused for root as well, whom no read-only mode stops."""
    (tmp_path / "out").write_text("a file")
    assert main([str(word) for word in commands[name](tmp_path / "out")]) == 1
    err = capsys.readouterr().err
    assert [line for line in err.splitlines() if "cannot be" in line]
    assert "Traceback" not in err
    assert (tmp_path / "out").read_text() == "a file"


def test_a_lock_of_a_run_that_is_gone_does_not_stop_the_next(tmp_path: Path) -> None:
    from muse_nb.steps.offsets.picks import empty_picks, read_picks, save_picks

    (tmp_path / ".picks.ecsv.lock").write_text("")  # as a network file system leaves it
    old = tmp_path / f"{PREFIX}00000000.1-abc"
    old.mkdir()
    (old / "lock").write_text("")
    os.utime(old, (0, 0))  # one of the last minute may be about to be locked
    save_picks(tmp_path / "picks.ecsv", empty_picks())
    assert len(read_picks(tmp_path / "picks.ecsv")) == 0
    with work_folder(tmp_path) as work:
        assert work.is_dir()
    assert not old.exists()


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    with work_folder(tmp_path) as first, work_folder(tmp_path):
        assert first.is_dir()


def test_of_two_writers_one_wins_and_the_other_is_told(tmp_path: Path) -> None:
    path, ready, told = tmp_path / "L.fits", threading.Barrier(4), []

    def write(number: int) -> None:
        offsets = OffsetList((f"2014-07-27T03:12:0{number}.000",), (0.0,), (0.0,), (0.0,), (float("nan"),))
        ready.wait()
        try:
            offsets.write(path)
            told.append("written")
        except MuseError as error:
            told.append(str(error))

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told.count("written") == 1
    assert all("there" in text or "another process" in text for text in told if text != "written")
    assert len(OffsetList.read(path).date_obs) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["L.fits"]


@pytest.mark.parametrize("name", ["combine", "simulate"])
def test_ctrl_c_at_the_shell_ends_in_a_word_and_leaves_nothing(name: str, commands, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "muse_nb", *map(str, commands[name](tmp_path / "out"))]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not (tmp_path / "out").exists():
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode in (130, 0)
    assert "Traceback" not in err
    left = [path for path in (tmp_path / "out").rglob(".*") if HIDDEN.match(path.name)]
    assert [path for path in left if not path.name.startswith(".part-C.fits")] == []  # kept for a rerun


@pytest.mark.eso
def test_a_recipe_that_hangs_is_stopped(night, tmp_path: Path) -> None:
    table = night.reduced["PIXTABLE_REDUCED"][0]
    with pytest.raises(RecipeError, match="time limit"):
        run_recipe("muse_scipost_make_cube", {"PIXTABLE_OBJECT": table}, output=tmp_path / "out", timeout=0.5)
    assert [path.suffix for path in (tmp_path / "out").iterdir()] == [".log"]


@pytest.mark.eso
def test_recipes_run_after_the_threads_of_our_kernels(night, tmp_path: Path) -> None:
    """python-cpl forks, and hangs where OpenMP threads have run: it does so in a process of its own."""
    tables = write_tables(tmp_path / "in", 2, ROWS, ifus=2)
    assert main(["combine", *map(str, tables), "-o", str(tmp_path / "a" / "C.fits"), "--threads", "4"]) == 0
    more = ["--engine", "eso", "-o", str(tmp_path / "b" / "C.fits")]
    assert main(["combine", *map(str, tables), *more]) == 0
