"""The fuzz test with more inputs than in `make test`: ``python -m benchmarks.fuzz [EXAMPLES]`` of each kind of file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

EXAMPLES = 300


def main() -> None:
    """Run, and print what was tried."""
    examples = sys.argv[1] if len(sys.argv) > 1 else str(EXAMPLES)
    words = ["-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", "--timeout", "0", "tests/faults/test_fuzz.py"]
    settings = os.environ | {"MUSE_NB_FUZZ": examples}
    sys.exit(subprocess.run([sys.executable, *words], cwd=Path(__file__).parents[1], env=settings).returncode)


if __name__ == "__main__":
    main()
