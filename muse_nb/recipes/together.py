"""Recipes side by side, in threads: the first that fails stops all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event, Lock
from typing import TypeVar

from muse_nb.core.process import Stop
from muse_nb.core.progress import Progress
from muse_nb.core.waiting import as_done

__all__ = ["StopOfAll", "counted", "in_order", "together"]

Made = TypeVar("Made")


class StopOfAll:
    """Set when it is set itself, or the caller's own event is."""

    def __init__(self, outer: Stop | None) -> None:
        self._outer, self._own = outer, Event()

    def set(self) -> None:
        """Stop all."""
        self._own.set()

    def is_set(self) -> bool:
        """Whether to stop."""
        return self._own.is_set() or (self._outer is not None and self._outer.is_set())


@contextmanager
def together(jobs: int, cancel: Stop | None) -> Iterator[tuple[ThreadPoolExecutor, StopOfAll]]:
    """Threads that are all stopped when one fails or Ctrl-C is pressed."""
    stop = StopOfAll(cancel)
    with ThreadPoolExecutor(max(1, jobs)) as pool:
        try:
            yield pool, stop
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def in_order(pool: ThreadPoolExecutor, tasks: Sequence[Callable[[], Made]], stop: StopOfAll) -> list[Made]:
    """Results in the order of the tasks; the first error ends them all, and it is the one that is raised."""
    futures = [pool.submit(task) for task in tasks]
    for future in as_done(futures):
        if error := future.exception():
            stop.set()
            raise error
    return [future.result() for future in futures]


def counted(progress: Progress | None, what: str, total: int) -> Callable[[], None]:
    """Return a function that any of the threads calls when it has done one of `total`, and that tells of it."""
    done, lock = 0, Lock()

    def one_more() -> None:
        nonlocal done
        with lock:
            done += 1
            if progress is not None:
                progress(what, done, total)

    return one_more
