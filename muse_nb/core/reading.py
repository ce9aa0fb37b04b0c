"""Whether files are read as inputs of a result, or only looked at to see what is there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["is_looking_around", "looking_around"]

_LOOKING_AROUND = ContextVar("_LOOKING_AROUND", default=False)


@contextmanager
def looking_around() -> Iterator[None]:
    """Say that what this thread opens meanwhile is only looked at: it is no input of what is made."""
    token = _LOOKING_AROUND.set(True)
    try:
        yield
    finally:
        _LOOKING_AROUND.reset(token)


def is_looking_around() -> bool:
    """Tell whether this thread is only looking around."""
    return _LOOKING_AROUND.get()
