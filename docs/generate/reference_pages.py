"""The reference: a page for every public name of muse_nb, and one for every class that their functions return."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

from traitlets import HasTraits

import muse_nb

__all__ = ["OTHERS", "groups", "homes", "named", "names", "write"]

GROUPS = {  # start of a public name's home below muse_nb -> the heading that it stands under
    "steps.survey": "The night",
    "steps.doctor": "The night",
    "simulator": "The night",
    "archive": "The archive and calibrations",
    "steps.calibrate": "The archive and calibrations",
    "recipes": "ESO's recipes",
    "steps.masters": "The archive and calibrations",
    "steps.inspect": "Frames",
    "steps.nans": "Holes and bad pixels",
    "steps.badpix": "Holes and bad pixels",
    "steps.offsets": "Offsets",
    "steps.combine": "Combine",
    "steps.look": "The cube",
    "steps.judge": "The cube",
    "steps.stars": "The cube",
    "steps.velocities": "The cube",
    "steps.handover": "The cube",
    "steps.drawing": "Pictures and pages",
    "sharing": "Pictures and pages",
    "widgets": "Widgets",
    "products": "Files",
    "core.errors": "Errors and warnings",
}
OTHERS = "Others"
CLASS_NAME = re.compile(r"\b[A-Z]\w+")


def names() -> list[str]:
    """Every public name that needs a page and an example: `muse_nb.__all__` without the version."""
    return [name for name in muse_nb.__all__ if name != "__version__"]


def groups() -> dict[str, list[str]]:
    """Heading to the public names under it, in the order of an observer's work."""
    found: dict[str, list[str]] = {heading: [] for heading in (*GROUPS.values(), OTHERS)}
    for name in names():
        home = _value(name).__module__.removeprefix("muse_nb.")
        found[next((text for start, text in GROUPS.items() if f"{home}.".startswith(f"{start}.")), OTHERS)].append(name)
    return {heading: inside for heading, inside in found.items() if inside}


@cache
def results() -> dict[str, type]:
    """Classes of our own that public functions return, and those that these hold or return in turn, by dotted name."""
    found: dict[str, type] = {}
    doors = [value for name in names() if inspect.isfunction(value := _value(name))]
    words = [pair for door in doors for pair in _returned(door)]
    words += [pair for name in names() if inspect.isclass(value := _value(name)) for pair in _held(value)]
    while words:
        module, word = words.pop()
        value = named(module, word)
        if not isinstance(value, type) or not value.__module__.startswith("muse_nb.") or word in names():
            continue
        if (dotted := f"{value.__module__}.{word}") not in found:
            found[dotted] = value
            words += _held(value)
    return dict(sorted(found.items(), key=lambda item: (item[1].__name__, item[0])))


def _returned(door: Callable[..., object]) -> list[tuple[ModuleType, str]]:
    """Names of classes in what a function returns, each with the module that knows what it stands for."""
    told = str(inspect.signature(door).return_annotation)
    return [(import_module(door.__module__), word) for word in CLASS_NAME.findall(told)]


def _held(value: type) -> list[tuple[ModuleType, str]]:
    """The same of what a result shows: its fields, but those that it keeps to itself, its properties and methods."""
    if not is_dataclass(value):
        return []
    module = import_module(value.__module__)
    shown = " ".join(str(field.type) for field in fields(value) if field.repr)
    words = [(module, word) for word in CLASS_NAME.findall(shown)]
    for name, member in vars(value).items():
        door = next((inner for kind in ("fget", "func", "__func__") if (inner := getattr(member, kind, None))), member)
        if not name.startswith("_") and inspect.isfunction(door):
            words += _returned(door)
    return words


@cache
def homes() -> dict[str, str]:
    """Short name of a class to the dotted name under which its page has it."""
    short = [value.__name__ for value in results().values()]
    alone = {value.__name__: dotted for dotted, value in results().items() if short.count(value.__name__) == 1}
    return {name: f"muse_nb.{name}" for name in names()} | alone


def write(folder: Path) -> None:
    """Write all pages, and those of names that are no more away."""
    pages = {f"{name}.rst": _page(name) for name in names()}
    pages |= {f"results/{dotted}.rst": _result(dotted) for dotted in results()}
    pages["index.rst"] = _index()
    if folder.is_dir():
        for path in folder.rglob("*.rst"):
            if path.relative_to(folder).as_posix() not in pages:
                path.unlink()
    for name, text in pages.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text() != text:  # a page that stays as it is is not read again
            path.write_text(text)


def _value(name: str) -> object:
    return getattr(muse_nb, name)


def named(module: ModuleType, word: str) -> object:
    """What a name stands for in a module, also where it is imported for type checkers alone."""
    if hasattr(module, word):
        return getattr(module, word)
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.ImportFrom) and node.module and word in [alias.name for alias in node.names]:
            return getattr(import_module(node.module), word) if node.module.startswith("muse_nb.") else None
    return None


def _heading(text: str, under: str = "=") -> str:
    return f"{text}\n{under * len(text)}\n\n"


def _page(name: str) -> str:
    value = _value(name)
    if inspect.isclass(value):
        if issubclass(value, HasTraits):
            given, members = _signature(value), ", ".join(_members(value))
            return _heading(name) + f".. autoclass:: muse_nb.{name}{given}\n   :members: {members}\n"
        return _heading(name) + f".. autoclass:: muse_nb.{name}\n   :members:\n"
    return _heading(name) + f".. autofunction:: muse_nb.{name}\n"


def _signature(value: type) -> str:
    """What a widget is made from: its metaclass hides that from Sphinx."""
    signature = inspect.signature(value)
    return re.sub(r": '([^']*)'", r": \1", str(signature.replace(return_annotation=inspect.Signature.empty)))


def _members(value: type[HasTraits]) -> list[str]:
    """Methods and properties of a widget, and those of its traits that it speaks of: the others are the browser's."""
    told = set(re.findall(r"`(\w+)`|^(\w+) :", inspect.getdoc(value) or "", re.M))
    traits = {name for pair in told for name in pair} & set(value.class_trait_names())
    own = {name for name, member in vars(value).items() if inspect.isfunction(member) or isinstance(member, property)}
    return sorted(name for name in own | traits if not name.startswith("_"))


def _result(dotted: str) -> str:
    return _heading(dotted.rpartition(".")[2]) + f".. autoclass:: {dotted}()\n   :members:\n"


def _index() -> str:
    lines = [
        _heading("Reference"),
        "Every public name of muse_nb, imported when it is first used: ``import muse_nb`` costs nothing. The examples\n"
        "are run by the project's tests, in a folder that :doc:`holds a small simulated night </examples>`.\n\n"
        "``muse_nb.__version__`` is the version as text.\n\n",
    ]
    for heading, inside in groups().items():
        lines.append(_heading(heading, "-") + _table(heading, [(name, name, _value(name)) for name in inside]))
    returned = _table("Results", [(value.__name__, f"results/{dotted}", value) for dotted, value in results().items()])
    lines.append(_heading("What functions return", "-") + returned)
    return "".join(lines)


def _table(caption: str, rows: list[tuple[str, str, object]]) -> str:
    """Names with the first lines of their docstrings, each a link to its page."""
    lines = "".join(
        f"   * - :doc:`{name} <{page}>`\n     - {(inspect.getdoc(value) or '').partition(chr(10))[0]}\n"
        for name, page, value in rows
    )
    tree = "".join(f"   {page}\n" for _, page, _ in rows)
    return (
        f".. list-table::\n   :widths: 30 70\n\n{lines}\n.. toctree::\n   :hidden:\n   :caption: {caption}\n\n{tree}\n"
    )
