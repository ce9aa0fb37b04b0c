"""What Python says of the C kernels is what C says: functions, structures and constants."""

from __future__ import annotations

import ast
import ctypes
import re
from pathlib import Path

import pytest

from muse_nb.kernels import library, structs
from muse_nb.kernels.signatures import SIGNATURES

HERE = Path(structs.__file__).parent
TYPES = {
    **{"int64_t": ctypes.c_int64, "int32_t": ctypes.c_int32, "int": ctypes.c_int, "uint32_t": ctypes.c_uint32},
    **{"float": ctypes.c_float, "double": ctypes.c_double, "void": None},
}
STRUCTURES = {
    **{"Exposure": structs.Exposure, "Grid": structs.Grid, "Voxels": structs.Voxels, "Place": structs.Place},
    "Normal": structs.NormalEquations,
    "Crowd": structs.Crowd,
}


def prototypes() -> dict[str, tuple[str, list[str]]]:
    """Result and arguments of every function in the C sources that is not static."""
    found = {}
    for path in HERE.glob("*.c"):
        text = re.sub(r"//.*", "", path.read_text())
        for match in re.finditer(r"^(?:HOT )?((?:const )?\w+ \*?)(\w+)\(([^)]*)\)\s*\{", text, re.MULTILINE):
            found[match[2]] = (match[1].strip(), [" ".join(part.split()) for part in match[3].split(",")])
    return found


def kind(c_type: str) -> set[object]:
    """What ctypes may call a C type; pointers to shared structures by their own names or as plain pointers."""
    if "*" not in c_type:
        return {TYPES[c_type.removeprefix("const ").split()[0]]}
    name = c_type.removeprefix("const ").split()[0]
    if name in STRUCTURES:
        return {ctypes.POINTER(STRUCTURES[name])}
    return {ctypes.c_void_p} | ({ctypes.POINTER(TYPES[name])} if TYPES.get(name) else set())


@pytest.mark.parametrize("name", sorted(SIGNATURES))
def test_a_function_is_declared_as_it_is_written(name: str) -> None:
    arguments, result = SIGNATURES[name]
    c_result, c_arguments = prototypes()[name]
    assert len(arguments) == len([word for word in c_arguments if word != "void"])
    for declared, written in zip(arguments, c_arguments, strict=False):
        assert declared in kind(written), written
    assert result in ({ctypes.c_char_p} if c_result == "const char *" else kind(c_result))


def test_every_function_that_is_called_is_declared() -> None:
    called = set()
    for path in HERE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "library()":
                called.add(node.attr)
    assert called == SIGNATURES.keys() - {"kernel_sources"}


@pytest.mark.parametrize("name", [*STRUCTURES, "Story"])
def test_a_structure_has_the_size_that_it_has_in_c(name: str) -> None:
    size = structs.STORY.itemsize if name == "Story" else ctypes.sizeof(STRUCTURES[name])
    assert ctypes.c_int64.in_dll(library(), f"sizeof_{name}").value == size


@pytest.mark.parametrize("name", ["BLOCK", "MAXTHREADS"])
def test_a_constant_has_the_value_that_it_has_in_c(name: str) -> None:
    assert ctypes.c_int64.in_dll(library(), f"value_{name}").value == getattr(structs, name)
