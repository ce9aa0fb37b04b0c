"""The fuzz test with more inputs than in `make test`: ``python -m benchmarks.fuzz [EXAMPLES]`` of each kind of file.

Where atheris is installed (``pip install atheris``; no part of the environment), the readers are also given inputs that
it chooses by the code they reach.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import warnings
from importlib.util import find_spec
from pathlib import Path

EXAMPLES = 300
SECONDS = 60  # of atheris
ROOT = Path(__file__).parents[1]


def guided(folder: Path) -> None:
    """Let atheris look for an input that a reader answers with anything but a result or a MuseError; never returns."""
    import atheris

    sys.path.insert(0, str(ROOT / "tests" / "products"))
    with atheris.instrument_imports(include=["muse_nb"]):
        from product_files import READERS, write_products

        from muse_nb.core.errors import MuseError
    (folder / "products").mkdir()
    (folder / "seeds").mkdir()
    made = write_products(folder / "products")
    kinds = sorted(READERS)
    for number, kind in enumerate(kinds):
        (folder / "seeds" / kind).write_bytes(bytes([number]) + made[kind].read_bytes())
    warnings.simplefilter("ignore")  # astropy has much to say about such headers

    def read(data: bytes) -> None:
        kind = kinds[data[0] % len(kinds)] if data else kinds[0]
        path = folder / made[kind].name
        path.write_bytes(data[1:])
        try:
            READERS[kind](path)
        except MuseError:
            return

    limits = [f"-max_total_time={SECONDS}", "-max_len=60000", "-timeout=30", "-rss_limit_mb=1500", "-verbosity=0"]
    finding = f"-artifact_prefix={folder.parent}/fuzz-"
    atheris.Setup([sys.argv[0], *limits, "-print_final_stats=1", finding, str(folder / "seeds")], read)
    atheris.Fuzz()


def main() -> None:
    """Run, and print what was tried."""
    if sys.argv[1:2] == ["--guided"]:
        guided(Path(sys.argv[2]))
    examples = sys.argv[1] if len(sys.argv) > 1 else str(EXAMPLES)
    words = ["-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", "--timeout", "0", "tests/faults/test_fuzz.py"]
    settings = os.environ | {"MUSE_NB_FUZZ": examples}
    status = subprocess.run([sys.executable, *words], cwd=ROOT, env=settings).returncode
    if find_spec("atheris") is None:
        print("atheris: not installed, no inputs chosen by the code they reach")
        sys.exit(status)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        words = ["-m", "benchmarks.fuzz", "--guided", name]
        told = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True)
        print("atheris:", *(line for line in told.stderr.splitlines() if "stat::" in line or "Error" in line))
    sys.exit(status or told.returncode)


if __name__ == "__main__":
    main()
