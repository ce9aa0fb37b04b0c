"""pyproject.toml, environment.yml and requirements.lock name the same packages and agree on their versions."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONDA_NAME = {"matplotlib": "matplotlib-base", "jupyter-client": "jupyter_client"}  # the former without a Qt


def wanted() -> dict[str, str]:
    """What pyproject.toml asks for, but for the recipes' extra: name -> lower bound."""
    extras = PROJECT["project"]["optional-dependencies"]
    lines = PROJECT["project"]["dependencies"] + [line for key, more in extras.items() if key != "eso" for line in more]
    return {r.name: str(r.specifier) for r in map(Requirement, lines)}


def conda() -> dict[str, str]:
    """What environment.yml asks for, its pip part included."""
    lines = re.findall(r"^\s+- ([a-z][\w-]*)(>=[\d.]+)?\s*$", (ROOT / "environment.yml").read_text(), re.M)
    return dict(lines)


def test_conda_users_get_the_same_packages_with_the_same_bounds() -> None:
    expected = {CONDA_NAME.get(name, name): bound for name, bound in wanted().items()}
    own = {
        "python": ">=3.11",
        "distributed": expected["dask"],
        "setuptools": ">=80",
        "c-compiler": "",
        "pip": "",
    }
    ours = {name: bound for name, bound in conda().items() if name not in ("conda-forge", "nodefaults", "pip:")}
    assert ours == expected | own
    assert PROJECT["project"]["requires-python"] == own["python"]


def test_the_lock_pins_everything_that_is_asked_for_within_its_bounds() -> None:
    lock = dict(line.split("==") for line in (ROOT / "requirements.lock").read_text().split())
    lock = {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in lock.items()}
    extras = PROJECT["project"]["optional-dependencies"]
    for line in PROJECT["project"]["dependencies"] + [line for more in extras.values() for line in more]:
        requirement = Requirement(line)
        assert Version(lock[requirement.name.lower()]) in requirement.specifier, line


def test_every_dependency_has_a_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    for line in PROJECT["project"]["dependencies"]:
        assert re.search(re.escape(f'"{line}",') + r"\s+# \w+", text), f"{line}: say what it is for"


def test_no_package_is_asked_for_twice() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    for lines in (PROJECT["project"]["dependencies"], *extras.values()):
        names = [Requirement(line).name for line in lines]
        assert len(names) == len(set(names)), names
