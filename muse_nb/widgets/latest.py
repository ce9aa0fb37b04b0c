"""Work that follows clicks: in a thread of its own, and only for the last of them."""

from __future__ import annotations

import threading
from collections.abc import Callable

__all__ = ["Latest"]


class Latest:
    """Runs an action in a thread; asked while it runs, it runs once more afterwards, however often it was asked.

    Parameters
    ----------
    action
        Must not raise.
    """

    def __init__(self, action: Callable[[], object]) -> None:
        self._action = action
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
            self._action()
            with self._lock:
                if not self._again:
                    self._running = False
                    return
                self._again = False
