"""Clicks in StarPicker: CPU time of a click and what it sends, latency in JupyterLab, and memory over 1000 updates.

``python -m benchmarks.picker`` prints a table; the latency is measured where Chromium is installed.
"""

from __future__ import annotations

import gc
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.offset_fields import Kind, make
from muse_nb.steps.offsets.picked import candidates, solve_picks
from muse_nb.steps.offsets.result import Offsets
from muse_nb.widgets.stars.picker import StarPicker

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "browser"))

FIELDS = {4: (Kind(60, 5.0, 300.0, side=100, exposures=4), 8), 19: (Kind(60, 5.0, 300.0, side=100, exposures=19), 8)}
LARGE = (Kind(260, 8.0, 300.0, side=250, exposures=45), 200)
UPDATES = 1000
CELL = """from pathlib import Path
from muse_nb import StarPicker
from muse_nb.steps.offsets.picked import candidates
picker = StarPicker(sorted(Path('{folder}').glob('*.fits')))
picker"""


def opened(kind: Kind, folder: Path) -> StarPicker:
    """A picker on a simulated field, measured once."""
    picker = StarPicker(make(kind, 1, folder).files)
    picker._measure()
    return picker


def click(picker: StarPicker, x: float, y: float) -> float:
    """CPU seconds from a message of the browser to the first answer; the picks' own fit follows in a thread."""
    before, start = picker.measured, time.thread_time()
    picker._received(None, {"type": "click", "exposure": 0, "x": x, "y": y}, [])
    spent = time.thread_time() - start
    if picker.error or picker.measured == before:
        raise RuntimeError(f"no answer to a click: {picker.error or picker.method}")
    return spent


def sent(picker: StarPicker) -> float:
    """Kilobytes of the state that a click changes."""
    text = sum(len(json.dumps(value)) for value in (picker.stars, picker.rows))
    return (text + len(picker.places) + len(picker.residuals) + len(picker.stamps.get("pixels", b""))) / 1000


def report(name: str, kind: Kind, picks: int, folder: Path) -> None:
    """A row of the table: the last of some clicks."""
    picker = opened(kind, folder)
    picker.add_best(picks)
    apart: list[float] = []
    more = [(float(s["x"]), float(s["y"])) for s in candidates(picker.measurement, picks + 20)][picks:]
    others = [place for place in more if min(place) > 5 and max(place) < kind.side - 5][:3]
    picker._live, clicks = True, []
    _ = picker.measurement.star_shifts
    for place in others:
        clicks.append(click(picker, *place))
        first = picker._preview
        apart.append(np.abs(_deviations(first, picker.offsets)).max())  # which waits for the fit
    start = time.process_time()
    solve_picks(picker.measurement, picker.picks)
    fit = time.process_time() - start
    counts = f"{len(picker.stars):5} {len(picker.rows):9}"
    times = f"{1e3 * np.median(clicks):10.0f} {1e3 * fit:10.0f}"
    print(f"{name:16} {counts} {times} {sent(picker):9.0f} {np.median(apart):13.2f}", flush=True)


def _deviations(first: Offsets, last: Offsets) -> NDArray:
    """Offsets that answer a click at once minus those of the fit that follows, in its errors."""
    before, after = (np.r_[o.table["ra_offset"][1:], o.table["dec_offset"][1:]] for o in (first, last))
    return (before - after) / np.r_[last.table["ra_error"][1:], last.table["dec_error"][1:]]


def memory(folder: Path) -> None:
    """Resident memory after 100 updates and after 1000."""
    picker = opened(Kind(30, 8.0, 300.0, side=70, exposures=4), folder)
    picker.add_best(5)
    for update in range(UPDATES):
        picker.drop(1 + update % 5, dropped=bool(update // 5 % 2 == 0))
        if update in (UPDATES // 10, UPDATES - 1):
            gc.collect()
            print(f"memory after {update + 1:4} updates: {_resident():.0f} MB", flush=True)
    print(f"largest: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def _resident() -> float:
    fields = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in fields if line.startswith("VmRSS")).split()[1]) / 1024


def latency(folders: dict[int, Path], lab: Path) -> None:
    """Milliseconds from a click to the offsets, as the browser measures them."""
    from lab import FLAGS, Canvas, chromium, jupyterlab, notebook
    from playwright.sync_api import sync_playwright

    executable = chromium()
    if executable is None:
        print("latency in JupyterLab: Chromium is not installed")
        return
    with jupyterlab(lab) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, headless=True, args=FLAGS)
        for exposures, folder in folders.items():
            (folder / "picks.ecsv").unlink(missing_ok=True)
            with notebook(browser, server, lab, f"{exposures}.ipynb", CELL.format(folder=folder)) as book:
                book.run()
                canvas = Canvas(book, "stars")
                book.until("len(picker.rows)", 120)
                canvas.settled("sharp", str(exposures))
                times = []
                stars = book.value("[[float(s['x']), float(s['y'])] for s in candidates(picker.measurement, 12)]")
                inside = [star for star in stars if min(star) > 5 and max(star) < FIELDS[exposures][0].side - 5]
                for x, y in inside[:6]:
                    number = book.value("picker.measured")
                    canvas.click(x, y)
                    book.until(f"picker.measured > {number} and picker.method[:5] != 'first' or picker.error", 60)
                    canvas.settled("measured", str(book.value("picker.measured")))
                    times.append(int(canvas.data("answered")))
                print(
                    f"latency in JupyterLab, {exposures:2} exposures: {np.median(times):.0f} ms ({times})", flush=True
                )
        browser.close()


def main() -> None:
    """Print the tables."""
    with tempfile.TemporaryDirectory() as scratch:
        folders = {exposures: Path(scratch) / str(exposures) for exposures in FIELDS}
        counts = f"{'CPU of a click':16} {'stars':>5} {'exposures':>9}"
        print(f"{counts} {'click [ms]':>10} {'fit [ms]':>10} {'sent [kB]':>9} {'apart [errors]':>13}")
        for exposures, (kind, picks) in FIELDS.items():
            report(f"{exposures} exposures", kind, picks, folders[exposures])
        report("many", *LARGE, Path(scratch) / "large")
        memory(Path(scratch) / "memory")
        latency(folders, Path(scratch))


if __name__ == "__main__":
    main()
