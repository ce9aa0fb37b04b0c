"""A command in a process group of its own: watched, limited in time, stopped whole, never left behind."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event

__all__ = ["Ended", "die_with_parent", "run"]

_LOOK = 0.05  # seconds between two looks at the process
_PR_SET_PDEATHSIG = 1


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
        Largest resident size of the process and its children together [byte].
    stopped : str
        Why we stopped it: ``cancelled``, ``time limit``, or empty.
    """

    code: int
    seconds: float
    cpu_seconds: float
    peak_memory: int
    stopped: str


def run(
    command: Sequence[str],
    *,
    folder: Path,
    output: Path,
    env: dict[str, str],
    timeout: float | None = None,
    cancel: Event | None = None,
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
    started, stopped, peak = time.monotonic(), "", 0
    with output.open("wb") as sink, output.open("rb") as tail:
        process = subprocess.Popen(
            list(command),
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent if sys.platform == "linux" else None,
        )
        try:
            while True:
                pid, status, usage = os.wait4(process.pid, os.WNOHANG)
                if pid:
                    break
                peak = max(peak, _resident(process.pid))
                if cancel is not None and cancel.is_set():
                    stopped = "cancelled"
                elif timeout is not None and time.monotonic() - started > timeout:
                    stopped = "time limit"
                if stopped:
                    _stop(process.pid)
                _pass_on(tail, on_text)
                time.sleep(_LOOK)
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            if process.returncode is None:
                _stop(process.pid)
                with suppress(ChildProcessError):
                    os.waitpid(process.pid, 0)
                process.returncode = -signal.SIGKILL
            _stop(process.pid)  # grandchildren that outlived it
        _pass_on(tail, on_text)
    own = usage.ru_maxrss * (1024 if sys.platform == "linux" else 1)
    cpu = usage.ru_utime + usage.ru_stime
    return Ended(process.returncode, time.monotonic() - started, cpu, max(peak, own), stopped)


def _pass_on(tail: object, on_text: Callable[[str], object] | None) -> None:
    text = tail.read().decode("utf-8", "replace")  # type: ignore[attr-defined]
    if text and on_text is not None:
        on_text(text)


def _stop(group: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _resident(pid: int) -> int:
    """Resident memory of a process and its descendants [byte]."""
    import psutil

    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
    except psutil.Error:
        return 0
    total = 0
    for member in family:
        with suppress(psutil.Error):
            total += member.memory_info().rss
    return total


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent dies, even by kill -9; keep core dumps off the disk."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


_libc = ctypes.CDLL(None)
