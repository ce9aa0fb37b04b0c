"""Run every benchmark, or those named, each in a process of its own: ``python -m benchmarks [NAME...]``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ALL = sorted(path.stem for path in HERE.glob("[!_]*.py") if "def main(" in path.read_text())

failed = []
for name in sys.argv[1:] or ALL:
    print(f"\n== {name}", flush=True)
    paths = os.pathsep.join(map(str, (HERE, HERE.parent)))
    if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], env=os.environ | {"PYTHONPATH": paths}).returncode:
        failed.append(name)
sys.exit(f"failed: {', '.join(failed)}" if failed else 0)
