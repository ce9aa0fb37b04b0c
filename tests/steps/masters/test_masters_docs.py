"""Protects the table of limits: docs/masters.md has its rows, and a real night's values lie within every limit."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from muse_nb.steps.masters.parts.limits import Limit, read_limits

DOCS = Path(__file__).parents[3] / "docs" / "masters.md"


def row(limit: Limit) -> str:
    unit = f" [{limit.unit}]" if limit.unit else ""
    real = f"{limit.real_text} ({limit.keyword})" if limit.real_text else "not known"
    return f"| `{limit.name}` | {limit.what}{unit} | {limit.range_text} | {real} | {limit.source} |"


def test_the_docs_have_the_limits() -> None:
    written = [line for line in DOCS.read_text().splitlines() if line.startswith("| `")]
    expected = [row(limit) for limit in read_limits().values()]
    assert written == expected, "\n".join(["docs/masters.md should have", *expected])


@pytest.mark.parametrize("limit", read_limits().values(), ids=lambda limit: limit.name)
def test_a_real_night_lies_within_the_limits(limit: Limit) -> None:
    assert limit.low < limit.high or limit.high == 0
    assert not math.isinf(limit.low) or not math.isinf(limit.high)
    for value in (limit.real_low, limit.real_high):
        assert limit.passed(value) is None
