"""The public names have types: what a strict checker accepts of a script, and what it does not."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import muse_nb

ROOT = Path(__file__).parents[2]


def test_a_strict_checker_accepts_a_script_and_finds_its_mistakes() -> None:
    """Types that were lost would be told by assert_type, mistakes that are not found by an unused ignore."""
    command = [sys.executable, "-m", "mypy", "--follow-imports=silent", "tests/typing/example.py"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_checkers_know_every_public_name() -> None:
    stub = (ROOT / "muse_nb" / "__init__.pyi").read_text()
    lines = re.findall(r"^from (\S+) import (\w+) as \2$", stub, re.M)
    homes = {name: getattr(muse_nb, name).__module__ for _, name in lines}
    assert {*homes, "__version__"} == set(muse_nb.__all__)
    assert {name: place for place, name in lines} == homes
