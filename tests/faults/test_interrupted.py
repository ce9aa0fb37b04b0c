"""Ctrl-C in a notebook and at the shell: no orphan, no temporary folder, outputs whole or absent, a rerun completes."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager
from rows import ROWS

from benchmarks.kills import HIDDEN, NOTEBOOK
from benchmarks.tables import write_tables

LIMIT = 90  # seconds for what takes a few
BEGUN, AGAIN = "begun", "again"
PICTURE = "import os, time; fresh = not os.path.exists('begun'); open('begun', 'w').close(); fresh and time.sleep(60)"


@dataclass(frozen=True)
class Work:
    """What is interrupted: code of a cell, words of a command, and when it is in the middle of it."""

    code: str
    words: list[object]
    begun: Callable[[Path], bool]
    made: str


def has(pattern: str) -> Callable[[Path], bool]:
    return lambda folder: next(folder.glob(pattern), None) is not None


@pytest.fixture(scope="module")
def works(night, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Work]:
    tables = write_tables(tmp_path_factory.mktemp("tables"), 2, 40 * ROWS, ifus=2)
    table, raw, calib = night.reduced["PIXTABLE_REDUCED"][0], night.raw[0], night.folder / "calib"
    small = write_tables(tmp_path_factory.mktemp("small"), 2, ROWS, ifus=2)
    slowly = f"progress=lambda *_: os.path.exists('{AGAIN}') or time.sleep(0.3), threads=1, memory=90e6"
    return {
        "combine": Work(
            f"muse_nb.combine({[str(t) for t in tables]}, output='out/C.fits', force=True, {slowly})",
            ["combine", *tables, "-o", "out/C.fits", "--threads", "1", "--force"],
            has("out/.part-*"),
            "out/C.fits",
        ),
        "recipe": Work(
            f"muse_nb.run_recipe('muse_scipost_make_cube', {{'PIXTABLE_OBJECT': {str(table)!r}}}, output='out')",
            ["combine", *small, "-o", "out/DATACUBE_FINAL.fits", "--engine", "eso", "--force"],
            has("out/.muse_nb-*/log"),
            "out/DATACUBE_FINAL.fits",
        ),
        "reduce": Work(
            f"muse_nb.reduce({str(raw)!r}, {str(calib)!r}, 'out', ifus=[12], sky='none')",
            ["reduce", raw, "--calib", calib, "-o", "out", "--ifu", "12", "--sky", "none"],
            has("out/*/.muse_nb-*/*/.muse_nb-*/log"),
            "out/*/DATACUBE_FINAL.fits",
        ),
        "share": Work(
            "muse_nb.share('book.ipynb', 'out', force=True)",
            ["share", "book.ipynb", "-o", "out", "--force"],
            has(BEGUN),
            "out/book.html",
        ),
        "simulate": Work(
            "muse_nb.simulate('out', 2)",
            ["simulate", "out", "--exposures", "2"],
            has("out/calib/*.fits"),  # before, astropy may take it for an error of an empty column and go on
            "out/raw/*.fits",
        ),
    }


NAMES = [
    *("combine", "share", "simulate"),
    *(pytest.param(name, marks=pytest.mark.eso) for name in ("recipe", "reduce")),
]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A working folder with a notebook that takes its time once, and a folder for temporary files.

    Its name is short: a kernel's sockets would else lie elsewhere, where nobody would look for what is left.
    """
    book = json.loads(json.dumps(NOTEBOOK))
    book["cells"][0] |= {"source": PICTURE, "outputs": [], "execution_count": None}
    (tmp_path / "book.ipynb").write_text(json.dumps(book))
    with tempfile.TemporaryDirectory(prefix="i", dir="/tmp") as short:
        (tmp_path / "tmp").symlink_to(short)
        yield tmp_path


@pytest.fixture
def environment(place: Path) -> dict[str, str]:
    """Environment whose processes can be told from all others."""
    return os.environ | {
        "TMPDIR": str((place / "tmp").resolve()),
        "MUSE_NB_MARK": uuid.uuid4().hex,
        "MPLBACKEND": "Agg",
    }


def marked(environment: dict[str, str]) -> list[int]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("MUSE_NB_MARK") == environment["MUSE_NB_MARK"]:
                found += [process.pid] * (process.status() != psutil.STATUS_ZOMBIE)
        except psutil.Error:
            continue
    return found


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def left(place: Path, *kept: str) -> list[str]:
    """Temporary files and folders; a combine's own, from which a rerun goes on, are meant to stay."""
    hidden = [path.name for path in place.rglob(".*") if HIDDEN.match(path.name)]
    unfinished = {f".part-{name}{end}" for name in ("C.fits", *kept) for end in ("", ".journal")}
    return [name for name in hidden if name not in unfinished] + [p.name for p in (place / "tmp").iterdir()]


@pytest.fixture
def kernel(place: Path, environment: dict[str, str]) -> Iterator[tuple[KernelManager, BlockingKernelClient]]:
    """A notebook's kernel, by pipes in a folder rather than ports."""
    manager = KernelManager(kernel_name="python3", transport="ipc", connection_file=str(place / "k.json"))
    manager.start_kernel(cwd=str(place), env=environment)
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=LIMIT)
        yield manager, client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@pytest.mark.parametrize("name", NAMES)
def test_ctrl_c_in_a_notebook(name: str, works: dict[str, Work], place: Path, kernel, environment) -> None:
    manager, client = kernel
    work, own = works[name], manager.provisioner.process.pid
    assert ended(client, client.execute("import muse_nb, os, time, warnings; warnings.simplefilter('ignore')")) == "ok"
    asked = client.execute(f"_ = {work.code}")
    until(lambda: work.begun(place))
    manager.interrupt_kernel()
    assert ended(client, asked) == "KeyboardInterrupt"
    until(lambda: marked(environment) == [own])
    assert left(place) == []
    assert not has(work.made)(place)
    (place / AGAIN).touch()
    assert ended(client, client.execute(f"_ = {work.code}")) == "ok"
    assert has(work.made)(place)
    assert left(place) == []


def ended(client: BlockingKernelClient, asked: str) -> str:
    """How a cell ended: ok, or the name of its error."""
    while True:
        answer = client.get_shell_msg(timeout=LIMIT)
        if answer["parent_header"].get("msg_id") == asked:
            return str(answer["content"].get("ename", "ok"))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("how", ["Ctrl-C", "kill", "to another thread"])
def test_ctrl_c_at_the_shell(name: str, how: str, works: dict[str, Work], place: Path, environment) -> None:
    work = works[name]
    command = [sys.executable, "-m", "muse_nb", *map(str, work.words)]
    process = subprocess.Popen(
        command, cwd=place, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    until(lambda: work.begun(place) or process.poll() is not None)
    interrupt(process, how)
    _, err = process.communicate(timeout=LIMIT)
    late = process.returncode == 0  # it had just ended
    assert late or process.returncode in (130, -signal.SIGINT), err  # the same to a shell
    assert late or err.splitlines()[-1] == f"muse-nb {work.words[0]}: interrupted"
    assert "Traceback" not in err
    until(lambda: marked(environment) == [])
    assert left(place) == []
    assert has(work.made)(place) is late
    again = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert has(work.made)(place)
    assert left(place) == []


def interrupt(process: subprocess.Popen[str], how: str) -> None:
    if how == "to another thread":  # than the main one, as the system may choose
        threads = [int(path.name) for path in Path(f"/proc/{process.pid}/task").glob("*")]
        ctypes.CDLL(None).tgkill(process.pid, max(threads, default=process.pid), signal.SIGTERM)
    else:
        process.send_signal(signal.SIGINT if how == "Ctrl-C" else signal.SIGTERM)


CUBES = ("DATACUBE_FINAL.fits", "DATACUBE_without_offsets.fits")
STAGES = [
    pytest.param("own", "night/reduced/*/.part-DATACUBE_FINAL.fits", id="cubes"),
    pytest.param("own", "products/.part-DATACUBE*.fits", id="combine"),
    pytest.param("own", "../tmp/muse_nb-*/.muse_nb-*/kernel.json", id="pages"),
    pytest.param("eso", "night/reduced/*/.muse_nb-*/*/.muse_nb-*/log", id="recipes", marks=pytest.mark.eso),
]


@pytest.fixture(scope="module")
def begun_demo(night, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo's folder with its night, in which each stage is interrupted in turn: the next run goes on from there."""
    folder = tmp_path_factory.mktemp("demo")
    shutil.copytree(night.folder, folder / "night")
    shutil.rmtree(folder / "night" / "reduced")
    shutil.copytree(night.folder / "reduced", folder / "night" / "reduced", ignore=shutil.ignore_patterns("DATACUBE*"))
    return folder


@pytest.mark.parametrize(("engine", "begun"), STAGES)
def test_ctrl_c_in_the_demo(engine: str, begun: str, begun_demo: Path, place: Path, environment) -> None:
    out = begun_demo if engine == "own" else place / "out"
    if engine == "eso":
        for part in ("raw", "calib", "truth"):
            shutil.copytree(begun_demo / "night" / part, out / "night" / part)
    else:
        (place / "out").symlink_to(out)
    words = [sys.executable, "-m", "muse_nb", "demo", "-o", "out", "--exposures", "4", "--engine", engine]
    process = subprocess.Popen(
        words, cwd=place, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    look = has(begun.removeprefix("../")) if begun.startswith("..") else has(f"out/{begun}")
    until(lambda: look(place) or process.poll() is not None)
    process.send_signal(signal.SIGINT)
    said, err = process.communicate(timeout=LIMIT)
    assert process.returncode in (130, -signal.SIGINT), said + err
    assert err.splitlines()[-1] == "muse-nb demo: interrupted"
    assert "Traceback" not in err
    until(lambda: marked(environment) == [])
    assert left(out.parent if engine == "eso" else place, *CUBES) == []
    assert [
        name for name in map(str, out.rglob(".*")) if HIDDEN.match(Path(name).name) and ".part-DATACUBE" not in name
    ] == []
    assert not (out / "index.html").exists()


@pytest.mark.parametrize("wait", [0.0, 0.2, 0.6])
def test_ctrl_c_while_the_processes_start(wait: float, place: Path, environment) -> None:
    """A process that is not yet in its notebook would die of it with a traceback, and the pool kill the others."""
    shutil.copy(place / "book.ipynb", place / "other.ipynb")
    words = [sys.executable, "-m", "muse_nb", "share", "book.ipynb", "other.ipynb", "-o", "out", "--force"]
    process = subprocess.Popen(
        words, cwd=place, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    until(lambda: len(marked(environment)) >= 4 or process.poll() is not None)  # with multiprocessing's own
    time.sleep(wait)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=LIMIT)
    assert process.returncode in (130, -signal.SIGINT), err
    assert err.splitlines() == ["muse-nb share: interrupted"]
    until(lambda: marked(environment) == [])
    assert left(place) == []


@pytest.mark.browser
def test_ctrl_c_while_a_page_is_printed(place: Path, environment) -> None:
    """The page stays, whole; Chromium and its profile go; a rerun prints it."""
    from muse_nb.sharing.pdf import chromium

    if not chromium():
        pytest.skip("Chromium is not installed")
    words = [sys.executable, "-m", "muse_nb", "share", "book.ipynb", "-o", "out", "--no-run", "--pdf", "--force"]
    process = subprocess.Popen(
        words, cwd=place, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    until(lambda: has("tmp/muse_nb-*/.muse_nb-*/Default")(place) or process.poll() is not None)
    assert len(marked(environment)) > 1
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=LIMIT)
    assert process.returncode in (130, -signal.SIGINT), err
    assert err.splitlines()[-1] == "muse-nb share: interrupted"
    until(lambda: marked(environment) == [])
    assert left(place) == []
    assert has("out/book.html")(place)
    assert not has("out/book.pdf")(place)
    again = subprocess.run(words, cwd=place, env=environment, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert (place / "out" / "book.pdf").read_bytes().startswith(b"%PDF-")
    assert marked(environment) == []
    assert left(place) == []
