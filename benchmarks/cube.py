"""Looking at a cube of 3.0 GB: CubeViewer in JupyterLab, the doors behind it, mpdaf and jdaviz Cubeviz, in one run.

``python -m benchmarks cube`` makes the cube in the temporary folder (320 x 320 x 3681, DATA and STAT), prints a table,
and removes it. mpdaf is measured where it is installed and 16 GB are free, Cubeviz where MUSE_NB_JDAVIZ names the
python of an environment with jdaviz. MUSE_NB_CUBE names a cube to take instead.
"""

from __future__ import annotations

import importlib.util
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "browser"))

NZ, SIDE, FIRST, STEP = 3681, 320, 4750.0, 1.25
LINE, SHIFT = 6562.79, 1.004
Row = tuple[str, str, float, str]

IMPORTS = """import astropy.wcs, astropy.visualization, regions, numpy as np, os
from muse_nb import CubeViewer
from muse_nb.widgets.shared.base import COLOUR_MAPS, colour_map
from muse_nb.widgets.shared.limits import limits
[colour_map(name) for name in COLOUR_MAPS]; limits(np.arange(9.))
None"""
OURS = """viewer = CubeViewer({path!r}, regions=None)
viewer"""
RUN_NEXT = """async () => { const commands = window.jupyterapp.commands;
  const panel = window.jupyterapp.shell.currentWidget; panel.content.activeCellIndex = 1;
  window.start = performance.now(); commands.execute("notebook:run-cell"); }"""
ROOT = "document.querySelector('.mnb-cube')"
# A hand that moves 60 times a second for some seconds; what counts is the answers that were drawn.
MOVE = """async ([what, seconds]) => {
  const root = document.querySelector(".mnb-cube"), { image, plot } = root.parentElement.muse;
  const target = what.surface === "image" ? image.overlay : plot.canvas, box = target.getBoundingClientRect();
  const at = (t) => {
    if (what.surface === "image") return image.toScreen(...what.path.map(([c, r, w]) => c + r * Math.sin(w * t)));
    const wave = what.path[0] + what.path[1] * Math.sin(what.path[2] * t); return [plot.sx(wave), 120]; };
  const fire = (type, t) => { const [x, y] = at(t); target.dispatchEvent(new PointerEvent(type, {
    clientX: box.left + x, clientY: box.top + y, pointerId: 1, button: type === "pointermove" ? -1 : 0,
    buttons: what.drag ? 1 : 0, bubbles: true })); };
  target.setPointerCapture = () => {};
  const before = Number(root.dataset[what.counts] ?? 0), start = performance.now();
  if (what.drag) fire("pointerdown", 0);
  while (performance.now() - start < 1000 * seconds) {
    fire("pointermove", (performance.now() - start) / 1000); await new Promise((done) => setTimeout(done, 8)); }
  const found = (Number(root.dataset[what.counts] ?? 0) - before) / ((performance.now() - start) / 1000);
  if (what.drag) fire("pointerup", seconds);
  return found; }"""
MEMORY = "print([line.split()[1] for line in open('/proc/self/status') if line.startswith('RssAnon')][0])"


def make(path: Path, seed: int = 1) -> Path:
    """A cube of stars and a turning disc, written plane by plane."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE].astype("f4")
    white = np.zeros((SIDE, SIDE), "f4")
    for _ in range(60):
        star = random.uniform(0, SIDE, 2)
        white += 10 ** random.uniform(1, 3.2) * (1 + ((x - star[0]) ** 2 + (y - star[1]) ** 2) / 9) ** -2.5
    disc = 400 * np.exp(-np.hypot((x - 0.45 * SIDE) / 1.3, y - 0.55 * SIDE) / 25)
    centre = LINE * SHIFT * (1 + 150 * np.tanh((x - 0.45 * SIDE) / 20) / 299792.458)
    noise = random.normal(0, 8, (SIDE + 61, SIDE)).astype("f4")
    cards: dict[str, Any] = {
        "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CTYPE3": "AWAV", "CUNIT1": "deg", "CUNIT2": "deg",
        "CUNIT3": "Angstrom", "CRPIX1": SIDE / 2, "CRPIX2": SIDE / 2, "CRPIX3": 1.0, "CRVAL1": 265.175,
        "CRVAL2": -53.674, "CRVAL3": FIRST, "CD1_1": -0.2 / 3600, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 0.2 / 3600,
        "CD3_3": STEP, "BUNIT": "10**(-20)*erg/s/cm**2/Angstrom",
    }  # fmt: skip
    fits.PrimaryHDU().writeto(path)
    with path.open("ab") as file:
        for name in ("DATA", "STAT"):
            shape = [("NAXIS", 3), ("NAXIS1", SIDE), ("NAXIS2", SIDE), ("NAXIS3", NZ), ("PCOUNT", 0), ("GCOUNT", 1)]
            header = fits.Header([("XTENSION", "IMAGE"), ("BITPIX", -32), *shape, ("EXTNAME", name)])
            header.update(cards)
            file.write(header.tostring().encode())
            for k in range(NZ):
                plane = np.full((SIDE, SIDE), 64, ">f4")
                if name == "DATA":
                    wave = FIRST + STEP * k
                    plane[:] = white + 0.2 * disc + noise[k % 61 : k % 61 + SIDE]
                    if abs(wave - LINE * SHIFT) < 40:
                        plane += disc * np.exp(-0.5 * ((wave - centre) / 1.6) ** 2)
                file.write(plane.tobytes())
            file.write(b"\0" * (-4 * NZ * SIDE * SIDE % 2880))
    return path


@contextmanager
def cube() -> Iterator[Path]:
    """The cube that is looked at."""
    if given := os.environ.get("MUSE_NB_CUBE"):
        yield Path(given)
        return
    with tempfile.TemporaryDirectory() as name:
        yield make(Path(name) / "CUBE.fits")


def reading(path: Path) -> float:
    """Seconds to read DATA once, in pieces of 8 MB."""
    room, left, start = bytearray(8 << 20), 4 * NZ * SIDE * SIDE, time.perf_counter()
    with path.open("rb", buffering=0) as file:
        while left > 0 and (number := file.readinto(room)):
            left -= number
    return time.perf_counter() - start


def best(work: Callable[[], object], times: int = 3) -> float:
    """Least seconds of some runs."""
    found = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return min(found)


def doors(path: Path) -> list[Row]:
    """The functions, warm."""
    from regions import CirclePixelRegion, PixCoord

    from muse_nb.products.cube_file import CubeFile
    from muse_nb.steps.look.band import image_of
    from muse_nb.steps.look.line_map import line_map
    from muse_nb.steps.look.spectrum import extract
    from muse_nb.widgets.cube.looks import Looks

    opened = CubeFile.open(path)
    looks = Looks(opened)
    read = min(reading(path) for _ in range(3))
    rows: list[Row] = [("muse_nb", "DATA read once", read, "s")]
    rows.append(("muse_nb", "first white light, 24 planes", best(lambda: Looks(opened).white()), "s"))
    white = best(looks.finish_white)
    rows.append(("muse_nb", "exact white light", white, "s"))
    rows.append(("muse_nb", "exact white light / DATA read once", white / read, "times"))
    circle = CirclePixelRegion(PixCoord(150, 160), 10)
    rows.append(("muse_nb", "circle of 10 spaxels, with errors", best(lambda: extract(opened, circle)) * 1e3, "ms"))
    for number in (10, 500):
        band = (5500.0, 5500.0 + STEP * (number - 1))
        took = best(lambda band=band: image_of(opened, band, errors=False))  # type: ignore[misc]
        rows.append(("muse_nb", f"band of {number} planes", took * 1e3, "ms"))
    before = _cpu()
    line_map(opened, "Halpha", SHIFT - 1)
    rows.append(("muse_nb", "Gaussian fits in 102400 spaxels, CPU", _cpu() - before, "s"))
    return rows


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


MPDAF = """import sys, time, numpy as np
from mpdaf.obj import Cube
start = time.perf_counter(); cube = Cube(sys.argv[1]); image = cube.mean(axis=0); print(time.perf_counter() - start)
start = time.perf_counter(); cube.aperture((160, 150), 10, unit_center=None, unit_radius=None)
print(time.perf_counter() - start)
start = time.perf_counter(); cube.get_image((5500, 5512)); print(time.perf_counter() - start)
print([int(line.split()[1]) / 1e3 for line in open('/proc/self/status') if line.startswith('VmHWM')][0])"""


def mpdaf(path: Path) -> list[Row]:
    """The same by mpdaf, which reads all of the cube as float64."""
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if importlib.util.find_spec("mpdaf") is None or (free < 16e9 and "MUSE_NB_MPDAF" not in os.environ):
        return []
    ended = subprocess.run([sys.executable, "-W", "ignore", "-c", MPDAF, str(path)], capture_output=True, text=True)
    if ended.returncode:
        return [("mpdaf", f"failed: {ended.stderr.strip().splitlines()[-1][:60]}", float("nan"), "")]
    took = [float(word) for word in ended.stdout.split()]
    names = (
        ("open, white light", "s"),
        ("circle of 10 spaxels", "s"),
        ("band of 10 planes", "s"),
        ("peak memory", "MB"),
    )
    return [("mpdaf", name, value, unit) for (name, unit), value in zip(names, took, strict=True)]


def browser(path: Path) -> list[Row]:
    """CubeViewer in JupyterLab and Chromium."""
    from lab import FLAGS, chromium, jupyterlab, notebook
    from playwright.sync_api import sync_playwright

    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright, jupyterlab(Path(name)) as server:
        page = playwright.chromium.launch(executable_path=chromium(), headless=True, args=FLAGS)
        with notebook(page, server, Path(name), "cube.ipynb", IMPORTS, OURS.format(path=str(path))) as book:
            _prepare(book)
            book.page.evaluate(RUN_NEXT)
            book.page.wait_for_function(f"() => {ROOT}?.dataset.painted", timeout=60_000)
            painted = book.page.evaluate(f"() => {ROOT}.dataset.painted - window.start") / 1000
            rows.append(("CubeViewer", "first picture", painted, "s"))
            book.page.wait_for_function(f"() => {ROOT}.dataset.label === 'white light'", timeout=120_000)
            exact = book.page.evaluate("() => performance.now() - window.start") / 1000
            rows.append(("CubeViewer", "white light of all planes shown", exact, "s"))
            book.until("bool(viewer.small)", 120)
            rows += [("CubeViewer", what, value, "a second") for what, value in _hands(book)]
            rows.append(("CubeViewer", "kernel's own memory", float(book.python(MEMORY)) / 1e3, "MB"))
        page.close()
    return rows


def _hands(book: Any) -> Iterator[tuple[str, float]]:
    """Answers a second while a hand moves."""

    def move(surface: str, counts: str, path: list[Any], drag: bool) -> float:
        what = {"surface": surface, "counts": counts, "path": path, "drag": drag}
        return float(book.page.evaluate(MOVE, [what, 4]))

    yield "spectra under the pointer", move("image", "spaxels", [[160, 90, 1.3], [160, 90, 1.7]], False)
    book.python(
        "viewer.regions = [dict(id=1, kind='circle', x=160., y=160., a=10., b=10., angle=0, points=[], name='1',"
        " colour='#e69f00', how='sum', ring=[])]; viewer.chosen = 1"
    )
    book.page.wait_for_function(f"() => {ROOT}.dataset.kept === '1'")
    yield "spectra of a circle of 10 spaxels", move("image", "apertures", [[160, 40, 1.3], [160, 40, 1.7]], True)
    for planes, span in ((10, 12.0), (500, 624.0)):
        book.python(f"viewer.band = [6000., {6000 + span}]; viewer.shown = 'band'")
        book.page.wait_for_function(f"() => {ROOT}.dataset.label.includes('{planes} planes')", timeout=20_000)
        yield f"images of a band of {planes} planes", move("plot", "images", [6000 + span / 2, 800, 1.1], True)


def _prepare(book: Any) -> None:
    """Run the imports: they are not what is measured."""
    book.page.evaluate(
        """async () => { const panel = window.jupyterapp.shell.currentWidget, session = panel.context.sessionContext;
        await session.ready; await session.session.kernel.info;
        panel.content.activeCellIndex = 0; await window.jupyterapp.commands.execute("notebook:run-cell"); }"""
    )


CUBEVIZ = """import sys, time
from jdaviz import Cubeviz
start = time.perf_counter(); viz = Cubeviz(); viz.load_data(sys.argv[1]); viz.show(); print(time.perf_counter() - start)
print([int(line.split()[1]) / 1e3 for line in open('/proc/self/status') if line.startswith('VmHWM')][0])"""


def cubeviz(path: Path) -> list[Row]:
    """Loading by Cubeviz, in an environment of its own."""
    python = os.environ.get("MUSE_NB_JDAVIZ")
    if not python:
        return []
    ended = subprocess.run([python, "-W", "ignore", "-c", CUBEVIZ, str(path)], capture_output=True, text=True)
    if ended.returncode:
        return [("Cubeviz", f"failed: {ended.stderr.strip().splitlines()[-1][:60]}", float("nan"), "")]
    seconds, memory = (float(word) for word in ended.stdout.split()[-2:])
    return [("Cubeviz", "loaded", seconds, "s"), ("Cubeviz", "peak memory", memory, "MB")]


def main() -> None:
    """Print the table."""
    with cube() as path:
        for part in (doors, browser, mpdaf, cubeviz):
            for tool, what, number, unit in part(path):
                print(f"{tool:12s} {what:38s} {number:9.2f} {unit}", flush=True)
    if "MUSE_NB_JDAVIZ" not in os.environ:
        print("Cubeviz      not measured: MUSE_NB_JDAVIZ names no environment that has it")


if __name__ == "__main__":
    main()
