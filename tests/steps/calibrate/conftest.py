"""A pretended pipeline and a night for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pretended import pretend, raw_night

from muse_nb.recipes import backends, run


@pytest.fixture
def pretended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The file in which a pretended pipeline writes down what it made."""
    yield pretend(tmp_path / "pipeline", monkeypatch)
    for cached in (backends.available, run.known_parameters):
        cached.cache_clear()


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return raw_night(tmp_path / "night")
