"""Folders with one fault each, made when first asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from rows import Row


@pytest.fixture(scope="session")
def spoiled(night, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Row], Path]:
    """Give the folder with the fault of a row."""
    made: dict[str, Path] = {}

    def folder(row: Row) -> Path:
        if row.name not in made:
            made[row.name] = tmp_path_factory.mktemp("fault")
            row.make(made[row.name], night)
        return made[row.name]

    return folder
