"""How long work tells how far it is, how it is stopped, and how a terminal shows it: one form for all of it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from muse_nb.core.errors import MuseError

if TYPE_CHECKING:
    from muse_nb.core.process import Stop

__all__ = ["Progress", "on_terminal", "say", "silent", "watched"]

Progress = Callable[[str, int, int], object]
"""Called with what is done, how much of it is done, of how much; of 0: a line to show, nothing to count."""


_LINE = 60  # characters of a log's line beside a bar
_PAUSE = 0.2  # seconds between two of them


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
def on_terminal(unit: str = "it", *, scale: bool = False, log: bool = False) -> Iterator[Progress]:
    """Show progress on stderr while that is a terminal: a bar for each thing that is counted, lines above them.

    Parameters
    ----------
    unit
        What is counted, as ``exposure`` or ``B``.
    scale
        Write large numbers with k, M and G.
    log
        The lines are a log's, of which there are many: the last one is shown beside the last bar.
    """
    if not sys.stderr.isatty():
        yield silent
        return
    from tqdm import tqdm

    with ExitStack() as stack:
        bars: dict[str, tqdm] = {}
        shown = 0.0

        def beside(line: str) -> None:
            nonlocal shown
            now = time.monotonic()
            refresh = now - shown > _PAUSE
            next(reversed(bars.values())).set_postfix_str(line[-_LINE:], refresh=refresh)
            shown = now if refresh else shown

        def show(what: str, done: int, total: int) -> None:
            if not total:
                if not log:
                    tqdm.write(what, file=sys.stderr)
                elif bars:
                    beside(what)
                return
            if what not in bars:
                bars[what] = stack.enter_context(
                    tqdm(total=total, desc=what, unit=unit, unit_scale=scale, file=sys.stderr, leave=False)
                )
            bars[what].total = total
            bars[what].update(done - bars[what].n)
            if done >= total:
                bars.pop(what).close()

        yield show


def say(text: str) -> None:
    """Print a line to stdout at once, above the bars of `on_terminal` where they are on the same terminal."""
    if sys.stderr.isatty():
        from tqdm import tqdm

        tqdm.write(text, file=sys.stdout)
    else:
        print(text, flush=True)
