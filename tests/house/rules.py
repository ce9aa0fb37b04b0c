"""The rules of the house: each takes the sources and lists what breaks it, a line each."""

from __future__ import annotations

import ast
import re
import statistics
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import PurePosixPath

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from tree import Tree, house, imports, modules, names_imported, parsed, reached, room, texts, without_docstrings

GROUND = {"core"}
FILES = GROUND | {"kernels", "products"}
WORK = FILES | {"resample", "recipes", "simulator", "steps"}
BELOW = {  # room -> the rooms it may import beside itself
    "core": set(),
    "kernels": GROUND,
    "products": GROUND | {"kernels"},
    "resample": FILES,
    "recipes": FILES,
    "simulator": FILES,
    "steps": WORK - {"steps"},
    "archive": GROUND | {"products"},  # the only one that opens the network
    "widgets": WORK | {"archive"},
    "sharing": WORK - {"recipes"},
    "demo": WORK | {"widgets", "sharing"},
    "cli": WORK | {"archive", "widgets", "sharing", "demo"},
    "": WORK | {"widgets", "sharing", "demo", "cli"},
}
WINGS = {  # wing of steps -> the wings it may import
    "badpix": {"nans", "combine"},
    "nans": {"combine"},
    "doctor": {"survey", "inspect", "offsets"},
    "calibrate": {"survey"},
    "handover": {"look", "offsets"},
    "judge": {"look", "nans", "offsets"},
    "stars": {"look", "offsets"},
    "velocities": {"judge", "nans", "stars"},
}
LARGE_FOLDERS = {"muse_nb/steps/offsets/starfit", "muse_nb/simulator", "muse_nb/kernels"}
MAX_MODULES, MAX_OF_A_PREFIX = 15, 2
MAX_CODE_LINES, MAX_PARAMETERS = 60, 12
MAX_LINES, MAX_MEDIAN_LINES = 400, 159
PICTURES = {"figures.py", "drawing.py"}
DRAWING = {"imshow", "subplots", "errorbar", "axhline", "axvline", "add_patch", "set_xlabel", "colorbar"}
SIGMA_OF_MAD = (1.4826, 0.6745)
SLICES = [9, 8, 1, 10, 7, 2]  # SliceSky of the first slices on the detector
DISTRIBUTION = {
    "PIL": "pillow",
    "cpl": "python-cpl",
    "distributed": "dask",
    "websocket": "websocket-client",
}  # where the import has another name
FOR_DEVELOPERS = ("test", "dev", "docs")  # extras that users do not install
BY_HAND = {"atheris", "photutils"}  # benchmarks/fuzz.py and stars.py do without


def circles(tree: Tree) -> list[str]:
    """Modules that import each other, lazily and under TYPE_CHECKING too; and imports that hide where they lead."""
    graph = imports(tree)
    all_of = {path: reached(path, graph) for path in graph}
    found = {tuple(sorted(p for p in all_of if path in all_of[p] and p in all_of[path])) for path in graph}
    lines = [f"a circle of imports: {', '.join(circle)}" for circle in sorted(found) if circle]
    for path, module in modules(tree).items():
        for name in names_imported(module):
            hides = name.startswith(".") or (name == "muse_nb" or re.fullmatch(r"muse_nb\.(?!__version__)\w+", name))
            if hides and not (name.startswith("muse_nb.") and f"{name.replace('.', '/')}/__init__.py" in tree):
                lines.append(f"{path}: the import of {name} hides the module")
    return lines


def wings(tree: Tree) -> list[str]:
    """Wings of `steps` that import another than those they may; what all wings share imports none."""
    lines = []
    for path, places in imports(tree).items():
        allowed = WINGS.get(_wing(path), set()) | {"", _wing(path)}
        other = [place for place in sorted(places) if room(path) == room(place) == "steps"]
        lines += [f"{path} imports {place}, another wing" for place in other if _wing(place) not in allowed]
    return lines


def _wing(path: str) -> str:
    parts = PurePosixPath(path).parts
    return parts[2] if len(parts) > 3 else ""


def figures(tree: Tree) -> list[str]:
    """Figures that know a result, and pictures that are drawn elsewhere."""
    lines, graph = [], imports(tree)
    for path, module in modules(tree).items():
        name = PurePosixPath(path).name
        if name == "figures.py":
            results = [place for place in sorted(reached(path, graph)) if place.endswith("/result.py")]
            lines += [f"{path} knows the result in {place}" for place in results]
        if name not in PICTURES:
            lines += [f"{path}: {what} draws outside of figures.py and drawing.py" for what in _drawn(module)]
    return lines


def _drawn(module: ast.Module) -> list[str]:
    """What draws in a module: matplotlib's parts, but for type checkers, and its methods."""
    typed = {
        id(inner)
        for node in ast.walk(module)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    found = set()
    for node in ast.walk(module):
        if isinstance(node, (ast.Import, ast.ImportFrom)) and id(node) not in typed:
            found |= {name for name in names_imported(ast.Module([node], [])) if name.startswith("matplotlib.")}
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in DRAWING:
            found.add(f".{node.func.attr}()")
    return sorted(found)


def rooms(tree: Tree) -> list[str]:
    """Rooms that import a room above them or beside them."""
    lines = []
    for path, places in imports(tree).items():
        if room(path) not in BELOW:
            lines.append(f"{path} is in a room without a rule")
            continue
        allowed = BELOW[room(path)] | {room(path), ""}
        lines += [f"{path} imports {place}" for place in sorted(places) if room(place) not in allowed]
    return lines


def folders(tree: Tree) -> list[str]:
    """Folders of too many modules, and those where a prefix stands in for a folder."""
    inside: dict[str, list[PurePosixPath]] = defaultdict(list)
    for path in map(PurePosixPath, tree):
        if path.parts[0] == "muse_nb" and path.name != "__init__.py":
            inside[str(path.parent)].append(path)
    lines = []
    for folder, paths in sorted(inside.items()):
        number = sum(path.suffix == ".py" for path in paths)
        if number > MAX_MODULES and folder not in LARGE_FOLDERS:
            lines.append(f"{folder} has {number} modules")
        prefixes: dict[str, list[str]] = defaultdict(list)
        for path in paths:
            prefixes[path.stem.split("_")[0] + path.suffix].append(path.name)
        alike = [names for prefix, names in prefixes.items() if prefix[0] not in "_." and len(names) > MAX_OF_A_PREFIX]
        lines += [f"{folder}: a prefix is shared by {', '.join(sorted(names))}" for names in alike]
    return lines


def declared(tree: Tree) -> list[str]:
    """What is imported and not declared in pyproject.toml, for users or, of tests and benchmarks, in any extra."""
    project = tomllib.loads(tree["pyproject.toml"])["project"]
    extras = project.get("optional-dependencies", {})
    own = {PurePosixPath(path).stem for path in tree} | {"muse_nb", "benchmarks", "tests"}
    every = project["dependencies"] + [line for more in extras.values() for line in more]
    users = project["dependencies"] + [line for name in extras if name not in FOR_DEVELOPERS for line in extras[name]]
    lines = []
    for path, text in tree.items():
        if path.endswith(".py"):
            ours = path.startswith("muse_nb/")
            asked = {canonicalize_name(Requirement(line).name) for line in (users if ours else every)}
            packages = {name.split(".")[0] for name in names_imported(parsed(text)) if not name.startswith(".")}
            others = packages - sys.stdlib_module_names - ({"muse_nb"} if ours else own | BY_HAND)
            names = {package: DISTRIBUTION.get(package, canonicalize_name(package)) for package in sorted(others)}
            lines += [f"{path} imports {package} undeclared" for package, name in names.items() if name not in asked]
    return lines


def one_home(tree: Tree) -> list[str]:
    """Facts that stand in more than one file: PRO REC, the slices' order, the sigma of a MAD; tables by hand."""
    homes: dict[str, list[str]] = defaultdict(list)
    lines = []
    for path, module in modules(tree).items():
        words = list(texts(module))
        if any(re.search(r"PRO[ _]REC(?![A-Z])", word) for word in words):
            homes["PRO REC"].append(path)
        if any("<table" in word for word in words) and path != "muse_nb/core/html.py" and room(path) != "sharing":
            lines.append(f"{path} writes a <table> by hand: muse_nb.core.html does")
        for node in without_docstrings(module):
            if isinstance(node, ast.Constant) and isinstance(node.value, float):
                if any(abs(node.value - value) < 5e-4 for value in SIGMA_OF_MAD):
                    homes["the sigma of a MAD"].append(path)
            elif isinstance(node, (ast.List, ast.Tuple)) and _slices(node):
                homes["the order of the slices"].append(path)
        if re.search(r"PRO_REC\d", tree[path]):
            homes["PRO REC"].append(path)
    for fact, paths in homes.items():
        if len(set(paths)) > 1:
            lines.append(f"{fact} stands in {', '.join(sorted(set(paths)))}")
    return lines


def _slices(node: ast.List | ast.Tuple) -> bool:
    numbers = [part.value for part in node.elts if isinstance(part, ast.Constant)]
    return len(numbers) >= 48 and numbers[: len(SLICES)] in (SLICES, [number - 1 for number in SLICES])


def scripts(tree: Tree) -> list[str]:
    """JavaScript of widgets that does not lie beside the Python that it belongs to."""
    lines = []
    for path in map(PurePosixPath, tree):
        if path.suffix == ".js" and str(path).startswith("muse_nb/widgets/"):
            beside = [p for p in map(PurePosixPath, tree) if p.parent == path.parent and p.suffix == ".py"]
            if not [p for p in beside if p.name != "__init__.py"]:
                lines.append(f"{path} lies beside no Python")
    for path, module in modules(tree).items():
        own = PurePosixPath(path).with_suffix(".js")
        for name in _scripts_of(module):
            if f"muse_nb/widgets/{name}.js" != str(own) or str(own) not in tree:
                lines.append(f"{path} shows {name}.js, not {own.name} beside it")
    return lines


def _scripts_of(module: ast.Module) -> list[str]:
    """Names below widgets/ of the scripts that the widgets of a module show, as in ``_esm = module("nans/viewer")``."""
    return [
        str(node.value.args[0].value)
        for node in ast.walk(module)
        if isinstance(node, ast.Assign)
        and ast.unparse(node.targets[0]) == "_esm"
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.args[0], ast.Constant)
    ]


def sizes(tree: Tree) -> list[str]:
    """Functions and modules that are too long, functions of too many parameters, a house of long modules."""
    lines, lengths = [], []
    for path, module in modules(tree).items():
        text = tree[path]
        lengths.append(len(text.splitlines()))
        if lengths[-1] > MAX_LINES:
            lines.append(f"{path} has {lengths[-1]} lines")
        for node in ast.walk(module):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                if (code := code_lines(node, text)) > MAX_CODE_LINES:
                    lines.append(f"{path}: {node.name} has {code} lines of code")
                if (number := parameters(node)) > MAX_PARAMETERS:
                    lines.append(f"{path}: {node.name} has {number} parameters")
    if lengths and statistics.median(lengths) > MAX_MEDIAN_LINES:
        lines.append(f"the median module has {statistics.median(lengths):.0f} lines")
    return lines


def code_lines(node: ast.FunctionDef | ast.AsyncFunctionDef, text: str) -> int:
    """Lines of a function that are neither blank nor a comment nor its docstring."""
    first = node.body[0]
    told = set()
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        told = set(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    source = text.splitlines()
    numbers = (n for n in range(node.lineno, (node.end_lineno or node.lineno) + 1) if n not in told)
    return sum(1 for n in numbers if (line := source[n - 1].strip()) and not line.startswith("#"))


def parameters(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Parameters of a function, without self; those gathered by ``*`` or ``**`` count as one."""
    given = node.args
    names = [arg.arg for arg in (*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg) if arg]
    return len([name for name in names if name not in ("self", "cls")])


RULES = {rule.__name__: rule for rule in (circles, wings, figures, rooms, folders, declared, one_home, scripts, sizes)}


def violations(tree: Tree | None = None) -> Iterator[str]:
    """List what breaks any rule: ``python tests/house/rules.py`` prints it."""
    for name, rule in RULES.items():
        yield from (f"{name}: {line}" for line in rule(house() if tree is None else tree))


if __name__ == "__main__":
    print(*violations(), sep="\n")
