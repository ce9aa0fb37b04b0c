"""A command in a process group of its own: watched, limited in time, stopped whole, never left behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

__all__ = ["Ended", "PeakMemory", "Stop", "dies_with_parent", "run"]

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


class PeakMemory:
    """Measure, as a context, what work takes in this process at its largest, not what the process held before.

    Attributes
    ----------
    peak : int
        What the work added, and an interpreter with its libraries: what the process held when it began, of which no
        more is counted than `INTERPRETER`.
    """

    INTERPRETER = 80_000_000

    def __enter__(self) -> PeakMemory:
        """Begin."""
        self._mark, self._start = _status("VmHWM"), _resident()
        self._largest, self._done = self._start, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._done.set()
        self._thread.join()

    @property
    def peak(self) -> int:
        """See above; it may be asked for while the work goes on."""
        mark = _status("VmHWM")  # exact where this work has raised it; else what was seen from time to time
        largest = max(self._largest, mark if mark > self._mark else 0, _resident())
        return largest - self._start + min(self._start, self.INTERPRETER)

    def _look(self) -> None:
        while not self._done.wait(_LOOK):
            self._largest = max(self._largest, _resident())


def _resident() -> int:
    """Resident size of this process [byte]."""
    return _status("VmRSS") or (_peak_elsewhere(os.getpid()) if sys.platform != "linux" else 0)


def _status(name: str) -> int:
    """A size that Linux tells of this process [byte]; 0 elsewhere."""
    with suppress(OSError), Path("/proc/self/status").open() as file:
        return next((int(line.split()[1]) * 1024 for line in file if line.startswith(f"{name}:")), 0)
    return 0


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
