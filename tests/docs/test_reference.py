"""Every public name has a page in the reference and an example on it, and the examples run as they are printed."""

from __future__ import annotations

import doctest
import importlib
import inspect
import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import example_night
import pytest
import reference_pages
from filelock import FileLock
from holdings import a_night
from server import Server

import muse_nb

if TYPE_CHECKING:
    from muse_nb.simulator.night import Night

NEEDS_RECIPES = {"calibrate", "reduce", "reduce_all", "run_recipe"}
NEEDS_MPDAF = {"band", "spectrum"}
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def docstring(name: str) -> str:
    return inspect.getdoc(getattr(muse_nb, name)) or ""


def home(name: str) -> str:
    return f"{getattr(muse_nb, name).__module__.replace('.', '/')}.py"


def named_parameters(text: str) -> list[str]:
    """Names under the heading Parameters of a numpydoc docstring."""
    found = re.search(r"^Parameters\n-+\n(.*?)(?=^\S[^\n]*\n-+\n|\Z)", text, re.M | re.S)
    lines = re.findall(r"^([*\w]\S*(?:, \S+)*)(?: : .*)?$", found[1], re.M) if found else []
    return [name.lstrip("*") for line in lines for name in line.split(", ")]


def keywords(name: str, value: Any) -> list[str]:
    """Parameters of a public function, with the keywords that its ``**settings`` take where a TypedDict lists them."""
    found = []
    for parameter in inspect.signature(value).parameters.values():
        told = re.fullmatch(r"Unpack\[(\w+)\]", str(parameter.annotation))
        if told:
            module = importlib.import_module(value.__module__)
            found += list(reference_pages.named(module, told[1]).__annotations__)
        elif parameter.name != "self":
            found.append(parameter.name)
    return found


@pytest.mark.parametrize("name", reference_pages.names())
def test_every_public_name_has_an_example(name: str) -> None:
    examples = doctest.DocTestParser().get_examples(docstring(name))
    assert examples, (
        f"muse_nb.{name} has no example in the reference: add a section `Examples` with lines of >>> to its docstring"
        f" in {home(name)}; it is run in a folder with night/, OFFSET_LIST.fits and CUBE.fits (docs/examples.md)"
    )
    skipped = [example.source.strip() for example in examples if example.options.get(doctest.SKIP)]
    assert not skipped, f"the example of muse_nb.{name} in {home(name)} is not run: take +SKIP off {skipped[0]}"


def test_every_public_name_has_its_page_in_a_group(tmp_path: Path) -> None:
    reference_pages.write(tmp_path)
    index = (tmp_path / "index.rst").read_text()
    for name in reference_pages.names():
        assert re.search(rf"^\.\. auto\w+:: muse_nb\.{name}\b", (tmp_path / f"{name}.rst").read_text(), re.M)
        assert f":doc:`{name} <{name}>`" in index
    others = reference_pages.groups().get(reference_pages.OTHERS, [])
    assert not others, f"{others} stand under no heading: add their home to GROUPS in docs/generate/reference_pages.py"


def test_pages_of_names_that_are_gone_are_taken_away(tmp_path: Path) -> None:
    (tmp_path / "gone.rst").write_text("gone")
    reference_pages.write(tmp_path)
    assert not (tmp_path / "gone.rst").exists()


@pytest.mark.parametrize(
    "name", [name for name in reference_pages.names() if inspect.isfunction(getattr(muse_nb, name))]
)
def test_every_parameter_of_a_public_function_is_described(name: str) -> None:
    taken = keywords(name, getattr(muse_nb, name))
    told = named_parameters(docstring(name))
    missing = [] if {"settings", "options"} & set(told) else [word for word in taken if word not in told]
    assert not missing, f"muse_nb.{name} in {home(name)} does not describe {missing}"
    unknown = set(told) - {"settings", "options", *taken}
    assert not unknown, f"muse_nb.{name} in {home(name)} describes {unknown}, which it does not take"


def test_names_of_ours_in_public_docstrings_are_there() -> None:
    for name in reference_pages.names():
        for dotted in re.findall(r"`(muse_nb\.[\w.]+)`", docstring(name)):
            module, _, last = dotted.rpartition(".")
            try:
                there = hasattr(importlib.import_module(module), last) or bool(importlib.import_module(dotted))
            except ImportError:
                there = False
            assert there, f"the docstring of muse_nb.{name} in {home(name)} names {dotted}, which is not there"


@pytest.fixture(scope="session")
def given(night: Night, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What docs/examples.md says the examples find, made once."""
    folder = tmp_path_factory.mktemp("given")
    (folder / "night").symlink_to(night.folder)
    with FileLock(f"{night.folder}.lock"), warnings.catch_warnings():
        warnings.simplefilter("ignore", muse_nb.MuseWarning)
        example_night.make(folder)
    return folder


@pytest.fixture(scope="module")
def archive() -> Iterator[Server]:
    with Server(a_night()) as running:
        yield running


@pytest.fixture
def place(given: Path, archive: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for one example; the archive is a small one on this machine, and nobody is signed in."""
    import muse_nb.archive.fetch as door

    for path in given.iterdir():
        (tmp_path / path.name).symlink_to(path)
    ours = door.Archive
    monkeypatch.setattr(door, "Archive", lambda base=None, **more: ours(base or archive.url, **more))
    for name in [name for name in os.environ if name.startswith("ESO_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(name: str) -> None:
    """Run an example as it is printed; what differs is the message of the failure."""
    import matplotlib.pyplot as plt

    test = doctest.DocTestParser().get_doctest(docstring(name), {"muse_nb": muse_nb}, name, home(name), 0)
    said: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", muse_nb.MuseWarning)
        doctest.DocTestRunner(optionflags=FLAGS).run(test, out=said.append)
    plt.close("all")
    assert not said, f"the example of muse_nb.{name} in {home(name)} does not run as it is printed:\n{''.join(said)}"


@pytest.mark.parametrize("name", [name for name in reference_pages.names() if name not in NEEDS_RECIPES])
def test_the_example_runs_as_it_is_printed(name: str, place: Path) -> None:
    if name in NEEDS_MPDAF:
        pytest.importorskip("mpdaf")
    run(name)


@pytest.mark.eso
@pytest.mark.parametrize("name", sorted(NEEDS_RECIPES))
def test_the_example_runs_with_the_recipes(name: str, place: Path) -> None:
    run(name)
