"""What is installed is told with versions; what is missing with what it would add and how to get it."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from muse_nb.cli import main
from muse_nb.core.html import FINDINGS_MIME
from muse_nb.kernels import KernelsError
from muse_nb.recipes.backends import Backend
from muse_nb.steps.install import install, packages, recipes
from muse_nb.steps.install.install import check_installation
from muse_nb.steps.install.packages import AskedPackage, package_parts
from muse_nb.steps.install.result import Installation, Part

WITHOUT = {name: Backend(name, False, "ESO's MUSE recipes are not installed") for name in ("python-cpl", "esorex")}


def part(found: Installation, name: str) -> Part:
    (one,) = (part for part in found.parts if part.name == name)
    return one


@pytest.fixture
def no_recipes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipes, "available", lambda: WITHOUT)


def test_this_installation_is_whole_and_says_its_versions(tmp_path: Path) -> None:
    found = check_installation(browser="", folder=tmp_path)
    assert found.findings == ()
    assert found.packages["numpy"] == np.__version__
    assert "chosen at run time" in part(found, "C kernels").detail
    assert found.machine.cores >= 1
    assert 0 < found.machine.free_memory <= found.machine.memory
    assert found.machine.folder == str(tmp_path)
    lines = str(found).splitlines()
    assert lines[0].startswith(f"muse_nb {found.version} in ")
    assert len(lines) == 2 + len(found.parts)


def test_every_missing_part_says_what_it_adds_and_how_to_get_it(no_recipes: None) -> None:
    found = check_installation(browser="")
    missing = [one for one in found.parts if not one.there]
    assert {"ESO's MUSE recipes", "python-cpl", "Chromium"} <= {one.name for one in missing}
    for one in missing:
        assert f"it adds {one.adds}; to get it: {one.remedy}" in str(one)
        assert one.adds
        assert one.remedy
    assert found.findings == (), "nothing of these is needed"
    assert all(not one.remedy for one in found.parts if one.there)


@pytest.mark.parametrize(
    ("release", "apt", "told"),
    [
        ({"ID": "debian", "VERSION_ID": "12"}, "/usr/bin/apt-get", "apt install esorex cpl-plugin-muse"),
        ({"ID": "debian", "VERSION_ID": "13"}, "/usr/bin/apt-get", "bash scripts/recipes.sh "),
        ({"ID": "debian"}, "/usr/bin/apt-get", "apt install esorex cpl-plugin-muse"),  # testing has no number
        ({"ID": "fedora", "VERSION_ID": "42"}, None, "www.eso.org"),
        (OSError(), None, "www.eso.org"),  # macOS
    ],
)
def test_the_recipes_are_got_as_the_system_gets_them(
    no_recipes: None, monkeypatch: pytest.MonkeyPatch, release: dict[str, str] | OSError, apt: str | None, told: str
) -> None:
    def released() -> dict[str, str]:
        if isinstance(release, OSError):
            raise release
        return release

    monkeypatch.setattr(platform, "freedesktop_os_release", released)
    monkeypatch.setattr(recipes.shutil, "which", lambda name, path=None: apt if name == "apt-get" else None)
    assert told in part(check_installation(), "ESO's MUSE recipes").remedy


@pytest.mark.parametrize("says", ["EsoRex, version 3.13.6\nLibraries used: CPL = 7.2.3, CFITSIO = 4.2.0", "nothing"])
def test_versions_of_the_recipes_are_those_that_esorex_tells(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, says: str
) -> None:
    (tmp_path / "esorex").write_text(f"#!/bin/sh\ncat <<'END'\n{says}\nEND\n")
    (tmp_path / "esorex").chmod(0o755)
    here = Backend("esorex", True, "MUSE pipeline 2.8.7")
    monkeypatch.setattr(recipes, "available", lambda: WITHOUT | {"esorex": here})
    monkeypatch.setattr(recipes, "environment", lambda: os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    found = part(check_installation(), "ESO's MUSE recipes")
    assert found.there
    brackets = " (esorex 3.13.6, CPL 7.2.3)" if says != "nothing" else ""
    assert found.detail == f"MUSE pipeline 2.8.7, called by esorex{brackets}"


def test_packages_that_are_missing_or_too_old_are_findings() -> None:
    asked = [
        AskedPackage("numpy", ">=2.0", "", "2.4.6"),
        AskedPackage("astropy", ">=7.0", "", "6.1.1"),
        AskedPackage("nh3", ">=0.3", "", ""),
        AskedPackage("dask", ">=2024.8", "cluster", ""),
    ]
    needed, dask = package_parts(asked)
    assert needed.detail == "missing or too old: astropy>=7.0 (6.1.1), nh3>=0.3 (not installed)"
    assert needed.remedy == "pip install 'astropy>=7.0' 'nh3>=0.3'"
    assert (dask.there, dask.needed, dask.remedy) == (False, False, "pip install 'muse_nb[cluster]'")
    assert all(AskedPackage("x", ">=2.0", "", version).fits for version in ("2.0", "2.1rc1", "3.0.dev0"))


def test_a_broken_needed_part_is_a_finding_and_the_command_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> str:
        raise KernelsError("the C kernels of muse_nb are not there: \x1b[31m<build> them")

    monkeypatch.setattr(install, "instructions", broken)
    assert main(["doctor", "--install"]) == 1
    line = capsys.readouterr().out.splitlines()[2]
    assert line.startswith(r"MISSING  C kernels: the C kernels of muse_nb are not there: \x1b[31m<build> them; it adds")
    found = check_installation()
    assert found._repr_mimebundle_()[FINDINGS_MIME] == {"findings": [str(part(found, "C kernels"))]}
    assert "&lt;build&gt;" in found._repr_html_()


def test_scripts_get_the_same_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--install", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["findings"] == []
    assert {"name", "there", "detail", "adds", "remedy", "needed"} == set(told["parts"][0])
    assert told["machine"]["cores"] >= 1


def test_a_package_that_was_never_installed_is_not_vouched_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "requires", lambda name: None)
    found = part(check_installation(), "Python packages")
    assert "were not looked at" in found.detail


@pytest.mark.parametrize("words", [[], ["--install", "night"]])
def test_a_folder_or_the_installation_one_of_them(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["doctor", *words])
    assert "--install" in capsys.readouterr().err.splitlines()[-1]


def test_a_part_is_a_line_whatever_its_version_says() -> None:
    one = Part("x", True, "1\n2", "all")
    assert "\n" not in str(one)
    assert "\n" not in str(replace(one, there=False, remedy="a\nb"))
