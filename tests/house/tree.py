"""The house as its sources: what is in which file, who imports whom. The rules are functions of it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path, PurePosixPath

Tree = Mapping[str, str]
"""Sources by path from the project's folder: Python, JavaScript, pyproject.toml."""

ROOT = Path(__file__).parents[2]


@cache
def house() -> Tree:
    """Every source of the project."""
    paths = [ROOT / "pyproject.toml"]
    paths += [path for room in ("muse_nb", "benchmarks", "docs", "tests") for path in (ROOT / room).rglob("*.py")]
    paths += (ROOT / "muse_nb").rglob("*.js")
    return {path.relative_to(ROOT).as_posix(): path.read_text() for path in sorted(paths)}


def modules(tree: Tree) -> dict[str, ast.Module]:
    """Parsed modules of the package."""
    return {path: parsed(text) for path, text in tree.items() if path.startswith("muse_nb/") and path.endswith(".py")}


@cache
def parsed(text: str) -> ast.Module:
    return ast.parse(text)


def room(path: str) -> str:
    """Folder right below ``muse_nb``; empty for the package's own files."""
    parts = PurePosixPath(path).parts
    return parts[1] if len(parts) > 2 else ""


def names_imported(module: ast.Module) -> Iterator[str]:
    """Dotted names in any import: at the top, in a function, under TYPE_CHECKING, by a literal `import_module`."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = "." * node.level + (node.module or "")
            yield from (f"{start}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module") and node.args:
            named = node.args[0]
            if isinstance(named, ast.Constant) and isinstance(named.value, str):
                yield named.value


def imports(tree: Tree) -> dict[str, set[str]]:
    """Modules of the package that each of its modules imports; a name that hides its module is left out."""
    known = modules(tree)
    return {
        path: {place for name in names_imported(module) if (place := _home(name, known))}
        for path, module in known.items()
    }


def _home(name: str, known: Mapping[str, object]) -> str | None:
    parts = name.split(".")
    for length in (len(parts), len(parts) - 1):
        stem = "/".join(parts[:length])
        for place in (f"{stem}.py", f"{stem}/__init__.py"):
            if stem and place in known:
                return place
    return None


def reached(start: str, graph: Mapping[str, set[str]]) -> set[str]:
    """All that a module imports, and what that imports."""
    found: set[str] = set()
    todo = [start]
    while todo:
        for place in graph.get(todo.pop(), set()) - found:
            found.add(place)
            todo.append(place)
    return found


def without_docstrings(module: ast.AST) -> Iterator[ast.AST]:
    """Nodes of a module but for the docstrings."""
    told = {id(node.body[0].value) for node in _bodies(module)}
    return (node for node in ast.walk(module) if id(node) not in told)


def _bodies(module: ast.AST) -> Iterator[ast.Module]:
    for node in ast.walk(module):
        body = getattr(node, "body", None)
        if (
            isinstance(body, list)
            and body
            and isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
        ):
            yield node  # type: ignore[misc]


def texts(module: ast.AST) -> Iterator[str]:
    """String literals of a module but for the docstrings."""
    for node in without_docstrings(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
