"""Gigabytes from an archive on the loopback address: memory and speed of fetching them.

``python -m benchmarks archive [GB]`` (2 by default); the files are generated as they are sent, and removed at the end.
"""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "archive"))

from server import Remote, Server, State

FILES = 10
PATTERN = bytes(range(256)) * 256  # 64 kB


def remote(dp_id: str, size: int) -> Remote:
    """A FITS file of zeros and ones that is made while it is read."""
    wanted = size // 2880 * 2880
    cards = [
        "SIMPLE  =                    T",
        "BITPIX  =                    8",
        "NAXIS   =                    1",
        f"NAXIS1  = {wanted:20d}",
        "END",
    ]
    header = "".join(card.ljust(80) for card in cards).ljust(2880).encode()

    def piece(start: int, number: int) -> bytes:
        if start < len(header):
            return header[start : start + number]
        at = (start - len(header)) % len(PATTERN)
        return (PATTERN[at:] + PATTERN[:at])[: min(number, len(header) + wanted - start)]

    return Remote(f"{dp_id}.fits", None, len(header) + wanted, piece, etag=f'"{size}"')


def archive(gigabytes: float) -> State:
    """Ten files that are as large together."""
    state = State()
    for number in range(FILES):
        dp_id = f"MUSE.2014-07-27T03:12:0{number}.000"
        state.files[dp_id] = remote(dp_id, int(gigabytes * 1e9 / FILES))
        state.rows.append(
            {"dp_id": dp_id, "dp_cat": "SCIENCE", "dp_type": "OBJECT", "instrument": "MUSE", "target": "NGC 6397"}
            | {"exp_start": dp_id[5:] + "Z", "access_estsize": int(gigabytes * 1e6 / FILES)}
        )
    return state


def serve() -> None:
    """Be an archive of a few megabytes, slow enough to be killed at, until this is killed; print its address."""
    state = archive(0.004)
    state.pace = 0.002
    with Server(state) as server:
        print(server.url, flush=True)
        threading.Event().wait()


def main() -> None:
    """Fetch, and print the memory and the time."""
    if sys.argv[1:] == ["serve"]:
        return serve()
    gigabytes = float(sys.argv[1]) if len(sys.argv) > 1 else 2.0
    folder = Path(tempfile.mkdtemp(prefix="archive-"))
    try:
        with Server(archive(gigabytes)) as server:
            started = time.monotonic()
            words = ["fetch", "--target", "NGC 6397", "--archive", server.url, "-o", str(folder)]
            words += ["--no-logs", "--no-manifest", "--json"]
            command = [sys.executable, "-m", "muse_nb", *words]
            ended = subprocess.run(command, capture_output=True, text=True, check=False)
            seconds = time.monotonic() - started
        if ended.returncode:
            raise SystemExit(ended.stderr)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        found = json.loads(ended.stdout)
        print(
            f"{found['bytes'] / 1e9:.2f} GB in {len(found['fetched'])} files: {seconds:.1f} s,"
            f" {used.ru_utime + used.ru_stime:.1f} s of CPU, peak memory {used.ru_maxrss / 1024:.0f} MB"
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
