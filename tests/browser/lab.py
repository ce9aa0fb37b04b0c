"""A real JupyterLab on the loopback interface and a notebook in Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
from playwright.sync_api import Browser, Page, WebSocket

FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars", "--enable-unsafe-swiftshader"]
STDOUT_OF = """async (code) => {
  const kernel = window.jupyterapp.shell.currentWidget.context.sessionContext.session.kernel;
  const future = kernel.requestExecute({ code, store_history: false });
  let text = "", failure = "";
  future.onIOPub = (message) => {
    if (message.header.msg_type === "stream") text += message.content.text;
    if (message.header.msg_type === "error") failure = message.content.traceback.join("\\n");
  };
  await future.done;
  if (failure) throw new Error(failure);
  return text;
}"""

START_OF = """(code) => {
  const kernel = window.jupyterapp.shell.currentWidget.context.sessionContext.session.kernel;
  kernel.requestExecute({ code, store_history: false });
}"""


def chromium() -> str | None:
    """The browser itself, not the wrapper script, which does not pass all flags on."""
    for path in ("/usr/lib/chromium/chromium", "/usr/lib/chromium-browser/chromium-browser"):
        if Path(path).exists():
            return path
    return next(
        (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
    )


@contextlib.contextmanager
def jupyterlab(folder: Path, python: str = sys.executable) -> Iterator[tuple[str, str]]:
    """Start an environment's JupyterLab in a folder of its own; gives its address and token."""
    settings, runtime, token = folder / ".jupyter", folder / ".runtime", secrets.token_hex(12)
    (settings / "labconfig").mkdir(parents=True)
    off = {"@jupyterlab/apputils-extension:announcements": True, "@jupyterlab/extensionmanager-extension": True}
    (settings / "labconfig" / "page_config.json").write_text(json.dumps({"disabledExtensions": off}))
    environment = os.environ | {
        "JUPYTER_CONFIG_DIR": str(settings),
        "JUPYTER_RUNTIME_DIR": str(runtime),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / ".workspaces"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / ".settings"),
        "IPYTHONDIR": str(folder / ".ipython"),
        "OMP_NUM_THREADS": "1",
    }
    options = [
        "--no-browser",
        "--allow-root",
        "--expose-app-in-browser",
        "--ServerApp.ip=127.0.0.1",
        "--ServerApp.port=0",
    ]
    options += [f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder}"]
    log = (folder / "lab.log").open("wb")
    server = subprocess.Popen([python, "-m", "jupyterlab", *options], env=environment, stdout=log, stderr=log)
    try:
        yield _address(runtime, server, folder / "lab.log"), token
    finally:
        server.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(20)
        server.kill()
        log.close()


def _address(runtime: Path, server: subprocess.Popen[bytes], log: Path) -> str:
    end = time.monotonic() + 90
    while time.monotonic() < end and server.poll() is None:
        for file in runtime.glob("jpserver-*.json"):
            with contextlib.suppress(json.JSONDecodeError):
                return f"http://127.0.0.1:{json.loads(file.read_text())['port']}"
        time.sleep(0.2)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()[-2000:]}")


class Notebook:
    """An open notebook: its page, its kernel, its file."""

    def __init__(self, page: Page, file: Path) -> None:
        self.page, self.file = page, file
        self.console: list[str] = []
        page.on("console", lambda message: self.console.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.console.append(str(error)))
        self.sockets: list[WebSocket] = []
        page.on("websocket", lambda socket: self.sockets.append(socket))

    def run(self) -> None:
        """Run all cells, and wait until they have run."""
        self.page.evaluate(
            """async () => { const session = window.jupyterapp.shell.currentWidget.context.sessionContext;
            await session.ready; await session.session.kernel.info;
            await window.jupyterapp.commands.execute("notebook:run-all-cells"); }"""
        )

    def python(self, code: str) -> str:
        """What some code prints in the notebook's kernel."""
        return str(self.page.evaluate(STDOUT_OF, code)).strip()

    def begin(self, code: str) -> None:
        """Have the notebook's kernel run some code, without waiting for it."""
        self.page.evaluate(START_OF, code)

    def value(self, expression: str) -> Any:
        """A value that JSON can carry, from the notebook's kernel."""
        return json.loads(self.python(f"import json; print(json.dumps({expression}))"))

    def until(self, expression: str, seconds: float = 60) -> Any:
        """Wait for a Python expression to be true, and give its value."""
        found = None

        def look() -> bool:
            nonlocal found
            found = self.value(expression)
            return bool(found)

        assert _poll(look, seconds), f"still not so after {seconds} s: {expression}"
        return found

    def save(self) -> None:
        """Save the notebook's file, and wait until it is written."""
        before = self.file.stat().st_mtime_ns
        self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
        assert _poll(lambda: self.file.stat().st_mtime_ns > before, 10), f"{self.file} was not saved"

    @contextlib.contextmanager
    def telling(self, trait: str) -> Iterator[None]:
        """Wait at the end until the browser has sent the kernel, busy as it may be, a change of a trait."""
        kernel = next(socket for socket in reversed(self.sockets) if "/api/kernels/" in socket.url)
        with kernel.expect_event("framesent", lambda sent: f'"{trait}"'.encode() in _bytes(sent)):
            yield


def _bytes(sent: str | bytes) -> bytes:
    return sent.encode() if isinstance(sent, str) else sent


def _poll(look: Callable[[], bool], seconds: float) -> bool:
    """Whether something comes to be so."""
    end = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < end:
        time.sleep(0.04)
    return found


def eventually(look: Callable[[], Any], expected: Any, seconds: float = 10) -> None:
    """Assert that `look` comes to give what is expected: a browser acts on fingers and draws when it can."""
    _poll(lambda: look() == expected, seconds)
    assert look() == expected


def always(look: Callable[[], Any], expected: Any, seconds: float = 0.5) -> None:
    """Assert that `look` gives what is expected and goes on to: longer than the timers that could change it."""
    assert look() == expected
    assert not _poll(lambda: look() != expected, seconds)


def next_frame(page: Page) -> None:
    """Wait until the browser has drawn: it hands moves of fingers on once a frame."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(null))))")


@contextlib.contextmanager
def notebook(
    browser: Browser, server: tuple[str, str], folder: Path, name: str, *cells: str, **context: Any
) -> Iterator[Notebook]:
    """Write a notebook of some cells and open it; its kernel is shut down at the end."""
    address, token = server
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, folder / name)
    options = {"viewport": {"width": 1400, "height": 1100}} | context
    session = browser.new_context(**options)
    page = session.new_page()
    found = Notebook(page, folder / name)
    page.goto(f"{address}/lab/workspaces/{Path(name).stem}/tree/{name}?reset&token={token}")
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=90_000)
    try:
        yield found
    finally:
        with contextlib.suppress(Exception):
            page.evaluate("() => window.jupyterapp.shell.currentWidget.context.sessionContext.shutdown()")
        session.close()


class Canvas:
    """The picture of a viewer: where its pixels are on the page, and what can be done to them."""

    def __init__(self, book: Notebook, kind: str) -> None:
        self.book, self.page, self.root = book, book.page, f".mnb-{kind}"
        self.page.wait_for_selector(f"{self.root} .mnb-overlay", timeout=60_000)

    def data(self, name: str) -> str:
        """What the viewer says of itself in a data attribute."""
        test = "([root, name]) => document.querySelector(root).dataset[name] ?? ''"
        return str(self.page.evaluate(test, [self.root, name]))

    def settled(self, name: str, value: str | None = None) -> None:
        """Wait for a data attribute to be set, or to have a value."""
        test = """([root, name, value]) => {
          const found = document.querySelector(root).dataset[name]; return value ? found === value : found; }"""
        self.page.wait_for_function(test, arg=[self.root, name, value], timeout=60_000)

    def counted(self, name: str, least: int) -> None:
        """Wait for a data attribute that counts to be at a number or beyond: it may have gone on meanwhile."""
        test = "([root, name, least]) => Number(document.querySelector(root).dataset[name]) >= least"
        self.page.wait_for_function(test, arg=[self.root, name, least], timeout=60_000)

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Where a pixel of the image is on the page."""
        test = """([root, x, y]) => { const image = document.querySelector(root).parentElement.museImage;
          const [a, b, c, d, e, f] = image.frame.affine, k = a * d - b * c;
          const at = image.toScreen((d * (x - e) - c * (y - f)) / k, (a * (y - f) - b * (x - e)) / k);
          const box = image.overlay.getBoundingClientRect(); return [box.left + at[0], box.top + at[1]]; }"""
        x, y = self.page.evaluate(test, [self.root, x, y])
        return x, y

    def pixel(self, x: float, y: float) -> tuple[float, float]:
        """Which pixel of a view without rotation is at a place on the page."""
        test = """([root, x, y]) => { const image = document.querySelector(root).parentElement.museImage;
          const box = image.overlay.getBoundingClientRect(); return image.toImage(x - box.left, y - box.top); }"""
        x, y = self.page.evaluate(test, [self.root, x, y])
        return x, y

    def view(self) -> list[float]:
        """The view that is shown: centre x, y, CSS pixels per pixel."""
        test = "(root) => document.querySelector(root).parentElement.museImage.where()"
        return list(self.page.evaluate(test, self.root))

    def rested(self) -> list[float]:
        """Wait until the kernel's `viewer` has heard of the view that is shown, which it does when the hand rests."""
        eventually(lambda: self.book.value("viewer.view") == self.view(), True)
        return self.view()

    def look(self, view: list[float]) -> None:
        """Have the kernel's `viewer` show a view, and wait until the browser does."""
        self.book.python(f"viewer.view = {view}")
        test = """([root, view]) => { const image = document.querySelector(root).parentElement.museImage;
          return JSON.stringify(image.view ?? []) === JSON.stringify(view); }"""
        self.page.wait_for_function(test, arg=[self.root, view], timeout=10_000)

    def click(self, x: float, y: float) -> None:
        """Click on a pixel of the image."""
        self.page.mouse.click(*self.place(x, y))

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Drag from one pixel of the image to another."""
        (x0, y0), (x1, y1) = self.place(*start), self.place(*end)
        self.page.mouse.move(x0, y0)
        self.page.mouse.down()
        self.page.mouse.move((x0 + x1) / 2, (y0 + y1) / 2)
        self.page.mouse.move(x1, y1)
        self.page.mouse.up()

    def press(self, *keys: str) -> None:
        """Press keys in the viewer."""
        self.page.locator(self.root).focus()
        for key in keys:
            self.page.keyboard.press(key)

    def colour(self, x: float, y: float) -> list[int]:
        """RGB of what is drawn at a pixel of the image, marks included."""
        px, py = self.place(x, y)
        test = """([root, px, py]) => {
          const image = document.querySelector(root).parentElement.museImage, gl = image.painter.gl;
          const box = image.overlay.getBoundingClientRect(), rgba = new Uint8Array(4), k = image.ratio;
          image.paint();
          gl.readPixels(Math.floor((px - box.left) * k), Math.floor(image.glCanvas.height - (py - box.top) * k), 1, 1,
            gl.RGBA, gl.UNSIGNED_BYTE, rgba);
          return [...rgba].slice(0, 3); }"""
        return list(self.page.evaluate(test, [self.root, px, py]))
