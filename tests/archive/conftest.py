"""A night on a small archive: science, its calibrations and its night log."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from holdings import a_night
from server import Server, State


@pytest.fixture
def state() -> State:
    return a_night()


@pytest.fixture
def server(state: State, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    """The archive; nobody is signed in on this machine."""
    for name in ("ESO_USERNAME", "ESO_PASSWORD", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    monkeypatch.setattr("muse_nb.archive.session.FIRST_PAUSE", 0.01)
    with Server(state) as running:
        yield running
