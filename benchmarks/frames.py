"""Statistics of a full 4096 x 4112 frame against the plain read of its bytes; prints one line of JSON."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from astropy.io import fits

from muse_nb.products.object_red import write_object_red
from muse_nb.steps.inspect import inspect

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


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "OBJECT_RED_0001-12.fits"
        full_frame(path)
        read, statistics = best(lambda: plain_read(path)), best(lambda: inspect(path))
    result = {"benchmark": "frames", "read_s": read, "statistics_s": statistics, "ratio": statistics / read, "goal": 3}
    json.dump(
        {key: round(value, 4) if isinstance(value, float) else value for key, value in result.items()}, sys.stdout
    )
    print()


if __name__ == "__main__":
    main()
