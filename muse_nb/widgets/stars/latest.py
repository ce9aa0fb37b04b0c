"""Work that follows clicks: in a thread of its own, and only for the last of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

__all__ = ["Latest"]


class Latest:
    """Runs an action in a thread; asked while it runs, it runs once more afterwards, however often it was asked.

    Parameters
    ----------
    action
        Must not raise.
    pause
        Seconds before it runs, in which messages to the browser get away: they want the same interpreter.
    """

    def __init__(self, action: Callable[[], object], pause: float = 0.0) -> None:
        self._action, self._pause = action, pause
        self._lock = threading.Lock()
        self._running = self._again = False

    def ask(self) -> None:
        """Have the action run after now."""
        with self._lock:
            if self._running:
                self._again = True
                return
            self._running = True
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            time.sleep(self._pause)
            with self._lock:
                self._again = False
            self._action()
            with self._lock:
                if not self._again:
                    self._running = False
                    return
