"""The notebooks are short, hold no outputs, and leave the work to the package."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
LONGEST = 12  # lines of a cell


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request: pytest.FixtureRequest) -> dict:
    return json.loads(request.param.read_text())


def code(notebook: dict) -> list[str]:
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]


def test_there_are_notebooks() -> None:
    assert {"00", "01", "02", "03", "04", "05"} <= {path.name[:2] for path in NOTEBOOKS}


def test_no_outputs_are_committed(notebook: dict) -> None:
    for cell in notebook["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
    assert "widgets" not in notebook["metadata"]


def test_cells_are_short_and_define_nothing(notebook: dict) -> None:
    for source in code(notebook):
        assert len(source.splitlines()) <= LONGEST, source
        kinds = {type(node) for node in ast.walk(ast.parse(source))}
        assert not kinds & {ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda}, source


def test_the_first_code_cell_holds_the_parameters(notebook: dict) -> None:
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert cells[0]["metadata"].get("tags") == ["parameters"]
    names = {target.id for node in ast.parse(code(notebook)[0]).body for target in node.targets}  # type: ignore[attr-defined]
    assert {"night", "products"} <= names


def test_the_text_says_what_one_is_looking_at(notebook: dict) -> None:
    text = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
    assert text[0].startswith("# ")
    assert sum(len(part.split()) for part in text) > 80
