"""Work side by side in processes of their own, which Ctrl-C ends in good order."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from threading import Event
from typing import TypeVar

from muse_nb.core.progress import Progress
from muse_nb.core.waiting import as_done

__all__ = ["side_by_side"]

T = TypeVar("T")
R = TypeVar("R")


def side_by_side(
    one: Callable[[T], R], tasks: Sequence[T], jobs: int, progress: Progress | None = None, what: str = "tasks"
) -> list[Future[R]]:
    """Do `one` for every task in at most `jobs` processes; wait until all are done or have failed.

    Ctrl-C is raised in the tasks that are being done, wherever it arrived first; when it is raised here, they have
    cleaned up.
    """
    context = multiprocessing.get_context("spawn")  # a fork would inherit the threads of this process
    others = set(multiprocessing.active_children())
    resource_tracker.ensure_running()  # lets interrupts through while it starts
    with ProcessPoolExecutor(min(jobs, len(tasks)), mp_context=context) as pool:
        try:
            with _interrupts(signal.SIG_BLOCK):  # the processes inherit it
                waiting = [pool.submit(_in_worker, one, task) for task in tasks]
            for done, _ in enumerate(as_done(waiting), 1):
                if progress is not None:
                    progress(what, done, len(tasks))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in set(multiprocessing.active_children()) - others:  # Ctrl-C may have reached us alone
                if worker.pid is not None:
                    with suppress(ProcessLookupError):
                        os.kill(worker.pid, signal.SIGINT)
            raise
    return waiting


_interrupted = Event()  # of a worker, which would take the next task from its queue


def _in_worker(one: Callable[[T], R], task: T) -> R:
    """Do a task, open to Ctrl-C: outside of tasks it would kill this process, and the pool then kills all others."""
    try:
        with _interrupts(signal.SIG_UNBLOCK):
            if _interrupted.is_set():
                raise KeyboardInterrupt
            return one(task)
    except KeyboardInterrupt:
        _interrupted.set()
        raise


@contextmanager
def _interrupts(how: int) -> Iterator[None]:
    """Have interrupts wait until the end (SIG_BLOCK), or let them through (SIG_UNBLOCK)."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])  # known before an interrupt that waited can be raised
    try:
        signal.pthread_sigmask(how, [signal.SIGINT])
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
