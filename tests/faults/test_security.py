"""Protects what SECURITY.md promises of JupyterLab: a token, and the loopback address only."""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from muse_nb.cli.project import lab


def test_lab_asks_for_the_loopback_address_and_leaves_the_token_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda _, words: started.append(words))
    monkeypatch.setattr(os, "chdir", lambda _: None)
    lab.run(argparse.Namespace(port=8888, no_browser=True))
    (words,) = started
    assert words[0] == sys.executable
    assert "--ServerApp.ip=127.0.0.1" in words
    assert not [
        word for word in words if any(part in word for part in ("token", "password", "allow_origin", "0.0.0.0"))
    ]


def _answering(folder: Path) -> dict[str, Any] | None:
    """What a server tells of itself, once it listens: its file is empty for a moment, and there before that."""
    for told in folder.glob("jpserver-*.json"):
        if told.stat().st_size:
            server = json.loads(told.read_text())
            with suppress(OSError), socket.create_connection(("127.0.0.1", server["port"]), timeout=5):
                return dict(server)
    return None


@pytest.mark.browser
def test_nobody_gets_in_without_the_token(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    runtime = {"JUPYTER_RUNTIME_DIR": str(tmp_path), "JUPYTER_CONFIG_DIR": str(tmp_path), "JUPYTER_NO_CONFIG": "1"}
    words = [sys.executable, "-m", "muse_nb", "lab", "--port", str(port), "--no-browser"]
    process = subprocess.Popen(words, env=os.environ | runtime, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        deadline = time.monotonic() + 60
        while not (server := _answering(tmp_path)) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert server
        assert server["hostname"] == "127.0.0.1"
        assert len(server["token"]) >= 32
        address = f"http://127.0.0.1:{server['port']}/api/contents"
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(address, timeout=20)
        with urllib.request.urlopen(f"{address}?token={server['token']}", timeout=20) as answer:
            assert answer.status == 200
        assert listening(server["port"]) == {"127.0.0.1"}
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:  # a server that has just started may not hear it
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def listening(port: int) -> set[str]:
    """Addresses on which a port is open."""
    import psutil

    return {c.laddr.ip for c in psutil.net_connections("tcp") if c.status == "LISTEN" and c.laddr.port == port}
