"""Protects against a ``kill -9`` at any moment: nothing half-written, nothing done twice, and the rerun goes on."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from muse_nb.products.fits.blocks import hdus
from muse_nb.steps.calibrate.making.record import read_records

KILLS = int(os.environ.get("MUSE_NB_KILLS", "6"))  # more of them: MUSE_NB_KILLS=50
JOBS = 12


def start(raw: Path) -> subprocess.Popen[bytes]:
    words = ["calibrate", str(raw), "-o", str(raw.parent / "calib"), "--backend", "esorex"]
    return subprocess.Popen(
        [sys.executable, "-m", "muse_nb", *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=os.environ
    )


def whole(folder: Path) -> dict[str, int]:
    """Inodes of the products of jobs that are done, by name: a file that is made again has another."""
    found = {}
    for record in read_records(folder).values():
        there = [folder / file.name for file in record.files]
        if all(
            path.exists() and path.stat().st_mtime_ns == file.mtime
            for path, file in zip(there, record.files, strict=True)
        ):
            found |= {path.name: path.stat().st_ino for path in there}
    return found


def test_killed_at_random_moments_it_goes_on_where_it_was(raw: Path, pretended: Path, monkeypatch) -> None:
    monkeypatch.setenv("PRETEND_SECONDS", "0.02")
    chance, folder, kept = random.Random(21), raw.parent / "calib", dict[str, int]()
    for _ in range(KILLS):
        process = start(raw)
        more = len(pretended.read_text().splitlines()) + chance.randint(0, 2)
        while process.poll() is None and len(pretended.read_text().splitlines()) < more:
            time.sleep(0.002)
        deadline = time.monotonic() + chance.uniform(0, 0.3)
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        for path in folder.glob("*.fits"):
            hdus(path)  # refuses what is cut
        done = whole(folder)
        assert {name: done.get(name) for name in kept} == kept
        kept = done
    process = start(raw)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said.decode()
    done = whole(folder)
    assert {name: done.get(name) for name in kept} == kept
    records = read_records(folder)
    assert len(records) == JOBS
    names = {file.name for record in records.values() for file in record.files}
    assert {path.name for path in folder.glob("*-0?.fits")} <= names
    assert not [path for path in folder.iterdir() if path.name.startswith((".muse_nb-", ".part-"))]
    # a run that was killed before its products had their names was made again, nothing else
    assert JOBS <= len(pretended.read_text().splitlines()) <= JOBS + 2 * KILLS
