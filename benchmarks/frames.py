"""Statistics of a full 4096 x 4112 frame against the plain read of its bytes, and the mosaic of an exposure of 24.

Prints one line of JSON each, with the load of the machine. The exposure takes 5 GB of disk for a minute.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from astropy.io import fits

from muse_nb.products.object_red import write_object_red
from muse_nb.steps.inspect.inspect import inspect

SHAPE = (4112, 4096)
PITCH, WIDTH, LEFT = 84, 76, 24  # pixels: slices as MUSE has them


def full_frame(path: Path) -> None:
    """Write a frame with 48 slices of sky, gaps, and some flags."""
    random = np.random.default_rng(0)
    x = np.arange(SHAPE[1]) - LEFT
    gap = (x < 0) | (x % PITCH >= WIDTH) | (x >= 48 * PITCH)
    sigma = np.where(gap, 1e5, 5.5).astype(np.float32)
    data = 25 + sigma * random.standard_normal(SHAPE, dtype=np.float32)
    stat = np.broadcast_to(sigma**2, SHAPE).astype(np.float32)
    dq = np.where(gap & (data < 0), 16384, 0).astype(np.int32)
    dq[random.integers(0, SHAPE[0], 3000), random.integers(0, SHAPE[1], 3000)] |= 256
    header = fits.Header(
        {"DATE-OBS": "2014-07-27T03:12:00.000", "EXTNAME": "CHAN12", "HIERARCH ESO PRO CATG": "OBJECT_RED"}
    )
    write_object_red(path, header, data, dq, stat)


def plain_read(path: Path) -> None:
    """Read all bytes of a file through one buffer."""
    buffer = bytearray(1 << 20)
    handle = os.open(path, os.O_RDONLY)
    while os.readv(handle, [buffer]):
        pass
    os.close(handle)


def best(call: Callable[[], object], times: int = 7) -> float:
    """Shortest wall time of several calls [s]."""
    took = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        took.append(time.perf_counter() - start)
    return min(took)


def exposure(folder: Path, first: Path) -> list[Path]:
    """Write the 24 full frames of an exposure: copies of the first, each with its own IFU."""
    paths = []
    for ifu in range(1, 25):
        paths.append(folder / f"OBJECT_RED_0001-{ifu:02d}.fits")
        if paths[-1] != first:
            shutil.copyfile(first, paths[-1])
        fits.setval(paths[-1], "EXTNAME", value=f"CHAN{ifu:02d}")
    return paths


MOSAIC = """
import resource, sys, time
from muse_nb.steps.inspect.inspect import inspect
from muse_nb.widgets.mosaic.mosaic import Mosaic
start, before = time.perf_counter(), time.process_time()
sheet = Mosaic(inspect(sys.argv[1:]))
took, cpu = time.perf_counter() - start, time.process_time() - before
print(len(sheet.tiles), took, cpu, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6)
"""


def report(**values: object) -> None:
    """Print one line of JSON."""
    json.dump({k: round(v, 4) if isinstance(v, float) else v for k, v in values.items()}, sys.stdout)
    print(flush=True)


def main() -> None:
    """Measure, and print what was measured."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "OBJECT_RED_0001-12.fits"
        full_frame(path)
        read, statistics = best(lambda: plain_read(path)), best(lambda: inspect(path))
        report(benchmark="frames", read_s=read, statistics_s=statistics, ratio=statistics / read, goal=3)
        paths = [str(one) for one in exposure(Path(name), path)]
        answer = subprocess.run([sys.executable, "-c", MOSAIC, *paths], check=True, capture_output=True, text=True)
    tiles, took, cpu, memory = (float(value) for value in answer.stdout.split())
    report(
        benchmark="mosaic of full frames",
        frames=int(tiles),
        seconds=took,
        cpu_s=cpu,
        peak_memory_GB=memory,
        goal_GB=1,
        cpu_s_of_19_exposures=19 * cpu,
        load=os.getloadavg()[0],
    )


if __name__ == "__main__":
    main()
