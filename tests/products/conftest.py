"""Small files of every product, made once."""

from __future__ import annotations

from pathlib import Path

import pytest
from product_files import write_products


@pytest.fixture(scope="session")
def products(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One file of each kind. Read only."""
    return write_products(tmp_path_factory.mktemp("products"))
