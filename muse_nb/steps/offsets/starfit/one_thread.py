"""Linear algebra on one thread: the matrices here are small, and a BLAS whose threads wait costs more than it gives."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any

from threadpoolctl import ThreadpoolController

__all__ = ["one_thread"]

_lock = Lock()
_inside: list[Any] = []  # the limits set by each of those inside


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep NumPy's linear algebra on one thread inside, also as a decorator.

    Waiting threads spin: on two shared cores they doubled the CPU time of the fit. The number is one for the whole
    process; the last one out restores it.
    """
    with _lock:
        _inside.append(_controller().limit(limits=1, user_api="blas"))
    try:
        yield
    finally:
        with _lock:
            if len(_inside) == 1:
                _inside[0].restore_original_limits()
            _inside.pop()


@cache
def _controller() -> ThreadpoolController:
    """Libraries that are loaded; to look for them takes some milliseconds."""
    import numpy.linalg  # noqa: F401  it brings the one that matters

    return ThreadpoolController()
