"""Run every benchmark, or those named, each in a process of its own: ``python -m benchmarks [NAME...] [--OPTION...]``.

Options go to all of them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ALL = sorted(path.stem for path in HERE.glob("[!_]*.py") if "def main(" in path.read_text())

options = [word for word in sys.argv[1:] if word.startswith("-")]
failed = []
for name in [word for word in sys.argv[1:] if word not in options] or ALL:
    print(f"\n== {name}", flush=True)
    paths = os.pathsep.join(map(str, (HERE, HERE.parent)))
    command = [sys.executable, "-m", f"benchmarks.{name}", *options]
    if subprocess.run(command, env=os.environ | {"PYTHONPATH": paths}).returncode:
        failed.append(name)
sys.exit(f"failed: {', '.join(failed)}" if failed else 0)
