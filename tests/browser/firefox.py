"""Debian's Firefox without a display, driven by WebDriver BiDi over a web socket; as much of it as the tests need."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from websocket import WebSocket, create_connection

SLOW = 60.0  # seconds for an answer


def firefox() -> str | None:
    """The browser, where it is installed (Debian: firefox-esr)."""
    return shutil.which("firefox-esr") or shutil.which("firefox")


class Session:
    """One page of a running Firefox."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket, self._number = socket, 0
        self.said: list[str] = []
        self("session.new", capabilities={})
        self.context = self("browsingContext.create", type="tab")["context"]
        self("session.subscribe", events=["log.entryAdded"])

    def __call__(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Give a command, and its answer."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._socket.recv())
            if answer.get("method") == "log.entryAdded" and answer["params"]["level"] == "error":
                self.said.append(str(answer["params"]["text"]))
            if answer.get("id") == self._number:
                if answer["type"] == "error":
                    raise RuntimeError(f"{answer['error']}: {answer['message']}")
                return dict(answer["result"])

    def open(self, url: str, width: int = 1280, height: int = 900) -> None:
        """Load a page, in a window of a size."""
        self("browsingContext.setViewport", context=self.context, viewport={"width": width, "height": height})
        self("browsingContext.navigate", context=self.context, url=url, wait="complete")

    def value(self, expression: str) -> Any:
        """Value of JavaScript that JSON can carry; promises are waited for."""
        code = f"(async () => JSON.stringify((await ({expression})) ?? null))()"
        found = self("script.evaluate", expression=code, target={"context": self.context}, awaitPromise=True)
        if found["type"] == "exception":
            raise RuntimeError(found["exceptionDetails"]["text"])
        return json.loads(found["result"]["value"])

    def until(self, expression: str, seconds: float = 60) -> Any:
        """Wait for an expression to be true, and give its value."""
        end = time.monotonic() + seconds
        while not (found := self.value(expression)):
            assert time.monotonic() < end, f"still not so after {seconds} s: {expression}"
            time.sleep(0.05)
        return found

    def pointer(self, *actions: dict[str, Any]) -> None:
        """Move, press and release the mouse."""
        sources = [{"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": list(actions)}]
        self("input.performActions", context=self.context, actions=sources)

    def click(self, x: float, y: float) -> None:
        """Click at a place of the window."""
        down, up = ({"type": f"pointer{what}", "button": 0} for what in ("Down", "Up"))
        self.pointer({"type": "pointerMove", "x": round(x), "y": round(y)}, down, up)

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Drag from one place of the window to another."""
        (x0, y0), (x1, y1) = start, end
        steps = [(x0, y0), ((x0 + x1) / 2, (y0 + y1) / 2), (x1, y1)]
        first, *rest = ({"type": "pointerMove", "x": round(x), "y": round(y)} for x, y in steps)
        self.pointer(first, {"type": "pointerDown", "button": 0}, *rest, {"type": "pointerUp", "button": 0})

    def wheel(self, x: float, y: float, by: int) -> None:
        """Turn the wheel at a place of the window."""
        scroll = {"type": "scroll", "x": round(x), "y": round(y), "deltaX": 0, "deltaY": by}
        self(
            "input.performActions",
            context=self.context,
            actions=[{"type": "wheel", "id": "wheel", "actions": [scroll]}],
        )


@contextlib.contextmanager
def session(folder: Path, **preferences: object) -> Iterator[Session]:
    """Start Firefox with a profile of its own, and end it."""
    profile = folder / "profile"
    profile.mkdir()
    kept = {
        "browser.shell.checkDefaultBrowser": False,
        "datareporting.policy.dataSubmissionEnabled": False,
        **preferences,
    }
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in kept.items()]
    (profile / "user.js").write_text("\n".join(lines))
    command = [str(firefox()), "--headless", "--no-remote", "--profile", str(profile), "--remote-debugging-port=0"]
    with (folder / "firefox.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            address = _address(profile / "WebDriverBiDiServer.json", process, folder / "firefox.log")
            socket = create_connection(f"{address}/session", timeout=SLOW, suppress_origin=True)
            yield Session(socket)
            socket.close()
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()
            process.wait()


def _address(told: Path, process: subprocess.Popen[bytes], log: Path) -> str:
    end = time.monotonic() + SLOW
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError, json.JSONDecodeError, KeyError):
            found = json.loads(told.read_text())
            return f"ws://{found['ws_host']}:{found['ws_port']}"
        time.sleep(0.1)
    raise RuntimeError(f"Firefox did not start:\n{log.read_text()[-2000:]}")
