"""Protects against ``kill -9`` while files come: none is lost or half there, a rerun completes and gets none twice."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

from holdings import frame
from server import Remote, Server, State

KILLS = 6
NAMES = [f"MUSE.2014-07-27T04:0{n}:00.000" for n in range(4)]
FETCH = """
import sys
from muse_nb.archive.fetch import fetch
from muse_nb.archive.listing import ArchiveFile, Listing
folder, url, *names = sys.argv[1:]
fetch(folder, Listing(tuple(ArchiveFile(name, "SCIENCE", "OBJECT") for name in names)), archive=url, workers=2)
"""


def start(server: Server, folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", FETCH, str(folder), server.url, *NAMES])


def size(folder: Path, name: str) -> int:
    """Bytes that are there of a file that was begun."""
    part = folder / f".fetch-{name}"
    return part.stat().st_size if part.exists() else 0


def gone_on(state: State, begun: dict[str, int]) -> None:
    """Every file that was begun was asked for from the byte at which it broke off."""
    for name, start in begun.items():
        asked = [headers.get("Range") for _, path, headers in state.requests if path.endswith(name)]
        assert asked[:1] in ([], [f"bytes={start}-"])


def test_killed_again_and_again(server: Server, state: State, tmp_path: Path, record_property) -> None:
    chance = random.Random(3)
    for number, name in enumerate(NAMES):
        content = frame(name, number) + b"\0" * 2880 * 300
        state.files[name] = Remote(f"{name}.fits.fz", content, etag=f'"{number}"' if number % 2 else "")
    total = sum(state.files[name].size for name in NAMES)
    state.pace = 0.004
    folder = tmp_path / "raw"
    folder.mkdir()
    (folder / "precious.txt").write_text("mine")
    whole: set[str] = set()
    begun: dict[str, int] = {}
    for _ in range(KILLS):
        state.requests.clear()
        before = sum(state.sent.values())
        child = start(server, folder)
        aim = chance.uniform(0, 0.3) * total
        while child.poll() is None and sum(state.sent.values()) - before < aim:
            time.sleep(0.001)
        child.kill()
        child.wait()
        gone_on(state, begun)
        begun = {name: size(folder, name) for name in NAMES if 0 < size(folder, name) < state.files[name].size}
        for path in folder.glob("[!.]*"):
            name = path.name.removesuffix(".fits.fz")
            if name in NAMES:
                assert path.read_bytes() == state.files[name].content, "half of it has the name"
                whole.add(name)
    state.requests.clear()
    state.pace = 0.0
    assert start(server, folder).wait() == 0
    asked = {path.rsplit("/", 1)[1] for _, path, _ in state.requests if "/dataPortal/" in path}
    gone_on(state, begun)
    assert not asked & whole, "what was whole was asked for again"
    assert {path.name for path in folder.iterdir()} == {"precious.txt", *(f"{name}.fits.fz" for name in NAMES)}
    assert all((folder / f"{name}.fits.fz").read_bytes() == state.files[name].content for name in NAMES)
    times = sum(state.sent[name] for name in NAMES) / total
    record_property("counted", f"fetch: {KILLS} kills, {times:.2f} times the bytes of the files were sent")
