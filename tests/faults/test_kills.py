"""Protects against ``kill -9``: 200 random ones lose nothing, leave nothing, and a rerun makes the same bytes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

KILLS = 200


def test_200_random_kills_lose_and_leave_nothing(record_property) -> None:
    """In a process of its own, which has no thread when it forks."""
    words = [sys.executable, "-m", "benchmarks.kills", str(KILLS)]
    run = subprocess.run(words, cwd=Path(__file__).parents[2], capture_output=True, text=True)
    counts = json.loads(run.stdout) if run.stdout else {}
    harm = sum(len(value) for value in counts.values() if isinstance(value, list))
    text = (
        "kills: {kills} commands killed, {too_late} of them at their end, {reruns} reruns, {harm} things lost or left"
    )
    record_property("counted", text.format_map(counts | {"harm": harm}) if counts else "kills: no counts")
    assert run.returncode == 0, run.stdout + run.stderr
    assert counts["kills"] >= KILLS
    assert counts["too_late"] < KILLS / 2  # the rest were in the middle of it
