"""A full detector frame in JupyterLab: first paint and pan of ObjectRedViewer, ipympl and jdaviz Imviz, in one run.

``python -m benchmarks.viewer`` prints a table. ipympl is measured where it is installed (``pip install ipympl``), Imviz
where MUSE_NB_JDAVIZ names the python of an environment with jdaviz and jupyterlab, which takes more than 1 GB of disk.
"""

from __future__ import annotations

import base64
import importlib.util
import io
import itertools
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from muse_nb.products.object_red import write_object_red

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "browser"))

OURS = """viewer = ObjectRedViewer('{path}')
viewer"""
THEIRS = """figure, axes = plt.subplots(figsize=(7.6, 5.6))
data = fits.getdata('{path}', 'DATA')
axes.imshow(np.arcsinh(data), origin='lower', vmin=0, vmax=6, cmap='cividis')
plt.show()"""
IMVIZ = """viz = Imviz()
viz.load_data(fits.getdata('{path}', 'DATA').astype(float))
viz.show()"""
IMPORTS_IMVIZ = "from astropy.io import fits\nfrom jdaviz import Imviz"
IMPORTS = """import numpy as np
from astropy.io import fits
from muse_nb import ObjectRedViewer
from astropy.visualization import ZScaleInterval
from PIL import Image, ImageDraw, ImageFont
from muse_nb.widgets.shared.base import COLOUR_MAPS, colour_map
[colour_map(name) for name in COLOUR_MAPS]
None"""
IMPORTS_THEIRS = "%matplotlib widget\nimport matplotlib.pyplot as plt\nimport numpy as np\nfrom astropy.io import fits"
RUN_NEXT = """async () => { const commands = window.jupyterapp.commands;
  const panel = window.jupyterapp.shell.currentWidget; panel.content.activeCellIndex = 1;
  window.start = performance.now(); commands.execute("notebook:run-cell"); }"""
# Pan by script, one step a frame of the screen; what counts is what was drawn.
PAN_OURS = """async () => {
  const image = document.querySelector(".mnb-object-red").parentElement.museImage, result = {};
  for (const [name, scale] of [["whole frame", null], ["1:1", 1], ["4x", 4]]) {
    image.view = scale ? [2000, 2000, scale] : null; image.changed(); await new Promise(requestAnimationFrame);
    const before = image.drawn, start = performance.now();
    while (performance.now() - start < 3000) { image.pan(3, 1); await new Promise(requestAnimationFrame); }
    image.painter.gl.finish();
    result[name] = (image.drawn - before) / ((performance.now() - start) / 1000);
  }
  return result; }"""
PAINTED = """() => { for (const canvas of document.querySelectorAll(".jupyter-matplotlib-canvas-container canvas")) {
    if (canvas.width < 300) continue;
    const p = canvas.getContext("2d").getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data;
    if (p[3] && p[0] + p[1] + p[2] < 700) return performance.now(); }
  return false; }"""
BQPLOT = "[...document.querySelectorAll('.bqplot canvas')].some((canvas) => canvas.width > 300)"
WATCH = """() => { window.changes = 0; let last = "";
  const all = [...document.querySelectorAll(".jupyter-matplotlib-canvas-container canvas")];
  const canvas = all.find((one) => one.width > 300), [x, y] = [canvas.width / 2 - 40, canvas.height / 2 - 40];
  const look = () => { const d = canvas.getContext("2d").getImageData(x, y, 80, 80).data;
    let sum = 0; for (let i = 0; i < d.length; i += 7) sum = (sum * 31 + d[i]) | 0;
    if (String(sum) !== last) { window.changes += 1; last = String(sum); }
    requestAnimationFrame(look); };
  requestAnimationFrame(look); }"""


def frame(path: Path, shape: tuple[int, int] = (4112, 4096)) -> Path:
    """A frame like MUSE's: 48 slices, sky lines, cosmic rays, flagged gaps."""
    random = np.random.default_rng(1)
    ny, nx = shape
    x, y = np.arange(nx), np.arange(ny)
    inside = (x - 30) % 84.5 < 75
    lines = 1 + sum(8 * np.exp(-(((y - at) / 2.5) ** 2)) for at in random.uniform(0, ny, 90))
    data = random.normal(0, 3, shape).astype(np.float32) + (80 * inside * lines[:, None]).astype(np.float32)
    dq = np.zeros(shape, np.int32)
    dq[:, ~inside] = 16384
    at = random.integers(0, ny, 20000), random.integers(0, nx, 20000)
    data[at], dq[at] = 5000, 32
    header = fits.Header({"EXTNAME": "CHAN12", "DATE-OBS": "2014-07-27T03:12:00.000", "INSTRUME": "MUSE"})
    write_object_red(path, header, data, dq, np.abs(data) + 9, force=True)
    return path


def measure() -> list[tuple[str, str, float, str]]:
    """Rows of (tool, what, number, unit)."""
    from lab import FLAGS, chromium, jupyterlab, notebook
    from playwright.sync_api import sync_playwright

    rows = []
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright, jupyterlab(Path(name)) as server:
        path = frame(Path(name) / "OBJECT_RED_0001-12.fits")
        browser = playwright.chromium.launch(executable_path=chromium(), headless=True, args=FLAGS)
        with notebook(browser, server, Path(name), "ours.ipynb", IMPORTS, OURS.format(path=path)) as book:
            _prepare(book)
            book.page.evaluate(RUN_NEXT)
            root = "document.querySelector('.mnb-object-red')"
            for what, key in (("first paint", "painted"), ("sharp", "sharp")):
                book.page.wait_for_function(f"() => {root}?.dataset.{key}", timeout=60_000)
                seconds = book.page.evaluate(f"() => {root}.dataset.{key} - window.start") / 1000
                rows.append(("ObjectRedViewer", what, seconds, "s"))
            rows += [("ObjectRedViewer", f"pan, {k}", v, "frames/s") for k, v in book.page.evaluate(PAN_OURS).items()]
        if importlib.util.find_spec("ipympl"):
            with notebook(
                browser, server, Path(name), "ipympl.ipynb", IMPORTS_THEIRS, THEIRS.format(path=path)
            ) as book:
                _prepare(book)
                book.page.evaluate(RUN_NEXT)
                at = book.page.wait_for_function(PAINTED, timeout=120_000, polling=20).json_value()
                rows.append(("ipympl", "first paint", (at - book.page.evaluate("() => window.start")) / 1000, "s"))
                rows.append(("ipympl", "pan, whole frame", _pan_ipympl(book), "frames/s"))
        browser.close()
        if python := os.environ.get("MUSE_NB_JDAVIZ"):
            folder = Path(name) / "imviz"
            folder.mkdir()
            browser = playwright.chromium.launch(executable_path=chromium(), headless=True, args=FLAGS)
            with (
                jupyterlab(folder, python) as other,
                notebook(browser, other, folder, "imviz.ipynb", IMPORTS_IMVIZ, IMVIZ.format(path=path)) as book,
            ):
                _prepare(book)
                rows += _imviz(book)
            browser.close()
    return rows


def _prepare(book: object) -> None:
    """Run the imports: they are not what is measured."""
    book.page.evaluate(  # type: ignore[attr-defined]
        """async () => { const panel = window.jupyterapp.shell.currentWidget, session = panel.context.sessionContext;
        await session.ready; await session.session.kernel.info;
        panel.content.activeCellIndex = 0; await window.jupyterapp.commands.execute("notebook:run-cell"); }"""
    )


def _pan_ipympl(book: object, seconds: float = 10) -> float:
    page = book.page  # type: ignore[attr-defined]
    book.python("figure.canvas.toolbar.pan()")  # type: ignore[attr-defined]
    box = page.locator(".jupyter-matplotlib-canvas-container canvas").last.bounding_box()
    page.evaluate(WATCH)
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    start = page.evaluate("() => { window.changes = 0; return performance.now(); }")
    for step in range(int(seconds * 25)):
        page.mouse.move(x + step % 100, y + (step // 3) % 50)
        page.wait_for_timeout(40)
    page.mouse.up()
    return float(page.evaluate("(start) => window.changes / ((performance.now() - start) / 1000)", start))


def _imviz(book: object, seconds: float = 10) -> list[tuple[str, str, float, str]]:
    """First paint, and changes of the picture while it is dragged; its canvas cannot be read, so the screen is."""
    page = book.page  # type: ignore[attr-defined]
    page.evaluate(RUN_NEXT)
    page.wait_for_function(f"() => {BQPLOT}", timeout=120_000)
    box = page.locator(".bqplot canvas").first.bounding_box()
    clip = {"x": box["x"] + 150, "y": box["y"] + 100, "width": 300, "height": 250}
    while _grey(page.screenshot(clip=clip)).std() < 8:
        page.wait_for_timeout(50)
    painted = page.evaluate("() => performance.now() - window.start") / 1000
    book.python("viz._app.get_viewer('imviz-0').toolbar.select_tool('jdaviz:imagepanzoom')")  # type: ignore[attr-defined]
    shots: list[bytes] = []
    cast = page.context.new_cdp_session(page)

    def keep(event: dict[str, str]) -> None:
        shots.append(base64.b64decode(event["data"]))
        cast.send("Page.screencastFrameAck", {"sessionId": event["sessionId"]})

    cast.on("Page.screencastFrame", keep)
    x, y = clip["x"] + 100, clip["y"] + 100
    page.mouse.move(x, y)
    page.mouse.down()
    cast.send("Page.startScreencast", {"format": "png"})
    start = time.monotonic()
    for step in range(int(seconds * 25)):
        page.mouse.move(x + step % 100, y + (step // 3) % 50)
        page.wait_for_timeout(40)
    lasted = time.monotonic() - start
    cast.send("Page.stopScreencast")
    page.mouse.up()
    corner = slice(int(clip["y"]), int(clip["y"]) + 250), slice(int(clip["x"]), int(clip["x"]) + 300)
    seen = [_grey(shot)[corner] for shot in shots]
    drawn = sum(np.abs(b - a).mean() > 1 for a, b in itertools.pairwise(seen))
    return [
        ("jdaviz Imviz", "first paint", painted, "s"),
        ("jdaviz Imviz", "pan, whole frame", drawn / lasted, "frames/s"),
    ]


def _grey(png: bytes) -> NDArray[np.float32]:
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(png)).convert("L"), np.float32)


def main() -> None:
    """Print the table."""
    for tool, what, number, unit in measure():
        print(f"{tool:16s} {what:18s} {number:8.2f} {unit}")
    if not importlib.util.find_spec("ipympl"):
        print("ipympl           not measured: it is not installed here (pip install ipympl)")
    if "MUSE_NB_JDAVIZ" not in os.environ:
        print("jdaviz Imviz     not measured: MUSE_NB_JDAVIZ names no environment that has it")


if __name__ == "__main__":
    main()
