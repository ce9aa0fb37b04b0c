"""How an audit tells how far it is, and how it is stopped."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event

from muse_nb.core.errors import MuseError

__all__ = ["Progress", "watched"]

Progress = Callable[[str, int, int], None]  # what, how many are done, of how many


def watched(progress: Progress | None, cancel: Event | None, what: str) -> Progress:
    """Join progress and cancel into one function that is called at every step of the work.

    Parameters
    ----------
    progress
        Called with (what, done, all), where it is given.
    cancel
        Stops the work when it is set.
    what
        What is stopped, for the sentence that says so.

    Raises
    ------
    MuseError
        By the function that is returned: the work was cancelled.
    """

    def step(name: str, done: int, total: int) -> None:
        if cancel is not None and cancel.is_set():
            raise MuseError(f"{what} was cancelled: nothing was written")
        if progress is not None:
            progress(name, done, total)

    return step
