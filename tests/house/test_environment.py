"""pyproject.toml, environment.yml, conda's recipe and requirements.lock name the same packages and versions."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

import muse_nb

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


def test_no_line_of_the_environment_is_there_twice() -> None:
    lines = (ROOT / "environment.yml").read_text().splitlines()
    names = [re.split("[>=]", line.strip())[0] for line in lines if line.lstrip().startswith("- ")]
    assert sorted(names) == sorted(set(names))


def test_the_recipe_for_conda_asks_for_the_same() -> None:
    text = (ROOT / "recipe" / "meta.yaml").read_text()
    needed = re.search(r"^  run:\n((?: +[-#].*\n)+)", text, re.M)
    assert needed
    lines = dict(re.findall(r"^    - (\S+) (\S+)$", needed[1], re.M))
    users = {r.name: str(r.specifier) for r in map(Requirement, PROJECT["project"]["dependencies"])}
    users.pop("ncompress")  # not at conda-forge; without it one sentence says what to do
    assert lines == {CONDA_NAME.get(name, name): bound for name, bound in users.items()} | {"python": ">=3.11"}


def test_the_version_is_one() -> None:
    """It stands in muse_nb/__init__.py; what cannot read it there says the same."""
    assert "version" in PROJECT["project"]["dynamic"]
    home = re.search(r'^__version__ = "([^"]+)"$', (ROOT / "muse_nb" / "__init__.py").read_text(), re.M)
    assert home
    assert f"\nversion: {home[1]}\n" in (ROOT / "CITATION.cff").read_text()
    pattern = re.search(r"load_file_regex\(\"(.+?)\", '(.+?)'", (ROOT / "recipe" / "meta.yaml").read_text())
    assert pattern
    found = re.search(pattern[2], (ROOT / "recipe" / pattern[1]).read_text())
    assert found
    assert found[1] == home[1] == muse_nb.__version__
    assert (ROOT / "CHANGELOG.md").read_text().startswith(f"# Changes\n\n## {home[1]}")


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
