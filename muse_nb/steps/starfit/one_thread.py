"""Linear algebra on one thread: the matrices here are small, and OpenBLAS's threads cost more than they give."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock

__all__ = ["one_thread"]

_lock = Lock()
_threads: list[int] = []  # what there was when each of those inside came in


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep NumPy's OpenBLAS on one thread inside, also as a decorator; nothing where NumPy uses another library.

    Waiting threads spin: on two shared cores they doubled the CPU time of the fit. The number is one for the whole
    process; the last one out restores it.
    """
    openblas = _openblas()
    if openblas is None:
        yield
        return
    get, put = openblas
    with _lock:
        _threads.append(_threads[0] if _threads else get())
        put(1)
    try:
        yield
    finally:
        with _lock:
            before = _threads.pop()
            if not _threads:
                put(before)


@cache
def _openblas() -> tuple[ctypes._CFuncPtr, ctypes._CFuncPtr] | None:  # type: ignore[name-defined]
    """How many threads the OpenBLAS of NumPy uses: functions that tell and set it."""
    from numpy.linalg import _umath_linalg

    library = ctypes.CDLL(_umath_linalg.__file__)
    for name in ("scipy_openblas_{}_num_threads64_", "openblas_{}_num_threads64_", "openblas_{}_num_threads"):
        try:
            return getattr(library, name.format("get")), getattr(library, name.format("set"))
        except AttributeError:
            continue
    return None
