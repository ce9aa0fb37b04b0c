"""The combine on a dask cluster: real scheduler and workers, the bytes of the combine at home, a worker killed."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from astropy.io import fits

from benchmarks.tables import write_tables
from muse_nb import combine
from muse_nb.core.errors import MuseError
from muse_nb.steps.combine.cluster import slabs_of

pytestmark = pytest.mark.filterwarnings("ignore::muse_nb.core.errors.MuseWarning")
pytest.importorskip("distributed")

SLOW = """
import time
import muse_nb.resample.slab_task as task
from muse_nb.resample.unfinished import write_at

def write_slowly(*arguments):
    time.sleep(0.05)
    write_at(*arguments)

task.write_at = write_slowly
"""


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two exposures of 80 planes: ten slabs."""
    return write_tables(tmp_path_factory.mktemp("tables"), 2, 288_000, ifus=1)


class DaskCluster:
    """A scheduler and two workers, processes of their own."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{port}"
        (folder / "slow.py").write_text(SLOW)
        self._log = (folder / "dask.log").open("w")
        self.scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", str(port))
        self.workers = [
            self._start("worker", self.address, "--no-nanny", "--nthreads=1", f"--preload={folder}/slow.py")
            for _ in range(2)
        ]

    def _start(self, what: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "dask", what, "--no-dashboard", *arguments]
        return subprocess.Popen(command, stdout=self._log, stderr=self._log, env=os.environ | {"OMP_NUM_THREADS": "1"})

    def wait_for_workers(self, number: int) -> None:
        from distributed import Client

        with Client(self.address, timeout=30) as client:
            client.wait_for_workers(number, timeout=30)

    def close(self) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()
        self._log.close()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[DaskCluster]:
    made = DaskCluster(tmp_path)
    try:
        made.wait_for_workers(2)
        yield made
    finally:
        made.close()


def command(tables: list[Path], output: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "muse_nb", "combine", *map(str, tables), "-o", str(output), "--json", *more]


def same(ours: Path, theirs: Path) -> bool:
    with fits.open(ours) as a, fits.open(theirs) as b:
        return all(a[name].data.tobytes() == b[name].data.tobytes() for name in ("DATA", "STAT"))


def wait_for_lines(journal: Path, number: int) -> None:
    for _ in range(600):
        if journal.exists() and len(journal.read_text().splitlines()) > number:
            return
        time.sleep(0.05)
    raise AssertionError("no slab was put down within 30 s")


def test_slabs_cover_the_planes_that_are_missing_and_no_others() -> None:
    slabs = slabs_of([range(3, 50), range(70, 71)], 2)
    assert [plane for slab in slabs for plane in slab] == [*range(3, 50), 70]
    assert len(slabs) > 2


def test_a_killed_worker_costs_its_slab_only(tables: list[Path], cluster: DaskCluster, tmp_path: Path) -> None:
    home, away = tmp_path / "home.fits", tmp_path / "away" / "C.fits"
    at_home = combine(tables, output=home)
    names = [Path(path.name) for path in tables]  # relative ones: the workers run elsewhere
    run = subprocess.Popen(
        command(names, away, "--scheduler", cluster.address),
        cwd=tables[0].parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    wait_for_lines(away.with_name(".part-C.fits.journal"), 8)
    cluster.workers[0].send_signal(signal.SIGKILL)
    out, err = run.communicate(timeout=120)
    assert run.returncode == 0, err.decode()
    assert cluster.workers[1].poll() is None
    assert same(home, away)
    result = json.loads(out)
    assert (result["used"], result["flagged"]) == (at_home.used, at_home.flagged)
    assert sorted(path.name for path in away.parent.iterdir()) == ["C.fits", "C_IMAGE_FOV_white.fits"]


def test_a_killed_combine_keeps_the_slabs_of_its_workers(
    tables: list[Path], cluster: DaskCluster, tmp_path: Path
) -> None:
    home, away = tmp_path / "home.fits", tmp_path / "away" / "C.fits"
    run = subprocess.Popen(
        command(tables, away, "--scheduler", cluster.address), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    wait_for_lines(away.with_name(".part-C.fits.journal"), 8)
    run.kill()
    run.wait()
    assert not away.exists()
    made = combine(tables, output=away)  # at home: who made a plane does not matter
    assert any("were kept from an interrupted run" in note for note in made.findings)
    combine(tables, output=home)
    assert same(home, away)


def test_where_no_worker_is_left_a_rerun_makes_the_rest(
    tables: list[Path], cluster: DaskCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("muse_nb.steps.combine.cluster.NO_WORKER_TIMEOUT", 1.0)
    away = tmp_path / "away" / "C.fits"

    def kill_all(what: str, done: int, planes: int) -> None:
        for worker in cluster.workers:
            worker.kill()

    with pytest.raises(MuseError, match="all workers are gone"):
        combine(tables, output=away, scheduler=cluster.address, progress=kill_all)
    assert not away.exists()
    made = combine(tables, output=away, checks=False)
    assert any("were kept from an interrupted run" in note for note in made.findings)


def test_a_local_cluster_makes_the_same_bytes(tables: list[Path], tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    home = combine(tables, output=tmp_path / "home.fits")
    away = combine(tables, output=tmp_path / "away.fits", workers=1, progress=lambda *at: seen.append(at))
    assert same(home.path, away.path)
    assert away.images["white"].read_bytes()[-2880:] == home.images["white"].read_bytes()[-2880:]
    assert seen[-1] == ("planes made", home.shape[0], home.shape[0])
    assert len(seen) > 2


def test_no_scheduler_and_no_workers_are_a_sentence(tables: list[Path], tmp_path: Path) -> None:
    with pytest.raises(MuseError, match="no dask scheduler answers"):
        combine(tables, output=tmp_path / "C.fits", scheduler="tcp://127.0.0.1:9")
    assert not list(tmp_path.iterdir())
