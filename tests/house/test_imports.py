"""The rooms of the house: who may import whom, and that importing costs next to nothing."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import muse_nb

PACKAGE = Path(muse_nb.__file__).parent
BELOW = {  # room -> the rooms it may import
    "kernels": set(),
    "products": {"kernels"},
    "resample": {"kernels", "products"},
    "recipes": {"kernels", "products"},
    "simulator": {"kernels", "products"},
    "steps": {"kernels", "products", "resample", "recipes", "simulator"},
    "widgets": {"kernels", "products", "resample", "recipes", "simulator", "steps"},
    "sharing": {"kernels", "products", "resample", "recipes", "simulator", "steps"},
}
MODULES = sorted(path for room in BELOW for path in (PACKAGE / room).rglob("*.py"))


def rooms_imported(path: Path) -> set[str]:
    """Rooms of muse_nb named in any import of a module, at its top or inside a function."""
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the room"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    parts = [name.split(".") for name in names]
    return {part[1] for part in parts if part[0] == "muse_nb" and len(part) > 1 and part[1] in BELOW}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_from_its_own_room_and_those_below(path: Path) -> None:
    room = path.relative_to(PACKAGE).parts[0]
    assert rooms_imported(path) <= BELOW[room] | {room}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_module_is_longer_than_500_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 500


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
