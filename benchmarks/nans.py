"""The audit of a 3 GB cube without pixel tables against the plain read of the file, and its memory; prints JSON.

Imports are not counted.

``python benchmarks/nans.py [PLANES]``: 3681 planes of 320 x 320, DATA and STAT, unless told otherwise.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from astropy.io import fits

SIDE = 320
AUDIT = (
    "import resource, sys, time, astropy.io.fits; from muse_nb.steps.nans.audit import audit_nans;"
    "start = time.perf_counter();"
    "audit = audit_nans(sys.argv[1]); took = time.perf_counter() - start;"
    "print(took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, audit.voxels)"
)


def write_cube(path: Path, planes: int) -> None:
    """Write a cube with NaN at the edge and in some holes, a plane at a time."""
    random = np.random.default_rng(0)
    plane = random.standard_normal((SIDE, SIDE)).astype(">f4")
    plane[:, :10] = np.nan
    plane[random.integers(0, SIDE, 500), random.integers(0, SIDE, 500)] = np.nan
    size = planes * plane.nbytes
    with path.open("wb") as file:
        file.write(fits.PrimaryHDU().header.tostring().encode())
        for name in ("DATA", "STAT"):
            cards = {"XTENSION": "IMAGE", "BITPIX": -32, "NAXIS": 3, "NAXIS1": SIDE, "NAXIS2": SIDE, "NAXIS3": planes}
            header = fits.Header({**cards, "PCOUNT": 0, "GCOUNT": 1, "EXTNAME": name, "CRVAL3": 4750.0, "CD3_3": 1.25})
            file.write(header.tostring().encode())
            for k in range(planes):
                file.write(np.roll(plane, k, axis=0).tobytes())
            file.write(bytes(-size % 2880))


def plain_read(path: Path) -> float:
    """Seconds to read all bytes of a file through one buffer."""
    buffer = bytearray(1 << 20)
    start = time.perf_counter()
    handle = os.open(path, os.O_RDONLY)
    while os.readv(handle, [buffer]):
        pass
    os.close(handle)
    return time.perf_counter() - start


def main() -> None:
    planes = int(sys.argv[1]) if len(sys.argv) > 1 else 3681
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        path = Path(folder) / "cube.fits"
        write_cube(path, planes)
        read = min(plain_read(path) for _ in range(3))
        runs = []
        for _ in range(3):
            out = subprocess.run([sys.executable, "-c", AUDIT, str(path)], check=True, capture_output=True, text=True)
            runs.append([float(word) for word in out.stdout.split()])
        took, memory, voxels = min(runs)
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    result = {
        "benchmark": "nans",
        "bytes": 2 * 4 * planes * SIDE**2,
        "read_s": round(read, 3),
        "audit_s": round(took, 3),
    }
    result |= {
        "ratio": round(took / read, 2),
        "goal": 1.5,
        "peak_MB": round(memory),
        "goal_MB": 500,
        "nan": int(voxels),
    }
    print(json.dumps(result | {"own_MB": round(used)}))


if __name__ == "__main__":
    main()
