"""How long work tells how far it is, how it is stopped, and how a terminal shows it: one form for all of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from muse_nb.core.errors import MuseError

if TYPE_CHECKING:
    from muse_nb.core.process import Stop

__all__ = ["Progress", "on_terminal", "silent", "watched"]

Progress = Callable[[str, int, int], object]
"""Called with what is done, how much of it is done, of how much; of 0: a line to show, nothing to count."""


def silent(what: str, done: int, total: int) -> None:
    """Tell nobody."""


def watched(progress: Progress | None, cancel: Stop | None, what: str) -> Progress:
    """Join progress and cancel into one function that is called at every step of the work.

    Parameters
    ----------
    progress
        Told of every step, where it is given.
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


@contextmanager
def on_terminal(unit: str = "it", *, scale: bool = False) -> Iterator[Progress]:
    """Show progress on stderr while that is a terminal: a bar for each thing that is counted.

    Parameters
    ----------
    unit
        What is counted, as ``exposure`` or ``B``.
    scale
        Write large numbers with k, M and G.
    """
    if not sys.stderr.isatty():
        yield silent
        return
    from tqdm import tqdm

    with ExitStack() as stack:
        bars: dict[str, tqdm] = {}

        def show(what: str, done: int, total: int) -> None:
            if not total:
                tqdm.write(what, file=sys.stderr)
                return
            if what not in bars:
                bars[what] = stack.enter_context(
                    tqdm(total=total, desc=what, unit=unit, unit_scale=scale, file=sys.stderr, leave=False)
                )
            bars[what].total = total
            bars[what].update(done - bars[what].n)

        yield show
