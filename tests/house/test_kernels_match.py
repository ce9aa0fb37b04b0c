"""Kernels compiled from other C sources than those beside the Python code are refused in one sentence, not called."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import muse_nb
from muse_nb.kernels import library
from muse_nb.kernels.sources import digest

CALL = "from muse_nb.kernels import library; library(); print('loaded')"


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of the package with its kernels, as another version of it may lie on a disk."""
    package = Path(muse_nb.__file__).parent
    copy = tmp_path / "house" / "muse_nb"
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def run(house: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        env=os.environ | {"PYTHONPATH": str(house.parent)},
        cwd=house.parent,
        capture_output=True,
        text=True,
    )


def test_the_kernels_here_are_those_of_the_sources_here() -> None:
    assert library().kernel_sources
    assert len(digest(Path(muse_nb.__file__).parent / "kernels")) == 16


def test_a_copy_of_the_house_loads_its_own_kernels(house: Path) -> None:
    ended = run(house, "-c", CALL + "; import muse_nb; print(muse_nb.__file__)")
    assert ended.stdout.split() == ["loaded", str(house / "__init__.py")], ended.stderr


@pytest.mark.parametrize("change", ["load.c", "stream.h", "new.h"])
def test_changed_sources_are_refused_until_they_are_compiled(house: Path, change: str) -> None:
    with (house / "kernels" / change).open("a") as file:
        file.write("\n// one member more\n")
    ended = run(house, "-c", CALL)
    assert ended.returncode == 1
    assert "KernelsError: " in ended.stderr
    assert "compiled from other C sources" in ended.stderr.splitlines()[-1]
    assert "make setup" in ended.stderr.splitlines()[-1]


def test_the_command_says_it_in_one_line(house: Path, tmp_path: Path) -> None:
    from benchmarks.tables import write_tables

    (house / "kernels" / "drizzle.c").write_text("// another\n")
    (table,) = write_tables(tmp_path, 1, 7200, ifus=1)
    ended = run(house, "-m", "muse_nb", "cube", str(table), "-o", str(tmp_path / "C.fits"))
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1
    assert ended.stderr.startswith("muse-nb cube: ")
    assert "compiled from other C sources" in ended.stderr
    assert not (tmp_path / "C.fits").exists()


def test_kernels_from_before_there_was_a_digest_are_refused(house: Path) -> None:
    """Any other shared library stands for them: it lacks the name."""
    (core,) = (house / "kernels").glob("_core*.so")
    other = find_spec("_ctypes")
    assert other is not None
    shutil.copy(str(other.origin), core)
    ended = run(house, "-c", CALL)
    assert "KernelsError: " in ended.stderr
    assert "compiled from other C sources" in ended.stderr.splitlines()[-1]


@pytest.mark.parametrize("content", [None, b"\x7fELF no more"])
def test_kernels_that_are_missing_or_broken_are_one_sentence(house: Path, content: bytes | None) -> None:
    (core,) = (house / "kernels").glob("_core*.so")
    core.unlink()
    if content:
        core.write_bytes(content)
    ended = run(house, "-c", CALL)
    assert "KernelsError: the C kernels of muse_nb" in ended.stderr
    assert "make setup" in ended.stderr.splitlines()[-1]


def test_an_install_without_the_sources_beside_it_still_loads(house: Path) -> None:
    for path in (house / "kernels").glob("*.[ch]"):
        path.unlink()
    assert run(house, "-c", CALL).stdout.split() == ["loaded"]
