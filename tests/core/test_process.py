"""Protects the machine: whatever is started ends, in time and whole, and says what it took."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import psutil
import pytest

from muse_nb.core.process import dies_with_parent, run

CHILD = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
FAMILY = CHILD + "time.sleep({})"


def start(code: str, folder, **options):
    return run([sys.executable, "-c", code], folder=folder, output=folder / "log", env=dict(os.environ), **options)


def working_in(folder) -> int:
    count = 0
    for process in psutil.process_iter():
        try:
            count += process.status() != psutil.STATUS_ZOMBIE and process.cwd() == str(folder.resolve())
        except psutil.Error:
            continue
    return count


def test_what_it_took(tmp_path):
    told: list[str] = []
    ended = start(
        "b = bytearray(150_000_000); print('æ done'); import time; time.sleep(0.4)", tmp_path, on_text=told.append
    )
    assert ended.code == 0
    assert ended.stopped == ""
    assert "".join(told) == "æ done\n"
    assert 150e6 < ended.peak_memory < 300e6
    assert 0.4 < ended.seconds < 20
    assert ended.cpu_seconds > 0


@pytest.mark.parametrize("how", ["time limit", "cancelled", "exception"])
def test_stopped_with_its_children(tmp_path, how):
    cancel = threading.Event()
    if how == "exception":

        def on_text(text: str) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            start("print(1, flush=True);" + FAMILY.format(60), tmp_path, on_text=on_text)
    else:
        threading.Timer(0.5, cancel.set).start()
        limit = 0.5 if how == "time limit" else None
        ended = start(FAMILY.format(60), tmp_path, timeout=limit, cancel=cancel if limit is None else None)
        assert ended.stopped == how
        assert ended.code == -signal.SIGKILL
    time.sleep(0.1)
    assert working_in(tmp_path) == 0


def test_children_that_outlive_it_are_ended(tmp_path):
    assert start(FAMILY.format(0), tmp_path).code == 0
    time.sleep(0.1)
    assert working_in(tmp_path) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's death signal is Linux's")
def test_dies_when_its_parent_is_killed(tmp_path):
    parent = psutil.Popen(
        [
            sys.executable,
            "-c",
            "import subprocess, time; from muse_nb.core.process import dies_with_parent;"
            "subprocess.Popen(dies_with_parent(['sleep', '60']), start_new_session=True); time.sleep(60)",
        ],
        cwd=tmp_path,
    )
    deadline = time.monotonic() + 20
    while working_in(tmp_path) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert working_in(tmp_path) == 2
    time.sleep(0.3)  # the launcher asks for the signal before it becomes the program
    parent.kill()
    parent.wait()
    while working_in(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert working_in(tmp_path) == 0


def test_launcher_gives_up_when_the_parent_is_gone(tmp_path):
    command = dies_with_parent(["touch", str(tmp_path / "started")])
    command[4] = "1"  # a parent that is not ours
    ended = run(command, folder=tmp_path, output=tmp_path / "log", env=dict(os.environ))
    assert ended.code == 1
    assert not (tmp_path / "started").exists()


def test_peak_memory_is_that_of_the_work_and_not_of_the_process() -> None:
    code = (
        "import numpy as np\n"
        "from muse_nb.core.process import PeakMemory\n"
        "held, gone = np.ones(30_000_000), np.ones(60_000_000)\n"
        "del gone\n"
        "with PeakMemory() as memory:\n"
        "    work = np.ones(15_000_000)\n"
        "    del work\n"
        "    import time\n"
        "print(memory.peak)\n"
        "with PeakMemory() as memory:\n"
        "    work = np.ones(120_000_000)\n"
        "    del work\n"
        "print(memory.peak)\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    small, large = map(int, said.split())
    assert 75e6 < small < 220e6  # 120 MB and the interpreter, if it was seen; not the 240 MB held, nor the 480 MB gone
    assert 900e6 < large < 1100e6
