"""The set-up unpacks what the system lacks below .venv and leaves the system as it is; the recipes are found there."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from muse_nb.recipes import backends

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "recipes.sh"
# an apt that has all packages but cpl-plugin-muse, which is Debian 12's; it notes how it is called
APT = """#!/bin/sh
work=$(dirname "$APT_CONFIG")
[ "$(basename "$0")" = dpkg-query ] || echo "$(basename "$0") $*" >>"$NOTES"
case "$(basename "$0") $*" in
  *indextargets*) echo "Debian Debian http://mirror.example/debian/" ;;
  "apt-cache show cpl-plugin-muse") [ ! -e "$work/sources/debian12.list" ] || echo Package: cpl-plugin-muse ;;
  "apt-cache show"*) echo Package: any ;;
  "dpkg-query"*zlib1g) echo installed ;;
  *download-only*) cp "$DEBS"/*.deb "$work/archives/"; cp -r "$work/sources" "$work/apt.conf" "$SEEN" ;;
esac
"""


@pytest.fixture
def apt(tmp_path: Path) -> dict[str, str]:
    """Environment with that apt, and packages that it has fetched."""
    if not shutil.which("dpkg-deb"):
        pytest.skip("no dpkg-deb here")
    folders = {name: tmp_path / name for name in ("bin", "debs", "seen")}
    for folder in folders.values():
        folder.mkdir()
    for name in ("apt-get", "apt-cache", "apt-config", "dpkg-query"):
        (folders["bin"] / name).write_text(APT)
        (folders["bin"] / name).chmod(0o755)
    for name in ("cpl-plugin-muse", "libc6", "zlib1g"):
        tree = tmp_path / name
        (tree / "DEBIAN").mkdir(parents=True)
        control = (
            f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: none <none@example>\nDescription: none\n"
        )
        (tree / "DEBIAN" / "control").write_text(control)
        (tree / "usr/lib").mkdir(parents=True)
        (tree / "usr/lib" / f"{name}.so").touch()
        subprocess.run(["dpkg-deb", "--build", tree, folders["debs"] / f"{name}.deb"], check=True, capture_output=True)
    return os.environ | {
        "PATH": f"{folders['bin']}:{os.environ['PATH']}",
        "NOTES": str(tmp_path / "notes"),
        "DEBS": str(folders["debs"]),
        "SEEN": str(folders["seen"]),
    }


def run(folder: Path, env: dict[str, str], *packages: str) -> str:
    done = subprocess.run(["bash", SCRIPT, folder, *packages], env=env, capture_output=True, text=True, check=True)
    return done.stderr


def test_what_the_release_lacks_comes_from_debian_12_and_nothing_is_installed(apt: dict[str, str], tmp_path: Path):
    folder = tmp_path / "venv" / "recipes"
    folder.parent.mkdir()
    said = run(folder, apt, "esorex", "cpl-plugin-muse")
    assert said == "set-up: this release has no cpl-plugin-muse: taking Debian 12's\n"
    line = (tmp_path / "seen" / "sources" / "debian12.list").read_text()
    assert line.startswith("deb [signed-by=/")
    assert line.endswith("] http://mirror.example/debian/ bookworm main\n")
    assert "trusted=yes" not in line
    calls = Path(apt["NOTES"]).read_text().splitlines()
    installs = [call for call in calls if " install " in call]
    assert len(installs) == 1
    assert all("--download-only" in call for call in installs)
    assert {call.split()[1] for call in calls} == {"dump", "update", "show", "indextargets", "install"}
    settings = (tmp_path / "seen" / "apt.conf").read_text()
    for name in ("Dir::State", "Dir::Cache", "Dir::State::lists", "Dir::Cache::archives", "Dir::Etc::sourceparts"):
        assert f'{name} "{tmp_path}' in settings
    assert (folder / "usr/lib/cpl-plugin-muse.so").exists()
    assert not (folder / "usr/lib/libc6.so").exists(), "a C library beside the system's loader crashes"
    assert not (folder / "usr/lib/zlib1g.so").exists(), "what the system has stays the system's"
    assert list(folder.parent.iterdir()) == [folder], "apt's lists and cache are left behind"


def test_what_is_unpacked_already_is_not_fetched_again(apt: dict[str, str], tmp_path: Path):
    run(tmp_path / "recipes", apt, "esorex")
    Path(apt["NOTES"]).unlink()
    run(tmp_path / "recipes", apt, "esorex")
    assert not Path(apt["NOTES"]).exists()
    run(tmp_path / "recipes", apt, "esorex", "libcpl-dev")
    assert "libcpl-dev" in Path(apt["NOTES"]).read_text()


@pytest.fixture
def unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree as the set-up unpacks it, on a machine whose system has no recipes."""
    root = tmp_path / "recipes"
    libraries = root / "usr/lib/some-linux-gnu"
    for name in ("libgsl.so.27", "muse-2.8.7/libmuse.so.43", "cpl/plugins/muse-2.8.7/muse_scibasic.so"):
        (libraries / name).parent.mkdir(parents=True, exist_ok=True)
        (libraries / name).touch()
    (root / "usr/bin").mkdir()
    (root / "usr/bin/esorex").touch(mode=0o755)
    monkeypatch.setattr(backends, "_UNPACKED", root)
    monkeypatch.setattr(backends, "_USUAL", ("/usr/lib/some-linux-gnu/cpl/plugins",))
    monkeypatch.delenv("ESOREX_RECIPE_DIR", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("LD_LIBRARY_PATH", "/their/own")
    backends.available.cache_clear()
    yield root
    backends.available.cache_clear()


def test_both_back_ends_find_what_was_unpacked(unpacked: Path):
    libraries = unpacked / "usr/lib/some-linux-gnu"
    env = backends.environment()
    assert env["ESOREX_RECIPE_DIR"] == str(libraries / "cpl/plugins")
    assert backends.esorex_command() == ["esorex", f"--recipe-dir={env['ESOREX_RECIPE_DIR']}"]
    assert env["LD_LIBRARY_PATH"] == f"{libraries}:{libraries / 'muse-2.8.7'}:/their/own"
    assert shutil.which("esorex", path=env["PATH"]) == str(unpacked / "usr/bin/esorex")
    assert backends.library("muse_scibasic") == libraries / "cpl/plugins/muse-2.8.7/muse_scibasic.so"
    assert backends.available()["esorex"] == backends.Backend("esorex", True, "MUSE pipeline 2.8.7")


def test_a_system_that_has_the_recipes_keeps_its_own(unpacked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    system = tmp_path / "system"
    (system / "muse-2.9.0").mkdir(parents=True)
    (system / "muse-2.9.0" / "muse_scibasic.so").touch()
    (tmp_path / "esorex").touch(mode=0o755)
    monkeypatch.setenv("ESOREX_RECIPE_DIR", str(system))
    env = backends.environment()
    assert env["LD_LIBRARY_PATH"] == "/their/own"
    assert env["PATH"] == str(tmp_path)
    assert env["ESOREX_RECIPE_DIR"] == str(system)
    assert backends.available()["esorex"].detail == "MUSE pipeline 2.9.0"
