"""Importing the package costs next to nothing, and every public name is there."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import muse_nb


def cpu_seconds(*command: str) -> float:
    code = (
        "import json, resource, subprocess, sys;"
        "subprocess.run(json.loads(sys.argv[1]), check=True, stdout=subprocess.DEVNULL);"
        "use = resource.getrusage(resource.RUSAGE_CHILDREN); print(use.ru_utime + use.ru_stime)"
    )
    runs = [
        float(subprocess.run([sys.executable, "-c", code, json.dumps(command)], check=True, capture_output=True).stdout)
        for _ in range(3)
    ]
    return min(runs)


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = (
        "import sys, muse_nb, muse_nb.cli; print(*[m for m in ('numpy', 'astropy', 'matplotlib') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split() == []
    assert cpu_seconds(sys.executable, "-c", "import muse_nb") < 0.5


def test_the_overview_of_the_commands_appears_at_once() -> None:
    assert cpu_seconds(sys.executable, "-m", "muse_nb", "--help") < 1.0


@pytest.mark.parametrize("name", sorted(set(muse_nb.__all__) - {"__version__"}))
def test_every_public_name_is_there_and_documented(name: str) -> None:
    assert (getattr(muse_nb, name).__doc__ or "").strip(), f"muse_nb.{name} has no docstring"
