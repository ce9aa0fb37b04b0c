"""Waiting for other threads and processes in such a way that Ctrl-C or a kill ends the wait at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import TypeVar

__all__ = ["as_done", "result"]

T = TypeVar("T")
_NAP = 0.1  # seconds


def as_done(futures: Iterable[Future[T]]) -> Iterator[Future[T]]:
    """Yield futures as they end.

    Only the main thread acts on a signal, but the system may hand it to any thread: one that slept until the next
    future ends would not learn of it. So it sleeps in naps.
    """
    left = set(futures)
    while left:
        done, left = wait(left, timeout=_NAP, return_when=FIRST_COMPLETED)
        yield from done


def result(future: Future[T]) -> T:
    """Return the result of a future, or raise its error, when it has ended."""
    return next(as_done([future])).result()
