"""A command in a process group of its own: watched, limited in time, stopped whole, never left behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

__all__ = ["Ended", "Stop", "dies_with_parent", "run"]

_LOOK = 0.02  # seconds between two looks at the process
_MEASURE = 0.1  # seconds between two looks at its memory
_DYING = 10.0  # seconds at most that a killed process may take to give back its memory


class Stop(Protocol):
    """Anything that can ask a command to stop, a `threading.Event` above all."""

    def is_set(self) -> bool:
        """Whether to stop."""
        ...


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes
    ----------
    code : int
        Exit status; negative: killed by that signal.
    seconds, cpu_seconds : float
        Wall and CPU time [s].
    peak_memory : int
        Largest resident size of the process or one of its children [byte].
    stopped : str
        Why we stopped it: ``cancelled``, ``time limit``, or empty.
    """

    code: int
    seconds: float
    cpu_seconds: float
    peak_memory: int
    stopped: str


def dies_with_parent(command: Sequence[str]) -> list[str]:
    """Put the launcher before a program that would outlive us after a ``kill -9``."""
    launcher = Path(__file__).with_name("launch.py")
    return [sys.executable, "-I", "-S", str(launcher), str(os.getpid()), *command]


def run(
    command: Sequence[str],
    *,
    folder: Path,
    output: Path,
    env: dict[str, str],
    timeout: float | None = None,
    cancel: Stop | None = None,
    on_text: Callable[[str], object] | None = None,
) -> Ended:
    """Run a command to its end.

    Parameters
    ----------
    command
        Program and arguments; no shell is involved.
    folder
        Working folder.
    output
        File that takes what it prints.
    env
        Environment.
    timeout
        Seconds after which it is stopped.
    cancel
        Stops it when set.
    on_text
        Called with every new piece of what it prints.

    Returns
    -------
    Ended
        Also after a stop; an exception here (Ctrl-C included) stops the command first.
    """
    started, measured, stopped, peak = time.monotonic(), 0.0, "", 0
    with output.open("wb") as sink, output.open("rb") as tail:
        process = subprocess.Popen(
            list(command),
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            while True:
                pid, status, usage = os.wait4(process.pid, os.WNOHANG)
                if pid:
                    process.returncode = os.waitstatus_to_exitcode(status)
                    break
                now = time.monotonic()
                if now - measured > _MEASURE:
                    measured, peak = now, max(peak, _peak(process.pid))
                    _pass_on(tail, on_text)
                if cancel is not None and cancel.is_set():
                    stopped = "cancelled"
                elif timeout is not None and now - started > timeout:
                    stopped = "time limit"
                if stopped:
                    _kill(process.pid)
                time.sleep(_LOOK)
        finally:
            _kill(process.pid)  # all of it after an exception; else children that outlived it
            if process.returncode is None:
                with suppress(ChildProcessError):
                    os.waitpid(process.pid, 0)
                process.returncode = -signal.SIGKILL
            _wait_for_all(process.pid)
        _pass_on(tail, on_text)
    cpu = usage.ru_utime + usage.ru_stime
    return Ended(process.returncode, time.monotonic() - started, cpu, peak, stopped)


def _pass_on(tail: BinaryIO, on_text: Callable[[str], object] | None) -> None:
    if on_text is not None and (text := tail.read().decode("utf-8", "replace")):
        on_text(text)


def _kill(group: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _wait_for_all(group: int) -> None:
    """Wait for the last of a killed group: a recipe with gigabytes of memory does not die at once."""
    deadline = time.monotonic() + _DYING
    with suppress(ProcessLookupError, PermissionError):
        while time.monotonic() < deadline:
            os.killpg(group, signal.SIGKILL)
            time.sleep(_LOOK)


def _peak(pid: int) -> int:
    """Largest resident size so far of a process or one of its descendants [byte].

    The kernel's own figure for a child (ru_maxrss) starts from the size of the process that started it, a notebook of
    many gigabytes perhaps; the high-water mark does not.
    """
    largest = 0
    with suppress(OSError):
        status = Path(f"/proc/{pid}/status").read_text()
        if mark := re.search(r"VmHWM:\s*(\d+) kB", status):
            largest = int(mark[1]) * 1024
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                largest = max(largest, _peak(int(child)))
        return largest
    return max(largest, _peak_elsewhere(pid)) if sys.platform != "linux" else largest


def _peak_elsewhere(pid: int) -> int:
    import psutil

    with suppress(psutil.Error):
        process = psutil.Process(pid)
        return max(int(p.memory_info().rss) for p in [process, *process.children(recursive=True)])
    return 0
