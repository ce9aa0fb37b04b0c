"""Protects SECURITY.md: nothing in the package runs text, a shell, or a pickle."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import muse_nb

MODULES = sorted(Path(muse_nb.__file__).parent.rglob("*.py"))
CALLS = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "os.system",
    "os.popen",
    "pickle.load",
    "pickle.loads",
    "marshal.loads",
    "pandas.read_pickle",
    "yaml.load",
    "yaml.unsafe_load",
}
IMPORTS = {"pickle", "shelve", "marshal", "dill", "cloudpickle", "joblib"}


def faults(tree: ast.AST) -> list[str]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name in CALLS or name.endswith("getoutput"):
                found.append(name)
            for word in node.keywords:
                value = ast.unparse(word.value)
                if (word.arg, value) in (("shell", "True"), ("allow_pickle", "True")):
                    found.append(f"{name}({word.arg}=True)")
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            found += [name for name in names if name.split(".")[0] in IMPORTS]
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_no_module_runs_text(path: Path) -> None:
    assert faults(ast.parse(path.read_text())) == []


@pytest.mark.parametrize(
    "code",
    [
        "eval('1')",
        "import pickle",
        "subprocess.run('ls', shell=True)",
        "numpy.load(p, allow_pickle=True)",
        "yaml.load(text)",
    ],
)
def test_the_rule_finds_them(code: str) -> None:
    assert faults(ast.parse(code))
