"""A night on a small archive: science, its calibrations and its night log."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from holdings import BIAS, ELSEWHERE, FLAT, GEOMETRY, LOG, SCIENCE, frame, row
from server import Remote, Server, State, tree


@pytest.fixture
def state() -> State:
    found = State()
    found.rows = [row(SCIENCE[0]), row(SCIENCE[1]), row(BIAS, "BIAS"), row(FLAT, "FLAT,LAMP")]
    found.rows.append(row(ELSEWHERE, target="NGC 63970", object="NGC63970", prog_id="60.A-91000", ra=10.0))
    for number, name in enumerate([*SCIENCE, BIAS, FLAT, GEOMETRY, ELSEWHERE]):
        found.files[name] = Remote(f"{name}.fits.fz", frame(name, number), etag=f'"{number}"')
    calibrations = [(BIAS, "BIAS"), (FLAT, "FLAT,LAMP"), (GEOMETRY, "GEOMETRY_TABLE")]
    for name in SCIENCE:
        found.associations[name] = tree(name, calibrations)
        found.links[name] = f"{name}.NL"
        found.files[f"{name}.NL"] = Remote(f"{name}.NL.txt", LOG.encode())
    return found


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
