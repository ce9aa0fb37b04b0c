"""``RecipeRunner``: a step or recipe to start with a button, to watch and to cancel, while the notebook stays free."""

from __future__ import annotations

import inspect
import time
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

import ipywidgets

from muse_nb.core.errors import MuseError
from muse_nb.core.graph import Node, graph_html
from muse_nb.core.html import FINDINGS_MIME, Shown
from muse_nb.widgets.shared.front_end import fit_to_front_end

__all__ = ["RecipeRunner"]

_KEPT = 500  # lines of the log
_SHOWN = 14
_PAUSE = 0.2  # seconds between two updates of the browser
_TICK = 1.0  # seconds after which the clock goes on without news


class RecipeRunner(ipywidgets.VBox):
    """Button, progress, log and result of a call that takes a while.

    Parameters
    ----------
    call
        What to run: `muse_nb.reduce`, `muse_nb.combine`, `muse_nb.run_recipe` or any other callable. Where it takes
        ``progress`` and ``cancel``, it gets a `muse_nb.core.progress.Progress` and a `threading.Event`; where it takes
        ``watch``, as `muse_nb.calibrate` does, its tasks are drawn as a graph while it runs.
    *arguments, **options
        Its arguments.
    title
        On the button; by default the name of `call`.
    makes
        The file that `call` makes, which it is given as ``output`` or ``path``. Where it is there it is kept, and the
        button replaces it; `make_missing` makes it where it is not.
    stale
        Why that file is not what the call would make now, or a function that says so; empty where it is.

    Attributes
    ----------
    result
        What the call returned; None before.
    error
        The exception that ended it; None where it succeeded.
    state : str
        ``ready``, ``running``, ``cancelling``, ``done``, ``cancelled`` or ``failed``.
    lines : collections.deque of str
        The last lines of the log.

    Examples
    --------
    >>> tables = muse_nb.survey("night").files_of("PIXTABLE_REDUCED")
    >>> run = muse_nb.RecipeRunner(muse_nb.cube, tables[0], makes="ONE.fits")
    >>> made = run.make_missing()  # or a press of its button
    >>> made.path.name, run.state
    ('ONE.fits', 'done')
    """

    def __init__(
        self,
        call: Callable[..., Any],
        *arguments: Any,
        title: str = "",
        makes: str | Path | None = None,
        stale: str | Callable[[], str] = "",
        **options: Any,
    ) -> None:
        self._call, self._arguments, self._options = call, arguments, options
        self._known = _parameters(call)
        self._stops = "cancel" in self._known and "cancel" not in options
        self.makes, self._stale = None if makes is None else Path(makes), stale
        if self.makes is not None:
            self._options[next((name for name in ("output", "path") if name in self._known), "output")] = self.makes
        elif isinstance(found := options.get("output", options.get("path")), (str, Path)):
            self.makes = Path(found)
        self.title = title or getattr(call, "__name__", type(call).__name__)
        self.result: Any = None
        self.error: BaseException | None = None
        self.state = "ready"
        self.lines: deque[str] = deque(maxlen=_KEPT)
        self._started = self._ended = self._shown = 0.0
        self._replaces = False
        self._fraction, self._cancel, self._lock = 0.0, Event(), Lock()
        self._thread: Thread | None = None
        self._go = ipywidgets.Button(description=f"Run {self.title}", button_style="primary", icon="play")
        self._stop = ipywidgets.Button(description="Cancel", icon="stop", disabled=True)
        self._bar = ipywidgets.FloatProgress(min=0, max=1, layout=ipywidgets.Layout(width="200px"))
        self._status, self._note = ipywidgets.HTML(), ipywidgets.HTML()
        self._tail, self._graph = ipywidgets.HTML(), ipywidgets.HTML()
        self._nodes: Sequence[Node] = ()
        self._answer = ipywidgets.HTML()
        self._go.layout.width = "auto"
        self._go.on_click(lambda _: self.start())
        self._stop.on_click(lambda _: self.cancel())
        top = ipywidgets.HBox([self._go, self._stop, self._bar, self._status])
        super().__init__([top, self._note, self._graph, self._tail, self._answer])
        self._show()

    def make_missing(self) -> Any:
        """Run the call and wait for it where the file that it makes is not there; return its result, None if it is."""
        if self.makes is None or not self.makes.exists():
            self.start()
            return self.wait()
        return None

    def start(self) -> None:
        """Run the call in a thread of its own; without effect while it runs. A file that is there is replaced."""
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                return
            self._replaces = self._there()
            self.result = self.error = None
            self.state, self._fraction = "running", 0.0
            self._started, self._ended, self._cancel = time.monotonic(), 0.0, Event()
            self.lines.clear()
            self._nodes = ()
            self._thread = Thread(target=self._run, name=f"RecipeRunner {self.title}", daemon=True)
            self._thread.start()
        Thread(target=self._tick, args=(self._thread,), name=f"clock of {self.title}", daemon=True).start()
        self._show()

    def _tick(self, work: Thread) -> None:
        """Have the clock go on while the call says nothing."""
        while work.is_alive():
            work.join(_TICK)
            if work.is_alive() and time.monotonic() - self._shown > _TICK:
                self._show()

    def cancel(self) -> None:
        """Ask the call to stop; a recipe is killed with all its processes."""
        if self.state == "running":
            self.state = "cancelling"
            self._cancel.set()
            self._show()

    def wait(self, timeout: float | None = None) -> Any:
        """Wait for the end of the call, `timeout` seconds at most; return its result, raise its error."""
        if self._thread is not None:
            self._thread.join(timeout)
        if self.error is not None:
            raise self.error
        return self.result

    def _run(self) -> None:
        try:
            force = {"force": True} if self._replaces and "force" in self._known else {}
            self.result = self._call(*self._arguments, **self._hooks(), **(self._options | force))
            self.state = "done"
            self._stale = self._stale if callable(self._stale) else ""
        except BaseException as error:  # it would otherwise die with the thread, where nobody looks
            self.error = error
            self.state = "cancelled" if self._cancel.is_set() else "failed"
            if not isinstance(error, MuseError):
                self.lines.extend(traceback.format_exc().splitlines())
        self._ended = time.monotonic()
        self._show()

    def _hooks(self) -> dict[str, Any]:
        hooks = {"progress": self._tell, "cancel": self._cancel, "watch": self._look}
        return {name: hook for name, hook in hooks.items() if name in self._known and name not in self._options}

    def _there(self) -> bool:
        return self.makes is not None and self.makes.is_file()

    def _tell(self, what: str, done: int, total: int) -> None:
        """Take a step of the call's progress: a line, or how much of all is done."""
        if total:
            self._fraction = done / total
        else:
            self.lines.append(what)
        if time.monotonic() - self._shown > _PAUSE:
            self._show()

    def _look(self, nodes: Sequence[Node]) -> None:
        """Take the states of the call's tasks."""
        self._nodes = tuple(nodes)
        if time.monotonic() - self._shown > _PAUSE:
            self._show()

    def _show(self) -> None:
        self._shown = time.monotonic()
        busy = self.state in ("running", "cancelling")
        if not busy:
            stale = self._why_stale()
            again = "Make it again" if stale else f"Replace {self.makes.name}" if self.makes else ""
            self._go.description = again if self._there() and "force" in self._known else f"Run {self.title}"
            self._go.button_style = "warning" if stale else "" if self._there() else "primary"
            self._note.value = f'<p role="status" style="margin:2px 0"><b>{escape(stale)}</b></p>' if stale else ""
        self._go.disabled, self._stop.disabled = busy, self.state != "running" or not self._stops
        self._bar.layout.display = None if self._started else "none"  # nothing has been done yet
        self._bar.value = 1.0 if self.state == "done" else min(max(self._fraction, 0.0), 1.0)
        self._bar.bar_style = {"done": "success", "failed": "danger", "cancelled": "warning"}.get(self.state, "")
        self._status.value = escape(self._words())
        self._tail.value = _pre(list(self.lines)[-_SHOWN:]) if self.lines else ""
        self._graph.value = "" if self.state == "done" else graph_html(self._nodes)  # a result shows its own
        self._answer.value = self._outcome()

    def _why_stale(self) -> str:
        if not self._there():
            return ""
        try:
            return self._stale() if callable(self._stale) else self._stale
        except MuseError as error:
            return str(error)

    def _words(self) -> str:
        if not self._started:
            if self._there() and self.makes is not None:
                return f"{self.makes.name} is there{'' if self._note.value else ' and kept'}"
            return self.state
        return f"{self.state}, {(self._ended or time.monotonic()) - self._started:.1f} s"

    def _outcome(self) -> str:
        if self.error is not None:
            kind = "" if isinstance(self.error, MuseError) else f"{type(self.error).__name__}: "
            return f'<p role="alert" style="color:#b04000"><b>{escape(kind + str(self.error))}</b></p>'
        if self.state != "done":
            return ""
        show = getattr(self.result, "_repr_html_", None)
        return (
            str(show())
            if show is not None
            else f"<pre>{escape(str(self.result) if isinstance(self.result, Path) else repr(self.result))}</pre>"
        )

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = super()._repr_mimebundle_(**kwargs)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        if data is not None:  # for pages without a kernel
            shown = "".join(part.value for part in (self._note, self._graph, self._tail, self._answer))
            data["text/html"] = f"<div><b>{escape(self.title)}</b>: {escape(self._words())}{shown}</div>"
            if isinstance(self.result, Shown):
                data[FINDINGS_MIME] = self.result._repr_mimebundle_()[FINDINGS_MIME]
            fit_to_front_end(data)
        return bundle


def _parameters(call: Callable[..., Any]) -> set[str]:
    """Keywords that a call takes; one with others than those it names can be told to replace what is there."""
    try:
        found = inspect.signature(call).parameters
    except (TypeError, ValueError):
        return set()
    others = any(one.kind is one.VAR_KEYWORD for one in found.values())
    return {*found, *(["force"] if others else [])}


def _pre(lines: list[str]) -> str:
    style = "max-height:18em;overflow:auto;margin:0;font-size:11px;line-height:1.3;white-space:pre-wrap"
    return f'<pre style="{style}">{escape(chr(10).join(lines))}</pre>'
